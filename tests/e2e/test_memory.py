"""Memory is bounded by a page of meetings, not by a calendar."""

import os
import subprocess

from support.invites import meeting
from support.mms import Mms

EVENTS = 20_000
LIMIT_MIB = 150


def peak_rss_mib(mms, *arguments):
    process = mms.start(*arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_maxrss / 1024


def test_20_000_events_stay_under_150_mib(tmp_path):
    mms = Mms(tmp_path)
    folder = mms.ics_calendar(["alice"])["alice"]
    for number in range(EVENTS):
        invite = meeting(number, "alice", ["bob"])
        (folder / invite.file).write_bytes(invite.content)
    mms.engine(notify="none")
    mms.write()

    first = peak_rss_mib(mms, "migrate", "alice@example.test", "--to", "Jitsi")
    print(f"first run: {first:.0f} MiB")
    assert first < LIMIT_MIB
    assert mms.status()[0]["SucceededMeeting"] == EVENTS
    second = peak_rss_mib(mms, "migrate", "alice@example.test", "--to", "Jitsi")
    print(f"second run: {second:.0f} MiB")
    assert second < LIMIT_MIB
