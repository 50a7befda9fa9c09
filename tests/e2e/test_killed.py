"""Killed with SIGKILL at random moments and started again: each meeting moves once, each attendee is told once."""

import collections
import os
import random
import time

from support.invites import AFTER, BEFORE, meeting, untouched_lines, value
from support.mms import JITSI, Mms, run_and_kill

KILLS = 200
MEETINGS = 24
ATTENDEES = ("bob", "carol")
RUN = ("migrate", "alice@example.test", "--to", "Jitsi")


class Round:
    """A fresh calendar, migrated under kills until it is done."""

    def __init__(self, folder, number, smtp):
        self.invites = [meeting(number * 1000 + n, "alice", ATTENDEES, html=n % 3 == 0) for n in range(MEETINGS)]
        self.mms = Mms(folder)
        self.calendar = self.mms.ics_calendar(["alice"])["alice"]
        for invite in self.invites:
            (self.calendar / invite.file).write_bytes(invite.content)
        self.mms.smtp(smtp)
        self.mms.write()

    def check(self, mails):
        """`mails` counts (uid, recipient). Nothing is damaged, moved twice or told twice; what is missing was reported."""
        assert sorted(path.name for path in self.calendar.iterdir() if path.suffix == ".ics") == sorted(
            invite.file for invite in self.invites)
        outcomes = {row["Uid"]: row for row in self.mms.meetings("alice") if row["Outcome"] == "Migrated"}
        unconfirmed = 0
        for invite in self.invites:
            content = (self.calendar / invite.file).read_bytes()
            description = value(content, "DESCRIPTION")
            assert description.startswith(BEFORE) and description.endswith(AFTER), description
            assert description.count(JITSI) >= 1 and invite.old_url not in description, description
            assert untouched_lines(content) == untouched_lines(invite.content)
            assert invite.uid in outcomes, f"{invite.uid} has no outcome"
            for name in ATTENDEES:
                told = mails[(invite.uid, f"{name}@example.test")]
                reported = "UpdateUnconfirmed" in outcomes[invite.uid]["Message"]
                assert told == 1 or (told == 0 and reported), f"{invite.uid}: {name} was told {told} times"
                unconfirmed += told == 0
        return unconfirmed


def count(smtp):
    return collections.Counter((value(mail.part("text/calendar").encode(), "UID"), mail.recipients[0])
                               for mail in smtp.mails())


def test_killed_at_200_random_moments(tmp_path, smtp):
    seed = int(os.environ.get("MMS_TEST_SEED", time.time_ns() % 1_000_000))
    print(f"MMS_TEST_SEED={seed}")
    chance = random.Random(seed)
    undisturbed = Round(tmp_path / "undisturbed", 0, smtp)
    started = time.monotonic()
    undisturbed.mms.run(*RUN)
    duration = time.monotonic() - started
    undisturbed.check(count(smtp))

    kills, rounds = 0, []
    while kills < KILLS:
        number = len(rounds) + 1
        current = Round(tmp_path / f"round-{number}", number, smtp)
        while run_and_kill(current.mms, chance.uniform(0, duration), *RUN):
            kills += 1
        rounds.append(current)
    mails = count(smtp)
    unconfirmed = sum(current.check(mails) for current in rounds)
    print(f"{kills} kills in {len(rounds)} rounds, {sum(mails.values())} mails, {unconfirmed} unconfirmed")
