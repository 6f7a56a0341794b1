"""Runs one peer on the matching workload and prints one JSON line: seconds of each repetition and the two checksums.

    python run_peer.py PERSONS POLICIES PEER [--form FORM] [--dir DIR] [--threads 2] [--repeat 1]

Each peer has its data in memory before the clock starts and counts, with three values, the yes (`e`) and the unknown (`u`)
verdicts of every policy. What is counted goes from the query (SQL text, expressions) to the numbers; planning is part of it.

polars      select     one wide lazy select of sums and null counts, common subexpressions found by Polars
            plain      the same without the search for common subexpressions
            streaming  the same on the streaming engine
duckdb      filter     one wide SELECT of count(*) filter (where …) and count(*) filter (where … is null)
            sum        conditions as columns of a subquery, then sum(c::int) and count(c)
            case       one wide SELECT of sum(case when … then 1 else 0 end) and count(…)
datafusion  filter     as duckdb
            sum        one wide SELECT of sum(cast(… as int)) and count(…)
(each of these three also in parts: sum/100 is one query after the other, of 100 policies each)
numpy       whole      as OpenFisca computes: whole vectors, each distinct condition once, one thread
            blocks     the same in blocks that fit the cache, blocks shared by threads
"""
import argparse
import importlib.metadata
import json
import os
import pathlib
import resource
import time

KINDS = {"polars": ["select", "plain", "streaming"], "duckdb": ["filter", "sum", "case"], "datafusion": ["filter", "sum"],
         "numpy": ["whole", "blocks"]}
# What is worth trying: the rest of the forms was slower wherever it was tried.
FORMS = {"polars": ["select", "plain", "streaming", "plain/100", "streaming/100"], "duckdb": ["case", "sum", "case/100", "sum/100", "case/25"],
         "datafusion": ["sum", "sum/100", "sum/25"], "numpy": ["blocks", "whole"]}
BLOCK = 32_768


def sql_of(policy):
    def atom(fact, op, value):
        if op == "is":
            return fact if value else f"(not {fact})"
        return f"({fact} {op} {value})"

    text = " and ".join(atom(*one) for one in policy["and"])
    if policy["or"]:
        text += " and (" + " or ".join(atom(*one) for one in policy["or"]) + ")"
    return text


def counting_query(policies, form):
    """A query with two columns per policy: how many are yes, and how many are unknown (`filter`) or known (else)."""
    conditions = [sql_of(policy) for policy in policies]
    if form == "filter":
        counts = [f"count(*) filter (where {one}) as e{at}, count(*) filter (where ({one}) is null) as u{at}"
                  for at, one in enumerate(conditions)]
    elif form == "case":
        counts = [f"sum(case when {one} then 1 else 0 end) as e{at}, count({one}) as u{at}" for at, one in enumerate(conditions)]
    else:
        counts = [f"sum(cast({one} as int)) as e{at}, count({one}) as u{at}" for at, one in enumerate(conditions)]
    return f"select {', '.join(counts)} from t"


def counting_subquery(policies):
    inner = ", ".join(f"{sql_of(policy)} as c{at}" for at, policy in enumerate(policies))
    outer = ", ".join(f"sum(c{at}::int) as e{at}, count(c{at}) as u{at}" for at in range(len(policies)))
    return f"select {outer} from (select {inner} from t)"


def checksums(row, form, pairs):
    """`e` and `u` from the columns of a query."""
    yes, other = sum(value or 0 for value in row[0::2]), sum(row[1::2])
    return int(yes), int(other if form == "filter" else pairs - other)


def duckdb(path, form, threads):
    import duckdb as engine
    session = engine.connect()
    session.execute(f"set threads = {threads}")
    session.execute(f"create table t as select * from '{path}'")
    rows = session.execute("select count(*) from t").fetchone()[0]

    def prepared(part):
        query = counting_subquery(part) if form == "sum" else counting_query(part, form)
        return lambda: checksums(session.execute(query).fetchone(), form, rows * len(part))

    return prepared


def datafusion(path, form, threads):
    import datafusion as engine
    import pyarrow.parquet as pq
    session = engine.SessionContext(engine.SessionConfig().with_target_partitions(threads))
    table = pq.read_table(path)
    batches = table.to_batches(max_chunksize=8192)
    parts = [batches[at::threads] for at in range(threads)]
    session.register_record_batches("t", [part for part in parts if part])

    def prepared(part):
        query = counting_query(part, form)

        def run():
            row = [column[0] for column in session.sql(query).collect()[0].to_pydict().values()]
            return checksums(row, form, table.num_rows * len(part))

        return run

    return prepared


def polars(path, form, threads):
    os.environ["POLARS_MAX_THREADS"] = str(threads)
    import polars as pl
    assert pl.thread_pool_size() == threads
    frame = pl.read_parquet(path)

    def atom(fact, op, value):
        column = pl.col(fact)
        if op == "is":
            return column if value else ~column
        return {">=": column >= value, "<": column < value, "=": column == value}[op]

    def verdict(policy):
        found = atom(*policy["and"][0])
        for one in policy["and"][1:]:
            found = found & atom(*one)
        return found & (atom(*policy["or"][0]) | atom(*policy["or"][1])) if policy["or"] else found

    how = {"plain": {"optimizations": pl.QueryOptFlags(comm_subexpr_elim=False)}, "streaming": {"engine": "streaming"}}.get(form, {})

    def prepared(part):
        counts = []
        for at, policy in enumerate(part):
            counts += [verdict(policy).sum().alias(f"e{at}"), verdict(policy).is_null().sum().alias(f"u{at}")]

        def run():
            row = frame.lazy().select(counts).collect(**how).row(0)
            return sum(row[0::2]), sum(row[1::2])

        return run

    return prepared


def numpy(path, form, threads):
    import concurrent.futures

    import numpy as np
    import pyarrow.parquet as pq
    table = pq.read_table(path)
    values, known = {}, {}
    for name in table.column_names:
        column = table[name].combine_chunks()
        known[name] = ~np.asarray(column.is_null())
        values[name] = np.asarray(column.fill_null(False if str(column.type) == "bool" else 0))

    def count(policies, rows):
        done = {}

        def atom(fact, op, value):
            key = (fact, op, value)
            if key not in done:
                column, there = values[fact][rows], known[fact][rows]
                holds = {">=": np.greater_equal, "<": np.less}.get(op, np.equal)(column, value)
                done[key] = (holds & there, ~holds & there)
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
            yes += int(np.count_nonzero(sure))
            unknown += len(sure) - int(np.count_nonzero(sure | never))
        return yes, unknown

    size = table.num_rows if form == "whole" else BLOCK
    blocks = [slice(start, min(start + size, table.num_rows)) for start in range(0, table.num_rows, size)]

    def prepared(part):
        def run():
            if form == "whole":
                return count(part, blocks[0])
            with concurrent.futures.ThreadPoolExecutor(threads) as pool:
                found = list(pool.map(lambda rows: count(part, rows), blocks))
            return sum(yes for yes, _ in found), sum(unknown for _, unknown in found)

        return run

    return prepared


def main():
    peers = {"polars": polars, "duckdb": duckdb, "datafusion": datafusion, "numpy": numpy}
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("persons", type=float)
    arguments.add_argument("policies", type=int)
    arguments.add_argument("peer", choices=peers)
    arguments.add_argument("--form", help="by default the first one of the peer")
    arguments.add_argument("--dir", type=pathlib.Path, default=pathlib.Path("."))
    arguments.add_argument("--threads", type=int, default=2)
    arguments.add_argument("--repeat", type=int, default=1)
    given = arguments.parse_args()
    form = given.form or FORMS[given.peer][0]
    kind, _, width = form.partition("/")
    if kind not in KINDS[given.peer]:
        arguments.error(f"{given.peer} has the forms {', '.join(KINDS[given.peer])}")
    persons = int(given.persons)
    policies = json.loads((given.dir / f"policies_{given.policies}.json").read_text())
    width = int(width or len(policies))
    prepared = peers[given.peer](given.dir / f"dossiers_{persons}.parquet", kind, given.threads)
    parts = [prepared(policies[start:start + width]) for start in range(0, len(policies), width)]
    seconds = []
    for _ in range(given.repeat):
        start = time.perf_counter()
        found = [part() for part in parts]
        seconds.append(time.perf_counter() - start)
        yes, unknown = sum(one[0] for one in found), sum(one[1] for one in found)
    print(json.dumps({
        "engine": given.peer, "form": form, "version": importlib.metadata.version(given.peer), "persons": persons,
        "policies": given.policies, "threads": 1 if form == "whole" else given.threads, "seconds": seconds,
        "best_seconds": min(seconds), "pairs_per_second": persons * given.policies / min(seconds), "e": yes, "u": unknown,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }))


if __name__ == "__main__":
    main()
