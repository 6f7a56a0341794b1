"""The whole job in DuckDB: registers (Parquet) to grants and unknown verdicts (Parquet).

    python duckdb_job.py --sources DIR --out DIR --as-of 2026-06-30 [--threads 2] [--memory 4GB]

The work is in `duckdb_job.sql`; here are only the files, the day, and the clock. Prints one JSON line: seconds per stage
and in all, rows of both results. The database lives in memory and spills beside the results when told to stay below a limit.
"""
import argparse
import json
import pathlib
import resource
import string
import time

import duckdb

from shape import check_sources

# Registers with one row a subject: of rows that an identity link puts together the one under the number of today counts.
ONE_ROW_EACH = {"registers": ("income", "family_planning"), "persons": ("population",)}


def stages(text):
    for part in text.split("-- @stage ")[1:]:
        name, _, body = part.partition("\n")
        yield name.strip(), body


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--sources", required=True, type=pathlib.Path)
    parser.add_argument("--out", required=True, type=pathlib.Path)
    parser.add_argument("--as-of", default="2026-06-30")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--memory")
    arguments = parser.parse_args()
    start, cpu = time.perf_counter(), time.process_time()
    registers, data_day = check_sources(arguments.sources, arguments.as_of)
    arguments.out.mkdir(parents=True, exist_ok=True)
    names = {"as_of": arguments.as_of, "data_day": data_day, "out": str(arguments.out)}
    for name, path in registers.items():
        names[name] = f"read_parquet('{path}')"
        names[f"{name}_with_rows"] = f"read_parquet('{path}', file_row_number = true)"
    session = duckdb.connect()
    session.execute(f"set threads = {arguments.threads}")
    session.execute("set preserve_insertion_order = false")
    session.execute(f"set temp_directory = '{arguments.out}/spill'")
    if arguments.memory:
        session.execute(f"set memory_limit = '{arguments.memory}'")
    text = (pathlib.Path(__file__).parent / "duckdb_job.sql").read_text()
    seconds = {}
    for name, body in stages(text):
        began = time.perf_counter()
        session.execute(string.Template(body).substitute(names))
        for table in ONE_ROW_EACH.get(name, ()):
            one_row_each(session, table)
        seconds[name] = round(time.perf_counter() - began, 3)
    rows = {table: session.execute(f"select count(*) from '{arguments.out}/{table}.parquet'").fetchone()[0] for table in ("grants", "unknowns")}
    total = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"peer": "duckdb", "version": duckdb.__version__, "threads": arguments.threads, "seconds": seconds,
                      "total": round(total, 3), "cpu": round(time.process_time() - cpu, 3), "rows": rows, "peak_memory_mib": peak // 1024}))


def one_row_each(session, table):
    if session.execute(f"select count(*) from {table} where came_under_old").fetchone()[0]:
        session.execute(f"""
            create or replace temp table {table} as
            from {table} where not came_under_old
            union all from {table} where came_under_old and id not in (select id from {table} where not came_under_old)
            qualify row_number() over (partition by id) = 1""")


if __name__ == "__main__":
    main()
