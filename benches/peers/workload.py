"""Makes the matching workload: dossiers as Parquet and policies as JSON.

    python workload.py PERSONS POLICIES [--seed 7] [--out DIR]

A policy is an `and` of two to five conditions, six in ten bound to one county, four in ten with an `or` pair beside it.
A condition is `[fact, op, value]` with op one of `=`, `>=`, `<`, `is` (a boolean fact that is true or false). The draws
are made in a fixed order, so that a seed gives the same workload everywhere.
"""
import argparse
import json
import pathlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

COUNTIES = 12
FIRST_COUNTY = 371301
# Facts compared with a threshold: least and greatest value drawn.
NUMBERS = {"age": (0, 100), "income": (0, 8000), "hh_income_pc": (0, 6000), "ui_months": (0, 240),
           "pension_months": (0, 400), "house_area": (0, 200), "credit": (300, 900), "grad_days": (0, 4000)}
# Facts compared with one code.
CODES = {"sex": (1, 3), "disability": (0, 5), "edu": (0, 9), "employ": (0, 6), "children": (0, 4)}
FLAGS = ["dishonest", "veteran"]


def dossiers(persons, seed):
    """One row per person; every fact but the region is null for some."""
    draw = np.random.default_rng(seed)

    def some_null(values, share, kind):
        return pa.array(values, mask=draw.random(persons) < share, type=kind)

    def whole(low, high, kind):
        return draw.integers(low, high, persons).astype(kind)

    region = np.repeat(np.arange(COUNTIES) + FIRST_COUNTY, int(np.ceil(persons / COUNTIES)))[:persons]
    return pa.table({
        "person_id": pa.array(np.arange(persons, dtype=np.int64)),
        "region": pa.array(region.astype(np.int32)),
        "age": some_null(whole(0, 100, np.int32), .001, pa.int32()),
        "sex": some_null(whole(1, 3, np.int8), .001, pa.int8()),
        "income": some_null(draw.gamma(2, 1500, persons).astype(np.int32), .08, pa.int32()),
        "hh_income_pc": some_null(draw.gamma(2, 1200, persons).astype(np.int32), .10, pa.int32()),
        "ui_months": some_null(whole(0, 240, np.int32), .02, pa.int32()),
        "pension_months": some_null(whole(0, 400, np.int32), .02, pa.int32()),
        "disability": some_null(whole(0, 5, np.int8), .01, pa.int8()),
        "edu": some_null(whole(0, 9, np.int8), .15, pa.int8()),
        "employ": some_null(whole(0, 6, np.int8), .05, pa.int8()),
        "children": some_null(whole(0, 4, np.int8), .02, pa.int8()),
        "house_area": some_null(whole(0, 200, np.int32), .2, pa.int32()),
        "credit": some_null(whole(300, 900, np.int32), .03, pa.int32()),
        "dishonest": some_null(draw.random(persons) < .01, .01, pa.bool_()),
        "veteran": some_null(draw.random(persons) < .03, .01, pa.bool_()),
        "grad_days": some_null(whole(0, 4000, np.int32), .3, pa.int32()),
    })


def policies(count, seed):
    """Conditions of each policy: `and`, and the `or` pair or null."""
    draw = np.random.default_rng(seed + 4)
    numbers, codes = list(NUMBERS), list(CODES)
    made = []
    for _ in range(count):
        conditions = []
        if draw.random() < .6:
            conditions.append(["region", "=", int(FIRST_COUNTY + draw.integers(0, COUNTIES))])
        for _ in range(int(draw.integers(2, 5))):
            which = draw.random()
            if which < .6:
                fact = numbers[draw.integers(0, len(numbers))]
                low, high = NUMBERS[fact]
                step = (high - low) // 50 or 1
                value = int(low + step * draw.integers(1, 50))
                conditions.append([fact, [">=", "<"][draw.integers(0, 2)], value])
            elif which < .85:
                fact = codes[draw.integers(0, len(codes))]
                conditions.append([fact, "=", int(draw.integers(*CODES[fact]))])
            else:
                conditions.append([FLAGS[draw.integers(0, 2)], "is", bool(draw.integers(0, 2))])
        pair = None
        if draw.random() < .4:
            fact = codes[draw.integers(0, len(codes))]
            other = numbers[draw.integers(0, len(numbers))]
            low, high = NUMBERS[other]
            pair = [[fact, "=", int(draw.integers(*CODES[fact]))], [other, ">=", int(low + (high - low) // 2)]]
        made.append({"and": conditions, "or": pair})
    return made


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("persons", type=float)
    arguments.add_argument("policies", type=int)
    arguments.add_argument("--seed", type=int, default=7)
    arguments.add_argument("--out", type=pathlib.Path, default=pathlib.Path("."))
    given = arguments.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    persons = int(given.persons)
    pq.write_table(dossiers(persons, given.seed), given.out / f"dossiers_{persons}.parquet", row_group_size=131_072)
    (given.out / f"policies_{given.policies}.json").write_text(json.dumps(policies(given.policies, given.seed)))


if __name__ == "__main__":
    main()
