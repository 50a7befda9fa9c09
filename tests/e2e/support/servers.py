"""Servers started by tests/servers/serve.py, and what their users see in them through another client."""

import base64
import email
import email.policy
import json
import pathlib
import re
import subprocess
import sys
import time
from dataclasses import dataclass

import caldav
import requests

ROOT = pathlib.Path(__file__).resolve().parents[3]


class Started:
    """A started server; ends it on leaving the context."""

    def __init__(self, *arguments):
        self._process = subprocess.Popen(
            [sys.executable, ROOT / "tests/servers/serve.py", *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            raise RuntimeError(f"serve.py {' '.join(arguments)} did not start its server, see its error")
        self.ready = json.loads(line)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        self._process.wait(timeout=60)


def patiently(request):
    """Does `request`, again where the connection broke: SOGo often closes one that it had said it would keep."""
    for _ in range(9):
        try:
            return request()
        except OSError:
            time.sleep(0.05)
    return request()


@dataclass(frozen=True)
class Person:
    """A user of a calendar server, seen through plain requests and the Python caldav library."""

    name: str
    password: str
    address: str
    calendar: str

    def __repr__(self):
        return self.name

    def put(self, event, content):
        """Stores `content` (bytes) as the resource `event`."""
        answer = requests.put(self.calendar + event, data=content, auth=(self.name, self.password),
                              headers={"Content-Type": "text/calendar; charset=utf-8"}, timeout=30)
        answer.raise_for_status()

    def get(self, event):
        """The stored bytes of the resource `event`."""
        answer = requests.get(self.calendar + event, auth=(self.name, self.password), timeout=30)
        answer.raise_for_status()
        return answer.content

    def events(self, url=None):
        """The objects of the calendar (or of the collection `url`), as the caldav library reads them."""
        def read():
            client = caldav.DAVClient(url=url or self.calendar, username=self.name, password=self.password)
            return client.calendar(url=url or self.calendar).objects()

        return patiently(read)

    def resources(self, url=None):
        """The hrefs of the resources in the calendar, or in the collection `url`."""
        answer = requests.request(
            "PROPFIND", url or self.calendar, auth=(self.name, self.password), timeout=30,
            headers={"Depth": "1", "Content-Type": "application/xml"},
            data='<propfind xmlns="DAV:"><prop><getetag/></prop></propfind>')
        answer.raise_for_status()
        return [href for href in re.findall(r"<[^<>]*href>([^<]*)<", answer.text) if href.endswith(".ics")]


class CalendarServer(Started):
    """A calendar server with its users."""

    def __init__(self, name, users=("alice", "bob", "carol")):
        super().__init__(name, "--users", ",".join(users))
        self.name = name
        self.url = self.ready["url"]
        self.scheduling = self.ready["scheduling"]
        self.people = {user["name"]: Person(**user) for user in self.ready["users"]}

    def __getitem__(self, name):
        return self.people[name]


class DavMail(Started):
    """DavMail, which shows the mailboxes of a sandbox as CalDAV to their owners."""

    def __init__(self, sandbox):
        super().__init__("davmail", "--ews", sandbox.ready["ews"])
        self._sandbox = sandbox
        self.url = self.ready["url"]

    def events(self, number):
        """The events in all calendars of a user, by their UID, as the caldav library finds and reads them."""
        user = self._sandbox.ready["users"][number]
        client = caldav.DAVClient(url=self.url, username=user["address"], password=user["password"])
        events = [event for calendar in client.principal().calendars() for event in calendar.events()]
        return {str(event.icalendar_component["UID"]): event for event in events}

    def warnings(self):
        """What DavMail complained of."""
        return pathlib.Path(self.ready["log"]).read_text(encoding="utf-8")


@dataclass(frozen=True)
class Mail:
    """A mail that the SMTP server accepted."""

    sender: str
    recipients: tuple
    message: email.message.EmailMessage

    def part(self, content_type):
        """The text of the first part of that type, or None."""
        for part in self.message.walk():
            if part.get_content_type() == content_type:
                return part.get_content() if content_type.startswith("text/") else part.get_payload(decode=True)
        return None


class SmtpServer(Started):
    """An SMTP server that keeps what it accepts."""

    def __init__(self, *faults):
        super().__init__("smtp", *faults)
        self.host = self.ready["host"]
        self.port = self.ready["port"]
        self.kept = pathlib.Path(self.ready["maildir"]) / "new"

    def mails(self):
        """What was accepted up to now, oldest first."""
        return [self._read(path) for path in sorted(self.kept.iterdir())]

    @staticmethod
    def _read(path):
        message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        return Mail(message["X-Envelope-From"], tuple(message["X-Envelope-To"].split(", ")), message)


class KerberosRealm(Started):
    """A Kerberos realm, and in front of a sandbox a web server that takes its tickets."""

    def __init__(self, sandbox):
        account = sandbox.ready["account"]
        basic = base64.b64encode(f"{account['user']}:{account['password']}".encode()).decode()
        super().__init__("kerberos", "--upstream", sandbox.ready["ews"].split("/EWS/")[0],
                         "--authorization", f"Basic {basic}")

    def ews(self, way="url"):
        """The URL of EWS: with a ticket for each request, for each connection (bound_url) or over TLS (tls_url)."""
        return self.ready[way] + "/EWS/Exchange.asmx"

    def asked(self, kind):
        """How many requests of a kind (AS_REQ, TGS_REQ) the domain controller has let pass or not."""
        return pathlib.Path(self.ready["kdc_log"]).read_text(encoding="utf-8").count(f"{kind} (")
