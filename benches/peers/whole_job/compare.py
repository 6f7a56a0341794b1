"""Whether a peer's results are ours, row for row.

    python compare.py OURS PEER [--show 5]

Reads `grants.parquet` and `unknowns.parquet` of both folders. Grants are equal as multisets of (subject kind, subject,
payee, policy, version, amount, unit, period, occasion, member, mode, notify, status, as_of), unknown verdicts as multisets
of (subject kind, subject, policy). Prints what differs, by policy, with examples; exit code 1 when anything does.
"""
import argparse
import pathlib
import sys

import polars as pl

GRANTS = ["subject_kind", "subject_id", "payee_id", "policy", "version", "amount", "unit", "period", "occasion", "member",
          "mode", "notify", "status", "as_of"]
UNKNOWNS = ["subject_kind", "subject_id", "policy"]


def rows(folder, table, columns):
    frame = pl.scan_parquet(pathlib.Path(folder) / f"{table}.parquet").select(columns)
    if "amount" in columns:
        frame = frame.with_columns(pl.col("amount").cast(pl.Decimal(18, 2)), pl.col("version").cast(pl.Int64))
    text = [pl.col(name).cast(pl.String) for name in columns if name not in ("amount", "version", "notify", "as_of")]
    return frame.with_columns(text).group_by(columns).agg(pl.len().alias("rows")).collect()


def compare(ours, peer, table, columns, show):
    left, right = rows(ours, table, columns), rows(peer, table, columns)
    keys = [*columns, "rows"]
    only = {"only ours": left.join(right, on=keys, how="anti", nulls_equal=True),
            "only the peer": right.join(left, on=keys, how="anti", nulls_equal=True)}
    counts = f"{left['rows'].sum()} rows of ours, {right['rows'].sum()} of the peer"
    if not any(len(frame) for frame in only.values()):
        print(f"{table}: equal, {counts}")
        return True
    print(f"{table}: DIFFERENT, {counts}")
    for side, frame in only.items():
        for (policy,), group in sorted(frame.group_by("policy"), key=lambda pair: pair[0]):
            print(f"  {side}: {policy} {group['rows'].sum()}")
            for row in group.sort(columns).head(show).iter_rows():
                print("    ", *row)
    return False


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("ours")
    parser.add_argument("peer")
    parser.add_argument("--show", type=int, default=3)
    arguments = parser.parse_args()
    equal = [compare(arguments.ours, arguments.peer, table, columns, arguments.show)
             for table, columns in (("grants", GRANTS), ("unknowns", UNKNOWNS))]
    sys.exit(0 if all(equal) else 1)


if __name__ == "__main__":
    main()
