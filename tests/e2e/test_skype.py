"""Skype for Business Server: the sandbox as a plain HTTP client sees it, and migrations to its pool."""

import re
import time

import pytest
import requests

from support.mms import Mms, eventually
from support.sandbox import Sandbox

OLD = ["meet.contoso.example", "27999194", "+1 425 555 0142"]


@pytest.fixture
def sandbox():
    with Sandbox() as sandbox:
        yield sandbox


class Client:
    """A client of UCWA 2.0 that does what the documentation says and knows nothing of the server."""

    def __init__(self, sandbox, user=0):
        self.http = requests.Session()
        self.http.headers["Accept"] = "application/json"
        self.about = sandbox.ready["ucwa"]
        self.me = self.about["users"][user]

    def ticket(self, password=None, **form):
        form = {"grant_type": "password", "username": self.me["user"], "password": password or self.me["password"], **form}
        return self.http.post(self.about["token"], data=form, timeout=30)

    def sign_in(self):
        self.http.headers.pop("Authorization", None)
        root = self.http.get(self.about["discover"], timeout=30).json()
        self.user = root["_links"]["user"]["href"]
        refused = self.http.get(self.user, timeout=30)
        assert refused.status_code == 401
        challenge = refused.headers["WWW-Authenticate"]
        assert re.search(r'MsRtcOAuth href="([^"]+)"', challenge)[1] == self.about["token"], challenge
        self.http.headers["Authorization"] = "Bearer " + self.ticket().json()["access_token"]
        return self.http.get(self.user, timeout=30)

    def application(self):
        """Registers an application; returns the links of its online meetings."""
        self.applications = self.sign_in().json()["_links"]["applications"]["href"]
        made = self.http.post(self.applications, timeout=30, json={
            "userAgent": "test", "endpointId": "44b9cc4d", "culture": "de-DE"})
        assert made.status_code == 201, made.text
        self.own = self.at(made.json()["_links"]["self"]["href"])
        return {rel: self.at(link["href"]) for rel, link in made.json()["_embedded"]["onlineMeetings"]["_links"].items()}

    def at(self, href):
        return requests.compat.urljoin(self.about["discover"], href)


def test_a_client_schedules_changes_and_removes_a_meeting(sandbox):
    client = Client(sandbox)
    links = client.application()
    meetings = links["myOnlineMeetings"]
    body = {"subject": "Budget", "description": "of the year", "accessLevel": "Everyone",
            "leaders": [f"sip:{sandbox.address(1)}"]}
    made = client.http.post(meetings, json=body, timeout=30)
    assert made.status_code == 201
    meeting = made.json()
    assert meeting["joinUrl"] == f'{client.about["meet"]}/user00001/{meeting["onlineMeetingId"]}'
    expires = int(re.fullmatch(r"/Date\((\d+)\)/", meeting["expirationTime"])[1]) / 1000
    assert abs(expires - time.time() - 8 * 3600) < 120, "eight hours where nobody says more"
    own = client.at(meeting["_links"]["self"]["href"])
    listed = client.http.get(meetings, timeout=30).json()["_embedded"]["myOnlineMeeting"]
    assert [entry["description"] for entry in listed] == ["of the year"]

    stale = made.headers["ETag"]
    assert client.http.get(own, headers={"If-None-Match": stale}, timeout=30).status_code == 304
    assert client.http.put(own, json=body, timeout=30).status_code == 412, "If-Match is required"
    assert client.http.put(own, json=body, headers={"If-Match": stale}, timeout=30).status_code == 400
    carried = {name: value for name, value in meeting.items() if value == "please pass this in a PUT request"}
    assert len(carried) == 1
    changed = client.http.put(own, json={"subject": "Budget 2", **carried}, headers={"If-Match": stale}, timeout=30)
    assert changed.status_code == 200
    assert changed.json()["description"] == "" and changed.json()["leaders"] == [], "a full replacement"
    assert client.http.put(own, json={**body, **carried}, headers={"If-Match": stale}, timeout=30).status_code == 412

    assert client.http.delete(own, timeout=30).status_code == 204
    assert client.http.get(own, timeout=30).status_code == 404
    assert client.http.delete(client.own, timeout=30).status_code == 204
    assert client.http.get(meetings, timeout=30).status_code == 404, "the application is gone"


@pytest.mark.parametrize("wrong", [
    {"accessLevel": "None"}, {"lobbyBypassForPhoneUsers": "Perhaps"}, {"attendees": ["sip:eve@fabrikam.example"]},
    {"leaders": ["user00001@contoso.example"]}, {"attendees": "sip:user00001@contoso.example"},
    {"expirationTime": "2039-01-01T00:00:00Z"}, {"expirationTime": "/Date(1000)/"}, {"expirationTime": "soon"},
    {"automaticLeaderAssignment": "Everyone"}, {"subject": 5}])
def test_what_the_server_would_refuse_is_refused(sandbox, wrong):
    client = Client(sandbox)
    answer = client.http.post(client.application()["myOnlineMeetings"], json=wrong, timeout=30)
    assert answer.status_code == 400
    assert set(answer.json()) == {"code", "subcode", "message"}


def test_everybody_acts_as_himself_and_applications_want_their_three_properties(sandbox):
    first, second = Client(sandbox, 0), Client(sandbox, 1)
    assert first.me["password"] != second.me["password"]
    refused = first.ticket(password=second.me["password"])
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
    assert first.ticket(username="CONTOSO\\user00001").status_code == 200
    assert first.ticket(grant_type="urn:microsoft.rtc:anonmeeting").status_code == 400
    meetings = first.application()["myOnlineMeetings"]
    first.http.post(meetings, json={}, timeout=30).raise_for_status()
    links = second.application()
    assert second.http.get(meetings, timeout=30).status_code == 404, "another's application"
    assert second.http.get(links["myOnlineMeetings"], timeout=30).json()["_embedded"]["myOnlineMeeting"] == []
    for body in ({"userAgent": "x", "endpointId": "y"}, {"userAgent": "x" * 101, "endpointId": "y", "culture": "de-DE"}):
        assert first.http.post(first.applications, json=body, timeout=30).status_code == 400
    values = second.http.get(links["onlineMeetingEligibleValues"], timeout=30).json()
    assert "Everyone" in values["accessLevels"] and "None" not in values["accessLevels"]
    phone = second.http.get(links["phoneDialInInformation"], timeout=30).json()
    assert phone["_embedded"]["dialInRegion"][0]["number"].startswith("tel:+")


def test_tickets_expire_and_a_pool_that_users_left_is_gone(sandbox):
    client = Client(sandbox)
    meetings = client.application()["myOnlineMeetings"]
    sandbox.faults(pool=2)
    assert client.http.get(meetings, timeout=30).status_code == 410
    moved = client.application()["myOnlineMeetings"]
    assert "/pool2/" in moved and client.http.get(moved, timeout=30).status_code == 200
    sandbox.faults(pool=2, token_seconds=0)
    assert client.sign_in().status_code == 401
    sandbox.faults(pool=2, homed_online=client.me["address"])
    links = client.sign_in().json()["_links"]
    assert "applications" not in links and "online.lync.com" in links["redirect"]["href"]


# Migrations.


def organised(items):
    """Those of a mailbox's items that are meetings to come which its owner organises on Skype."""
    return [item for item in items if item.skype_url and item.start.year >= 2030 and item.my_response_type == "Organizer"]


def configured(folder, sandbox, users, more=""):
    mms = Mms(folder)
    mms.exchange(sandbox, cloud=[0], office=[1])
    mms.skype(sandbox, users, more)
    return mms.write()


def move(mms, *identities, **options):
    return mms.run("migrate", *(identities or ["--all"]), "--from", "SfB", "--to", "SfB", **options)


def test_meetings_follow_their_organizers_to_another_pool(tmp_path, sandbox):
    before = {item.uid: item for item in sandbox.mailbox(1).calendar.all()}
    mms = configured(tmp_path, sandbox, users=[0, 1])
    said = mms.run("doctor").stdout
    assert "Failed" not in said and "user00001@contoso.example is at" in said, said
    previewed = mms.run("preview", sandbox.address(1), "--from", "SfB", "--to", "SfB").stdout
    assert sandbox.ready["ucwa"]["meet"] in previewed
    assert sandbox.state()["ucwa"] == {"applications": 0, "meetings": []}, "a preview makes nothing"
    move(mms)
    for record in mms.status():
        assert (record["State"], record["MigrationType"], record["FailedMeeting"]) == ("Succeeded", "SfbToSfb", 0), record
    told = sandbox.mails()
    items = {item.uid: item for item in sandbox.mailbox(1).calendar.all()}
    moved = organised(items.values())
    assert len(moved) == len(organised(before.values())) > 3
    for item in moved:
        was = before[item.uid]
        assert item.skype_url.startswith("https://meet2.contoso.example/user00002/"), item.skype_url
        assert item.skype_url in item.body and "+49305550142" in item.body, item.body
        assert not any(old in item.body for old in OLD), item.body
        assert "Agenda: numbers &amp; next steps." in item.body and "wiki.contoso.example/minutes" in item.body
        assert (item.subject, item.start, item.end, item.location) == (was.subject, was.start, was.end, was.location)
    for uid, item in items.items():
        if not was_skype(before[uid]):
            assert item.body == before[uid].body, "other meetings are left as they were"
    state = sandbox.state()["ucwa"]
    assert state["applications"] == 0
    own = [meeting for meeting in state["meetings"] if meeting["user"] == 1]
    assert {f'https://meet2.contoso.example/user00002/{meeting["onlineMeetingId"]}' for meeting in own} >= {item.skype_url for item in moved}
    assert max(told.values()) == 1, told
    move(mms)
    assert sandbox.mails() == told, "a second run tells nobody"
    assert sandbox.state()["ucwa"]["meetings"] == state["meetings"], "and makes nothing"


def was_skype(item):
    return item in organised([item])


def test_a_rollback_restores_the_link_of_the_old_pool(tmp_path, sandbox):
    before = {item.uid: (item.body, item.location, item.skype_url) for item in sandbox.mailbox(1).calendar.all()}
    mms = configured(tmp_path, sandbox, users=[1])
    move(mms, sandbox.address(1))
    assert {item.uid: item.skype_url for item in sandbox.mailbox(1).calendar.all()} != {uid: was[2] for uid, was in before.items()}
    mms.run("rollback", sandbox.address(1))
    after = {item.uid: (item.body, item.location, item.skype_url) for item in sandbox.mailbox(1).calendar.all()}
    assert after == before


def test_current_refreshes_skype_meetings_where_they_are(tmp_path, sandbox):
    mms = configured(tmp_path, sandbox, users=[1])
    move(mms, sandbox.address(1))
    links = {item.uid: item.skype_url for item in sandbox.mailbox(1).calendar.all()}
    told, meetings = sandbox.mails(), sandbox.state()["ucwa"]["meetings"]
    mms.run("migrate", sandbox.address(1), "--from", "SfB", "--to", "Current")
    assert mms.status()[0]["FailedMeeting"] == 0
    assert {item.uid: item.skype_url for item in sandbox.mailbox(1).calendar.all()} == links
    assert (sandbox.mails(), sandbox.state()["ucwa"]["meetings"]) == (told, meetings), "nothing had changed"


def test_who_has_no_password_is_told_which_file_to_fill(tmp_path, sandbox):
    mms = configured(tmp_path, sandbox, users=[0])
    before = {item.uid: item.body for item in sandbox.mailbox(1).calendar.all()}
    move(mms, expect=1)
    states = {record["UserPrincipalName"]: record for record in mms.status()}
    assert states[sandbox.address(0)]["State"] == "Succeeded"
    failed = states[sandbox.address(1)]
    assert failed["State"] == "Failed" and failed["FailedMeeting"] == failed["TotalMeeting"] > 3, failed
    assert failed["LastMessage"].startswith("UcwaCredentialsMissing"), failed
    told = mms.run("history", sandbox.address(1)).stdout
    assert "skype-users.csv" in told and sandbox.address(1) in told, told
    assert "pw+" not in told
    assert {item.uid: item.body for item in sandbox.mailbox(1).calendar.all()} == before
    # With the line in the file it works.
    mms.skype(sandbox, users=[0, 1])
    move(mms, sandbox.address(1))
    assert mms.status()[0]["State"] == "Succeeded"


def test_a_delegate_account_makes_the_meetings_of_all_others(tmp_path, sandbox):
    delegate = sandbox.ready["ucwa"]["users"][3]
    (tmp_path / "skype-password").write_text(delegate["password"] + "\n", encoding="utf-8")
    more = f'delegate = {{ user = "{delegate["user"]}", password_file = "skype-password" }}\n'
    mms = configured(tmp_path, sandbox, users=[], more=more)
    move(mms, sandbox.address(1))
    links = {item.skype_url for item in organised(sandbox.mailbox(1).calendar.all())}
    assert all(link.startswith("https://meet2.contoso.example/user00004/") for link in links), links
    assert {tuple(meeting["leaders"]) for meeting in sandbox.state()["ucwa"]["meetings"]} == {(f"sip:{sandbox.address(1)}",)}


def test_a_pool_that_moves_breaks_and_is_busy_makes_each_meeting_once(tmp_path, sandbox):
    mms = configured(tmp_path, sandbox, users=[0, 1])
    for pool, faults in enumerate([{"lost_answers": 0.3}, {"broken": 0.2}, {"busy": 0.2}, {}], start=3):
        sandbox.faults(pool=pool, **faults)
        move(mms, expect=None)
    for record in mms.status()[:2]:
        assert record["FailedMeeting"] == 0, record
    ids = [meeting["description"] for meeting in sandbox.state()["ucwa"]["meetings"]]
    assert len(ids) == len(set(ids)) > 6
    assert max(sandbox.mails().values()) == 1


def test_meetings_move_over_tls_that_is_trusted(tmp_path):
    with Sandbox("--tls") as sandbox:
        mms = configured(tmp_path, sandbox, users=[1])
        move(mms, sandbox.address(1))
        assert mms.status()[0]["State"] == "Succeeded"


def test_a_run_that_is_killed_makes_each_meeting_once(tmp_path, sandbox):
    mms = configured(tmp_path, sandbox, users=[0, 1])
    sandbox.faults(latency_ms=40)

    def made():
        return sandbox.state()["ucwa"]["meetings"]

    for number in range(1, 8, 2):
        process = mms.start("migrate", sandbox.address(1), "--from", "SfB", "--to", "SfB")
        assert eventually(lambda: len(made()) >= number or process.poll() is not None)
        process.kill()
        process.communicate()
        assert process.returncode < 0, "it was still running"
    sandbox.faults()
    move(mms, sandbox.address(1))
    descriptions = [meeting["description"] for meeting in made()]
    assert len(descriptions) == len(set(descriptions)) > 3, descriptions
    links = {f'https://meet2.contoso.example/user00002/{meeting["onlineMeetingId"]}' for meeting in made()}
    moved = {item.skype_url for item in organised(sandbox.mailbox(1).calendar.all())}
    assert moved and moved <= links
    assert max(sandbox.mails().values()) == 1
