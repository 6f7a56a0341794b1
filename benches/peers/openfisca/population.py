"""Makes persons and households for the country template.

    python population.py PERSONS --out DIR [--seed 7]

`persons.parquet`: person_id, household_id, adult, birth_date, salary and capital_returns (whole units a month).
`households.parquet`: household_id, rent (a month), accommodation_size (square metres, in January), housing_occupancy_status
(in January), and what the members come to: household_income, adults, youngest_age (whole years on the day).

A household is one or two adults and up to three children. Amounts are whole units, so that every result is exact in
hundredths, and rounding to hundredths changes nothing.
"""
import argparse
import pathlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

AS_OF = np.datetime64("2016-11-01")
STATUSES = ["owner", "tenant", "free_lodger", "homeless"]


def ages(birth, day=AS_OF):
    """Whole years on a day that is the first of its month."""
    years = day.astype("datetime64[Y]").astype(int) - birth.astype("datetime64[Y]").astype(int)
    month = birth.astype("datetime64[M]").astype(int) % 12
    first = birth == birth.astype("datetime64[M]")
    this = day.astype("datetime64[M]").astype(int) % 12
    return years - ~((month < this) | ((month == this) & first))


def population(persons, seed):
    draw = np.random.default_rng(seed)
    size = draw.choice([1, 2, 3, 4, 5], persons, p=[.3, .33, .18, .14, .05])
    household = np.repeat(np.arange(persons), size)[:persons]
    starts = np.flatnonzero(np.r_[True, household[1:] != household[:-1]])
    place = np.arange(persons) - starts[household]
    adult = (place == 0) | ((place == 1) & (draw.random(persons) < .8))
    days_old = np.where(adult, draw.integers(18 * 366, 95 * 365, persons), draw.integers(0, 18 * 365, persons))
    birth = AS_OF - days_old.astype("timedelta64[D]")
    salary = np.where(adult & (draw.random(persons) < .6), draw.gamma(2, 2200, persons), 0).astype(np.int32)
    returns = np.where(adult & (draw.random(persons) < .2), draw.gamma(1, 300, persons), 0).astype(np.int32)
    age = ages(birth)

    count = len(starts)
    status = draw.choice(4, count, p=[.45, .45, .07, .03]).astype(np.int8)
    rent = np.where(status == 1, draw.integers(150, 2000, count), 0).astype(np.int32)
    area = np.where(status < 3, draw.integers(9, 220, count), 0).astype(np.int32)
    people = pa.table({
        "person_id": pa.array(np.arange(persons, dtype=np.int64)),
        "household_id": pa.array(household.astype(np.int32)),
        "adult": pa.array(adult),
        "birth_date": pa.array(birth, type=pa.date32()),
        "salary": pa.array(salary),
        "capital_returns": pa.array(returns),
    })
    households = pa.table({
        "household_id": pa.array(np.arange(count, dtype=np.int64)),
        "rent": pa.array(rent),
        "accommodation_size": pa.array(area),
        "housing_occupancy_status": pa.DictionaryArray.from_arrays(pa.array(status), pa.array(STATUSES)),
        "household_income": pa.array(np.bincount(household, salary, count).astype(np.int32)),
        "adults": pa.array(np.bincount(household, adult, count).astype(np.int8)),
        "youngest_age": pa.array(np.minimum.reduceat(age, starts).astype(np.int8)),
    })
    return people, households


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("persons", type=float)
    arguments.add_argument("--out", type=pathlib.Path, required=True)
    arguments.add_argument("--seed", type=int, default=7)
    given = arguments.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    people, households = population(int(given.persons), given.seed)
    pq.write_table(people, given.out / "persons.parquet", row_group_size=131_072)
    pq.write_table(households, given.out / "households.parquet", row_group_size=131_072)


if __name__ == "__main__":
    main()
