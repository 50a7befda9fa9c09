"""The main job on each real CalDAV server, seen with another client.

One scenario in the order of an administrator's day; each test builds on the one before it, so that the servers are
started once. A failure early on makes those after it fail too, by the same fixture.
"""

import datetime
import re

import pytest
from conftest import SERVERS
from support.fault_proxy import FaultProxy
from support.invites import AFTER, BEFORE, meeting, series, untouched_lines, value, without_schedule_status
from support.mms import JITSI, Mms
from support.servers import CalendarServer, SmtpServer, patiently

SINGLE = meeting(1, "alice", ["bob", "carol"], html=True)
SERIES = series(2, "alice", ["bob"])
ZOOM = meeting(3, "alice", [], block="zoom.en")
PAST = meeting(4, "alice", ["bob"], start=datetime.datetime(2020, 5, 4, 9, 0))
CANCELLED = meeting(5, "alice", [], extra=("STATUS:CANCELLED",))
MOVED = [SINGLE, SERIES, ZOOM]
LEFT_ALONE = [PAST, CANCELLED]
#: By the attendees' addresses: each meeting that is moved and has them is one update.
EXPECTED_UPDATES = sorted([(SINGLE.uid, "bob@example.test"), (SINGLE.uid, "carol@example.test"),
                           (SERIES.uid, "bob@example.test")])


class Scenario:
    """Alice's calendar on a server, behind a proxy that counts, and a mail server."""

    def __init__(self, server, proxy, smtp, folder):
        self.server, self.proxy, self.smtp = server, proxy, smtp
        self.alice, self.bob, self.carol = server["alice"], server["bob"], server["carol"]
        for invite in MOVED + LEFT_ALONE:
            self.alice.put(invite.file, storable(server, invite.content))
        if server.scheduling:
            self.accept(self.bob, SINGLE.uid)
        self.before = self.contents()
        self.mms = Mms(folder)
        self.mms.caldav_calendar(server, ["alice"], url=proxy.url)
        self.mms.smtp(smtp)
        self.mms.write()

    def untouched(self, content):
        """What a migration must leave as it is; a server that schedules notes its deliveries there."""
        lines = untouched_lines(content)
        if not self.server.scheduling:
            return lines
        lines = without_schedule_status(lines)
        return [sogos(line) for line in lines] if self.server.name == "sogo" else lines

    def contents(self):
        return {invite.uid: self.alice.get(invite.file) for invite in MOVED + LEFT_ALONE}

    def copies(self, person, uid):
        """Where the copies of a meeting stand in an attendee's calendar."""
        return [event for event in person.events() if event.icalendar_component["UID"] == uid]

    def accept(self, person, uid):
        (copy,) = self.copies(person, uid)
        for event in copy.icalendar_instance.walk("VEVENT"):
            for attendee in attendees(event):
                if attendee.lower() == f"mailto:{person.address}":
                    attendee.params["PARTSTAT"] = "ACCEPTED"
        patiently(copy.save)

    def puts(self):
        """How often each resource was written, with success."""
        written = [path for method, path, status in self.proxy.exchanges if method == "PUT" and status in (200, 201, 204)]
        return {path.rsplit("/", 1)[1]: written.count(path) for path in written}

    def mails(self):
        return sorted((value(mail.part("text/calendar").encode(), "UID"), *mail.recipients)
                      for mail in self.smtp.mails())


def sogos(line):
    """A content line without what SOGo does to it: it sorts parameters anew, counts SEQUENCE up and resets answers."""
    name, colon, rest = line.partition(":")
    name = re.sub(r";PARTSTAT=[A-Z-]*|;RSVP=[A-Z]*", "", name)
    parameters = sorted(name.split(";")[1:])
    return (name.split(";")[0], parameters, "" if name == "SEQUENCE" else colon + rest)


def storable(server, content):
    """DAViCal fails on a new series with an exception whose attendees it would have to tell."""
    if server.name != "davical":
        return content
    master, begin, exception = content.rpartition(b"BEGIN:VEVENT")
    if b"RECURRENCE-ID" not in exception:
        return content
    return master + begin + re.sub(rb"ATTENDEE.*\r\n(?: .*\r\n)*", b"", exception)


def attendees(event):
    found = event.get("ATTENDEE", [])
    return found if isinstance(found, list) else [found]


def participation(event, person):
    return next(a.params.get("PARTSTAT") for a in attendees(event) if a.lower() == f"mailto:{person.address}")


@pytest.fixture(scope="module", params=SERVERS)
def scenario(request, tmp_path_factory):
    with CalendarServer(request.param) as server, FaultProxy(server.url) as proxy, SmtpServer() as smtp:
        yield Scenario(server, proxy, smtp, tmp_path_factory.mktemp(request.param))


def test_1_preview_shows_everything_and_touches_nothing(scenario):
    shown = scenario.mms.run("preview", "alice@example.test", "--to", "Jitsi", "--diff").stdout
    assert "Besprechung 1: Übersicht, Fragen" in shown
    assert JITSI in shown
    assert scenario.contents() == scenario.before
    assert scenario.puts() == {}
    assert scenario.mails() == []


def test_2_every_future_meeting_moves_and_nothing_else_changes(scenario):
    scenario.mms.migrate("alice")

    (record,) = scenario.mms.status()
    assert (record["State"], record["TotalMeeting"], record["SucceededMeeting"], record["FailedMeeting"]) == (
        "Succeeded", 3, 3, 0), record
    after = scenario.contents()
    for invite in MOVED:
        content = after[invite.uid]
        description = value(content, "DESCRIPTION")
        assert JITSI in description, description
        assert description.startswith(BEFORE) and description.endswith(AFTER), description
        assert invite.old_url not in description
        assert b"teams.microsoft.com" not in content.replace(b"\r\n ", b"")
        assert "Raum 4.12 „Zürich“" in value(content, "LOCATION")
        assert scenario.untouched(content) == scenario.untouched(scenario.before[invite.uid])
    for invite in LEFT_ALONE:
        assert after[invite.uid] == scenario.before[invite.uid]
    assert after[SERIES.uid].replace(b"\r\n ", b"").count(JITSI.encode()) >= 2, "the exception has its own block"


def test_3_attendees_were_told_exactly_once(scenario):
    assert scenario.puts() == {invite.file: 1 for invite in MOVED}
    if not scenario.server.scheduling:
        assert scenario.mails() == EXPECTED_UPDATES
        for mail in scenario.smtp.mails():
            calendar = mail.part("text/calendar").encode()
            assert value(calendar, "METHOD") == "REQUEST"
            assert value(calendar, "SEQUENCE") == "3"
            assert JITSI in mail.part("text/plain") and JITSI in mail.part("text/html")
        return
    assert scenario.mails() == []
    for uid, address in EXPECTED_UPDATES:
        person = scenario.server[address.split("@")[0]]
        (copy,) = scenario.copies(person, uid)
        assert JITSI in str(copy.icalendar_component["DESCRIPTION"])
    if scenario.server.name != "sogo":
        (copy,) = scenario.copies(scenario.bob, SINGLE.uid)
        assert participation(copy.icalendar_component, scenario.bob) == "ACCEPTED", "the answer is kept"


def test_4_a_second_run_changes_nothing_and_tells_nobody(scenario):
    before, puts, mails = scenario.contents(), scenario.puts(), scenario.mails()
    scenario.mms.migrate("alice")
    assert scenario.contents() == before
    assert scenario.puts() == puts
    assert scenario.mails() == mails
    assert scenario.mms.status()[0]["State"] == "Succeeded"
    assert scenario.mms.status()[0]["InvitesUpdate"] == 0


def test_5_rollback_restores_the_texts_and_tells_once_more(scenario):
    record = scenario.mms.status()[-1]
    scenario.mms.run("rollback", "alice@example.test", "--correlation-id", record["CorrelationId"])
    after = scenario.contents()
    for invite in MOVED:
        for name in ("DESCRIPTION", "LOCATION", "X-ALT-DESC"):
            assert value(after[invite.uid], name) == value(scenario.before[invite.uid], name)
        assert scenario.untouched(after[invite.uid]) == scenario.untouched(scenario.before[invite.uid])
    assert scenario.puts() == {invite.file: 2 for invite in MOVED}
    if not scenario.server.scheduling:
        assert scenario.mails() == sorted(EXPECTED_UPDATES * 2)
