"""Compares OpenFisca's results with ours, person by person and household by household.

    python compare.py OPENFISCA_DIR OURS_DIR

Ours are hundredths as 64-bit integers (`person.arrow`, `household.arrow` of the `country_template` program), or the tables of
`mianshen match` (folders `person` and `household` with grants.parquet). OpenFisca's are 32-bit floats: ours must round to
within two units in the last place of the same 32-bit float, since a formula there is two operations at most that round.
"""
import json
import pathlib
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

CODES = {
    "person": {"basic_income": "000000-CT-0001", "pension": "000000-CT-0002", "income_tax": "000000-CT-0003",
               "social_security_contribution": "000000-CT-0004"},
    "household": {"housing_allowance": "000000-CT-0005", "parenting_allowance": "000000-CT-0006", "housing_tax": "000000-CT-0007"},
}


def ours_of(folder, kind, rows):
    """Hundredths by policy, in the order of the rows."""
    arrow = folder / f"{kind}.arrow"
    if arrow.exists():
        with pa.memory_map(str(arrow)) as source:
            table = pa.ipc.open_file(source).read_all()
        return {code: table[code].to_numpy() for code in table.column_names}
    table = pq.read_table(folder / kind / "grants.parquet", columns=["subject_id", "policy", "amount"])
    places = table["subject_id"].cast(pa.int64()).to_numpy()
    hundredths = np.rint(table["amount"].cast(pa.float64()).to_numpy() * 100).astype(np.int64)
    policies = table["policy"].combine_chunks().dictionary_encode()
    found = {}
    for code in CODES[kind].values():
        chosen = policies.indices.to_numpy() == policies.dictionary.index(code).as_py()
        found[code] = np.zeros(rows, np.int64)
        found[code][places[chosen]] = hundredths[chosen]
    return found


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    theirs_dir, ours_dir = map(pathlib.Path, sys.argv[1:])
    told, wrong = {}, 0
    for kind, codes in CODES.items():
        theirs = pq.read_table(theirs_dir / f"{kind}.parquet")
        ours = ours_of(ours_dir, kind, theirs.num_rows)
        for variable, code in codes.items():
            float32 = theirs[variable].to_numpy().astype(np.float32)
            exact = ours[code] / 100
            apart = np.abs(exact - float32.astype(np.float64))
            differ = int((apart > 2 * np.spacing(np.abs(exact).astype(np.float32))).sum())
            told[variable] = {"compared": len(float32), "differ": differ, "not_zero": int((ours[code] != 0).sum()),
                              "greatest_difference": float(apart.max(initial=0)), "sum_ours": float(exact.sum()),
                              "sum_openfisca": float(float32.astype(np.float64).sum())}
            wrong += differ
    print(json.dumps({"differ": wrong, "variables": told}))
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
