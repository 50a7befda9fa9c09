"""Exchange: the sandbox as clients see it that we did not write, and migrations as these clients see them afterwards."""

import asyncio
import json
import subprocess

import pytest
import requests
from exchangelib.errors import ErrorInvalidPropertySet, ErrorIrresolvableConflict, ErrorNonExistentMailbox
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

from support.mms import ROOT, Mms
from support.sandbox import Sandbox

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
            assert not item.skype_url and item.location == "Microsoft Teams Meeting; Room 7"
            assert not any(old in item.body for old in OLD), item.body
    for event in events_of(sandbox, 0):
        if event.is_organizer and event.start.date_time.startswith("2030") and event.attendees:
            assert "teams.microsoft.com" in event.body.content and not event.online_meeting_url
    # A master's change is mailed for its changed occurrence as well, by Exchange Online itself.
    assert max(told.values()) == 1, told
    mms.run("migrate", "--all", "--to", "Teams")
    assert sandbox.mails() == told, "a second run tells nobody"


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
