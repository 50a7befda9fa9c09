"""The test servers themselves: what the other tests build on."""

import smtplib

INVITE = """\
BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Example//Tests//EN
BEGIN:VEVENT
UID:planning@example.test
DTSTAMP:20260101T000000Z
DTSTART:20990101T100000Z
DTEND:20990101T110000Z
SUMMARY:Planung für März
ORGANIZER:mailto:alice@example.test
ATTENDEE;PARTSTAT=ACCEPTED:mailto:alice@example.test
ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:bob@example.test
END:VEVENT
END:VCALENDAR
""".replace("\n", "\r\n").encode()


def test_an_event_is_stored_and_a_scheduling_server_delivers_it(calendar_server):
    alice, bob = calendar_server["alice"], calendar_server["bob"]
    alice.put("planning.ics", INVITE)

    assert [event.icalendar_component["SUMMARY"] for event in alice.events()] == ["Planung für März"]
    delivered = [event.icalendar_component["UID"] for event in bob.events()]
    assert delivered == (["planning@example.test"] if calendar_server.scheduling else [])


def test_mails_are_kept_with_their_envelope(smtp):
    with smtplib.SMTP(smtp.host, smtp.port) as client:
        client.sendmail("alice@example.test", ["bob@example.test", "carol@example.test"],
                        "Subject: Hello\r\n\r\nBody\r\n")
    (mail,) = smtp.mails()
    assert mail.sender == "alice@example.test"
    assert mail.recipients == ("bob@example.test", "carol@example.test")
    assert mail.message["Subject"] == "Hello"
