"""What both jobs take for granted about their sources, checked before they start."""
import pathlib
import re

# The hand-written rules and parameters are those of this year.
YEAR = "2026"


def check_sources(folder, as_of):
    """The Parquet file of every register, and the one data day.

    The jobs are written for deliveries as `mianshen generate` writes them: Parquet, one file a register, nothing stale.
    """
    folder = pathlib.Path(folder)
    folder = folder.parent if folder.suffix == ".yaml" else folder
    if not as_of.startswith(YEAR):
        raise SystemExit(f"the rules here are those of {YEAR}")
    registers, days = {}, set()
    for line in (folder / "sources.yaml").read_text().splitlines():
        found = re.match(r"\s+(\w+): \{path: ([\w./-]+\.parquet), format: parquet, data_day: ([\d-]+)\}", line)
        if found:
            registers[found[1]] = str(folder / found[2])
            days.add(found[3])
    if len(days) != 1 or min(days) != as_of:
        raise SystemExit(f"every register must speak for {as_of}, found {sorted(days)}")
    return registers, min(days)
