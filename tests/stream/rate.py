"""How many events a second are followed with everything on one machine: broker, stream, store, push and receiver. A measurement, no test.

    rate.py STORE EVENTS POLICIES

STORE was loaded with `stream load`, and is written to; EVENTS are plain rows, one a line, each with its register; POLICIES is the beginning of
the codes of which people are told. MIANSHEN names the program, built with the feature `kafka`. Prints one line of JSON.
"""

import json
import pathlib
import signal
import sqlite3
import sys
import tempfile
import time

from confluent_kafka import Producer

from city import Program, wait_until
from receiver import Receiver
from servers import Broker

PARTITIONS = 3
SECRET = b"0123456789abcdef0123456789abcdef"


def ask(file: str, sql: str) -> int:
    with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as connection:
        return int((connection.execute(sql).fetchone() or [0])[0] or 0)


def all_told(store: str) -> bool:
    """Whether everything that happened to cases was looked at, and no message waits."""
    looked = ask(store, "SELECT CAST(body AS TEXT) FROM kept WHERE key = 'push'")
    return looked > ask(f"{store}.live", "SELECT max(seq) FROM case_event") and not ask(f"{store}.live", "SELECT count(*) FROM message WHERE state = 0")


def main():
    store, events, policies = sys.argv[1:4]
    lines = pathlib.Path(events).read_text(encoding="utf-8").splitlines()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="rate"))
    topic = f"changes{int(time.time())}"
    broker, receiver = Broker(), Receiver(SECRET)
    broker.make_topic(topic, PARTITIONS)
    producer = Producer({"bootstrap.servers": broker.address, "partitioner": "murmur2_random", "queue.buffering.max.messages": 1_000_000})
    for line in lines:
        row = json.loads(line)
        producer.produce(topic, key=next(iter((row.get("after") or row["before"]).values())).encode(), value=line.encode())
        producer.poll(0)
    if producer.flush(120):
        sys.exit("not all events were produced")
    (folder / "secret").write_bytes(SECRET)
    (folder / "streams.yaml").write_text(f"sources:\n  - kafka: {broker.address}\n    group: {topic}\n    topics: [{topic}]\n", encoding="utf-8")
    webhook = f"{{url: '{receiver.url}', secret_file: secret, algorithm: hmac-sm3}}"
    (folder / "push.yaml").write_text(f"channels:\n  - {{name: {topic}, policies: ['{policies}'], webhook: {webhook}}}\n", encoding="utf-8")
    common = ["--store", store, "--lang", "en", "--log", "mianshen=warn"]
    read_up_to = lambda: ask(f"{store}.live", f"SELECT sum(next) FROM position WHERE source LIKE '%{topic}%'")
    programs = [
        Program("push", ["push", "--settings", str(folder / "push.yaml"), *common], folder / "push.log"),
        Program("stream", ["stream", "run", "--settings", str(folder / "streams.yaml"), *common], folder / "stream.log"),
    ]
    try:
        wait_until("the first events are in the store", 900, lambda: read_up_to() > 0, programs)
        started, first, told = time.monotonic(), read_up_to(), len(receiver.got)
        wait_until("all events are in the store", 900, lambda: read_up_to() >= len(lines), programs)
        seconds, in_time = time.monotonic() - started, len(receiver.got) - told
        wait_until("everything is told", 900, lambda: all_told(store), programs)
        until_told = time.monotonic() - started
        for program in programs:
            program.process.send_signal(signal.SIGTERM if program.name == "push" else signal.SIGINT)
            program.process.wait(60)
    finally:
        for program in programs:
            program.process.kill()
            program.process.wait()
        receiver.stop()
        broker.stop()
    count = len(lines) - first
    figures = {"events": count, "seconds": round(seconds, 1), "events_per_second": round(count / seconds), "messages_received": in_time}
    last = {"seconds_until_all_is_told": round(until_told, 1), "messages_received_by_then": len(receiver.got) - told}
    print(json.dumps({**figures, **last, "forged": receiver.forged, "logs": str(folder)}))


main()
