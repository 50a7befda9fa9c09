"""Commands as an administrator meets them first."""

import json

from support.invites import meeting
from support.mms import JITSI, Mms, eventually


def test_demo_runs_from_beginning_to_end(tmp_path):
    result = Mms(tmp_path).write().run("demo", cwd=tmp_path)
    assert "Succeeded" in result.stdout
    for name in ("CorrelationId", "MigrationType", "UserPrincipalName", "TotalMeeting"):
        assert name in result.stdout


def test_inspect_prints_what_is_recognised(tmp_path):
    invite = meeting(1, "alice", ["bob"], block="zoom.en")
    (tmp_path / "zoom.ics").write_bytes(invite.content)
    (tmp_path / "plain.txt").write_text("Minutes: we looked at https://zoom.us/pricing together.\n")
    mms = Mms(tmp_path / "mms")
    mms.ics_calendar([])
    mms.write()
    rows = json.loads(mms.run("inspect", tmp_path / "zoom.ics", tmp_path / "plain.txt", "-o", "json").stdout)
    assert [row["platform"] for row in rows] == ["Zoom", None]
    assert rows[0]["join_url"] == invite.old_url
    assert rows[0]["has_dial_in"] is True
    assert {"file", "platform", "join_url", "meeting_id", "passcode", "has_dial_in", "language", "blocks"} <= set(rows[0])


def test_the_daemon_migrates_what_is_started(tmp_path, smtp):
    invite = meeting(1, "alice", ["bob"])
    mms = Mms(tmp_path)
    folder = mms.ics_calendar(["alice"])["alice"]
    (folder / invite.file).write_bytes(invite.content)
    mms.smtp(smtp)
    mms.engine(grace_period="0")
    mms.write()
    daemon = mms.start("serve")
    try:
        assert eventually(lambda: (tmp_path / "admin.sock").exists())
        mms.run("start", "alice@example.test", "--to", "Jitsi")
        assert eventually(lambda: mms.status()[0]["State"] in ("Succeeded", "Failed"))
        assert mms.status()[0]["State"] == "Succeeded", mms.status()
        assert JITSI.encode() in (folder / invite.file).read_bytes().replace(b"\r\n ", b"")
        assert [mail.recipients for mail in smtp.mails()] == [("bob@example.test",)]
    finally:
        daemon.terminate()
        out, err = daemon.communicate(timeout=60)
    assert daemon.returncode == 0, err


def test_the_cmdlet_line_of_a_runbook(tmp_path):
    mms = Mms(tmp_path)
    mms.ics_calendar(["alice"])
    mms.write()
    mms.migrate("alice")
    shown = mms.run("Get-CsMeetingMigrationStatus", "-SummaryOnly").stdout
    assert [line.split()[0] for line in shown.strip().splitlines()[-4:]] == ["Pending", "InProgress", "Failed", "Succeeded"]
    record = mms.run("Get-CsMeetingMigrationStatus", "-Identity", "alice@example.test").stdout
    assert "UserPrincipalName" in record and "alice@example.test" in record


def test_doctor_tells_step_by_step(tmp_path, radicale):
    mms = Mms(tmp_path)
    mms.caldav_calendar(radicale, ["alice"])
    mms.write()
    silent = mms.run("doctor", expect=1)
    assert "[smtp]" in silent.stdout, "Radicale tells nobody, and neither could MMS"
    mms.engine(notify="none")
    mms.write()
    good = mms.run("doctor")
    assert "dav" in good.stdout and "Failed" not in good.stdout
    credentials = tmp_path / "dav-users.toml"
    credentials.write_text(credentials.read_text().replace("alice-pw", "wrong"))
    bad = mms.run("doctor", expect=1)
    assert "Failed" in bad.stdout and "password" in bad.stdout
    assert "wrong" not in bad.stdout + bad.stderr, "the password is not shown"
