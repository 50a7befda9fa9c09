"""Invites as calendar programs write them, with a meeting block between texts of the user's own.

They are written here, not by MMS, so that the tests do not read back through the code that they test.
"""

import datetime
import pathlib
import re
from dataclasses import dataclass

BLOCKS = pathlib.Path(__file__).resolve().parents[3] / "fixtures/blocks"
TENANT = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"

BEFORE = "Tagesordnung für heute:\n1. Rückblick – was lief gut? 👍\n2. Budget; Zahlen, Daten\n\n"
AFTER = "\n\nBitte vorher lesen: https://wiki.example.test/Protokoll?seite=7&teil=ä\nViele Grüße, Zoë"

FAR = datetime.datetime(2035, 3, 2, 9, 0)


@dataclass(frozen=True)
class Invite:
    """A generated event, and what a test must know of it."""

    uid: str
    content: bytes
    old_url: str

    @property
    def file(self):
        return f"{self.uid.split('@')[0]}.ics"


def filled(block, number):
    """The text of a block in fixtures/blocks, with ids that no other number has."""
    values = {
        "token": f"{number:08x}MjYtNDU2Ny00YzQ5",
        "tenant": TENANT,
        "oid": f"5b2c1d00-0000-4000-8000-{number:012x}",
        "digits": f"{200 + number % 700} {number // 700 % 900 + 100} 456 789",
        "plain": f"8{number:010}",
        "passcode": f"pA{number:06}",
        "phone": f"{100000000 + number}",
        "domain": "example.test",
        "local": "alice",
        "id": f"{number:08X}",
        "name": "Alice",
    }
    text = (BLOCKS / block).read_text(encoding="utf-8").rstrip("\n")
    return re.sub(r"\{(\w+)\}", lambda m: values[m[1]], text)


def join_url(block_text):
    """The join link of a filled block."""
    return re.search(r"https://(?:teams\.microsoft\.com/l/meetup-join/|[\w.]*zoom\.us/j/|meet\.example\.test/)[^\s<>\"]+",
                     block_text)[0]


def escaped(text):
    """A TEXT value (RFC 5545 section 3.3.11)."""
    return text.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,").replace("\n", "\\n")


def folded(line):
    """A content line in pieces of at most 75 octets, never inside a character (section 3.1)."""
    pieces, piece, size = [], "", 0
    for character in line:
        width = len(character.encode())
        if size + width > 75:
            pieces.append(piece)
            piece, size = " ", 1
        piece += character
        size += width
    return "\r\n".join([*pieces, piece]) + "\r\n"


def meeting(number, organizer, attendees, block="teams-2024.en", html=None, start=FAR, extra=()):
    """A single event with `block` in its description (and `block`.html in X-ALT-DESC where `html`)."""
    text = filled(f"{block}.txt", number)
    url = join_url(text)
    uid = f"meeting-{number:06}@example.test"
    lines = [
        "BEGIN:VEVENT",
        f"UID:{uid}",
        "DTSTAMP:20260101T080000Z",
        "CREATED:20260101T080000Z",
        "LAST-MODIFIED:20260102T080000Z",
        "SEQUENCE:3",
        f"DTSTART;TZID=Europe/Berlin:{start:%Y%m%dT%H%M%S}",
        f"DTEND;TZID=Europe/Berlin:{start + datetime.timedelta(minutes=30):%Y%m%dT%H%M%S}",
        f"SUMMARY:{escaped(f'Besprechung {number}: Übersicht, Fragen')}",
        f"ORGANIZER;CN=\"{organizer.title()}\":mailto:{organizer}@example.test",
        *(f"ATTENDEE;ROLE=REQ-PARTICIPANT;PARTSTAT=ACCEPTED;RSVP=TRUE;CN={name.title()}:mailto:{name}@example.test"
          for name in attendees),
        f"LOCATION:{escaped('Raum 4.12 „Zürich“')}",
        f"DESCRIPTION:{escaped(BEFORE + text + AFTER)}",
        *([f"X-ALT-DESC;FMTTYPE=text/html:{escaped(html_body(number, block))}"] if html else []),
        f"X-CUSTOM-COLOUR;X-Param=\"a;b\":{number % 7}",
        "CLASS:PRIVATE",
        *extra,
        "BEGIN:VALARM",
        "ACTION:DISPLAY",
        "TRIGGER:-PT15M",
        "DESCRIPTION:Reminder",
        "END:VALARM",
        "END:VEVENT",
    ]
    return Invite(uid, calendar(lines), url)


def html_body(number, block):
    inner = filled(f"{block}.html", number).replace("\n", "")
    return (f"<html><body><p>Tagesordnung: <b>Rückblick</b> &amp; Budget</p><p>&nbsp;</p>{inner}"
            "<p>Viele Grüße, Zoë</p></body></html>")


def series(number, organizer, attendees, block="teams-2024.en"):
    """A weekly series with one exception that carries its own body and time."""
    master = meeting(number, organizer, attendees, block, extra=("RRULE:FREQ=WEEKLY;COUNT=10",))
    exception = meeting(number, organizer, attendees, block, start=FAR + datetime.timedelta(days=7, hours=2),
                        extra=(f"RECURRENCE-ID;TZID=Europe/Berlin:{FAR + datetime.timedelta(days=7):%Y%m%dT%H%M%S}",))
    events = exception.content[exception.content.index(b"BEGIN:VEVENT"):]
    content = master.content.replace(b"END:VCALENDAR\r\n", events)
    return Invite(master.uid, content, master.old_url)


VTIMEZONE = [
    "BEGIN:VTIMEZONE", "TZID:Europe/Berlin",
    "BEGIN:STANDARD", "DTSTART:19701025T030000", "RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU",
    "TZOFFSETFROM:+0200", "TZOFFSETTO:+0100", "TZNAME:CET", "END:STANDARD",
    "BEGIN:DAYLIGHT", "DTSTART:19700329T020000", "RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU",
    "TZOFFSETFROM:+0100", "TZOFFSETTO:+0200", "TZNAME:CEST", "END:DAYLIGHT",
    "END:VTIMEZONE",
]


def calendar(event_lines):
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Example Corp//Calendar 4.2//EN", *VTIMEZONE,
             *event_lines, "END:VCALENDAR"]
    return "".join(folded(line) for line in lines).encode()


def unfolded(content):
    """The content lines of an event, unfolded, as text."""
    return re.sub(rb"\r?\n[ \t]", b"", content).decode().splitlines()


def value(content, name):
    """The decoded value of the first property `name`, or None."""
    for line in unfolded(content):
        match = re.match(rf"{re.escape(name)}(?:;(?:[^\":]|\"[^\"]*\")*)?:(.*)$", line, re.IGNORECASE)
        if match:
            return re.sub(r"\\(.)", lambda m: "\n" if m[1] in "nN" else m[1], match[1])
    return None


MAY_CHANGE = ("DTSTAMP", "LAST-MODIFIED", "DESCRIPTION", "X-ALT-DESC", "STYLED-DESCRIPTION", "LOCATION", "URL",
              "CONFERENCE", "X-MICROSOFT", "X-GOOGLE", "X-ZOOM")


def untouched_lines(content):
    """The event without the lines that a migration may change, folding and all: these must stay byte for byte."""
    kept, skipping, alarm = [], False, False
    for line in content.splitlines(keepends=True):
        if line[:1] not in (b" ", b"\t"):
            name = re.split(rb"[;:]", line, maxsplit=1)[0].decode().strip().upper()
            alarm = alarm or line.strip() == b"BEGIN:VALARM"
            skipping = not alarm and name.startswith(MAY_CHANGE)
            alarm = alarm and line.strip() != b"END:VALARM"
        if not skipping:
            kept.append(line)
    return b"".join(kept)


def without_schedule_status(content):
    """The content lines of an event, unfolded, without what a scheduling server notes on them (RFC 6638 section 7.3)."""
    return [re.sub(r';SCHEDULE-STATUS=("[^"]*"|[^;:]*)', "", line) for line in unfolded(content)]
