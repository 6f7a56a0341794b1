"""What both tests of the stream work on: the sample city with a death register of the test's own, its store, and the programs that run over it.

MIANSHEN names the program. STREAM_SEED: another seed, other people.
"""

import csv
import datetime
import json
import os
import pathlib
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
MIANSHEN = os.environ["MIANSHEN"]
SEED = int(os.environ.get("STREAM_SEED", "20260630"))
EPOCH = datetime.date(1970, 1, 1)


def ran(*arguments: str) -> str:
    done = subprocess.run([MIANSHEN, *arguments, "--lang", "en"], cwd=ROOT, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"mianshen {' '.join(arguments)}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def held():
    """Policies with a budget: it is shared out in rounds, so that their grants stand and begin no case."""
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "policies").rglob("policy.yaml")]
    return {re.search(r"^code: *(\S+)", text, re.MULTILINE)[1] for text in texts if re.search(r"^ *budget:", text, re.MULTILINE)}


def grants(out: pathlib.Path):
    with open(out / "grants.csv", newline="", encoding="utf-8") as file:
        return {row["grant_id"]: row for row in csv.DictReader(file) if row["status"] == "granted"}


class City:
    """The sample's registers with a death register of the test's own, before and after what happens."""

    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        shutil.copytree(ROOT / "data-samples", folder / "registers")
        ran("match", "--format", "csv", "--out", str(folder / "sample"))
        chance = random.Random(SEED)
        found = grants(folder / "sample").values()
        alive = sorted({row["subject_id"] for row in found if row["subject_kind"] == "person"})
        chosen = chance.sample(alive, 70)
        # Whose death is taken back; of whom it is said again at once; who stays dead, but for a moment; who dies.
        self.back, self.wavering, self.moment, self.dies = chosen[:40], chosen[:12], chosen[40:52], chosen[52:]
        before = set(chosen[:52])
        after = set(self.moment) | set(self.dies)
        self.sources = self.write("before", before)
        self.sources_after = self.write("after", after)
        ran("match", "--sources", str(self.sources), "--format", "csv", "--out", str(folder / "out-before"))
        ran("match", "--sources", str(self.sources_after), "--format", "csv", "--out", str(folder / "out-after"))
        self.before, self.after = grants(folder / "out-before"), grants(folder / "out-after")
        self.new = {case: row for case, row in self.after.items() if case not in self.before}
        self.events = self.order(chance)

    def write(self, name: str, dead) -> pathlib.Path:
        lines = ["person_id,death_date,recorded_on", *(f"{person},2026-06-20,2026-06-21" for person in sorted(dead))]
        (self.folder / "registers" / f"death-{name}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        text = (self.folder / "registers" / "sources.yaml").read_text(encoding="utf-8")
        changed = text.replace("death: {path: death.parquet, format: parquet", f"death: {{path: death-{name}.csv, format: csv")
        assert changed != text
        path = self.folder / "registers" / f"sources-{name}.yaml"
        path.write_text(changed, encoding="utf-8")
        return path

    def order(self, chance):
        """Key and payload of each event; those of a person follow each other."""
        day = (datetime.date(2026, 6, 20) - EPOCH).days
        row = lambda person: {"person_id": person, "death_date": day, "recorded_on": day + 1}
        log = iter(range(1, 10**9))

        def event(person: str, op: str) -> bytes:
            position = next(log)
            source = {"connector": "postgresql", "table": "death", "lsn": 24_000_000 + position, "ts_ms": 1_782_696_600_000 + position}
            images = {"before": row(person) if op == "d" else None, "after": None if op == "d" else row(person)}
            return json.dumps({**images, "source": source, "op": op, "ts_ms": source["ts_ms"] + 400}).encode()

        stories = [(person, "dcd" if person in self.wavering else "d") for person in self.back]
        stories += [(person, "dc") for person in self.moment] + [(person, "c") for person in self.dies]
        chance.shuffle(stories)
        events = [(person, event(person, op)) for person, ops in stories for op in ops]
        events.insert(30, ("nobody", b"{no JSON"))
        events.insert(60, ("nobody", json.dumps({"op": "c", "after": {"person_id": self.dies[0]}, "source": {"table": "death"}}).encode()))
        return events


class Store:
    """Where a run keeps what it has."""

    def __init__(self, folder: pathlib.Path, postgres):
        self.postgres = postgres
        self.url = postgres.url if postgres else str(folder / "city.db")

    def ask(self, sql: str):
        if self.postgres:
            return [tuple(row) for row in self.postgres.ask(f"SET search_path = mianshen; {sql}")]
        with sqlite3.connect(f"file:{self.url}.live?mode=ro", uri=True) as connection:
            return [tuple(str(value) for value in row) for row in connection.execute(sql)]

    def read_up_to(self) -> int:
        return int(self.ask("SELECT coalesce(sum(next), 0) FROM position")[0][0])

    def standing(self):
        body = "encode(s.body, 'hex')" if self.postgres else "hex(s.body)"
        current = "g.is_current" if self.postgres else "g.is_current = 1"
        rows = self.ask(f"SELECT s.kind, s.id, {body} FROM standing s JOIN generation g ON g.id = s.generation WHERE {current}")
        return {(kind, subject): body.lower() for kind, subject, body in rows}


class Program:
    """One that runs until it is stopped; it can be killed and comes back."""

    def __init__(self, name: str, arguments, log: pathlib.Path):
        self.name, self.arguments, self.log, self.kills = name, arguments, log, 0
        self.start()

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([MIANSHEN, *self.arguments], cwd=ROOT, stdout=log, stderr=log)

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.kills += 1
        self.start()

    def look(self):
        if self.process.poll() is not None:
            sys.exit(f"{self.name} ended by itself, with {self.process.returncode}:\n{self.log.read_text(encoding='utf-8')}")

    def stop(self):
        self.look()
        self.process.send_signal(signal.SIGTERM if self.name == "push" else signal.SIGINT)
        if self.process.wait(60) != 0:
            sys.exit(f"{self.name}: exit code {self.process.returncode}\n{self.log.read_text(encoding='utf-8')}")


def wait_until(what: str, seconds: float, is_so, programs):
    end = time.monotonic() + seconds
    while not is_so():
        for program in programs:
            program.look()
        if time.monotonic() > end:
            logs = "\n".join(program.log.read_text(encoding="utf-8")[-2_000:] for program in programs)
            sys.exit(f"after {seconds} seconds still not: {what}\n{logs}")
        time.sleep(0.25)
