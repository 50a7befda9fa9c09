"""Skype for Business Server: the sandbox as a plain HTTP client sees it, and migrations to its pool."""

import re
import time

import pytest
import requests

from support.sandbox import Sandbox


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
    changed = client.http.put(own, json={"subject": "Budget 2"}, headers={"If-Match": stale}, timeout=30)
    assert changed.status_code == 200
    assert changed.json()["description"] == "" and changed.json()["leaders"] == [], "a full replacement"
    assert client.http.put(own, json=body, headers={"If-Match": stale}, timeout=30).status_code == 412

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
