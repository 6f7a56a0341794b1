"""From an event to the message that was received, and the same again with both programs killed at random points.

The night's grants are told first. Then deaths are taken back: people whom the register said to be dead are judged anew, cases begin, messages leave. The events come as
Debezium writes them, through a broker with several partitions; messages leave by a webhook and by a topic. What must come is what
`match` finds over the registers as they are in the end. With kills, the distinct messages and what stands must be the same.

MIANSHEN names the program, built with the feature `kafka`. STREAM_KILLS: how often each of the two is killed (default 4).
STREAM_SEED: another seed, other points.
"""

import json
import os
import pathlib
import random
import shutil
import sys
import tempfile
import threading
import time

from confluent_kafka import Consumer, Producer, TopicPartition

from city import SEED, City, Program, Store, held, ran, wait_until
from receiver import Receiver
from servers import Broker, Postgres, postgres_programs

KILLS = int(os.environ.get("STREAM_KILLS", "4"))
PARTITIONS = 3
SECRET = b"0123456789abcdef0123456789abcdef"
# Longer than anything flickers, also where a program is killed in between and comes back.
SETTLE = int(os.environ.get("STREAM_SETTLE", "45"))
DEATHS = "city.public.death"
# The policies whose messages leave by the topic; all others leave by the webhook.
BY_TOPIC = "990100-WJ"


class Outcome:
    """What came of the events."""

    def __init__(self, name: str, city: City, broker: Broker, postgres, kills: int):
        self.name, self.city = name, city
        folder = city.folder / name
        folder.mkdir()
        self.folder, self.store = folder, Store(folder, postgres)
        deaths, told = f"{DEATHS}", f"{name}.messages"
        source = f"{name}.{deaths}"
        broker.make_topic(source, PARTITIONS)
        broker.make_topic(told, PARTITIONS)
        # The night before: everybody who is owed something has a case, and hears of it before anything happens.
        ran("match", "--store", self.store.url, "--sources", str(city.sources))
        ran("stream", "load", "--store", self.store.url, "--sources", str(city.sources))
        ran("case", "open", "--store", self.store.url)
        receiver = Receiver(SECRET)
        self.settings(broker, receiver, source, told)
        common = ["--store", self.store.url, "--lang", "en", "--log", "mianshen=info"]
        # Turns are small, so that many end between two kills.
        streaming = ["stream", "run", "--settings", str(folder / "streams.yaml"), "--max-batch", "5", *common]
        push = Program("push", ["push", "--settings", str(folder / "push.yaml"), *common], folder / "push.log")
        programs = [push]
        try:
            told_of_the_night = lambda: int(self.store.ask("SELECT count(*) FROM message")[0][0]) > 0 and self.is_quiet()
            wait_until("the night's grants are told", SETTLE + 240, told_of_the_night, programs)
            programs.insert(0, Program("stream", streaming, folder / "stream.log"))
            self.started = time.monotonic()
            self.produce(broker, source, kills > 0)
            if kills:
                self.kill(programs, kills)
            wait_until("all events are in the store", 240, lambda: self.store.read_up_to() == len(city.events), programs)
            self.read = time.monotonic()
            wait_until("every message has left", SETTLE + 120, self.is_quiet, programs)
            for program in programs:
                program.stop()
        finally:
            for program in programs:
                program.process.kill()
                program.process.wait()
            receiver.stop()
        self.kills = [program.kills for program in programs]
        self.receiver = receiver
        self.by_topic = self.consume(broker, told)
        if receiver.forged:
            sys.exit(f"{name}: {receiver.forged} requests with a wrong signature or identifier")

    def settings(self, broker, receiver, source, told):
        (self.folder / "secret").write_bytes(SECRET)
        (self.folder / "streams.yaml").write_text(
            f"sources:\n  - kafka: {broker.address}\n    group: {self.name}\n    topics: [{source}]\n"
            "    options: [{name: session.timeout.ms, value: '6000'}, {name: heartbeat.interval.ms, value: '1000'}]\n"
            f"topics:\n  - {{topic: {source}, register: death}}\n"
            "dead_letters: dead.ndjson\n",
            encoding="utf-8",
        )
        (self.folder / "push.yaml").write_text(
            f"settle: {SETTLE}s\npace: {{first_wait_seconds: 1, most_wait_seconds: 2}}\nchannels:\n"
            f"  - {{name: bus, policies: ['{BY_TOPIC}'], kafka: {{brokers: '{broker.address}', topic: {told}}}}}\n"
            f"  - {{name: platform, webhook: {{url: '{receiver.url}', secret_file: secret, algorithm: hmac-sm3}}}}\n",
            encoding="utf-8",
        )

    def produce(self, broker, topic, slowly):
        def send():
            producer = Producer({"bootstrap.servers": broker.address, "partitioner": "murmur2_random"})
            for key, payload in self.city.events:
                producer.produce(topic, key=key.encode(), value=payload)
                producer.poll(0)
                if slowly:
                    time.sleep(0.1)
            if producer.flush(30):
                print(f"{self.name}: not all events were produced", file=sys.stderr)

        threading.Thread(target=send, daemon=True).start()

    def kill(self, programs, kills):
        """Each of the two so often, at random points; the stream each time after it has committed something since it came back."""
        chance = random.Random(SEED + len(self.name))
        for _ in range(kills):
            stood = self.store.read_up_to()
            wait_until(
                "the stream goes on", 120, lambda: self.store.read_up_to() > stood or self.store.read_up_to() == len(self.city.events), programs
            )
            time.sleep(chance.uniform(0, 0.4))
            programs[0].kill()
            time.sleep(chance.uniform(0, 1.5))
            programs[1].kill()

    def is_quiet(self) -> bool:
        """Nothing happened for as long as cases must be at rest, and nothing is under way."""
        last = int(self.store.ask("SELECT coalesce(max(at), 0) FROM case_event")[0][0]) / 1_000_000
        waiting = int(self.store.ask("SELECT count(*) FROM message WHERE state = 0")[0][0])
        return waiting == 0 and last > 0 and time.time() - last > SETTLE + 3

    def consume(self, broker, topic):
        consumer = Consumer(
            {"bootstrap.servers": broker.address, "group.id": f"{self.name}-reader", "auto.offset.reset": "earliest", "session.timeout.ms": 6000}
        )
        consumer.assign([TopicPartition(topic, partition, 0) for partition in range(PARTITIONS)])
        got, silent_since = [], time.monotonic()
        while time.monotonic() - silent_since < 5:
            record = consumer.poll(0.5)
            if record is None or record.error():
                continue
            silent_since = time.monotonic()
            message = json.loads(record.value())
            assert dict(record.headers())["mianshen-id"].decode() == message["id"]
            assert record.key().decode() == f"{message['subject']['kind']}:{message['subject']['id']}"
            got.append(message)
        consumer.close()
        return got

    def messages(self):
        """The distinct messages: kind, number and, by case, subject, policy and amount."""
        told = {}
        for message in [*self.receiver.got, *self.by_topic]:
            items = {item["case"]: (message["subject"]["id"], item["policy"]["code"], item["amount"]) for item in message["items"]}
            told.setdefault(message["id"], (message["kind"], message["number"], items))
        return told

    def order_is_kept(self):
        """Of each subject, a channel has the messages in the order in which they were asked for; one may come again at once."""
        number = {row[0]: int(row[1]) for row in self.store.ask("SELECT id, number FROM message")}
        for way in (self.receiver.got, self.by_topic):
            last = {}
            for message in way:
                subject = message["subject"]["id"]
                if number[message["id"]] < last.get(subject, 0):
                    sys.exit(f"{self.name}: the order of a subject was not kept")
                last[subject] = number[message["id"]]


def check(outcome: Outcome):
    """What must come has come: a message for each grant that is found and waits for nothing but to be told, and no others."""
    city, told = outcome.city, outcome.messages()
    first = {}
    for kind, number, items in told.values():
        if kind in ("found", "to_confirm") and number == 1:
            first.update(items)
    cases = {row[0]: row[1] for row in outcome.store.ask("SELECT id, step FROM case_row")}
    shared_out = held()
    must_be = {case for case, row in city.new.items() if row["policy"] not in shared_out}
    assert must_be <= cases.keys(), f"{outcome.name}: {len(must_be - cases.keys())} grants have no case"
    for case, step in cases.items():
        if case not in city.after:
            # What was there for a moment: a case that lost its grant, of which nobody was told. One of the night was told before.
            assert case in city.before or case not in first, f"{outcome.name}: {case} was told, and is no grant"
        assert (step == "told") == (case in first), f"{outcome.name}: {case} is at {step}"
    for case, (subject, policy, amount) in first.items():
        row = city.before.get(case) or city.after[case]
        assert (subject, policy, amount or "") == (row["subject_id"], row["policy"], row["amount"]), (outcome.name, case)
    assert len(first.keys() & must_be) > 20, f"{outcome.name}: only {len(first.keys() & must_be)} new ones were told"
    assert len(first.keys() & city.before.keys()) > 500, f"{outcome.name}: the night's grants were not told"
    assert any(item[2] for item in first.values()), "amounts are among them"
    by_topic = {item["policy"]["code"][: len(BY_TOPIC)] for message in outcome.by_topic for item in message["items"]}
    assert by_topic == {BY_TOPIC} and outcome.receiver.got, (outcome.name, by_topic)
    outcome.order_is_kept()
    # The timeline of a case shows the message.
    case = next(iter(first.keys() & must_be))
    message = next(number for number, (_, _, items) in told.items() if case in items)
    shown = ran("case", "show", "--store", outcome.store.url, case, "--by", "测试")
    assert "told" in shown and message in shown and "sent" in shown, shown
    # What could not be used.
    letters = [json.loads(line) for line in (outcome.folder / "dead.ndjson").read_text(encoding="utf-8").splitlines()]
    assert sorted(letter["reason"] for letter in letters) == ["missing-column", "not-an-event"], letters
    ran("case", "verify", "--store", outcome.store.url)


def report(outcome: Outcome):
    arrived = len(outcome.receiver.got) + len(outcome.by_topic)
    told = outcome.messages()
    kinds = sorted({kind for kind, _, _ in told.values()})
    print(
        f"{outcome.name}: {len(outcome.city.events)} events in the store after {outcome.read - outcome.started:.1f} s · "
        f"killed {outcome.kills[0]} + {outcome.kills[1]} times · messages {len(told)} ({', '.join(kinds)}), arrived {arrived} times",
        flush=True,
    )


def main():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="stream"))
    programs = postgres_programs()
    if programs is None:
        if os.environ.get("MIANSHEN_NEED_POSTGRES"):
            sys.exit("PostgreSQL is not installed, and MIANSHEN_NEED_POSTGRES is set")
        print("LEFT OUT: PostgreSQL is not installed; SQLite alone", file=sys.stderr)
    broker, postgres = Broker(), Postgres(programs) if programs else None
    try:
        city = City(folder)
        print(f"{len(city.events)} events · {len(city.new)} grants to be found", flush=True)
        plain = Outcome("plain", city, broker, None, 0)
        report(plain)
        check(plain)
        others = [Outcome("killed", city, broker, None, KILLS)]
        report(others[0])
        if postgres:
            others.append(Outcome("killed-postgresql", city, broker, postgres, KILLS))
            report(others[1])
        for other in others:
            check(other)
            mine, theirs = plain.messages(), other.messages()
            assert mine.keys() == theirs.keys(), (other.name, [mine.get(i) or theirs.get(i) for i in mine.keys() ^ theirs.keys()])
            assert mine == theirs, f"{other.name}: the messages say something else"
            assert plain.store.standing() == other.store.standing(), f"{other.name}: something else stands"
    except BaseException:
        print(f"what was written is in {folder}", file=sys.stderr)
        raise
    finally:
        broker.stop()
        if postgres:
            postgres.stop()
    shutil.rmtree(folder)
    print("the same messages and the same standing, however often both were killed")


main()
