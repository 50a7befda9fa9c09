"""The measurements of benches/run."""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/e2e"))

from support.invites import meeting  # noqa: E402
from support.mms import PROGRAM, Mms  # noqa: E402
from support.sandbox import Sandbox  # noqa: E402
from support.servers import CalendarServer  # noqa: E402


class Measured:
    """Wall clock, CPU (of the program and its children) and peak memory of a run."""

    def __init__(self, command, **options):
        started = time.monotonic()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, text=True, **options)
        watched = threading.Thread(target=self.watch, args=(process.pid,), daemon=True)
        self.rss = 0.0
        watched.start()
        self.output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        self.wall = time.monotonic() - started
        self.cpu = usage.ru_utime + usage.ru_stime
        if process.returncode:
            sys.exit(f"{command} exited with {process.returncode}:\n{self.output[-4000:]}")

    def watch(self, pid):
        """The memory at its peak. That of wait4 counts this program, too, which the measured one was forked from."""
        try:
            while True:
                status = pathlib.Path(f"/proc/{pid}/status").read_text()
                peak = re.search(r"VmHWM:\s+(\d+) kB", status)
                self.rss = max(self.rss, int(peak[1]) / 1024) if peak else self.rss
                time.sleep(0.01)
        except (FileNotFoundError, ProcessLookupError):
            return

    def __str__(self):
        return f"{self.wall:8.2f} s wall {self.cpu:8.2f} s CPU {self.rss:6.0f} MiB"


def mms_command(mms):
    return [PROGRAM, "--config", mms.folder / "mms.toml", "migrate", "alice@example.test", "--to", "Jitsi"]


def seeded(server, count):
    """Puts meetings straight into Radicale's storage, which is much faster than over the network."""
    folder = pathlib.Path(server.ready["storage"]) / "collection-root/alice/calendar"
    for number in range(count):
        invite = meeting(number, "alice", ["bob", "carol"], html=number % 2 == 0)
        (folder / invite.file).write_bytes(invite.content)


def measure_caldav(count):
    """mms and the Python peer, each on a fresh Radicale with the same meetings, nobody told."""
    results = {}
    for name in ("mms", "python"):
        with tempfile.TemporaryDirectory() as folder, CalendarServer("radicale", ("alice",)) as server:
            seeded(server, count)
            alice = server["alice"]
            if name == "mms":
                mms = Mms(folder)
                mms.caldav_calendar(server, ["alice"])
                mms.engine(notify="none")
                mms.write()
                command = mms_command(mms)
            else:
                command = [sys.executable, ROOT / "benches/peers/caldav_migrate.py", "--url", server.url,
                           "--user", "alice", "--password", alice.password, "--address", alice.address,
                           "--journal", pathlib.Path(folder) / "journal.db"]
            for run in ("first", "second"):
                results[name, run] = Measured(command)
                print(f"{count} meetings on Radicale, {run} run, {name:6}: {results[name, run]}", flush=True)
            moved = sum("teams.microsoft.com" not in alice.get(f"meeting-{n:06}.ics").decode().replace("\r\n ", "")
                        for n in range(count))
            if moved != count:
                sys.exit(f"{name} moved {moved} of {count} meetings")
    for run in ("first", "second"):
        mms, python = results["mms", run], results["python", run]
        print(f"{run} run: mms uses {python.cpu / mms.cpu:.1f}x less CPU, is {python.wall / mms.wall:.1f}x faster")


def measure_folder(count):
    """Two runs over a folder, nobody told; the second finds nothing to do."""
    with tempfile.TemporaryDirectory() as folder:
        mms = Mms(folder)
        calendar = mms.ics_calendar(["alice"])["alice"]
        for number in range(count):
            invite = meeting(number, "alice", ["bob", "carol"])
            (calendar / invite.file).write_bytes(invite.content)
        mms.engine(notify="none")
        mms.write()
        subprocess.run(["sync"], check=True)
        first = Measured(mms_command(mms))
        print(f"{count} events in a folder, first run:  {first}", flush=True)
        second = Measured(mms_command(mms))
        print(f"{count} events in a folder, second run: {second}")
        print(f"the second run is {first.wall / second.wall:.1f}x faster")


def exchange(folder, sandbox, cloud=(), office=(), **engine):
    mms = Mms(folder)
    mms.exchange(sandbox, cloud=cloud, office=office, more="recipients_per_day = 0\n")
    mms.engine(**engine)
    return mms.write()


def measure_requests(count):
    """HTTP requests for each meeting of a mailbox, reads included."""
    for name, calendars in (("EWS", {"office": [0]}), ("Graph", {"cloud": [0]})):
        for target in ("Jitsi", "Teams"):
            with tempfile.TemporaryDirectory() as folder, Sandbox(users=2, meetings=count) as sandbox:
                mms = exchange(folder, sandbox, **calendars)
                mms.run("migrate", "--all", "--to", target)
                asked = sandbox.state()["requestsInAll"]
                print(f"{count} meetings by {name} to {target}: {asked} requests, {asked / count:.2f} for a meeting")


def measure_peer(count):
    """mms and the Python peer on the same mailbox by EWS, nobody told."""
    results = {}
    for name in ("mms", "python"):
        with tempfile.TemporaryDirectory() as folder, Sandbox(users=2, meetings=count) as sandbox:
            if name == "mms":
                mms = exchange(folder, sandbox, office=[0], notify="none")
                command = [PROGRAM, "--config", mms.folder / "mms.toml", "migrate", "--all", "--to", "Jitsi"]
            else:
                account = sandbox.ready["account"]
                command = [sys.executable, ROOT / "benches/peers/exchangelib_migrate.py", "--url", sandbox.ready["ews"],
                           "--user", account["user"], "--password", account["password"],
                           "--mailbox", sandbox.address(0), "--journal", pathlib.Path(folder) / "journal.db"]
            results[name] = Measured(command)
            print(f"{count} meetings by EWS, {name:6}: {results[name]}", flush=True)
            old = sum("meet.contoso.example" in str(item.body) for item in sandbox.mailbox(0).calendar.all()
                      if item.start.year >= 2030 and item.my_response_type == "Organizer")
            if old:
                sys.exit(f"{name} left {old} meetings behind")
    mms, python = results["mms"], results["python"]
    print(f"mms uses {python.cpu / mms.cpu:.1f}x less CPU, is {python.wall / mms.wall:.1f}x faster")


def measure_large(count):
    """Memory of the client for one large mailbox."""
    for name, calendars in (("EWS", {"office": [0]}), ("Graph", {"cloud": [0]})):
        with tempfile.TemporaryDirectory() as folder, Sandbox(users=2, meetings=count) as sandbox:
            mms = exchange(folder, sandbox, **calendars)
            run = Measured([PROGRAM, "--config", mms.folder / "mms.toml", "migrate", "--all", "--to", "Jitsi"])
            print(f"{count} events in a mailbox by {name}: {run}", flush=True)


def measure_limits(count):
    """Whole mailboxes under the limits of Exchange Online (four requests at a time, 20 ms each), by the daemon."""
    workers, meetings, latency = 8, 40, 0.02
    with tempfile.TemporaryDirectory() as folder, Sandbox(users=count, meetings=meetings) as sandbox:
        sandbox.faults(limits=True, latency_ms=int(latency * 1000))
        mms = exchange(folder, sandbox, cloud=range(count), workers=workers)
        mms.run("start", "--all", "--to", "Jitsi", "--now", timeout=600)
        daemon = mms.start("serve", stderr=subprocess.DEVNULL)
        started = time.monotonic()
        while any(row["State"] in ("Pending", "InProgress") and row["UserCount"]
                  for row in json.loads(mms.run("status", "--summary", "-o", "json").stdout)):
            time.sleep(0.5)
        wall = time.monotonic() - started
        daemon.terminate()
        daemon.communicate()
        state = sandbox.state()
        refused = sum(number for code, number in state["refusals"].items() if code.startswith("429"))
        alone = state["requestsInAll"] - state["requests"].get("$batch", 0) - state["requests"].get("token", 0)
        rate, allowed = (sum(state["batched"].values()) + alone) / wall, workers * 4 / latency
        in_flight = state["inFlightSeconds"] / wall / workers
        print(f"{count} mailboxes of {meetings} meetings, {workers} at a time: {wall:.1f} s, {rate:.0f} requests a second of "
              f"the {allowed:.0f} that the limits allow ({100 * rate / allowed:.0f} %); {in_flight:.2f} of the 4 that a mailbox "
              f"may have in flight ({25 * in_flight:.0f} %), {refused} answered 429")


def main():
    which, *rest = sys.argv[1:] or ["all"]
    count = int(rest[0]) if rest else None
    if which in ("all", "caldav"):
        measure_caldav(count or 1_000)
    if which in ("all", "folder"):
        measure_folder(count or 200_000)
    if which in ("all", "requests"):
        measure_requests(count or 100)
    if which in ("all", "exchange"):
        measure_peer(count or 1_000)
    if which in ("all", "large"):
        measure_large(count or 100_000)
    if which in ("all", "limits"):
        measure_limits(count or 1_000)
    if which not in ("all", "caldav", "folder", "requests", "exchange", "large", "limits"):
        sys.exit("benches/run [caldav|folder|requests|exchange|large|limits [COUNT]]")


if __name__ == "__main__":
    main()
