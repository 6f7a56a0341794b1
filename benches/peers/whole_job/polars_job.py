"""The whole job in Polars: registers (Parquet) to grants and unknown verdicts (Parquet).

    python polars_job.py --sources DIR --out DIR --as-of 2026-06-30 [--threads 2] [--memory 4GB]

The same rules as `duckdb_job.sql`, as lazy frames: every register is scanned once, for the columns that it needs, and
aggregated to one row a subject; these are joined to the population; verdicts are columns of three values (null is unknown,
and Polars' `&`, `|`, `~` are Kleene's). Identifiers are 64-bit hashes inside; money is in fen, a whole number. Prints one
JSON line: seconds per stage and in all, rows of both results. Polars takes no limit of memory; `--memory` limits the
address space of the process instead, so that a run beyond it fails rather than swaps.
"""
import argparse
import datetime
import json
import os
import pathlib
import resource
import time

from shape import check_sources

POLICIES = {  # code: mode, span
    "000000-RS-0002": ("confirm", "once"), "000000-RS-0003": ("confirm", "month"), "000000-SW-0001": ("automatic", "year"),
    "000000-WJ-0001": ("confirm", "year"), "990000-RS-0011": ("automatic", "year"), "990000-RS-0012": ("automatic", "once"),
    "990100-GX-0001": ("confirm", "once"), "990100-JY-0001": ("automatic", "year"), "990100-KJ-0001": ("automatic", "once"),
    "990100-MZ-0001": ("review", "month"), "990100-MZ-0002": ("commit", "year"), "990100-MZ-0003": ("review", "month"),
    "990100-MZ-0004": ("review", "month"), "990100-MZ-0007": ("automatic", "month"), "990100-MZ-0011": ("confirm", "month"),
    "990100-MZ-0012": ("automatic", "month"), "990100-RS-0001": ("confirm", "month"), "990100-RS-0002": ("confirm", "once"),
    "990100-RS-0003": ("confirm", "month"), "990100-RS-0011": ("confirm", "month"), "990100-TY-0001": ("automatic", "year"),
    "990100-WJ-0001": ("automatic", "year"), "990100-WJ-0002": ("confirm", "year"), "990100-WJ-0003": ("automatic", "year"),
    "990100-YB-0001": ("automatic", "year"), "990100-ZJ-0001": ("confirm", "year"), "990100-ZJ-0002": ("automatic", "month"),
}
GUARDIANS = ["000000-WJ-0001", "990100-JY-0001", "990100-MZ-0004"]
# Caps in fen, per subject and the policy's period.
CAPS = {"000000-RS-0002": 600_000, "990000-RS-0011": 50_000_000, "990100-RS-0011": 1_800_000}

# Set in `main`, once the number of threads is known.
pl = None


def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument("--sources", required=True, type=pathlib.Path)
    parser.add_argument("--out", required=True, type=pathlib.Path)
    parser.add_argument("--as-of", default="2026-06-30")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--memory")
    parser.add_argument("--engine", choices=["streaming", "in-memory"], default="streaming")
    return parser.parse_args()


class Job:
    def __init__(self, sources, out, as_of, engine):
        self.files, data_day = check_sources(sources, as_of)
        self.out, self.engine = out, engine
        self.as_of = datetime.date.fromisoformat(as_of)
        self.data_day = datetime.date.fromisoformat(data_day)
        self.month0 = self.as_of.replace(day=1)
        self.this_month = self.as_of.year * 12 + self.as_of.month
        self.links = None

    # Small words.

    def scan(self, name):
        return pl.scan_parquet(self.files[name])

    def collect(self, frame):
        return frame.collect(engine=self.engine)

    def still(self, column="to_date", since=None):
        """Whether a spell holds on the day; an open end goes on."""
        return pl.col(column).is_null() | (pl.col(column) >= (since or self.as_of))

    def renumber(self, frame, key="id"):
        """Identifiers of before give way to those of today."""
        return (frame.join(self.links.select(pl.col("old").alias(key), "new"), on=key, how="left")
                .with_columns(pl.coalesce("new", key).alias(key)).drop("new"))

    def one_row_each(self, frame, *texts):
        """Registers with one row a subject: of two rows that a link puts together the one under the number of today counts."""
        frame = self.collect(frame.join(self.links.rename({"old": "id"}), on="id", how="left").with_columns(
            pl.coalesce("new", "id").alias("id"), *(pl.coalesce("new_id", name).alias(name) for name in texts), came=pl.col("new").is_not_null())
            .drop("new", "new_id"))
        if not frame["came"].any():
            return frame.drop("came").lazy()
        own = frame.filter(~pl.col("came"))
        came = frame.filter("came").unique("id", keep="first").join(own.select("id"), on="id", how="anti")
        return pl.concat([own, came]).drop("came").lazy()


def hashed(column):
    """The hash of an identifier; unknown stays unknown."""
    return pl.when(pl.col(column).is_not_null()).then(pl.col(column).hash())


def days(column):
    return pl.col(column).to_physical().cast(pl.Int64)


def months(column):
    return pl.col(column).dt.year().cast(pl.Int32) * 12 + pl.col(column).dt.month()


def day_number(date):
    return date.dt.year().cast(pl.Int32) * 10_000 + date.dt.month().cast(pl.Int32) * 100 + date.dt.day()


def fen(column):
    return (pl.col(column) * 100).cast(pl.Int64)


def place(column, codes):
    """The place of a code in the sorted list of codes; null where it is none of them."""
    return pl.col(column).cast(pl.Enum(sorted(codes)), strict=False).to_physical().cast(pl.Int64)


def tidy(id):
    """Blanks (also ideographic) off, full width to half width, capitals; 15 digits of before 1999 made 18 characters."""
    half = id.str.strip_chars(" \u3000").str.replace_many(list("０１２３４５６７８９Ｘｘ"), list("0123456789Xx")).str.to_uppercase()
    body = half.str.slice(0, 6) + "19" + half.str.slice(6, 9)
    return pl.when(half.str.len_chars() == 15).then(body + check_character(body.cast(pl.Int64, strict=False))).otherwise(half)


def tidied(job, frame, column="person_id"):
    """Only the few identifiers that are not 18 ASCII characters are worked on as a whole; the others lose a small x."""
    frame = job.collect(frame)
    plain = pl.col(column).str.len_bytes() == 18
    return pl.concat([
        frame.filter(plain).with_columns(pl.col(column).str.replace("x", "X", literal=True)),
        frame.filter(~plain).with_columns(tidy(pl.col(column)).alias(column)),
    ]).lazy()


def check_character(digits):
    """GB 11643: weights of the 17 digits, modulo 11."""
    weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]
    total = sum(digits // 10 ** (16 - at) % 10 * weight for at, weight in enumerate(weights))
    return pl.lit("10X98765432").str.slice((total % 11).cast(pl.Int64), 1)


def check_value(digits):
    """The check character as a byte."""
    weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]
    total = sum(digits // 10 ** (16 - at) % 10 * weight for at, weight in enumerate(weights))
    return (12 - total % 11) % 11


def is_entity_id(column):
    """GB 32100: both check characters, the last and the one of the organisation code inside."""
    alphabet, all36 = "0123456789ABCDEFGHJKLMNPQRTUWXY", "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    weights = [1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28]
    body = [3, 7, 9, 10, 5, 8, 4, 2]

    def value(letters, at):
        return pl.col(column).str.slice(at, 1).replace_strict(list(letters), list(range(len(letters))), default=None, return_dtype=pl.Int32)

    total = sum(value(alphabet, at) * weight for at, weight in enumerate(weights))
    inside = sum(value(all36, at + 8) * weight for at, weight in enumerate(body))
    body_check = [all36.index(character) for character in "0X987654321"]
    return ((pl.col(column).str.len_bytes() == 18) & pl.col(column).str.contains("^[0-9A-HJ-NP-RTUWXY]{2}[0-9]{6}[0-9A-HJ-NP-RTUWXY]{10}$")
            & ((31 - total % 31) % 31 == value(alphabet, 17))
            & ((inside % 11).replace_strict(list(range(11)), body_check, default=None, return_dtype=pl.Int32) == value(all36, 16))).fill_null(False)


def county(column):
    return pl.col(column).str.slice(0, 6).cast(pl.Int32, strict=False)


def in_city(column):
    return pl.col(column) // 100 == 9901


def subsistence_line(column):
    of = {990101: 124_000, 990102: 92_000, 990103: 88_000}
    value = pl.lit(102_000, pl.Int64)
    for code, amount in of.items():
        value = pl.when(pl.col(column) == code).then(pl.lit(amount, pl.Int64)).otherwise(value)
    return pl.when(pl.col(column).is_not_null()).then(value)


def by_county(column, default, **counties):
    value = pl.lit(default, pl.Int64)
    for code, amount in counties.items():
        value = pl.when(pl.col(column) == int(code[1:])).then(pl.lit(amount, pl.Int64)).otherwise(value)
    return value


INSURANCES = ["injury", "medical", "pension", "resident_pension", "unemployment"]
STAGES = ["bachelor", "college", "doctor", "junior", "kindergarten", "master", "primary", "senior", "vocational"]
LISTS = ["veteran", "sole_child_parent", "hardship_graduate", "public_rental_tenant", "heating_household", "hard_to_employ"]
DISABILITIES = ["hearing", "intellectual", "mental", "multiple", "physical", "speech", "visual"]
REASONS = ["bankrupt", "contract_ended", "dismissed", "never_employed", "resigned"]
RELATIONS = ["child", "head", "other", "parent", "spouse"]
LEVELS = {"junior": 1, "intermediate": 2, "senior": 3, "technician": 4, "senior_technician": 5, "none": 0}
ENTITY_LISTS = ["high_tech", "specialised_new", "science_sme", "employment_base"]


def stage(*names):
    return [sorted(STAGES).index(name) for name in names]


def identity_links(job):
    """Identifiers of before, followed to the end of their chain; splits, forks and circles stand for nobody."""
    following, ambiguous = {}, set()
    rows = job.scan("identity_links").filter(pl.col("on_date") <= job.as_of).select("old_id", "new_id", "kind").collect().iter_rows()
    for old, new, kind in rows:
        old, new = old.strip().upper(), new.strip().upper()
        if old != new:
            following.setdefault(old, set()).add(new)
            if kind == "split":
                ambiguous.add(old)
    ambiguous.update(old for old, new in following.items() if len(new) > 1)
    today = {}
    for old in following:
        now, hops = old, 0
        while now in following and now not in ambiguous and hops <= len(following):
            now, hops = next(iter(following[now])), hops + 1
        if now not in following and now not in ambiguous:
            today[old] = now
    frame = pl.DataFrame({"old_id": list(today), "new_id": list(today.values())}, schema={"old_id": pl.String, "new_id": pl.String})
    job.links = frame.select(old=pl.col("old_id").hash(), new=pl.col("new_id").hash(), new_id=pl.col("new_id")).lazy()


def registers(job):
    """Lazy frames, one row a person each."""
    as_of, month0, this_month = job.as_of, job.month0, job.this_month
    frames = {}

    # RS: months paid by kind. A row of a kind that is not in the list is set aside, and the person's sums become unknown.
    spell = job.scan("social_insurance").filter(pl.col("from_month") <= as_of).select(
        id=pl.col("person_id").hash(), kind=place("kind", INSURANCES), still=job.still("to_month", month0),
        by_oneself=pl.col("entity_id").is_null(), base=pl.col("base"), begun=months("from_month"),
        after=pl.min_horizontal(months("to_month").fill_null(this_month), pl.lit(this_month)) + 1)
    last_12 = (pl.col("after") - pl.max_horizontal("begun", pl.lit(this_month - 11))).clip(lower_bound=0)
    last_600 = (pl.col("after") - pl.max_horizontal("begun", pl.lit(this_month - 599))).clip(lower_bound=0)
    injury, medical, pension, resident, unemployment = range(5)
    spell = job.renumber(spell).select(
        "id", doubt=pl.col("kind").is_null(),
        unemployment_total=pl.when(pl.col("kind") == unemployment).then(last_600),
        unemployment_12=pl.when(pl.col("kind") == unemployment).then(last_12),
        pension_12=pl.when(pl.col("kind") == pension).then(last_12), injury_12=pl.when(pl.col("kind") == injury).then(last_12),
        resident_months=pl.when(pl.col("kind") == resident).then(last_600),
        flexible_base=pl.when((pl.col("kind") == pension) & pl.col("by_oneself") & pl.col("still")).then(fen("base")),
        medical=(pl.col("kind") == medical) & pl.col("still"))
    sums = ["unemployment_total", "unemployment_12", "pension_12", "injury_12", "resident_months"]
    frames["insurance"] = spell.group_by("id").agg(
        pl.col("doubt").any().alias("insurance_doubt"), *(pl.col(name).sum() for name in sums), *(pl.col(name).count().alias(name + "_rows") for name in sums),
        pl.col("flexible_base").max(), pl.col("medical").any()
    ).select("id", "insurance_doubt", "flexible_base", "medical", *(pl.when(pl.col(name + "_rows") > 0).then(name).alias(name) for name in sums))

    frames["death"] = job.renumber(
        job.scan("death").filter((pl.col("death_date") <= as_of) & (pl.col("recorded_on") <= job.data_day))
        .select("death_date", id=pl.col("person_id").hash())).group_by("id").agg(pl.col("death_date").max(), dead=pl.lit(True))

    born = job.scan("birth").filter((pl.col("birth_date") <= as_of) & (pl.col("recorded_on") <= job.data_day)).select(
        "birth_date", "lawful", "mother_id", "father_id", id=pl.col("person_id").hash(), mother=hashed("mother_id"), father=hashed("father_id"))
    for parent in ("mother", "father"):
        born = (born.join(job.links.select(pl.col("old").alias(parent), "new_id"), on=parent, how="left")
                .with_columns(pl.coalesce("new_id", parent + "_id").alias(parent + "_id")).drop("new_id"))
    # A mother and a father where all rows name the same.
    only = {parent: pl.when(pl.col(parent + "_id").min() == pl.col(parent + "_id").max()).then(pl.col(parent + "_id").min()) for parent in ("mother", "father")}
    frames["birth"] = job.renumber(born.drop("mother", "father")).group_by("id").agg(
        first_date=pl.col("birth_date").min(), last_date=pl.col("birth_date").max(),
        lawful=(days("birth_date") * 2 + pl.col("lawful")).max() % 2 == 1, mother_id=only["mother"], father_id=only["father"])

    frames["income"] = job.one_row_each(job.scan("income_assessment").select(
        id=pl.col("person_id").hash(), income=fen("monthly_income"), assets=fen("financial_assets")))
    frames["family_planning"] = job.one_row_each(job.scan("family_planning").select(
        "children_born", "children_alive", "girls_alive", "violation", "only_child_status", id=pl.col("person_id").hash()))

    # Floor area left out: the row is set aside.
    sound = pl.col("area").is_not_null()
    housing = tidied(job, job.scan("housing").filter((pl.col("from_date") <= as_of) | ~sound).select("person_id", doubt=~sound, homes=sound & job.still()))
    frames["housing"] = job.renumber(housing.with_columns(id=pl.col("person_id").hash()).drop("person_id")).group_by("id").agg(
        pl.col("doubt").any().alias("housing_doubt"), pl.col("homes").sum().cast(pl.Int64))

    # A value that is no number: the row is set aside. Of rows with one plate the first counts.
    cars = job.scan("vehicles").select("plate_no", id=pl.col("person_id").hash(), bad=pl.col("value").cast(pl.Float64, strict=False).is_null(),
                                       count=job.still() & (pl.col("from_date") <= as_of))
    cars = pl.concat([cars.filter(~pl.col("bad")).unique("plate_no", keep="first"), cars.filter("bad")]).drop("plate_no")
    frames["vehicles"] = job.renumber(cars).group_by("id").agg(
        pl.col("bad").any().alias("vehicles_doubt"), vehicles=(pl.col("count") & ~pl.col("bad")).sum().cast(pl.Int64))

    frames["assistance"] = job.renumber(
        job.scan("social_assistance").filter((pl.col("from_date") <= as_of) & job.still()).select("kind", id=pl.col("person_id").hash())
    ).group_by("id").agg(subsistence=(pl.col("kind") == "subsistence").any(), near_subsistence=(pl.col("kind") == "near_subsistence").any(),
                         destitute=(pl.col("kind") == "destitute").any(), orphan=(pl.col("kind") == "orphan").any())

    # The latest valid card; of two cards of one day the higher value of each column, unknown above all.
    cards = job.scan("disability_cards").select(
        "card_no", "grade", "needs_care", "issued_on", "expires_on", id=pl.col("person_id").hash(), kind=place("kind", DISABILITIES)
    ).unique("card_no", keep="first").filter((pl.col("issued_on") <= as_of) & job.still("expires_on")).drop("card_no")
    frames["disability"] = job.renumber(cards).group_by("id").agg(
        grade=(days("issued_on") * 8 + pl.col("grade")).max() % 8, disability=(days("issued_on") * 8 + pl.col("kind")).max() % 8,
        care=(days("issued_on") * 4 + pl.col("needs_care").cast(pl.Int64).fill_null(3)).max() % 4, card=pl.lit(True)
    ).with_columns(needs_care=pl.when(pl.col("care") != 3).then(pl.col("care") == 1)).drop("care")

    higher = [sorted(STAGES).index(name) for name in ("college", "bachelor", "master", "doctor")]
    pupils = tidied(job, job.scan("education_enrolment").select("person_id", "stage", "full_time", "from_date", "to_date", "graduated_on")).filter(pl.col("from_date") <= as_of).select(
        "full_time", "from_date", id=pl.col("person_id").hash(), stage=place("stage", STAGES), still=job.still(),
        graduated_on=pl.when(pl.col("graduated_on") <= as_of).then("graduated_on")).unique(["id", "stage", "from_date"], keep="first")
    frames["education"] = job.renumber(pupils).select(
        "id", full_time=pl.when("still").then("full_time"), stage=pl.when("still").then(days("from_date") * 16 + pl.col("stage")),
        graduated_on=pl.when(pl.col("stage").is_in(higher)).then("graduated_on")
    ).group_by("id").agg(pl.col("full_time").any(ignore_nulls=True), full_time_rows=pl.col("full_time").count(), stage=pl.col("stage").max() % 16,
                         graduated_on=pl.col("graduated_on").max()
    ).with_columns(full_time=pl.when(pl.col("full_time_rows") > 0).then("full_time")).drop("full_time_rows")

    pensions = tidied(job, job.scan("pension_benefits").filter((pl.col("from_month") <= as_of) & job.still("to_month", month0)).select("person_id", "kind"))
    frames["pension"] = job.renumber(pensions.select("kind", id=pl.col("person_id").hash())).group_by("id").agg(
        employee_pension=(pl.col("kind") == "employee").any(), resident_pension=(pl.col("kind") == "resident").any(),
        other_pension=(pl.col("kind") == "other").any())

    # A list that is not known: the row is set aside.
    recognised = job.scan("recognised_persons").filter((pl.col("from_date") <= as_of) | ~pl.col("list").is_in(LISTS)).select(
        "from_date", "list", id=pl.col("person_id").hash(), still=job.still())
    frames["recognised"] = job.renumber(recognised).select(
        "id", doubt=~pl.col("list").is_in(LISTS), hard_since=pl.when(pl.col("list") == "hard_to_employ").then("from_date"),
        **{name: (pl.col("list") == name) & pl.col("still") for name in LISTS}
    ).group_by("id").agg(pl.col("doubt").any().alias("recognised_doubt"), pl.col("hard_since").min(), *(pl.col(name).any() for name in LISTS))

    frames["unemployment"] = job.renumber(job.scan("unemployment_registration").filter(pl.col("registered_on") <= as_of).select(
        "registered_on", "seeking", id=pl.col("person_id").hash(), still=job.still(), reason=place("reason", REASONS),
        end=days("to_date").fill_null(2_932_896))).select(
        "id", "still", since=pl.when("still").then("registered_on"), last_from="registered_on", seeking=pl.when("still").then("seeking"),
        reason=pl.when("still").then(days("registered_on") * 8 + pl.col("reason")), last_to=days("registered_on") * 4_000_000 + pl.col("end")
    ).group_by("id").agg(unemployed=pl.col("still").any(), seeking=pl.col("seeking").any(ignore_nulls=True), seeking_rows=pl.col("seeking").count(),
                         since=pl.col("since").max(), last_from=pl.col("last_from").max(), reason=pl.col("reason").max() % 8,
                         last_to=pl.col("last_to").max() % 4_000_000, was_unemployed=pl.lit(True)
    ).with_columns(seeking=pl.when(pl.col("seeking_rows") > 0).then("seeking")).drop("seeking_rows")

    spouses = job.renumber(job.scan("marriage").filter(pl.col("from_date") <= as_of).select(
        id=pl.col("person_id").hash(), spouse=pl.col("spouse_id").hash(), still=job.still()), "spouse")
    spouses = job.renumber(spouses).with_columns(spouse=pl.when("still").then("spouse"))
    frames["marriage"] = spouses.group_by("id").agg(
        married=pl.col("still").any(), spouse=pl.col("spouse").min(), other=pl.col("spouse").max()
    ).with_columns(spouse=pl.when(pl.col("spouse") == pl.col("other")).then("spouse")).drop("other")

    frames["dishonest"] = job.renumber(job.scan("credit_persons").filter(
        (pl.col("list") == "dishonest_debtor") & (pl.col("from_date") <= as_of) & job.still()).select(id=pl.col("person_id").hash())
    ).unique("id").with_columns(dishonest=pl.lit(True))
    return frames


def certificate_rows(job):
    """Skill certificates, and rows of which a level or a day cannot be read: these are set aside."""
    level = pl.col("level").replace_strict(list(LEVELS), list(LEVELS.values()), default=None, return_dtype=pl.Int64)
    frame = job.scan("certificates").select("certificate_no", "scarce", id=pl.col("person_id").hash(), skill=pl.col("kind") == "skill", level=level,
                                            issued=pl.col("issued_on").str.to_date("%Y-%m-%d", strict=False))
    frame = frame.filter(pl.col("skill") | pl.col("issued").is_null() | pl.col("level").is_null())
    return job.collect(job.renumber(frame).with_columns(
        fresh=(pl.col("issued") <= job.as_of) & (pl.col("issued").dt.offset_by("12mo") >= job.as_of)))


def memberships(job):
    """Of rows with the same household, person and day the first counts. Only heads keep their text, for payees."""
    frame = job.scan("household_membership").filter(pl.col("from_date") <= job.as_of).select(
        "household_id", "living_together", "from_date", id=pl.col("person_id").hash(), household=pl.col("household_id").hash(),
        head_id=pl.when(pl.col("relation") == "head").then("person_id"), relation=place("relation", RELATIONS), still=job.still()
    ).unique(["household", "id", "from_date"], keep="first")
    frame = (frame.join(job.links.rename({"old": "id"}), on="id", how="left")
             .with_columns(id=pl.coalesce("new", "id"), head_id=pl.when(pl.col("head_id").is_not_null()).then(pl.coalesce("new_id", "head_id")))
             .drop("new", "new_id"))
    return job.collect(frame)


def population(job):
    plain = pl.col("person_id").str.len_bytes() == 18
    frame = job.scan("population").with_columns(digits=pl.col("person_id").str.slice(0, 17).cast(pl.Int64, strict=False), last=pl.col("person_id").str.slice(17))
    last = pl.when(pl.col("last") == "X").then(10).otherwise(pl.col("last").cast(pl.Int64, strict=False))
    frame = frame.filter(plain & (check_value(pl.col("digits")) == last)).select(
        "person_id", "sex", "birth_date", "nationality", "hukou_kind", id=pl.col("person_id").hash(),
        hukou=county("hukou_region"), residence=county("residence_region"))
    return job.one_row_each(frame, "person_id")


def persons(job, frames, certificates, members):
    """The dossier of each person, as far as policies and links need it, with the verdicts that need no link."""
    as_of, this_month = job.as_of, job.this_month
    of_person = members.lazy().select(
        "id", relation=pl.when("still").then(days("from_date") * 8 + pl.col("relation")), lives_with=pl.col("living_together") & pl.col("still"),
        household=pl.when("still").then("household")
    ).group_by("id").agg(relation=pl.col("relation").max() % 8, lives_with=pl.col("lives_with").any(), household=pl.col("household").min(), other=pl.col("household").max()
    ).with_columns(household=pl.when(pl.col("household") == pl.col("other")).then("household")).drop("other")
    papers = certificates.lazy().group_by("id").agg(
        certificates_doubt=(pl.col("issued").is_null() | pl.col("level").is_null()).any(),
        recent=(pl.col("skill") & pl.col("level").is_between(1, 3) & pl.col("fresh")).sum().cast(pl.Int64))

    base = population(job).collect()
    ids = base.lazy().select("id")
    # Each register is laid beside the identifiers alone, so that no join carries the columns of those before it; joins that
    # keep the order are faster in memory.
    frames = pl.collect_all([
        frames["death"], frames["birth"], of_person, frames["insurance"].drop("unemployment_12", "pension_12", "injury_12"),
        frames["income"], frames["housing"], frames["vehicles"], frames["assistance"], frames["disability"], frames["education"],
        frames["pension"], papers, frames["recognised"], frames["unemployment"].drop("last_from", "last_to", "was_unemployed"),
        frames["marriage"], frames["family_planning"], frames["dishonest"]], engine=job.engine)
    beside = [ids.join(other.lazy(), on="id", how="left", maintain_order="left").drop("id") for other in frames]
    frame = pl.concat([base, *pl.collect_all(beside, engine="in-memory")], how="horizontal").lazy()

    # No row that counts in a complete register is "no", or 0, for those within its coverage (990000), else unknown.
    within = pl.coalesce("hukou", "residence") // 10_000 == 99
    none, zero = pl.when(within).then(False), pl.when(within).then(pl.lit(0, pl.Int64))

    def yes(column, doubt=None):
        value = pl.col(column).fill_null(False) | pl.col("none")
        return pl.when(~pl.col(doubt).fill_null(False)).then(value).alias(column) if doubt else value.alias(column)

    def number(column, doubt, counts=False):
        value = pl.col(column).replace(0, None) if counts else pl.col(column)
        return pl.when(~pl.col(doubt).fill_null(False)).then(pl.coalesce(value, "zero")).alias(column)

    frame = frame.with_columns(
        none=none, zero=zero,
        birth_date=pl.when(~((pl.col("birth_date") != pl.col("first_date")) | (pl.col("first_date") != pl.col("last_date"))).fill_null(False)).then("birth_date"),
        graduate=pl.col("graduated_on").is_not_null(), flexible_payer=pl.col("flexible_base").is_not_null(),
    ).with_columns(
        yes("dead"), yes("graduate"), yes("flexible_payer", "insurance_doubt"), yes("medical", "insurance_doubt"),
        number("unemployment_total", "insurance_doubt"), number("resident_months", "insurance_doubt"),
        number("homes", "housing_doubt", True), number("vehicles", "vehicles_doubt", True), number("recent", "certificates_doubt", True),
        *(yes(name) for name in ("subsistence", "near_subsistence", "destitute", "orphan", "card", "employee_pension", "resident_pension", "other_pension",
                                 "unemployed", "dishonest")),
        *(yes(name, "recognised_doubt") for name in LISTS),
        pl.when(~pl.col("recognised_doubt").fill_null(False)).then("hard_since").alias("hard_since"),
        pl.when(~pl.col("insurance_doubt").fill_null(False)).then("flexible_base").alias("flexible_base"),
        pl.coalesce("full_time", "none").alias("full_time"), pl.coalesce("seeking", "none").alias("seeking"),
        born=day_number(pl.col("birth_date")), hukou_city=in_city("hukou"), residence_city=in_city("residence"),
    )
    today, month_start, month_end = (int(day.strftime("%Y%m%d")) for day in (as_of, job.month0, month_last(as_of)))

    def age(at):
        return pl.when(pl.col("born") <= at).then((at - pl.col("born")) // 10_000)

    died = day_number(pl.col("death_date").dt.month_end())
    frame = frame.with_columns(
        alive=~pl.col("dead"), age=age(today), severe=pl.col("card") & (pl.col("grade") <= 2),
        age_month=pl.when(pl.col("dead").is_not_null()).then(
            pl.when("dead").then(pl.when(pl.col("born") <= died).then((died - pl.col("born")) // 10_000)).otherwise(age(month_end))))
    c = pl.col
    stages_below = stage("kindergarten", "primary", "junior", "senior", "vocational", "college", "bachelor")
    grant_stages = stage("primary", "junior", "senior", "vocational", "college", "bachelor")
    home = pl.when(c("residence").is_not_null())
    retirement = home.then(pl.when(c("sex") == "male").then(60).otherwise(50))
    retirement_date = pl.when(c("sex") == "male").then(c("birth_date").dt.offset_by("60y")).otherwise(c("birth_date").dt.offset_by("50y"))
    hukou_known = pl.when(c("hukou").is_not_null()).then(True)
    born_between = c("birth_date").is_between(datetime.date(2022, 1, 1), datetime.date(2024, 12, 31))
    grade, kind = c("grade"), c("disability")
    intellectual, mental, physical, visual = (sorted(DISABILITIES).index(name) for name in ("intellectual", "mental", "physical", "visual"))
    willing = [sorted(REASONS).index(name) for name in ("dismissed", "contract_ended", "bankrupt")]
    child, spouse = sorted(RELATIONS).index("child"), sorted(RELATIONS).index("spouse")
    frame = frame.select(
        "id", "person_id", "hukou", "residence", "household", "mother_id", "father_id", "spouse", "hukou_kind", "dead", "stage", "married",
        "children_alive", "girls_alive", "birth_date", "income", "assets", "homes", "vehicles", "heating_household", "public_rental_tenant",
        "subsistence", "near_subsistence", "destitute", "dishonest", "flexible_base", "only_child_status", "age",
        counted=c("alive") & (c("lives_with") | (c("relation") == spouse) | ((c("relation") == child)
                              & ((c("age") < 18) | (c("full_time") & c("stage").is_in(stages_below))))),
        able_to_support=c("alive") & c("age").is_between(16, 59) & ~c("severe") & ~c("destitute"),
        # 000000-RS-0002
        skills=home.then(True) & (c("unemployment_total") >= home.then(12)) & (c("recent") >= 1) & c("alive"),
        # 000000-RS-0003
        pension=hukou_known & (c("age") >= 60) & (c("resident_months") >= 180) & ~c("employee_pension") & ~c("other_pension")
        & ~c("resident_pension") & c("alive"),
        # 000000-WJ-0001
        childcare=hukou_known & (c("nationality") == "CHN") & c("lawful") & c("alive")
        & ((born_between & (as_of.year <= c("birth_date").dt.year() + 3))
           | ((c("birth_date") >= datetime.date(2025, 1, 1)) & (as_of.year <= c("birth_date").dt.year() + 2))),
        # 990100-JY-0001
        student=c("residence_city") & c("full_time") & (~c("full_time") | c("stage").is_in(grant_stages))
        & (c("subsistence") | c("destitute") | c("orphan") | c("severe")) & c("alive"),
        # 990100-MZ-0003, without spouse and parents
        destitute_own=c("hukou_city") & ((c("age") >= 60) | (c("age") < 16) | (c("card") & ((kind.is_in([intellectual, mental]) & (grade <= 3))
                                         | ((kind == physical) & (grade <= 2)) | ((kind == visual) & (grade == 1)))))
        & (c("income") < subsistence_line("hukou")) & (c("assets") <= pl.when(c("hukou").is_not_null()).then(3_000_000))
        & ((c("age") < 16) | (c("children_alive") == 0)) & c("alive"),
        # 990100-MZ-0004, without parents
        orphan_own=c("hukou_city") & ((age(month_start) < 18) | c("full_time")) & c("alive"),
        # 990100-MZ-0007
        old_age=c("hukou_city") & (c("age_month") >= 80) & (~c("dead") | (c("death_date").dt.month_start() >= month_before(job.month0))),
        old_age_amount=pl.when(c("hukou") == 990101).then(pl.when(c("age_month") >= 100).then(100_000).otherwise(5_000))
        .when(c("hukou") == 990102).then(pl.when(c("age_month") >= 100).then(50_000).when(c("age_month") >= 90).then(12_000).otherwise(6_000))
        .otherwise(pl.when(c("age_month") >= 100).then(50_000).when(c("age_month") >= 90).then(20_000).otherwise(10_000)).cast(pl.Int64),
        # 990100-MZ-0011
        disability_living=c("hukou_city") & c("card") & c("subsistence") & ~c("destitute") & ~c("orphan") & c("alive"),
        # 990100-MZ-0012
        disability_care=c("hukou_city") & c("card") & grade.is_in([1, 2]) & (c("needs_care") | (c("hukou") == 990104)) & ~c("destitute") & c("alive"),
        # 990100-RS-0001
        flexible=c("residence_city") & c("flexible_payer") & c("alive") & (
            (c("hard_to_employ") & ((as_of < c("hard_since").dt.offset_by("3y"))
             | ((c("hard_since").dt.offset_by("5y") > home.then(retirement_date)) & (c("age") < retirement))))
            | (c("graduate") & (as_of <= c("graduated_on").dt.offset_by("2y")))),
        # 990100-RS-0002
        job_seeking=c("residence_city") & c("hardship_graduate") & c("alive") & ~c("dishonest"),
        # 990100-RS-0003
        unemployment=c("residence_city") & (c("unemployment_total") >= 12) & (~c("unemployed") | c("reason").is_in(willing)) & c("unemployed")
        & c("seeking") & c("alive") & (~c("unemployed") | (this_month - months("since") + 1 <= pl.when(c("unemployment_total").is_not_null()).then(
            pl.when(c("unemployment_total") >= 120).then(24).when(c("unemployment_total") >= 60).then(18).otherwise(12)))),
        # 990100-TY-0001
        veteran=c("hukou_city") & c("veteran") & c("alive"),
        # 990100-WJ-0001, without the spouse
        family_own=c("hukou_city") & (c("hukou_kind") == "rural") & ~c("violation")
        & ((c("children_alive") == 1) | ((c("children_alive") == 2) & (c("girls_alive") == 2)) | ((c("children_born") >= 1) & (c("children_alive") == 0)))
        & (c("birth_date") >= datetime.date(1933, 1, 1)) & (c("age") >= 60) & c("alive"),
        # 990100-WJ-0002
        special_support=c("hukou_city") & (c("sex") == "female") & (c("age") >= 49) & c("only_child_status").is_in(["deceased", "disabled"]) & c("alive"),
        # 990100-WJ-0003
        sole_child=c("hukou_city") & c("sole_child_parent") & c("alive"),
        # 990100-YB-0001, but for those judged destitute in this run
        medical_own=c("hukou_city") & c("medical") & c("alive"),
    ).with_columns(mother=hashed("mother_id"), father=hashed("father_id"))
    return job.collect(frame)


def month_last(day):
    return (day.replace(day=28) + datetime.timedelta(days=4)).replace(day=1) - datetime.timedelta(days=1)


def month_before(month):
    return (month - datetime.timedelta(days=1)).replace(day=1)


def open_or_yes(column):
    """Not a no."""
    return pl.col(column).ne_missing(False)


def person_verdicts(job, person):
    """Yes and unknown verdicts on persons: id, policy, verdict, amount."""
    c, all_rows, year = pl.col, person.lazy(), job.as_of.year

    def linked(frame, key, *columns):
        other = all_rows.select(c("id").alias(key), *(c(name).alias(f"{key}_{name}") for name in columns))
        return frame.join(other, on=key, how="left")

    destitute = all_rows.filter(open_or_yes("destitute_own")).select("id", "hukou", "destitute_own", "married", "age", "spouse", "mother", "father")
    for key in ("spouse", "mother", "father"):
        destitute = linked(destitute, key, "able_to_support")
    destitute = destitute.select("id", "hukou", verdict=c("destitute_own") & (~c("married") | ~c("spouse_able_to_support"))
                                 & ((c("age") >= 18) | (~c("mother_able_to_support") & ~c("father_able_to_support"))))
    orphan = all_rows.filter(open_or_yes("orphan_own")).select("id", "hukou", "orphan_own", "mother", "father")
    for key in ("mother", "father"):
        orphan = linked(orphan, key, "dead")
    orphan = orphan.select("id", "hukou", verdict=c("orphan_own") & c("mother_dead") & c("father_dead"))
    destitute, orphan = pl.collect_all([destitute, orphan])
    destitute, orphan = destitute.lazy(), orphan.lazy()
    family = linked(all_rows.filter(open_or_yes("family_own")), "spouse", "hukou_kind").with_columns(
        verdict=c("family_own") & (~c("married") | (c("spouse_hukou_kind") == "rural")))
    medical = all_rows.filter(open_or_yes("medical_own")).join(destitute.select("id", "verdict", judged=True), on="id", how="left").with_columns(
        verdict=c("medical_own") & (c("destitute") | pl.when(c("judged")).then(c("verdict")).otherwise(False) | c("subsistence") | c("near_subsistence")))

    def rows(policy, verdict, amount, frame=all_rows):
        return frame.filter(open_or_yes(verdict)).select("id", policy=pl.lit(policy), verdict=c(verdict), amount=pl.lit(amount, pl.Int64) if amount is None or isinstance(amount, int) else amount.cast(pl.Int64))

    primary, upper = stage("primary", "junior"), stage("senior", "vocational")
    return pl.concat(pl.collect_all([
        rows("000000-RS-0002", "skills", None),
        rows("000000-RS-0003", "pension", pl.when(in_city("hukou")).then(20_500).otherwise(14_300)),
        rows("000000-WJ-0001", "childcare", pl.when(year < c("birth_date").dt.year() + 3).then(360_000).otherwise(c("birth_date").dt.month().cast(pl.Int64) * 30_000)),
        rows("990100-JY-0001", "student", pl.when(c("stage").is_in(primary)).then(75_000).when(c("stage").is_in(upper)).then(230_000).otherwise(370_000)),
        rows("990100-MZ-0003", "verdict", by_county("hukou", 132_600, _990101=161_200, _990102=119_600, _990103=114_400), destitute),
        rows("990100-MZ-0004", "verdict", by_county("hukou", 160_000, _990101=185_000), orphan),
        rows("990100-MZ-0007", "old_age", c("old_age_amount")),
        rows("990100-MZ-0011", "disability_living", by_county("hukou", 8_000, _990101=10_000)),
        rows("990100-MZ-0012", "disability_care", by_county("hukou", 8_000, _990104=11_000)),
        rows("990100-RS-0001", "flexible", (4 * c("flexible_base") + 15) // 30),
        rows("990100-RS-0002", "job_seeking", 150_000),
        rows("990100-RS-0003", "unemployment", 171_000),
        rows("990100-TY-0001", "veteran", 120_000),
        rows("990100-WJ-0001", "verdict", pl.when((c("hukou") == 990102) & (c("children_alive") == 0)).then(156_000)
             .when((c("hukou") == 990102) & (c("children_alive") == 1) & (c("girls_alive") == 1)).then(120_000).otherwise(96_000), family),
        rows("990100-WJ-0002", "special_support", pl.when(c("only_child_status") == "deceased").then(540_000).otherwise(420_000)),
        rows("990100-WJ-0003", "sole_child", 24_000),
        rows("990100-YB-0001", "verdict", pl.when(c("destitute").is_not_null()).then(pl.when("destitute").then(40_000).when("subsistence").then(28_000)
             .when("near_subsistence").then(20_000).otherwise(40_000)), medical),
    ]))


def households(job, person, members):
    """The dossiers of households, and yes and unknown verdicts on them."""
    c = pl.col
    facts = person.lazy().select("id", "hukou", "counted", "income", "assets", "homes", "vehicles", "heating_household", "public_rental_tenant", "subsistence")
    rows = members.lazy().filter("still").join(facts, on="id", how="left")
    is_head = c("relation") == sorted(RELATIONS).index("head")
    sums, flags = ["income", "assets", "homes", "vehicles"], ["heating_household", "public_rental_tenant", "subsistence"]
    rows = rows.select(
        "household", "household_id", "head_id", "counted", *flags, head=pl.when(is_head).then("id"), head_hukou=pl.when(is_head).then("hukou"),
        doubt=c("counted").is_null(), *(pl.when("counted").then(name).alias(name) for name in sums),
        **{name + "_doubt": c("counted").is_null() | (c("counted") & c(name).is_null()) for name in sums},
        **{name + "_doubt": c(name).is_null() for name in flags})
    frame = rows.group_by("household").agg(
        c("household_id").first(), c("head_id").min(), c("head_hukou").min(), c("doubt").any(), c("counted").sum().cast(pl.Int64), *(c(name).sum() for name in sums), *(c(name).any() for name in flags),
        *(c(name + "_doubt").any() for name in sums + flags), first_head=c("head").min(), last_head=c("head").max()
    ).rename({"household": "id"})
    one_head = c("first_head") == c("last_head")
    frame = frame.with_columns(
        head_id=pl.when(one_head).then("head_id"), hukou=pl.when(one_head).then("head_hukou"), size=pl.when(~c("doubt")).then("counted"),
        # Nobody counted: the sums are unknown, and quotients by zero with them.
        divisor=pl.when(~c("doubt") & (c("counted") > 0)).then("counted"),
        *(pl.when(~c(name + "_doubt") & (c("counted") > 0)).then(name).alias(name) for name in sums),
        *(pl.when(~c(name + "_doubt")).then(name).alias(name) for name in flags),
    ).with_columns(line=subsistence_line("hukou"), city=in_city("hukou"))

    def limit(value):
        return pl.when(c("hukou").is_not_null()).then(value)

    frame = frame.select(
        "id", "household_id", "head_id", "income", "divisor", "line", "city", "public_rental_tenant", "heating_household", "subsistence",
        # 990100-MZ-0001
        allowance=c("city") & (c("size") >= 1) & (c("income") < c("line") * c("divisor")) & (c("assets") <= limit(2_400_000 * c("divisor")))
        & (c("homes") <= limit(1)) & (c("vehicles") == 0),
        # 990100-MZ-0002
        near=c("city") & (c("size") >= 1) & (2 * c("income") < 3 * c("line") * c("divisor")) & (c("assets") <= limit(3_600_000 * c("divisor")))
    ).with_columns(
        # 990100-ZJ-0001, and 990100-ZJ-0002, which requires 990100-MZ-0001
        warmth=c("city") & c("heating_household") & (c("allowance") | c("near") | c("subsistence")),
        rent=c("city") & c("public_rental_tenant") & c("allowance"))
    household = job.collect(frame)

    def rows_of(policy, verdict, amount):
        return household.lazy().filter(open_or_yes(verdict)).select("id", policy=pl.lit(policy), verdict=c(verdict), amount=amount)

    verdicts = pl.concat(pl.collect_all([
        rows_of("990100-MZ-0001", "allowance", (2 * (c("line") * c("divisor") - c("income")) + c("divisor")) // (2 * c("divisor"))),
        rows_of("990100-MZ-0002", "near", pl.lit(None, pl.Int64)),
        rows_of("990100-ZJ-0001", "warmth", pl.lit(60_000, pl.Int64)),
        rows_of("990100-ZJ-0002", "rent", pl.lit(15_000, pl.Int64)),
    ]))
    return household, verdicts


def contracts_of(job):
    frame = job.scan("employment_contracts").filter(pl.col("start_date") <= job.as_of).select(
        "start_date", id=pl.col("person_id").hash(), entity=pl.col("entity_id").hash(), end=days("end_date").fill_null(2_932_896))
    return job.collect(job.renumber(frame))


def hires_of(job, person, contracts, frames):
    """Hires of the last twelve months: for the job-expansion grant (since November 2025) and the graduates' insurance subsidy."""
    c, today = pl.col, (job.as_of - datetime.date(1970, 1, 1)).days
    still = c("end") >= today
    first = datetime.date(job.as_of.year - 1, job.as_of.month, 1) + datetime.timedelta(days=31)
    present = contracts.lazy().select("id", "start_date", start=pl.when(still).then("start_date"), packed=pl.when(still).then(days("start_date") * 4_000_000 + c("end"))
    ).group_by("id").agg(first_start=c("start_date").min(), start=c("start").max(), end=c("packed").max() % 4_000_000).filter(c("start") >= first.replace(day=1))
    within = pl.coalesce("hukou", "residence") // 10_000 == 99
    frame = present.join(person.lazy().select("id", "birth_date", "hukou", "residence"), on="id", how="inner")
    frame = frame.join(frames["insurance"].select("id", "insurance_doubt", "unemployment_12", "pension_12", "injury_12"), on="id", how="left")
    frame = frame.join(frames["education"].select("id", "graduated_on"), on="id", how="left")
    frame = frame.join(frames["unemployment"].select("id", "last_from", "last_to", "was_unemployed"), on="id", how="left")
    sums = [pl.coalesce(name, pl.when(within).then(pl.lit(0, pl.Int64))) for name in ("unemployment_12", "pension_12", "injury_12")]
    frame = frame.with_columns(
        none=pl.when(within).then(False), doubt=c("insurance_doubt").fill_null(False) | pl.any_horizontal(*(one.is_null() for one in sums)), least=pl.min_horizontal(*sums),
        months=job.this_month - months("start"), years=c("start").dt.year() - c("graduated_on").dt.year(), born=day_number(c("birth_date")), started=day_number(c("start")))
    frame = frame.with_columns(
        insured=pl.when(~c("doubt")).then("least"), graduate=c("graduated_on").is_not_null() | c("none"), unemployed=c("was_unemployed").fill_null(False) | c("none"),
        age=pl.when(c("born") <= c("started")).then((c("started") - c("born")) // 10_000))
    return job.collect(frame.select(
        "id",
        expansion=(c("start") >= datetime.date(2025, 11, 1)) & pl.when(c("insured").is_not_null()).then(pl.min_horizontal("insured", c("months") + 1) >= 3)
        & ((c("graduate") & c("years").is_between(0, 2) & ((c("years") == 0) | (c("start") == c("first_start"))))
           | (c("unemployed") & (c("last_from") <= c("start")) & (c("last_to") >= days("start") - 1) & c("age").is_between(16, 24))),
        graduate_hire=c("graduate") & (c("start") <= c("graduated_on").dt.offset_by("2y")) & (c("months") <= 11) & (c("insured") >= 1)
        & (days("start").cast(pl.Int32).cast(pl.Date).dt.offset_by("1y").to_physical() - 1 <= c("end"))))


def entities(job, person, contracts, hires):
    """The dossiers of entities, and yes and unknown verdicts on them."""
    c, as_of, year = pl.col, job.as_of, job.as_of.year - 1
    base = job.scan("legal_entity").select(
        "entity_id", "kind", "size", "restricted_trade", "deregistered_on", id=c("entity_id").hash(), region=county("registered_region"),
        representative=hashed("legal_representative_id")).filter(is_entity_id("entity_id")).unique("id", keep="first")
    base = job.renumber(base, "representative").with_columns(registered=~(c("deregistered_on") <= as_of).fill_null(False)).drop("deregistered_on")
    tax = job.scan("entity_tax").filter(c("year") == year).select(
        id=c("entity_id").hash(), small_scale=c("vat_payer") == "small_scale", profit=fen("taxable_profit"), assets=fen("assets_average"), staff="staff_average")
    numbers = ["profit", "assets", "staff"]
    tax = tax.group_by("id").agg(c("small_scale").any(), *(pl.when(c(name).null_count() == 0).then(c(name).max()).alias(name) for name in numbers))
    staff = job.scan("entity_staff").filter(c("year") == year).select(
        "insured_start", "insured_end", id=c("entity_id").hash(), premium=fen("unemployment_premium"), months="unemployment_months").group_by("id").agg(pl.all().max())
    credit = job.scan("credit_entities").filter((c("from_date") <= as_of) & job.still()).select("list", id=c("entity_id").hash()).group_by("id").agg(
        dishonest=(c("list") == "dishonest_debtor").any(), serious=(c("list") == "serious_violation").any())
    known = c("list").is_in(ENTITY_LISTS)
    lists = job.scan("recognised_entities").filter((c("recognised_on") <= as_of) | ~known).select(
        id=c("entity_id").hash(), doubt=~known, high_tech=(c("list") == "high_tech") & job.still(), specialised_new=(c("list") == "specialised_new") & job.still(),
        since=pl.when((c("list") == "high_tech") & job.still()).then("recognised_on")
    ).group_by("id").agg(c("doubt").any(), c("high_tech").any(), c("specialised_new").any(), c("since").max())
    today = (as_of - datetime.date(1970, 1, 1)).days
    current = contracts.lazy().filter(c("end") >= today)
    staffed = current.join(person.lazy().select("id", known=True), on="id", how="left").join(hires.lazy().with_columns(hire=True), on="id", how="left").select(
        "entity", *(pl.when(c("known")).then(pl.when(c("hire")).then(name).otherwise(False)).alias(name) for name in ("expansion", "graduate_hire")))
    staffed = staffed.group_by("entity").agg(
        *(pl.when(c(name).null_count() == 0).then(c(name).any()).alias(name) for name in ("expansion", "graduate_hire")), employs=pl.lit(True)).rename({"entity": "id"})
    frame = base
    for other in (tax, staff, credit, lists, staffed):
        frame = frame.join(other, on="id", how="left")
    frame = frame.join(person.lazy().select(representative="id", representative_dishonest="dishonest"), on="representative", how="left")
    doubt = c("doubt").fill_null(False)
    frame = frame.with_columns(
        c("dishonest").fill_null(False), c("serious").fill_null(False),
        high_tech=pl.when(~doubt).then(c("high_tech").fill_null(False)), specialised_new=pl.when(~doubt).then(c("specialised_new").fill_null(False)),
        since=pl.when(~doubt).then("since"), city=in_city("region"),
        expansion=pl.when(c("employs")).then("expansion").otherwise(False), graduate_hire=pl.when(c("employs")).then("graduate_hire").otherwise(False),
        laid_off=(c("insured_start") - c("insured_end")).clip(lower_bound=0), insured=c("insured_start").replace(0, None))
    enterprise, large = c("kind") == "enterprise", (c("kind") == "enterprise") & (c("size") == "large")
    share = pl.when(large).then(pl.when("city").then(5).otherwise(3)).otherwise(pl.when("city").then(9).otherwise(6))
    frame = frame.select(
        "id", "entity_id", "since",
        # 000000-SW-0001
        six_taxes=c("registered") & (c("small_scale") | (c("kind") == "individual_business") | (enterprise & ~c("restricted_trade")
                                     & (c("profit") <= 300_000_000) & (c("staff") <= 300) & (c("assets") <= 5_000_000_000))),
        # 990000-RS-0011
        refund=(c("region") // 10_000 == 99) & c("registered") & (c("months") >= 12)
        & ((1000 * c("laid_off") <= 55 * c("insured")) | ((c("insured_end") <= 30) & (10 * c("laid_off") <= 2 * c("insured"))))
        & (c("kind").is_in(["social_organisation", "law_firm", "accounting_firm", "individual_business"])
           | (enterprise & c("size").is_in(["large", "medium", "small", "micro"]))) & ~c("dishonest") & ~c("serious") & ~c("representative_dishonest"),
        refund_amount=(2 * c("premium") * share + 10) // 20,
        # 990000-RS-0012
        expansion_grant=(c("region") // 10_000 == 99) & c("registered") & c("expansion") & ~c("serious"),
        # 990100-GX-0001
        award=c("city") & c("specialised_new") & c("size").is_in(["medium", "small", "micro"]) & c("registered")
        & ~(c("dishonest") | c("serious") | c("representative_dishonest")),
        award_amount=by_county("region", 10_000_000, _990101=15_000_000),
        # 990100-KJ-0001
        high_tech_award=c("city") & c("high_tech") & (~c("high_tech") | (as_of < c("since").dt.offset_by("3y"))) & c("registered") & ~c("dishonest") & ~c("serious"),
        # 990100-RS-0011
        graduate_subsidy=c("city") & c("registered") & enterprise & c("size").is_in(["small", "micro"]) & c("graduate_hire"))
    entity = job.collect(frame)

    def rows(policy, verdict, amount, occasion=None):
        return entity.lazy().filter(open_or_yes(verdict)).select("id", policy=pl.lit(policy), verdict=c(verdict), amount=pl.lit(amount, pl.Int64) if isinstance(amount, int) else c(amount),
                                                                 occasion=pl.lit(None, pl.String) if occasion is None else occasion)

    verdicts = pl.concat(pl.collect_all([
        rows("000000-SW-0001", "six_taxes", 0), rows("990000-RS-0011", "refund", "refund_amount"), rows("990000-RS-0012", "expansion_grant", 100_000),
        rows("990100-GX-0001", "award", "award_amount"), rows("990100-KJ-0001", "high_tech_award", 20_000_000, c("since").dt.to_string("%Y-%m-%d")),
        rows("990100-RS-0011", "graduate_subsidy", 90_000),
    ]))
    return entity, verdicts


def excluding(of_persons, of_households):
    """Who excludes whom: id, policy, review, excluded.

    990100-MZ-0004 wins over -0003 and -0011, 990100-MZ-0001 over -0002; of 990100-MZ-0007 and -0011 the higher amount stays,
    the lower code when equal. A policy that is itself given up excludes nothing. Against an unknown: review.
    """
    c = pl.col
    allowed = pl.LazyFrame([(f"990100-MZ-{a}", f"990100-MZ-{b}") for a, b in
                            [("0003", "0004"), ("0004", "0003"), ("0011", "0004"), ("0004", "0011"), ("0007", "0011"), ("0011", "0007"), ("0001", "0002"), ("0002", "0001")]],
                           schema=["policy", "against"], orient="row")
    codes = [f"990100-MZ-{code}" for code in ("0001", "0002", "0003", "0004", "0007", "0011")]
    verdicts = pl.concat([of_persons.lazy(), of_households.lazy()]).filter(c("policy").is_in(codes))
    theirs = verdicts.select("id", against="policy", theirs="verdict", their_amount="amount")
    orphans = of_persons.lazy().filter((c("policy") == "990100-MZ-0004") & c("verdict")).select("id", orphan=True)
    loses = (pl.when(c("policy").is_in(["990100-MZ-0003", "990100-MZ-0002"])).then(True)
             .when(c("policy") == "990100-MZ-0011").then((c("against") == "990100-MZ-0004") | (c("their_amount") >= c("amount")))
             .when(c("policy") == "990100-MZ-0007").then((c("their_amount") > c("amount")) & c("orphan").is_null()).otherwise(False))
    return (verdicts.filter("verdict").join(theirs, on="id").join(allowed, on=["policy", "against"], how="semi").join(orphans, on="id", how="left")
            .group_by("id", "policy").agg(review=c("theirs").is_null().any(), excluded=(c("theirs") & loses).any(ignore_nulls=True)))


def occasions(job, person, members, contracts, hires, certificates, of_persons, of_households, of_entities):
    """One row a grant: subject_kind, id, policy, amount, occasion, member."""
    c = pl.col
    nothing = pl.lit(None, pl.String)
    columns = ["subject_kind", "id", "policy", "amount", "occasion", "member"]
    named = person.lazy().select("id", "person_id")
    plain = [
        of_persons.lazy().filter(c("verdict") & (c("policy") != "000000-RS-0002")).with_columns(subject_kind=pl.lit("person"), occasion=nothing, member=nothing),
        of_households.lazy().filter(c("verdict") & (c("policy") != "990100-MZ-0001")).with_columns(subject_kind=pl.lit("household"), occasion=nothing, member=nothing),
        of_entities.lazy().filter(c("verdict") & ~c("policy").is_in(["990000-RS-0012", "990100-RS-0011"])).with_columns(subject_kind=pl.lit("entity"), member=nothing),
    ]
    # 000000-RS-0002: a grant a certificate, at most three, by number. Of common trades only the newest of all counts.
    skilled = of_persons.lazy().filter(c("verdict") & (c("policy") == "000000-RS-0002")).select("id", "policy")
    mine = certificates.lazy().filter(c("skill") & (c("issued") <= job.as_of)).join(skilled, on="id")
    scarce, payable = c("scarce").fill_null(False), c("level").is_between(1, 3)
    common = mine.filter(payable & ~scarce).sort("issued", "certificate_no").group_by("id", maintain_order=True).agg(newest=c("certificate_no").last())
    highest = mine.group_by("id").agg(highest=c("level").max())
    papers = (mine.join(highest, on="id").join(common, on="id", how="left").filter(
        c("fresh") & (scarce | (c("certificate_no") == c("newest"))) & payable & (c("highest") <= c("level")))
        .unique(["id", "certificate_no"]).filter(c("certificate_no").rank("ordinal").over("id") <= 3)
        .with_columns(subject_kind=pl.lit("person"), amount=50_000 + 50_000 * c("level"), occasion=c("certificate_no"), member=nothing))
    # 990100-MZ-0001: a grant a member who counts.
    allowance = of_households.lazy().filter(c("verdict") & (c("policy") == "990100-MZ-0001")).rename({"id": "household"})
    counted = (members.lazy().filter("still").select("household", "id").join(allowance, on="household").join(person.lazy().filter("counted").select("id", "person_id"), on="id")
               .select(subject_kind=pl.lit("household"), id="household", policy="policy", amount="amount", occasion=nothing, member="person_id").unique())
    # 990000-RS-0012 (at most 50) and 990100-RS-0011: a grant a hire.
    today = (job.as_of - datetime.date(1970, 1, 1)).days
    current = contracts.lazy().filter(c("end") >= today).select("entity", "id").unique().join(hires.lazy(), on="id").join(named, on="id")

    def per_hire(policy, flag, limit):
        verdicts = of_entities.lazy().filter(c("verdict") & (c("policy") == policy)).select("policy", "amount", entity="id")
        rows = current.filter(flag).join(verdicts, on="entity")
        return rows.filter(c("person_id").rank("ordinal").over("entity") <= limit).select(
            subject_kind=pl.lit("entity"), id="entity", policy="policy", amount="amount", occasion="person_id", member=nothing)

    parts = [*plain, papers, counted, per_hire("990000-RS-0012", "expansion", 50), per_hire("990100-RS-0011", "graduate_hire", 1 << 40)]
    return pl.concat([part.select(columns) for part in parts])


def resolve(job, rows, excluded):
    """Exclusions, refusals, what is paid already, caps: id, policy, …, amount, review, notify, refused; and what was paid."""
    c, as_of = pl.col, job.as_of
    text = {"month": as_of.strftime("%Y-%m"), "year": as_of.strftime("%Y"), "once": ""}
    policies = pl.LazyFrame([(code, mode, text[span]) for code, (mode, span) in POLICIES.items()], schema=["policy", "mode", "period"], orient="row")
    paid = job.collect(job.renumber(job.scan("grants_paid").filter(c("paid_on") <= as_of).select(
        "subject_kind", "policy", "paid_on", id=c("subject_id").hash(), period=c("period").fill_null(""), occasion=c("occasion").replace("", None), amount=fen("amount"))))
    words = job.renumber(job.scan("refusals").filter(c("on_date") <= as_of).select("subject_kind", "kind", "policy", id=c("subject_id").hash()))
    words = words.group_by("subject_kind", "id", "policy").agg(
        refused=(c("kind") == "refused_benefit").any(), objected=(c("kind") == "objected_automation").any(), opted_out=(c("kind") == "push_opt_out").any())
    of_all, of_one = words.filter(c("policy").is_null()).drop("policy"), words.filter(c("policy").is_not_null())
    heard = (rows.join(policies, on="policy").join(excluded, on=["id", "policy"], how="left").filter(~c("excluded").fill_null(False))
             .join(of_all, on=["subject_kind", "id"], how="left").join(of_one, on=["subject_kind", "id", "policy"], how="left", suffix="_one"))

    def said(word):
        return c(word).fill_null(False) | c(word + "_one").fill_null(False)

    given = paid.lazy().select("subject_kind", "id", "policy", "period", "occasion", given=True).unique()
    heard = heard.select("subject_kind", "id", "policy", "period", "occasion", "member", "mode", "amount", refused=said("refused"),
                         review=c("review").fill_null(False) | said("objected"), notify=~said("opted_out"))
    standing = (heard.join(given, on=["subject_kind", "id", "policy", "period", "occasion"], how="left", nulls_equal=True)
                .filter(c("refused") | c("given").is_null()).drop("given").collect(engine=job.engine).lazy())
    capped = c("policy").is_in(list(CAPS)) & ~c("refused")
    year, month = as_of.strftime("%Y"), as_of.strftime("%Y-%m")
    spent = paid.lazy().filter(
        ((c("policy") == "000000-RS-0002") & pl.when(c("period") == "").then(c("paid_on").dt.to_string("%Y")).otherwise("period").str.starts_with(year))
        | ((c("policy") == "990000-RS-0011") & (c("period") == year)) | ((c("policy") == "990100-RS-0011") & (c("period") == month))
    ).group_by("subject_kind", "id", "policy").agg(spent=c("amount").sum())
    filled = (standing.filter(capped).join(spent, on=["subject_kind", "id", "policy"], how="left").sort("occasion")
              .with_columns(room=c("policy").replace_strict(list(CAPS), list(CAPS.values()), return_dtype=pl.Int64) - c("spent").fill_null(0)
                            - (c("amount").cum_sum().over("id", "policy") - c("amount")))
              .filter((c("room") > 0) | (c("amount") == 0)).with_columns(amount=pl.min_horizontal("amount", "room").clip(lower_bound=0)).drop("room", "spent"))
    return job.collect(pl.concat([standing.filter(~capped), filled])), paid


def budgets(job, owed, paid, household, entity):
    """Who waits (ids of households), and what each high-tech award comes to."""
    c, year = pl.col, job.as_of.strftime("%Y")

    def left(policy, budget):
        of_year = pl.when(c("period") == "").then(c("paid_on").dt.to_string("%Y")).otherwise(c("period").str.slice(0, 4)) == year
        return max(0, budget - paid.filter((c("policy") == policy) & of_year)["amount"].sum())

    # 990100-ZJ-0001: 3,000 a year, the poorest first, until one does not fit.
    claims = owed.filter((c("policy") == "990100-ZJ-0001") & ~c("refused")).join(household.select("id", "household_id", "income", "divisor"), on="id")
    queue = claims.with_columns(rank=c("income") * 100 // c("divisor")).sort("rank", "household_id", nulls_last=True).with_columns(up_to=c("amount").cum_sum())
    waiting = queue.filter(c("up_to") > left("990100-ZJ-0001", 300_000)).select("id", "policy", waiting=True)
    # 990100-KJ-0001: 1,000,000 a year, the same share for all, single fen to the largest fractions.
    budget = left("990100-KJ-0001", 100_000_000)
    claims = owed.filter((c("policy") == "990100-KJ-0001") & ~c("refused")).join(entity.select("id", "entity_id"), on="id").select("id", "policy", "occasion", "amount", "entity_id")
    due = claims["amount"].sum()
    if due > budget:
        # Products of two amounts may pass 64 bits.
        product = c("amount").cast(pl.Int128) * budget
        claims = claims.with_columns(part=(product // due).cast(pl.Int64), rest=product % due).sort(
            ["rest", "entity_id", "occasion"], descending=[True, False, False])
        spare = budget - claims["part"].sum()
        claims = claims.with_row_index("place").with_columns(share=c("part") + (c("place") < spare).cast(pl.Int64))
    else:
        claims = claims.with_columns(share="amount")
    return waiting, claims.select("id", "policy", "occasion", "share")


def write(job, owed, waiting, shares, person, household, entity, verdicts):
    c = pl.col
    guarded = owed.lazy().filter(c("policy").is_in(GUARDIANS)).select("id").unique()
    heads = household.lazy().select(household="id", head_id="head_id")
    guardians = person.lazy().select("id", "mother_id", "father_id", "household").join(guarded, on="id", how="semi").join(heads, on="household", how="left").select(
        "id", guardian=pl.coalesce("mother_id", "father_id", "head_id"))
    subjects = pl.concat([
        person.lazy().select("id", subject_id="person_id", head_id=pl.lit(None, pl.String)),
        household.lazy().select("id", subject_id="household_id", head_id="head_id"),
        entity.lazy().select("id", subject_id="entity_id", head_id=pl.lit(None, pl.String)),
    ])
    frame = (owed.lazy().join(subjects, on="id").join(guardians, on="id", how="left")
             .join(waiting.lazy(), on=["id", "policy"], how="left").join(shares.lazy(), on=["id", "policy", "occasion"], how="left", nulls_equal=True))
    waits = c("waiting").fill_null(False) | ((c("share") == 0) & (c("amount") != 0)).fill_null(False)
    payee = (pl.when(c("policy").is_in(GUARDIANS)).then("guardian").when(c("subject_kind") == "household").then("head_id").otherwise("subject_id"))
    amount = pl.when(c("refused") | waits.fill_null(False)).then("amount").otherwise(pl.coalesce("share", "amount"))
    frame = frame.with_columns(payee_id=payee).select(
        "subject_kind", "subject_id", "payee_id", "policy", version=pl.lit(1, pl.Int64), amount=amount.cast(pl.Decimal(18, 0)).cast(pl.Decimal(18, 2)) / 100, unit=pl.lit("CNY"),
        period="period", occasion="occasion", member="member", mode=pl.when(c("review") | c("payee_id").is_null()).then(pl.lit("review")).otherwise("mode"), notify="notify",
        status=pl.when("refused").then(pl.lit("refused")).when(waits & ~c("refused")).then(pl.lit("waitlisted")).otherwise(pl.lit("granted")), as_of=pl.lit(job.as_of))
    unknown = pl.concat([
        part.lazy().filter(c("verdict").is_null()).select("id", "policy").join(names.lazy().select("id", subject_id=text), on="id")
        .select(pl.lit(kind).alias("subject_kind"), "subject_id", "policy")
        for kind, part, names, text in verdicts])
    frame.sink_parquet(job.out / "grants.parquet", compression="zstd")
    unknown.sink_parquet(job.out / "unknowns.parquet", compression="zstd")


def main():
    global pl
    arguments = parse()
    os.environ["POLARS_MAX_THREADS"] = str(arguments.threads)
    if arguments.memory:
        number, unit = arguments.memory.rstrip("GgMmiBb"), arguments.memory.lstrip("0123456789.")
        limit = int(float(number) * (1 << (30 if unit.upper().startswith("G") else 20)))
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    import polars
    pl = polars
    start, cpu = time.perf_counter(), time.process_time()
    arguments.out.mkdir(parents=True, exist_ok=True)
    job = Job(arguments.sources, arguments.out, arguments.as_of, arguments.engine)
    seconds, last = {}, time.perf_counter()

    def done(name):
        nonlocal last
        now = time.perf_counter()
        seconds[name] = round(now - last, 3)
        last = now

    identity_links(job)
    frames = registers(job)
    # Read twice, by persons and by hires: aggregated once.
    for name in ("insurance", "education", "unemployment"):
        frames[name] = job.collect(frames[name]).lazy()
    done("shared registers")
    certificates = certificate_rows(job)
    members = memberships(job)
    contracts = contracts_of(job)
    done("rows")
    person = persons(job, frames, certificates, members)
    done("dossiers")
    of_persons = person_verdicts(job, person)
    done("persons")
    household, of_households = households(job, person, members)
    done("households")
    hires = hires_of(job, person, contracts, frames)
    entity, of_entities = entities(job, person, contracts, hires)
    done("entities")
    rows = occasions(job, person, members, contracts, hires, certificates, of_persons, of_households, of_entities)
    owed, paid = resolve(job, rows, excluding(of_persons, of_households))
    waiting, shares = budgets(job, owed, paid, household, entity)
    done("resolution")
    write(job, owed, waiting, shares, person, household, entity,
          [("person", of_persons, person, "person_id"), ("household", of_households, household, "household_id"), ("entity", of_entities, entity, "entity_id")])
    done("write")
    counts = {table: pl.scan_parquet(arguments.out / f"{table}.parquet").select(pl.len()).collect().item() for table in ("grants", "unknowns")}
    total = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"peer": "polars", "version": pl.__version__, "engine": arguments.engine, "threads": arguments.threads, "seconds": seconds,
                      "total": round(total, 3), "cpu": round(time.process_time() - cpu, 3), "rows": counts, "peak_memory_mib": peak // 1024}))


if __name__ == "__main__":
    main()
