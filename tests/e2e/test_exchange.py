"""Exchange: the sandbox as clients see it that we did not write, and migrations as these clients see them afterwards."""

import asyncio
import base64
import json
import re
import subprocess
from collections import Counter
from datetime import timedelta

import icalendar
import pytest
import requests
from dateutil.rrule import rrulestr
from exchangelib import UTC, EWSDateTime, FolderCollection, Q
from exchangelib.errors import (
    ErrorCalendarFolderIsInvalidForCalendarView, ErrorCalendarViewRangeTooBig, ErrorInvalidPropertySet,
    ErrorIrresolvableConflict, ErrorNonExistentMailbox)
from kiota_abstractions.authentication import AnonymousAuthenticationProvider
from kiota_abstractions.base_request_configuration import RequestConfiguration
from kiota_abstractions.headers_collection import HeadersCollection
from msgraph.generated.models.event import Event
from msgraph.generated.models.location import Location
from msgraph.generated.models.o_data_errors.o_data_error import ODataError
from msgraph.generated.users.item.calendar.events.events_request_builder import EventsRequestBuilder
from msgraph.generated.users.item.online_meetings.create_or_get.create_or_get_post_request_body import (
    CreateOrGetPostRequestBody)
from msgraph.graph_request_adapter import GraphRequestAdapter
from msgraph.graph_service_client import GraphServiceClient

from support.mms import ROOT, Mms, eventually
from support.sandbox import Sandbox
from support.servers import DavMail

#: A link to an online meeting, in plain text.
JOIN = re.compile(r"https://(?:meet\.contoso\.example|contoso\.zoom\.us/j|teams\.microsoft\.com/l/meetup-join)/[^>\s]+")
OLD = ["meet.contoso.example", "contoso.zoom.us", "27999194", "pA7xk2"]


@pytest.fixture
def sandbox():
    with Sandbox() as sandbox:
        yield sandbox


def graph(sandbox):
    """Microsoft's own client, pointed at the sandbox; the token goes with each request."""
    adapter = GraphRequestAdapter(AnonymousAuthenticationProvider())
    client = GraphServiceClient(request_adapter=adapter)
    adapter.base_url = sandbox.ready["graph"]
    return client


def headers(sandbox, **more):
    collection = HeadersCollection()
    collection.add("Authorization", f"Bearer {sandbox.token()}")
    for name, value in more.items():
        collection.add(name.replace("_", "-"), value)
    return collection


def events_of(sandbox, user, calendar_only=False):
    """Every event of a user's calendars, by msgraph-sdk, page by page."""
    async def read():
        client = graph(sandbox)
        parameters = EventsRequestBuilder.EventsRequestBuilderGetQueryParameters(top=5)
        configuration = RequestConfiguration(query_parameters=parameters, headers=headers(sandbox))
        builder = client.users.by_user_id(sandbox.address(user))
        builder = builder.calendar.events if calendar_only else builder.events
        page = await builder.get(request_configuration=configuration)
        events = list(page.value)
        while page.odata_next_link:
            page = await builder.with_url(page.odata_next_link).get(
                request_configuration=RequestConfiguration(headers=headers(sandbox)))
            events += page.value
        return events
    return asyncio.run(read())


# The sandbox as other clients see it.


def test_exchangelib_lists_reads_and_changes_items(sandbox):
    mailbox = sandbox.mailbox(1)
    items = list(mailbox.calendar.all())
    assert len(items) == 15, "all but the two of the second calendar"
    assert [folder.name for folder in mailbox.calendar.children] == ["Projects"]
    skype = next(item for item in items if item.skype_url)
    assert skype.skype_url in skype.body and skype.required_attendees
    assert {item.type for item in items} == {"Single", "RecurringMaster"}
    master = next(item for item in items if item.type == "RecurringMaster")
    assert len(master.modified_occurrences) == 1
    stale = next(mailbox.fetch([(skype.id, skype.changekey)]))
    skype.location = "Room 9"
    skype.save(update_fields=["location"], send_meeting_invitations="SendToAllAndSaveCopy",
               conflict_resolution="NeverOverwrite")
    assert next(mailbox.fetch([(skype.id, skype.changekey)])).location == "Room 9"
    assert set(sandbox.mails().values()) == {1}
    stale.location = "Room 1"
    with pytest.raises(ErrorIrresolvableConflict):
        stale.save(update_fields=["location"], send_meeting_invitations="SendToNone", conflict_resolution="NeverOverwrite")
    skype.uid = "another"
    with pytest.raises(ErrorInvalidPropertySet):
        skype.save(update_fields=["uid"], send_meeting_invitations="SendToNone", conflict_resolution="NeverOverwrite")
    sandbox.faults(vanished=sandbox.address(2))
    with pytest.raises(ErrorNonExistentMailbox):
        list(sandbox.mailbox(2).calendar.all())


def test_exchangelib_views_the_occurrences_of_a_span(sandbox):
    calendar = sandbox.mailbox(1).calendar
    start, end = EWSDateTime(2030, 1, 1, tzinfo=UTC), EWSDateTime(2031, 1, 1, tzinfo=UTC)
    seen = list(calendar.view(start, end))
    assert [item.start for item in seen] == sorted(item.start for item in seen)
    assert Counter(item.type for item in seen) == {"Single": 12, "Occurrence": 38, "Exception": 2}, "no masters"
    master = next(item for item in calendar.all() if item.type == "RecurringMaster")
    occurrences = [item for item in seen if item.uid == master.uid]
    week = timedelta(days=7)
    assert [item.original_start - master.start for item in occurrences] == [week * number for number in range(20)]
    moved = [item for item in occurrences if item.start != item.original_start]
    assert [item.type for item in moved] == ["Exception"] and moved[0].id == master.modified_occurrences[0].id
    third = list(calendar.view(moved[0].start, moved[0].end))
    assert moved[0].id in {item.id for item in third} and len(third) < 5
    assert len(list(calendar.view(start, end, max_items=5))) == 5
    with pytest.raises(ErrorCalendarViewRangeTooBig):
        list(calendar.view(start, EWSDateTime(2033, 1, 1, tzinfo=UTC)))
    with pytest.raises(ErrorCalendarFolderIsInvalidForCalendarView):
        list(FolderCollection(calendar.account, [calendar.account.inbox]).view(start, end))


def test_exchangelib_restricts_and_sorts(sandbox):
    calendar = sandbox.mailbox(1).calendar
    everything = list(calendar.all())
    middle = sorted(item.start for item in everything)[7]
    later = list(calendar.filter(start__gt=middle).order_by("-start"))
    assert [item.start for item in later] == sorted((i.start for i in everything if i.start > middle), reverse=True)
    assert {i.id for i in calendar.filter(start__lte=middle)} == {i.id for i in everything} - {i.id for i in later}
    assert {i.subject for i in calendar.filter(subject__icontains="BUDGET")} == {
        i.subject for i in everything if "budget" in i.subject.lower()}
    one = everything[3]
    assert [i.id for i in calendar.filter(subject=one.subject, end=one.end)] == [one.id]
    assert [i.id for i in calendar.filter(Q(subject=one.subject) & ~Q(location="elsewhere"))] == [one.id]
    skype = {i.id for i in everything if i.skype_url}
    assert {i.id for i in calendar.filter(skype_url__exists=True)} == skype
    assert {i.id for i in calendar.filter(skype_url__startswith="https://meet.")} == skype
    assert [i.id for i in calendar.filter(global_object_id=bytes.fromhex(one.uid))] == [one.id]
    assert calendar.filter(start__gt=middle).count() == len(later)


CALENDAR = '<t:DistinguishedFolderId Id="calendar"/>'
ITEM_SHAPE = '<m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape>'
YEAR = '<m:CalendarView StartDate="2030-01-01T00:00:00Z" EndDate="2031-01-01T00:00:00Z"/>'
SUBJECT = '<m:Restriction><t:Exists><t:FieldURI FieldURI="item:Subject"/></t:Exists></m:Restriction>'
ITEM = ('<t:CalendarItem>{}<t:Start>2030-01-01T00:00:00Z</t:Start><t:End>2030-01-02T00:00:00Z</t:End>'
        '<t:StartTimeZone Id="{}"/></t:CalendarItem>')


def find_item(inside, folder=CALENDAR):
    return (f'<m:FindItem Traversal="Shallow">{ITEM_SHAPE}{inside}<m:ParentFolderIds>{folder}</m:ParentFolderIds>'
            '</m:FindItem>')


def create_folder(name):
    return ('<m:CreateFolder><m:ParentFolderId><t:DistinguishedFolderId Id="msgfolderroot"/></m:ParentFolderId><m:Folders>'
            f'<t:CalendarFolder><t:DisplayName>{name}</t:DisplayName></t:CalendarFolder></m:Folders></m:CreateFolder>')


def create_item(folder, subject="", zone="UTC", sends='SendMeetingInvitations="SendToNone"'):
    return (f'<m:CreateItem {sends}><m:SavedItemFolderId>{folder}</m:SavedItemFolderId><m:Items>'
            f'{ITEM.format(subject, zone)}</m:Items></m:CreateItem>')


def delete_folder(folder):
    return f'<m:DeleteFolder DeleteType="HardDelete"><m:FolderIds>{folder}</m:FolderIds></m:DeleteFolder>'


def ask(sandbox, body, number=1):
    """What EWS answers to a user under the path that DavMail takes, and its codes."""
    user = sandbox.ready["users"][number]
    text = ('<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" '
            'xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages" '
            'xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types">'
            f'<s:Body>{body}</s:Body></s:Envelope>')
    answer = requests.post(sandbox.ready["ews"].replace("/EWS/Exchange.asmx", "/ews/exchange.asmx"), data=text.encode(),
                           auth=(user["address"].upper(), user["password"]), timeout=30).text
    return answer, re.findall(r"ResponseCode[^>]*>(\w+)<", answer)


@pytest.mark.parametrize(("body", "code"), [
    (find_item(YEAR + SUBJECT), "ErrorInvalidOperation"),
    (find_item(YEAR.replace("2031", "2029")), "ErrorCalendarEndDateIsEarlierThanStartDate"),
    (find_item(YEAR, '<t:DistinguishedFolderId Id="inbox"/>'), "ErrorCalendarFolderIsInvalidForCalendarView"),
    (find_item("<m:QueryString>budget</m:QueryString>"), "ErrorInvalidRequest"),
    (find_item(SUBJECT.replace("item:Subject", "calendar:UID")), "ErrorUnsupportedPathForQuery"),
    (find_item('<m:SortOrder><t:FieldOrder Order="Ascending"><t:FieldURI FieldURI="calendar:UID"/></t:FieldOrder></m:SortOrder>'),
     "ErrorUnsupportedPathForSortGroup"),
    (find_item("", CALENDAR.replace("/>", "><t:Mailbox><t:EmailAddress>user00001@contoso.example</t:EmailAddress>"
                                    "</t:Mailbox></t:DistinguishedFolderId>")), "ErrorFolderNotFound"),
    (create_item(CALENDAR), "ErrorInvalidRequest"),
    (create_item(CALENDAR, sends=""), "ErrorSendMeetingInvitationsRequired"),
    (create_item(CALENDAR, "<t:RequiredAttendees/>"), "ErrorInvalidRequest"),
    (delete_folder(CALENDAR), "ErrorDeleteDistinguishedFolder"),
    ('<m:GetUserConfiguration><m:UserConfigurationName Name="Other"><t:DistinguishedFolderId Id="root"/>'
     '</m:UserConfigurationName></m:GetUserConfiguration>', "ErrorItemNotFound"),
    ('<m:ConvertId DestinationFormat="EwsId"><m:SourceIds><t:AlternateId Format="EwsId" Id="no" Mailbox="a@b"/>'
     '</m:SourceIds></m:ConvertId>', "ErrorInvalidIdMalformed"),
    ("<m:SyncFolderItems/>", "ErrorSchemaValidation")])
def test_the_sandbox_refuses_by_name_what_it_does_not_do(sandbox, body, code):
    answer, codes = ask(sandbox, body)
    assert codes == [code], answer


def test_a_folder_that_a_client_makes_is_there_until_it_is_deleted(sandbox):
    answer, codes = ask(sandbox, create_folder("for a while"))
    assert codes == ["NoError"], answer
    folder = re.search(r"<t:FolderId Id=[^>]*/>", answer)[0]
    assert ask(sandbox, create_folder("For A While"))[1] == ["ErrorFolderExists"]
    assert ask(sandbox, create_item(folder, zone="Mars Standard Time"))[1] == ["ErrorTimeZone"]
    answer, codes = ask(sandbox, create_item(folder, "<t:Subject>zone</t:Subject>"))
    assert codes == ["NoError"], answer
    item = re.search(r"<t:ItemId Id=[^>]*/>", answer)[0]
    assert item in ask(sandbox, find_item(SUBJECT, folder))[0]
    assert item in ask(sandbox, find_item(YEAR.replace("2030-", "2029-"), folder))[0]
    read = ('<m:GetItem><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape><t:IncludeMimeContent>true</t:IncludeMimeContent>'
            f'</m:ItemShape><m:ItemIds>{item}</m:ItemIds></m:GetItem>')
    content = base64.b64decode(re.search(r"<t:MimeContent[^>]*>([^<]*)<", ask(sandbox, read)[0])[1])
    assert b"BEGIN:VTIMEZONE\r\nTZID:UTC\r\n" in content and b"SUMMARY;LANGUAGE=en-US:zone\r\n" in content
    assert ask(sandbox, read, number=2)[1] == ["ErrorItemNotFound"], "somebody else's"
    assert ask(sandbox, delete_folder(folder), number=2)[1] == ["ErrorFolderNotFound"]
    assert ask(sandbox, delete_folder(folder))[1] == ["NoError"]
    assert ask(sandbox, read)[1] == ["ErrorItemNotFound"]
    codes = [ask(sandbox, create_folder(f"folder {number}"))[1] for number in range(20)]
    assert codes.count(["ErrorQuotaExceeded"]) == 4


def test_the_mime_content_is_icalendar(sandbox):
    mailbox = sandbox.mailbox(1)
    items = list(mailbox.calendar.all())
    for item in items:
        calendar = icalendar.Calendar.from_ical(item.mime_content)
        assert calendar["METHOD"] == "PUBLISH" and calendar.walk("VTIMEZONE")
        assert all(len(line) <= 75 for line in item.mime_content.split(b"\r\n"))
        master, *exceptions = calendar.walk("VEVENT")
        assert (master["UID"], master["SUMMARY"], master["LOCATION"]) == (item.uid, item.subject, item.location)
        assert (master["DTSTART"].dt, master["DTEND"].dt) == (item.start, item.end)
        assert "ATTENDEE" not in master, "as Exchange does it"
        assert ("ORGANIZER" in master) == bool(item.required_attendees)
        assert "X-ALT-DESC" not in master and "Agenda: numbers & next steps.\n" in master["DESCRIPTION"]
        assert master.get("X-MICROSOFT-SKYPETEAMSMEETINGURL") == item.teams_url
        assert len(exceptions) == (item.type == "RecurringMaster")
        for exception in exceptions:
            occurrence, = item.modified_occurrences
            assert (exception["RECURRENCE-ID"].dt, exception["DTSTART"].dt) == (occurrence.original_start, occurrence.start)
            days = rrulestr(master["RRULE"].to_ical().decode(), dtstart=item.start)
            assert exception["RECURRENCE-ID"].dt in days and days.count() == 20


def test_msgraph_sdk_pages_through_events_and_changes_one(sandbox):
    events = events_of(sandbox, 0)
    assert len(events) == 17 and len({event.id for event in events}) == 17
    assert len(events_of(sandbox, 0, calendar_only=True)) == 15
    online = [event for event in events if event.is_online_meeting]
    assert online and all("teams.microsoft.com" in event.online_meeting.join_url for event in online)

    async def change(etag):
        item = graph(sandbox).users.by_user_id(sandbox.address(0)).events.by_event_id(events[0].id)
        configuration = RequestConfiguration(headers=headers(sandbox, If_Match=etag))
        return await item.patch(Event(location=Location(display_name="Room 9")), request_configuration=configuration)

    etag = events[0].additional_data["@odata.etag"]
    assert asyncio.run(change(etag)).location.display_name == "Room 9"
    with pytest.raises(ODataError) as refused:
        asyncio.run(change(etag))
    assert refused.value.response_status_code == 412
    assert refused.value.error.code == "ErrorIrresolvableConflict"


def test_msgraph_sdk_makes_one_meeting_for_one_external_id(sandbox):
    async def make():
        user = graph(sandbox).users.by_user_id(sandbox.ready["users"][0]["id"])
        body = CreateOrGetPostRequestBody(external_id="one", subject="Budget")
        configuration = RequestConfiguration(headers=headers(sandbox))
        return await user.online_meetings.create_or_get.post(body, request_configuration=configuration)

    first, second = asyncio.run(make()), asyncio.run(make())
    assert first.join_web_url == second.join_web_url and first.join_information.content.startswith("data:text/html,")
    sandbox.faults(no_access_policy=True)
    with pytest.raises(ODataError) as refused:
        asyncio.run(make())
    assert "on behalf of" in refused.value.error.message


def test_a_batch_answers_each_request_for_itself(sandbox):
    url = sandbox.ready["graph"]
    bearer = {"Authorization": f"Bearer {sandbox.token()}"}
    body = {"requests": [
        {"id": "1", "method": "GET", "url": f"/users/{sandbox.address(0)}/calendars"},
        {"id": "2", "method": "GET", "url": "/users/nobody@contoso.example/calendars"},
        {"id": "3", "method": "GET", "url": f"/users/{sandbox.address(0)}/events?$select=nonsense"}]}
    answers = requests.post(f"{url}/$batch", json=body, headers=bearer, timeout=30).json()["responses"]
    status = {answer["id"]: answer["status"] for answer in answers}
    assert status == {"1": 200, "2": 404, "3": 400}
    body["requests"] *= 7
    assert requests.post(f"{url}/$batch", json=body, headers=bearer, timeout=30).status_code == 400
    assert requests.get(f"{url}/users", timeout=30).status_code == 401


def test_the_client_for_node_reads_pages_batches_and_is_refused(sandbox):
    user = sandbox.ready["users"][0]
    answer = subprocess.run(
        ["node", ROOT / "tests/e2e/node/graph.mjs", sandbox.ready["authority"], sandbox.token(), user["id"]],
        capture_output=True, text=True, timeout=60)
    assert answer.returncode == 0, answer.stderr
    seen = json.loads(answer.stdout)
    assert len({event["id"] for event in seen["events"]}) == 17
    assert any(event["isOnlineMeeting"] for event in seen["events"])
    assert seen["meeting"]["joinWebUrl"].startswith("https://teams.microsoft.com/l/meetup-join/")
    assert {answer["id"]: answer["status"] for answer in seen["batch"]["responses"]} == {"1": 200, "2": 400}
    assert seen["refused"] == {"status": 412, "code": "ErrorIrresolvableConflict"}
    assert seen["me"]["userPrincipalName"] == user["address"]


# Migrations.


def migrated(sandbox, folder, more=""):
    mms = Mms(folder)
    mms.exchange(sandbox, cloud=[0], office=[1], more=more)
    mms.write()
    said = mms.run("doctor").stdout
    assert "Failed" not in said, said
    mms.run("migrate", "--all", "--to", "Teams")
    for record in mms.status():
        assert (record["State"], record["TotalMeeting"], record["FailedMeeting"]) == ("Succeeded", 14, 0), record
    return mms


def test_mailboxes_move_to_teams_and_other_clients_see_it(tmp_path, sandbox):
    before = {item.uid: item for item in sandbox.mailbox(1).calendar.all()}
    mms = migrated(sandbox, tmp_path)
    told = sandbox.mails()
    by_uid = {item.uid: item for item in sandbox.mailbox(1).calendar.all()}
    assert by_uid.keys() == before.keys()
    for uid, item in by_uid.items():
        was = before[uid]
        assert (item.subject, item.start, item.end) == (was.subject, was.start, was.end)
        if item.start.year < 2030 or item.my_response_type != "Organizer":
            assert (item.body, item.location) == (was.body, was.location), "left as it was"
            continue
        assert "Agenda: numbers &amp; next steps." in item.body and "wiki.contoso.example/minutes" in item.body
        assert item.teams_url and item.teams_url.replace("&", "&amp;") in item.body, item.body
        if was.skype_url:
            for said in ("Meeting ID: ", "Passcode: ", "Phone conference ID: ", "Find a local number", "Meeting options"):
                assert said in item.body, item.body
            assert not item.skype_url and item.location == "Microsoft Teams Meeting; Room 7"
            assert not any(old in item.body for old in OLD), item.body
    for event in events_of(sandbox, 0):
        if event.is_organizer and event.start.date_time.startswith("2030") and event.attendees:
            assert "teams.microsoft.com" in event.body.content and not event.online_meeting_url
    # A master's change is mailed for its changed occurrence as well, by Exchange Online itself.
    assert max(told.values()) == 1, told
    mms.run("migrate", "--all", "--to", "Teams")
    assert sandbox.mails() == told, "a second run tells nobody"


def components(event):
    """The components of an event by the day that they stand for; the master and single ones have none."""
    found = event.icalendar_instance.walk("VEVENT")
    return {component["RECURRENCE-ID"].dt if "RECURRENCE-ID" in component else None: component for component in found}


def answers(component):
    invited = component.get("ATTENDEE", [])
    invited = invited if isinstance(invited, list) else [invited]
    return {str(attendee): attendee.params["PARTSTAT"] for attendee in invited}


def moves(sandbox, component):
    """Whether the sandbox's user 1 organises it online, to come, and not in the tenant's own Teams already."""
    link = JOIN.search(component["DESCRIPTION"])
    return (str(component.get("ORGANIZER", "")) == f"mailto:{sandbox.address(1)}"
            and component["DTSTART"].dt.year >= 2030 and link and sandbox.ready["tenant"] not in link[0])


def test_davmail_shows_the_migrated_calendar_over_caldav(tmp_path, sandbox):
    with DavMail(sandbox) as davmail:
        before = davmail.events(1)
        assert len(before) == 17 and before.keys() == {
            item.uid for folder in (sandbox.mailbox(1).calendar, sandbox.mailbox(1).calendar / "Projects")
            for item in folder.all()}
        migrated(sandbox, tmp_path)
        after = davmail.events(1)
        assert after.keys() == before.keys()
        moved, exceptions = 0, 0
        for uid, event in after.items():
            was, now = components(before[uid]), components(event)
            assert was.keys() == now.keys()
            if not moves(sandbox, was[None]):
                assert event.data == before[uid].data, "left as it was"
                continue
            moved += 1
            exceptions += len(now) - 1
            text = event.data.replace("\r\n", "\n").replace("\n ", "")
            for day, component in now.items():
                old, new = was[day], JOIN.search(component["DESCRIPTION"])[0]
                assert new.startswith("https://teams.microsoft.com/l/meetup-join/")
                assert component["X-MICROSOFT-SKYPETEAMSMEETINGURL"] == new
                assert JOIN.search(old["DESCRIPTION"])[0] not in text
                assert "X-MICROSOFT-ONLINEMEETINGEXTERNALLINK" not in component
                for kept in ("SUMMARY", "DTSTART", "DTEND", "RRULE", "CLASS"):
                    assert component.get(kept) == old.get(kept)
                assert answers(component) == answers(old)
                assert component["DESCRIPTION"].startswith("Agenda: numbers & next steps.\nPlease read the notes before.\n")
                assert component["DESCRIPTION"].endswith("See you there – notes: https://wiki.contoso.example/minutes")
            assert not any(old in text for old in OLD), text
        assert (moved, exceptions) == (12, 2)
        assert not davmail.warnings()


def test_nobody_reaches_the_calendar_of_another_with_their_own_password(sandbox):
    own, other = sandbox.ready["users"][1:3]
    with DavMail(sandbox) as davmail:
        def asked(path, password):
            return requests.request("PROPFIND", f"{davmail.url}users/{path}/calendar/", timeout=30,
                                    headers={"Depth": "0", "Content-Type": "application/xml"},
                                    data='<propfind xmlns="DAV:"><prop><displayname/></prop></propfind>',
                                    auth=(own["address"], password)).status_code
        assert asked(own["address"], own["password"]) == 207
        assert asked(own["address"], other["password"]) == 401
        assert asked(other["address"], own["password"]) >= 400
    denied = '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Header><ExchangeImpersonation><ConnectingSID>' \
        f'<PrimarySmtpAddress>{other["address"]}</PrimarySmtpAddress></ConnectingSID></ExchangeImpersonation></s:Header>' \
        '<s:Body><GetFolder/></s:Body></s:Envelope>'
    answer = requests.post(sandbox.ready["ews"], data=denied, auth=(own["address"], own["password"]), timeout=30)
    assert answer.status_code == 500 and "ErrorImpersonateUserDenied" in answer.text


def test_a_rollback_gives_back_what_was_there(tmp_path, sandbox):
    before = {user: {item.uid: (item.body, item.location, item.skype_url, item.teams_url)
                     for item in sandbox.mailbox(user).calendar.all()} for user in (0, 1)}
    mms = migrated(sandbox, tmp_path)
    for user in (0, 1):
        mms.run("rollback", sandbox.address(user))
        after = {item.uid: (item.body, item.location, item.skype_url or None, item.teams_url or None)
                 for item in sandbox.mailbox(user).calendar.all()}
        for uid, was in before[user].items():
            assert after[uid] == was, (user, uid)


# What the services beside us leave out.


@pytest.fixture
def unusual():
    with Sandbox("--unusual", "--rooms", "2", users=4) as sandbox:
        yield sandbox


def one_of(sandbox, user, number):
    """The event of a user with this number, counted from 1."""
    return next(item for item in sandbox.mailbox(user).calendar.all() if item.subject.endswith(f" {number}"))


def test_meetings_that_rooms_organise_are_migrated(tmp_path, unusual):
    rooms = [number for number, user in enumerate(unusual.ready["users"]) if user["room"]]
    assert len(rooms) == 2
    mms = Mms(tmp_path)
    mms.exchange(unusual, cloud=[rooms[0]], office=[rooms[1]])
    mms.write()
    mms.run("migrate", "--all", "--to", "Teams")
    for record in mms.status():
        assert (record["State"], record["TotalMeeting"], record["FailedMeeting"]) == ("Succeeded", 14, 0), record
    assert one_of(unusual, rooms[1], 1).teams_url and one_of(unusual, rooms[0], 1).teams_url


def test_calendars_other_than_the_default_one_and_confidential_meetings_are_migrated(tmp_path, sandbox):
    migrated(sandbox, tmp_path)
    for user in (0, 1):
        projects = list(sandbox.mailbox(user).calendar.children)[0].all()
        items = [item for item in projects if item.my_response_type == "Organizer"]
        assert len(items) == 2
        for item in items:
            assert item.sensitivity == "Confidential", "and it stays so"
            assert item.teams_url and item.teams_url.replace("&", "&amp;") in item.body and not item.skype_url


def test_modified_occurrences_are_migrated(tmp_path, sandbox):
    # The sandbox's series begin in 2030.
    migrated(sandbox, tmp_path, more="horizon_days = 3650\n")
    for user in (0, 1):
        masters = [item for item in sandbox.mailbox(user).calendar.all() if item.type == "RecurringMaster"]
        assert masters
        for master in masters:
            changed = next(sandbox.mailbox(user).fetch([(master.modified_occurrences[0].id, None)]))
            assert changed.teams_url and changed.teams_url.replace("&", "&amp;") in changed.body
            assert "contoso.example/user" not in changed.body and changed.start.hour != master.start.hour


def test_more_than_250_attendees_are_migrated_when_allowed(tmp_path, unusual):
    mms = Mms(tmp_path)
    mms.exchange(unusual, cloud=[], office=[1])
    mms.write()
    mms.run("migrate", "--all", "--to", "Teams", expect=1)
    town_hall = one_of(unusual, 1, 17)
    assert len(town_hall.required_attendees) == 260 and town_hall.skype_url, "as it was"
    assert [meeting["Message"] for meeting in mms.meetings(unusual.address(1)) if "TooManyAttendees" in meeting["Message"]]
    mms.engine(max_attendees=300)
    mms.write()
    mms.run("migrate", "--all", "--to", "Teams", expect=1)
    town_hall = one_of(unusual, 1, 17)
    assert town_hall.teams_url and not town_hall.skype_url and len(town_hall.required_attendees) == 260
    told = [count for (event, attendee), count in unusual.mails().items() if attendee.startswith("guest")]
    assert told == [1] * 260


@pytest.mark.parametrize("calendar", ["cloud", "office"])
def test_blocks_that_were_reformatted_are_migrated(tmp_path, unusual, calendar):
    before = one_of(unusual, 1, 15).body
    assert "blockquote" in before and "OutJoinLink" not in before
    mms = Mms(tmp_path)
    mms.exchange(unusual, **({"cloud": [1], "office": []} if calendar == "cloud" else {"cloud": [], "office": [1]}))
    mms.write()
    mms.run("migrate", "--all", "--to", "Teams", expect=1)
    after = one_of(unusual, 1, 15)
    assert after.teams_url and after.teams_url.replace("&", "&amp;") in after.body
    assert not any(old in after.body for old in OLD), after.body
    assert "Agenda: numbers &amp; next steps." in after.body and "wiki.contoso.example/minutes" in after.body


def test_a_meeting_with_two_links_is_reported_and_left_alone(tmp_path, unusual):
    before = one_of(unusual, 1, 16).body
    mms = Mms(tmp_path)
    mms.exchange(unusual, cloud=[], office=[1])
    mms.write()
    mms.run("migrate", "--all", "--to", "Teams", expect=1)
    assert one_of(unusual, 1, 16).body == before
    assert any("AmbiguousMeeting" in meeting["Message"] for meeting in mms.meetings(unusual.address(1)))


def invited(item):
    return {attendee.mailbox.email_address: attendee.response_type for attendee in item.required_attendees or []}


def test_people_who_moved_between_tenants_are_invited_under_their_new_address(tmp_path, sandbox):
    moved, domain = sandbox.address(2), sandbox.ready["domain"]
    before = {item.uid: item for item in sandbox.mailbox(1).calendar.all()}
    mms = Mms(tmp_path)
    mms.exchange(sandbox, cloud=[0], office=[1])
    mms.identity_map([(moved, "new@fabrikam.example"), ("before@old.example", sandbox.address(1))])
    mms.write()
    shown = mms.run("preview", "before@old.example", "--to", "Teams", "--diff").stdout
    assert "new@fabrikam.example" in shown, shown
    mms.run("migrate", "--all", "--to", "Teams")
    for record in mms.status():
        assert (record["State"], record["TotalMeeting"], record["FailedMeeting"]) == ("Succeeded", 14, 0), record
    changed = 0
    for item in sandbox.mailbox(1).calendar.all():
        was, now = invited(before[item.uid]), invited(item)
        if moved not in was or item.start.year < 2030 or item.my_response_type != "Organizer" or not item.teams_url:
            assert now == was
            continue
        changed += 1
        assert now.pop("new@fabrikam.example") == "Unknown", "Exchange has nobody's answer under an address that it never saw"
        was.pop(moved)
        assert now == was, "the answers of the others stay"
    assert changed
    for event in events_of(sandbox, 0):
        if event.is_organizer and event.start.date_time.startswith("2030") and event.is_online_meeting:
            assert moved not in [attendee.email_address.address for attendee in event.attendees]
    told = sandbox.mails()
    assert max(told.values()) == 1, told
    cancelled = {attendee for event, attendee in told if event.endswith(" cancelled")}
    assert cancelled == {moved}, "the old address, which the docs tell"
    mms.run("migrate", "--all", "--to", "Teams")
    assert sandbox.mails() == told, "a second run tells nobody"
    mms.run("rollback", sandbox.address(1))
    for item in sandbox.mailbox(1).calendar.all():
        assert invited(item) == invited(before[item.uid]), domain


def test_who_was_not_told_of_a_migration_is_not_told_of_its_rollback(tmp_path, sandbox):
    before = {item.uid: item.body for item in sandbox.mailbox(1).calendar.all()}
    mms = Mms(tmp_path)
    mms.exchange(sandbox, cloud=[], office=[1])
    mms.write()
    mms.run("migrate", sandbox.address(1), "--to", "Teams", "--notify", "none")
    mms.run("rollback", sandbox.address(1))
    assert {item.uid: item.body for item in sandbox.mailbox(1).calendar.all()} == before
    assert not sandbox.mails()


def test_a_killed_migration_is_rolled_back(tmp_path, sandbox):
    before = {item.uid: item.body for item in sandbox.mailbox(1).calendar.all()}
    mms = Mms(tmp_path)
    mms.exchange(sandbox, cloud=[], office=[1])
    mms.write()
    sandbox.faults(latency_ms=300)
    process = mms.start("migrate", sandbox.address(1), "--to", "Teams")
    assert eventually(lambda: sandbox.mails())
    process.kill()
    process.communicate()
    sandbox.faults(latency_ms=0)
    mms.run("rollback", sandbox.address(1))
    assert {item.uid: item.body for item in sandbox.mailbox(1).calendar.all()} == before
    assert mms.status()[0]["State"] == "Failed", "and nobody goes on with it"


def test_current_refreshes_teams_meetings_where_they_are(tmp_path, sandbox):
    mms = Mms(tmp_path)
    mms.exchange(sandbox, cloud=[0], office=[1])
    mms.write()
    before = {item.uid: item for item in sandbox.mailbox(1).calendar.all()}
    mms.run("migrate", "--all", "--to", "Current")
    for record in mms.status():
        assert (record["State"], record["TotalMeeting"], record["FailedMeeting"]) == ("Succeeded", 2, 0), record
    refreshed = 0
    for item in sandbox.mailbox(1).calendar.all():
        was = before[item.uid]
        assert item.teams_url == was.teams_url, "the link stays"
        if item.body != was.body:
            refreshed += 1
            assert was.teams_url and "Phone conference ID" in item.body and "pA7xk2" not in item.body, item.body
    assert refreshed == 2
    told = sandbox.mails()
    mms.run("migrate", "--all", "--to", "Current")
    assert sandbox.mails() == told


def test_the_budget_of_recipients_holds_in_another_process(tmp_path, sandbox):
    mms = Mms(tmp_path)
    mms.exchange(sandbox, cloud=[0], office=[], more="recipients_per_day = 10\n")
    mms.write()
    for _ in range(2):
        said = mms.run("migrate", sandbox.address(0), "--to", "Teams", expect=None)
        told = sum(sandbox.mails().values())
        # The changed occurrence of the series is mailed for as well.
        assert 5 <= told <= 13, told
        assert "recipients_per_day" in said.stdout + said.stderr, said
    record = mms.status()[0]
    assert record["State"] != "Succeeded" and "recipients_per_day" in record["LastMessage"], record


def test_mailboxes_move_over_tls_that_is_trusted(tmp_path):
    with Sandbox("--tls") as sandbox:
        assert sandbox.ready["ews"].startswith("https://127.0.0.1:")
        mms = Mms(tmp_path)
        mms.exchange(sandbox, cloud=[0], office=[1])
        mms.write()
        mms.run("migrate", "--all", "--to", "Teams")
        assert {record["SucceededMeeting"] for record in mms.status()} == {14}
        file = tmp_path / "mms.toml"
        file.write_text(file.read_text(encoding="utf-8").replace('ca_file = "sandbox.pem"\n', ""), encoding="utf-8")
        said = mms.run("doctor", expect=1).stdout
        assert "certificate" in said, said


def test_who_lacks_rights_is_told_the_cmdlet(tmp_path, sandbox):
    mms = Mms(tmp_path)
    mms.exchange(sandbox, cloud=[0], office=[1])
    mms.write()
    sandbox.faults(impersonation_denied=True)
    result = mms.run("migrate", sandbox.address(1), "--to", "Teams", expect=1)
    assert "ApplicationImpersonation" in result.stdout + result.stderr
    sandbox.faults(no_access_policy=True)
    mms.run("migrate", sandbox.address(0), "--to", "Teams", expect=1)
    told = mms.run("history", sandbox.address(0)).stdout
    assert "Grant-CsApplicationAccessPolicy" in told, told
    assert sandbox.mails() == {}


@pytest.mark.parametrize("identity", [
    "user00001@contoso.example", "sip:user00001@contoso.example", "user00001@mail.contoso.example", "CONTOSO\\user00001",
    "Anna Adler", "Anna A*", "CN=Anna Adler,OU=Staff,DC=contoso,DC=example", "00000000-0000-4000-8000-000000000000"])
def test_every_form_of_identity_is_found_in_the_tenant(tmp_path, sandbox, identity):
    mms = Mms(tmp_path)
    mms.exchange(sandbox, cloud=[], office=[])
    mms.write()
    file = tmp_path / "mms.toml"
    text = file.read_text(encoding="utf-8")
    access = text.split("[calendar.cloud]\nkind = \"graph\"\n")[1].split("[")[0]
    file.write_text(text.replace('file = "users.csv"\n', f'kind = "graph"\ncalendar_online = "cloud"\n{access}'), encoding="utf-8")
    said = mms.run("doctor").stdout
    assert "4 users, 0 without a calendar" in said, said
    mms.run("migrate", identity, "--to", "Teams")
    assert mms.status()[0]["UserPrincipalName"] == "user00001@contoso.example"
    assert mms.run("migrate", "nobody@contoso.example", "--to", "Teams", expect=3).stderr
