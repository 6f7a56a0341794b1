"""Runs one peer on the workload and prints seconds, pairs per second and the two checksums.

    python run_peer.py PERSONS POLICIES polars|duckdb|datafusion|numpy [--dir DIR]

Each peer has its data in memory before the clock starts, two threads, and counts yes (`e`) and unknown (`u`) verdicts
with three values. polars: one wide select of expressions; duckdb, datafusion: one SQL with counting filters; numpy:
vectors of known-yes and known-no, each distinct condition evaluated once.
"""
import argparse
import json
import pathlib
import time


def sql_of(policy):
    def atom(fact, op, value):
        if op == "is":
            return fact if value else f"(not {fact})"
        return f"({fact} {op} {value})"

    text = " and ".join(atom(*one) for one in policy["and"])
    if policy["or"]:
        text += " and (" + " or ".join(atom(*one) for one in policy["or"]) + ")"
    return text


def counting_query(policies):
    counts = ", ".join(
        f"count(*) filter (where {sql_of(policy)}) as e{at}, count(*) filter (where ({sql_of(policy)}) is null) as u{at}"
        for at, policy in enumerate(policies))
    return f"select {counts} from t"


def duckdb(path, policies):
    import duckdb as engine
    session = engine.connect()
    session.execute("set threads = 2")
    session.execute(f"create table t as select * from '{path}'")
    query = counting_query(policies)
    start = time.perf_counter()
    row = session.execute(query).fetchone()
    return time.perf_counter() - start, sum(row[0::2]), sum(row[1::2])


def datafusion(path, policies):
    import datafusion as engine
    import pyarrow.parquet as pq
    session = engine.SessionContext(engine.SessionConfig().with_target_partitions(2))
    session.register_record_batches("t", [pq.read_table(path).to_batches(max_chunksize=8192)])
    query = counting_query(policies)
    start = time.perf_counter()
    row = list(session.sql(query).collect()[0].to_pydict().values())
    seconds = time.perf_counter() - start
    return seconds, sum(value[0] for value in row[0::2]), sum(value[0] for value in row[1::2])


def polars(path, policies):
    import polars as pl
    frame = pl.read_parquet(path)

    def atom(fact, op, value):
        column = pl.col(fact)
        if op == "is":
            return column if value else ~column
        return {">=": column >= value, "<": column < value, "=": column == value}[op]

    counts = []
    for at, policy in enumerate(policies):
        verdict = atom(*policy["and"][0])
        for one in policy["and"][1:]:
            verdict = verdict & atom(*one)
        if policy["or"]:
            verdict = verdict & (atom(*policy["or"][0]) | atom(*policy["or"][1]))
        counts += [verdict.sum().alias(f"e{at}"), verdict.is_null().sum().alias(f"u{at}")]
    start = time.perf_counter()
    row = frame.lazy().select(counts).collect().row(0)
    return time.perf_counter() - start, sum(row[0::2]), sum(row[1::2])


def numpy(path, policies):
    import numpy as np
    import pyarrow.parquet as pq
    table = pq.read_table(path)
    values, known = {}, {}
    for name in table.column_names:
        column = table[name].combine_chunks()
        known[name] = ~np.asarray(column.is_null())
        values[name] = np.asarray(column.fill_null(False if str(column.type) == "bool" else 0))
    start = time.perf_counter()
    done = {}

    def atom(fact, op, value):
        key = (fact, op, value)
        if key not in done:
            column = values[fact]
            holds = {">=": lambda: column >= value, "<": lambda: column < value}.get(op, lambda: column == value)()
            done[key] = (holds & known[fact], ~holds & known[fact])
        return done[key]

    yes = unknown = 0
    for policy in policies:
        sure, never = atom(*policy["and"][0])
        for one in policy["and"][1:]:
            more, less = atom(*one)
            sure, never = sure & more, never | less
        if policy["or"]:
            (a_yes, a_no), (b_yes, b_no) = atom(*policy["or"][0]), atom(*policy["or"][1])
            sure, never = sure & (a_yes | b_yes), never | (a_no & b_no)
        yes += int(sure.sum())
        unknown += int((~(sure | never)).sum())
    return time.perf_counter() - start, yes, unknown


def main():
    peers = {"polars": polars, "duckdb": duckdb, "datafusion": datafusion, "numpy": numpy}
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("persons", type=float)
    arguments.add_argument("policies", type=int)
    arguments.add_argument("peer", choices=peers)
    arguments.add_argument("--dir", type=pathlib.Path, default=pathlib.Path("."))
    given = arguments.parse_args()
    persons = int(given.persons)
    policies = json.loads((given.dir / f"policies_{given.policies}.json").read_text())
    seconds, yes, unknown = peers[given.peer](given.dir / f"dossiers_{persons}.parquet", policies)
    print(f"{given.peer} n={persons} P={given.policies} {seconds:.3f}s pairs/s={persons * given.policies / seconds:.3e} e={yes} u={unknown}")


if __name__ == "__main__":
    main()
