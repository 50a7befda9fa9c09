"""Memory is bounded by a page of meetings, not by a calendar."""

import subprocess
import sys

from support.invites import meeting
from support.mms import PROGRAM, Mms

EVENTS = 20_000
LIMIT_MIB = 150


#: Linux counts the memory of the process that starts another into the other's peak, so a small one starts it.
MEASURE = """
import os, subprocess, sys
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(process.pid, 0)
print(usage.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))
"""


def peak_rss_mib(mms, *arguments):
    command = [sys.executable, "-c", MEASURE, PROGRAM, "--config", mms.folder / "mms.toml", *arguments]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout) / 1024


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
