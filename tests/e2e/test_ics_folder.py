"""The main job on folders of .ics files, with updates by mail."""

import datetime

from support.invites import AFTER, BEFORE, calendar, meeting, series, unfolded, untouched_lines, value
from support.mms import JITSI, Mms


def folder_of(mms, *invites):
    folder = mms.ics_calendar(["alice"])["alice"]
    for invite in invites:
        (folder / invite.file).write_bytes(invite.content)
    return folder


def test_a_folder_is_migrated_and_taken_back(tmp_path, smtp):
    single, weekly = meeting(1, "alice", ["bob", "carol"], html=True), series(2, "alice", ["bob"])
    skype, past = meeting(3, "alice", ["bob"], block="skype.en"), meeting(4, "alice", [], start=datetime.datetime(2020, 1, 1))
    mms = Mms(tmp_path)
    folder = folder_of(mms, single, weekly, skype, past)
    mms.smtp(smtp)
    mms.write()

    mms.migrate("alice")
    for invite in (single, weekly, skype):
        content = (folder / invite.file).read_bytes()
        description = value(content, "DESCRIPTION")
        assert JITSI in description
        assert description.startswith(BEFORE) and description.endswith(AFTER)
        assert invite.old_url not in description
        assert untouched_lines(content) == untouched_lines(invite.content)
    assert (folder / past.file).read_bytes() == past.content
    assert sorted(mail.recipients[0] for mail in smtp.mails()) == ["bob@example.test"] * 3 + ["carol@example.test"]
    assert sorted(path.name for path in folder.iterdir()) == sorted(i.file for i in (single, weekly, skype, past))

    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    mms.migrate("alice")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert len(smtp.mails()) == 4

    mms.run("rollback", "alice@example.test", "--correlation-id", mms.status()[-1]["CorrelationId"])
    for invite in (single, weekly, skype):
        content = (folder / invite.file).read_bytes()
        assert value(content, "DESCRIPTION") == value(invite.content, "DESCRIPTION")
        assert untouched_lines(content) == untouched_lines(invite.content)
    assert len(smtp.mails()) == 8


def test_many_events_in_one_file(tmp_path, smtp):
    invites = [meeting(number, "alice", ["bob"]) for number in range(10, 15)]
    events = b"".join(i.content[i.content.index(b"BEGIN:VEVENT"):i.content.index(b"END:VCALENDAR")] for i in invites)
    whole = calendar([]).replace(b"END:VCALENDAR\r\n", events + b"END:VCALENDAR\r\n")
    mms = Mms(tmp_path)
    folder = folder_of(mms)
    (folder / "calendar.ics").write_bytes(whole)
    mms.smtp(smtp)
    mms.write()

    mms.migrate("alice")
    after = (folder / "calendar.ics").read_bytes()
    assert untouched_lines(after) == untouched_lines(whole)
    unfolded = after.replace(b"\r\n ", b"")
    assert all(invite.old_url.encode() not in unfolded for invite in invites)
    assert len(smtp.mails()) == 5


def test_people_who_moved_are_renamed_and_told_under_their_new_address(tmp_path, smtp):
    moved = meeting(20, "alice", ["bob", "carol"])
    plain = calendar([
        "BEGIN:VEVENT", "UID:plain", "DTSTAMP:20260101T000000Z", "DTSTART:20990101T090000Z", "DTEND:20990101T100000Z",
        "ORGANIZER:mailto:alice@example.test", "ATTENDEE:mailto:bob@example.test", "SUMMARY:Lunch", "END:VEVENT"])
    event = moved.content[moved.content.index(b"BEGIN:VEVENT"):moved.content.index(b"END:VCALENDAR")]
    mms = Mms(tmp_path)
    folder = folder_of(mms)
    file = folder / "calendar.ics"
    file.write_bytes(plain.replace(b"END:VCALENDAR\r\n", event + b"END:VCALENDAR\r\n"))
    mms.smtp(smtp)
    mms.identity_map([("bob@example.test", "robert@new.example"), ("@else.example", "@new.example")])
    mms.write()

    mms.migrate("alice")
    after = file.read_bytes()
    assert "mailto:robert@new.example" in "\n".join(unfolded(after))
    assert "\n".join(unfolded(after)).count("mailto:bob@example.test") == 1, "Lunch stays as it was"
    assert sorted(mail.recipients[0] for mail in smtp.mails()) == ["carol@example.test", "robert@new.example"]
    mms.migrate("alice")
    assert file.read_bytes() == after and len(smtp.mails()) == 2, "a second run changes nothing"
    mms.run("rollback", "alice@example.test", "--correlation-id", mms.status()[-1]["CorrelationId"])
    assert "\n".join(unfolded(file.read_bytes())).count("mailto:bob@example.test") == 2


def test_only_external_attendees_are_told_where_so_configured(tmp_path, smtp):
    invite = meeting(20, "alice", ["bob"])
    outside = invite.content.replace(b"mailto:bob\r\n @example.test", b"mailto:bob\r\n @partner.test")
    assert outside != invite.content
    inside = meeting(21, "alice", ["carol"])
    mms = Mms(tmp_path)
    folder = folder_of(mms, inside)
    (folder / invite.file).write_bytes(outside)
    mms.smtp(smtp)
    mms.engine(notify="external")
    mms.write()

    mms.migrate("alice")
    assert [mail.recipients for mail in smtp.mails()] == [("bob@partner.test",)]
    assert JITSI in value((folder / inside.file).read_bytes(), "DESCRIPTION")


def test_a_refused_recipient_is_reported_and_the_others_are_told(tmp_path):
    from support.servers import SmtpServer

    with SmtpServer("--reject", "bob@example.test") as smtp:
        mms = Mms(tmp_path)
        folder_of(mms, meeting(30, "alice", ["bob", "carol"]))
        mms.smtp(smtp)
        mms.write()
        mms.migrate("alice", expect=None)
        assert [mail.recipients for mail in smtp.mails()] == [("carol@example.test",)]
        (outcome,) = mms.meetings("alice")
        assert "MailRejected" in outcome["Message"] and "bob@example.test" in outcome["Message"]
