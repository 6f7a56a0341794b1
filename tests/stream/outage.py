"""The receiver of messages is away for an hour, in the midst of the night's messages, and then answers 500 for a minute.

The stream goes on meanwhile: deaths are taken back, cases begin, and some of those who were to be told are not any more. Push runs with the pace
that it has when the settings say nothing, and is killed twice. Then everything must have left: no message lost, none given up, none
under a second identifier, and each subject's in their order.

MIANSHEN names the program. STREAM_OUTAGE: for how many seconds the receiver is away (default 3600). STREAM_SEED: another seed, other people.
"""

import json
import os
import pathlib
import shutil
import sys
import tempfile
import time

from city import City, Program, Store, held, ran, wait_until
from receiver import Receiver

OUTAGE = int(os.environ.get("STREAM_OUTAGE", "3600"))
# For so long it answers 500 when it is back.
FAILING = 60
# So many messages have arrived when the receiver goes away.
BEFORE = 200
SETTLE = 20
SECRET = b"0123456789abcdef0123456789abcdef"


def lines(city: City):
    """The events as plain rows; what is none and what lacks a column is left out here."""
    for at, (person, payload) in enumerate(event for event in city.events if event[0] != "nobody"):
        told = json.loads(payload)
        op, image = ("delete", "before") if told["op"] == "d" else ("insert", "after")
        row = {**told[image], "death_date": "2026-06-20", "recorded_on": "2026-06-21"}
        yield json.dumps({"register": "death", "op": op, image: row, "position": at + 1})


def number_of(store: Store, sql: str) -> int:
    return int(store.ask(sql)[0][0])


def check(store: Store, city: City, receivers):
    got = [message for receiver in receivers for message in receiver.got]
    if sum(receiver.forged for receiver in receivers):
        sys.exit("a request had a wrong signature or identifier")
    rows = {row[0]: (int(row[1]), int(row[2])) for row in store.ask("SELECT id, number, state FROM message")}
    arrived = {message["id"] for message in got}
    sent = {message for message, (_, state) in rows.items() if state == 1}
    dead = [message for message, (_, state) in rows.items() if state == 2]
    assert not dead, f"{len(dead)} messages were given up"
    assert arrived == sent, f"{len(sent - arrived)} are said to be sent and never arrived, {len(arrived - sent)} arrived that are not"
    # By case, what it was told: the same kind and number only under one identifier.
    told = {}
    for message in got:
        for item in message["items"]:
            told.setdefault((item["case"], message["kind"], message["number"]), set()).add(message["id"])
    twice = [case for case, ids in told.items() if len(ids) > 1]
    assert not twice, f"{len(twice)} were told under two identifiers"
    last = {}
    for message in got:
        subject = (message["subject"]["kind"], message["subject"]["id"])
        number = rows[message["id"]][0]
        assert number >= last.get(subject, 0), "the order of a subject's messages was not kept"
        last[subject] = number
    # Whoever is owed something in the end was told.
    cases = {case for case, kind, _ in told if kind in ("found", "to_confirm")}
    shared_out = held()
    steps = dict(store.ask("SELECT id, step FROM case_row"))
    owed = {case for case, row in city.after.items() if row["policy"] not in shared_out and steps.get(case) == "told"}
    assert owed <= cases, f"{len(owed - cases)} stand as told, and nobody heard of them"
    new = {case for case, row in city.new.items() if row["policy"] not in shared_out}
    assert new <= steps.keys() and len(new & cases) > 20, f"of {len(new)} new ones {len(new & cases)} were told"
    ran("case", "verify", "--store", store.url)
    return len(rows), len(arrived), len(got)


def main():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="outage"))
    city = City(folder)
    store = Store(folder, None)
    for verb in (["match"], ["stream", "load"]):
        ran(*verb, "--store", store.url, "--sources", str(city.sources))
    ran("case", "open", "--store", store.url)
    receivers = [Receiver(SECRET)]
    (folder / "secret").write_bytes(SECRET)
    webhook = f"{{url: '{receivers[0].url}', secret_file: secret, algorithm: hmac-sm3}}"
    (folder / "push.yaml").write_text(f"settle: {SETTLE}s\nchannels:\n  - {{name: platform, webhook: {webhook}}}\n", encoding="utf-8")
    events = folder / "changes.ndjson"
    events.write_text("", encoding="utf-8")
    common = ["--store", store.url, "--lang", "en", "--log", "mianshen=info"]
    push = Program("push", ["push", "--settings", str(folder / "push.yaml"), *common], folder / "push.log")
    stream = Program("stream", ["stream", "run", "--from", f"file:{events}", "--follow", "--max-batch", "5", *common], folder / "stream.log")
    programs = [push, stream]
    try:
        wait_until("messages arrive", 300, lambda: len(receivers[0].got) >= BEFORE, programs)
        receivers[0].stop()
        away = time.monotonic()
        waiting = "SELECT count(*) FROM message WHERE state = 0"
        print(f"the receiver is away after {len(receivers[0].got)} messages", flush=True)
        kills = [away + OUTAGE * share for share in (0.3, 0.7)]
        changes = list(lines(city))
        with open(events, "a", encoding="utf-8") as file:
            for at, line in enumerate(changes):
                file.write(line + "\n")
                file.flush()
                until = away + OUTAGE * 0.9 * (at + 1) / len(changes)
                while time.monotonic() < until:
                    for program in programs:
                        program.look()
                    if kills and time.monotonic() > kills[0]:
                        kills.pop(0)
                        push.kill()
                    time.sleep(0.2)
        wait_until("the hour is over", OUTAGE, lambda: time.monotonic() > away + OUTAGE, programs)
        print(f"{time.monotonic() - away:.0f} s later {number_of(store, waiting)} messages wait", flush=True)
        receivers.append(Receiver(SECRET, receivers[0].port))
        receivers[1].status = 500
        wait_until("it answers", FAILING, lambda: time.monotonic() > away + OUTAGE + FAILING - 1, programs)
        receivers[1].status = 202
        back = time.monotonic()
        last = "SELECT coalesce(max(at), 0) FROM case_event"
        is_quiet = lambda: number_of(store, waiting) == 0 and time.time() - number_of(store, last) / 1e6 > SETTLE + 3
        wait_until("every message has left", 2 * OUTAGE + 300, is_quiet, programs)
        print(f"all have left {time.monotonic() - back:.0f} s after it answers again; {receivers[1].refused} requests got a 500", flush=True)
        for program in programs:
            program.stop()
    finally:
        for program in programs:
            program.process.kill()
            program.process.wait()
        receivers[-1].stop()
    try:
        messages, arrived, times = check(store, city, receivers)
    except BaseException:
        print(f"what was written is in {folder}", file=sys.stderr)
        raise
    shutil.rmtree(folder)
    print(f"{len(changes)} events · push killed {push.kills} times · {messages} messages, {arrived} arrived, {times} times; none lost, none new, in order")


main()
