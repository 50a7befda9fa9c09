"""What is broken is named and left as it is; everything else goes on."""

import os
import subprocess

import pytest

from support.fault_proxy import Fault, FaultProxy
from support.invites import meeting, untouched_lines, value
from support.mms import JITSI, Mms, eventually
from support.servers import CalendarServer

GOOD = [meeting(number, "alice", ["bob"]) for number in (1, 2, 3)]
BAD = meeting(9, "alice", ["bob"], html=True)


def wrongly_folded(content):
    return content.replace(b"\r\n ", b"\r\n")


def with_ballast(content, size):
    return content.replace(b"CLASS:PRIVATE\r\n", b"X-BALLAST:" + b"x" * size + b"\r\n")


BROKEN_FILES = {
    "cut-off": BAD.content[: len(BAD.content) // 2],
    "no-uid": BAD.content.replace(f"UID:{BAD.uid}\r\n".encode(), b""),
    "nul-bytes": BAD.content.replace(b"DESCRIPTION:", b"DESCRIPTION:\0\0\0", 1),
    "only-nul": b"\0" * 4096,
    "empty": b"",
    "not-ics": b"PK\x03\x04 this is a spreadsheet",
    "seventy-megabytes": with_ballast(BAD.content, 70_000_000),
    "deep-nesting": b"BEGIN:VCALENDAR\r\n" * 100_000,
}


@pytest.mark.parametrize("name", BROKEN_FILES)
def test_a_broken_file_is_named_and_left_alone(name, tmp_path, smtp):
    mms = Mms(tmp_path)
    folder = mms.ics_calendar(["alice"])["alice"]
    for invite in GOOD:
        (folder / invite.file).write_bytes(invite.content)
    (folder / f"{name}.ics").write_bytes(BROKEN_FILES[name])
    mms.smtp(smtp)
    mms.write()

    result = mms.migrate("alice", expect=None)
    assert result.returncode in (0, 1), result.stderr
    assert (folder / f"{name}.ics").read_bytes() == BROKEN_FILES[name]
    for invite in GOOD:
        assert JITSI in value((folder / invite.file).read_bytes(), "DESCRIPTION")
    assert len(smtp.mails()) == len(GOOD)
    reported = [row for row in mms.meetings("alice") if row["Outcome"] == "Failed"]
    if name != "empty":
        code = "FileAccess" if name == "seventy-megabytes" else "UnreadableEvent"
        assert len(reported) == 1 and code in reported[0]["Message"], reported
        assert f"{name}.ics" in str(reported[0]), "the message names the file"


def test_other_encodings_survive_byte_for_byte(tmp_path):
    latin = meeting(7, "alice", []).content.replace("Übersicht".encode(), "Übersicht".encode("latin-1"))
    unclosed = meeting(8, "alice", [], html=True).content.replace(b"</p></body></html>", b"<div><b><table>")
    mms = Mms(tmp_path)
    folder = mms.ics_calendar(["alice"])["alice"]
    (folder / "latin.ics").write_bytes(latin)
    (folder / "unclosed.ics").write_bytes(unclosed)
    mms.write()
    mms.migrate("alice", expect=None)

    after = (folder / "latin.ics").read_bytes()
    assert "Übersicht".encode("latin-1") in after, "a byte that is not UTF-8 stays as it is"
    after = (folder / "unclosed.ics").read_bytes().replace(b"\r\n ", b"")
    assert b"<div><b><table>" in after
    assert JITSI.encode() in after


def test_fifty_megabytes_in_one_property_stay_as_they_are(tmp_path):
    content = with_ballast(BAD.content, 50_000_000)
    mms = Mms(tmp_path)
    folder = mms.ics_calendar(["alice"])["alice"]
    (folder / "large.ics").write_bytes(content)
    mms.engine(notify="none")
    mms.write()
    mms.migrate("alice")
    after = (folder / "large.ics").read_bytes()
    assert JITSI in value(after, "DESCRIPTION")
    assert untouched_lines(after) == untouched_lines(content)


def test_what_stands_around_a_block_stays_in_a_file_that_lost_its_folding(tmp_path):
    mms = Mms(tmp_path)
    folder = mms.ics_calendar(["alice"])["alice"]
    (folder / "unfolded.ics").write_bytes(wrongly_folded(BAD.content))
    mms.engine(notify="none")
    mms.write()
    mms.migrate("alice", expect=None)
    after = (folder / "unfolded.ics").read_bytes()
    before, block, behind = wrongly_folded(BAD.content).partition(b"DESCRIPTION:")
    assert after.startswith(before.partition(b"DTSTAMP")[0])
    for text in ("Tagesordnung für heute", "Budget\\; Zahlen\\, Daten", "https://wiki.example.", "<b>Rückblick</b>"):
        assert text.encode() in after
    assert after.endswith(behind[behind.index(b"X-CUSTOM-COLOUR"):])


@pytest.mark.skipif(os.geteuid() != 0, reason="a small file system can only be mounted by root")
def test_a_full_disk_loses_nothing(tmp_path):
    mms = Mms(tmp_path)
    folder = mms.ics_calendar(["alice"])["alice"]
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", folder], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    try:
        invites = [meeting(number, "alice", [], html=True) for number in range(10)]
        written = {}
        for invite in invites:
            (folder / invite.file).write_bytes(invite.content)
            written[invite.file] = invite.content
        (folder / "ballast").write_bytes(b"x" * filler(folder))
        mms.engine(notify="none")
        mms.write()
        mms.migrate("alice", expect=None)

        messages = [row["Message"] for row in mms.meetings("alice") if row["Outcome"] in ("Failed", "WillRetry")]
        assert messages and all("StorageFull" in message for message in messages), messages
        names = sorted(path.name for path in folder.iterdir() if path.suffix == ".ics")
        assert names == sorted(written)
        for name, content in written.items():
            now = (folder / name).read_bytes()
            assert now == content or (now.endswith(b"END:VCALENDAR\r\n") and JITSI in value(now, "DESCRIPTION"))
    finally:
        subprocess.run(["umount", folder], check=True)


def filler(folder):
    """The bytes that are left on the file system of `folder`."""
    state = os.statvfs(folder)
    return state.f_bavail * state.f_frsize


def test_two_daemons_on_one_store(tmp_path):
    mms = Mms(tmp_path)
    mms.ics_calendar(["alice"])
    mms.write()
    first = mms.start("serve")
    try:
        wait_until_served(mms)
        second = mms.run("serve", expect=None, timeout=30)
        assert second.returncode not in (0, 2)
        assert str(tmp_path / "mms.db") in second.stderr, second.stderr
        assert first.poll() is None
    finally:
        first.terminate()
        first.communicate(timeout=30)


def wait_until_served(mms):
    assert eventually(lambda: (mms.folder / "admin.sock").exists()), "mms serve does not open its socket"


@pytest.fixture(scope="module")
def server():
    with CalendarServer("radicale", users=("alice", "bob")) as started:
        yield started


class Faulty:
    """Alice's calendar with three good meetings and the one the fault is about, behind a proxy."""

    def __init__(self, server, proxy, smtp, folder):
        self.alice, self.proxy, self.smtp = server["alice"], proxy, smtp
        for invite in [*GOOD, BAD]:
            self.alice.put(invite.file, invite.content)
        self.before = self.alice.get(BAD.file)
        self.mms = Mms(folder)
        self.mms.caldav_calendar(server, ["alice"], url=proxy.url)
        self.mms.smtp(smtp)
        self.mms.write()

    def moved(self, invite):
        return JITSI in value(self.alice.get(invite.file), "DESCRIPTION")

    def told(self, invite):
        return sum(value(mail.part("text/calendar").encode(), "UID") == invite.uid for mail in self.smtp.mails())

    def outcome(self, invite):
        return next(row for row in self.mms.meetings("alice") if row["Uid"] == invite.uid)


@pytest.fixture
def faulty(server, smtp, tmp_path):
    with FaultProxy(server.url) as proxy:
        yield Faulty(server, proxy, smtp, tmp_path)


@pytest.mark.parametrize(("fault", "code"), [
    (Fault("PUT", BAD.file, status=403), "CalendarAccessDenied"),
    (Fault("PUT", BAD.file, status=412), "EventConflict"),
    (Fault("PUT", BAD.file, status=500), "CalendarServerError"),
    (Fault("PUT", BAD.file, status=507), "StorageFull"),
    (Fault("PUT", BAD.file, close=True), "CalendarUnreachable"),
    (Fault("PUT", BAD.file, garbage=b"\x16\x03\x01 not HTTP at all\r\n\r\n"), "Calendar"),
], ids=lambda value: value if isinstance(value, str) else f"{value.status or 'no answer'}")
def test_a_failed_write_is_reported_and_the_others_go_on(fault, code, faulty):
    fault.met = 0
    faulty.proxy.faults = [fault]
    faulty.mms.migrate("alice", expect=None, timeout=120)
    assert fault.met > 0
    assert all(faulty.moved(invite) and faulty.told(invite) == 1 for invite in GOOD)
    assert faulty.alice.get(BAD.file) == faulty.before
    assert faulty.told(BAD) == 0
    outcome = faulty.outcome(BAD)
    assert outcome["Outcome"] in ("Failed", "WillRetry")
    assert code in outcome["Message"], outcome


@pytest.mark.parametrize("fault", [
    Fault("PUT", BAD.file, times=1, status=412),
    Fault("PUT", BAD.file, times=1, status=429, headers={"Retry-After": "1"}),
    Fault("PUT", BAD.file, times=1, close=True),
    Fault("PUT", BAD.file, times=1, close=True, after=True),
    Fault("REPORT", "", times=1, close=True),
], ids=["conflict once", "slow down once", "closed once", "written but not answered", "listing closed once"])
def test_what_works_the_second_time_is_done_once(fault, faulty):
    fault.met = 0
    faulty.proxy.faults = [fault]
    faulty.mms.migrate("alice", expect=None, timeout=120)
    if not faulty.moved(BAD) or faulty.told(BAD) == 0:
        faulty.mms.migrate("alice", timeout=120)
    assert fault.met == 1
    assert all(faulty.moved(invite) and faulty.told(invite) == 1 for invite in [*GOOD, BAD])


@pytest.mark.parametrize(("fault", "code"), [
    (Fault(status=401, headers={"WWW-Authenticate": 'Basic realm="x"'}), "CalendarAccessDenied"),
    (Fault(status=403), "CalendarAccessDenied"),
    (Fault(status=404), "CalendarNotFound"),
    (Fault(status=500), "CalendarServerError"),
    (Fault(close=True), "CalendarUnreachable"),
    (Fault("REPORT", status=207, headers={"Content-Type": "application/xml"}, body=b"<multistatus xmlns='DAV:'><resp"),
     "CalendarServerError"),
    (Fault("REPORT", status=200, body=b"<html>Please log in</html>"), "CalendarServerError"),
], ids=lambda value: value if isinstance(value, str) else f"{value.method or 'everything'} {value.status or 'no answer'}")
def test_a_server_that_fails_is_named_and_nothing_is_written(fault, code, faulty):
    faulty.proxy.faults = [fault]
    result = faulty.mms.migrate("alice", expect=None, timeout=120)
    assert result.returncode != 0
    record = faulty.mms.status()[0]
    assert code in record["LastMessage"] + result.stderr, (record, result.stderr)
    assert faulty.alice.get(BAD.file) == faulty.before
    assert faulty.smtp.mails() == []


def test_a_server_that_is_not_there(tmp_path, server):
    mms = Mms(tmp_path)
    mms.caldav_calendar(server, ["alice"], url="http://127.0.0.1:9/")
    mms.write()
    result = mms.migrate("alice", expect=None, timeout=120)
    assert result.returncode != 0
    assert "CalendarUnreachable" in mms.status()[0]["LastMessage"]
    assert "127.0.0.1:9" in mms.status()[0]["LastMessage"]
