"""The made-up Exchange organisation of `mms sandbox`, and what other clients see in it."""

import json
import subprocess

import requests
from exchangelib import (
    BASIC, IMPERSONATION, Account, CalendarItem, Configuration, Credentials, EWSTimeZone, Version)
from exchangelib.extended_properties import ExtendedProperty
from exchangelib.version import EXCHANGE_2016

from support.mms import PROGRAM


class TeamsUrl(ExtendedProperty):
    distinguished_property_set_id = "PublicStrings"
    property_name = "SkypeTeamsMeetingUrl"
    property_type = "String"


class SkypeUrl(ExtendedProperty):
    distinguished_property_set_id = "PublicStrings"
    property_name = "OnlineMeetingExternalLink"
    property_type = "String"


class GlobalObjectId(ExtendedProperty):
    distinguished_property_set_id = "Meeting"
    property_id = 3
    property_type = "Binary"


CalendarItem.register("teams_url", TeamsUrl)
CalendarItem.register("skype_url", SkypeUrl)
CalendarItem.register("global_object_id", GlobalObjectId)


class Sandbox:
    """A running sandbox; ends on leaving the context."""

    def __init__(self, *arguments, users=4, meetings=14):
        self._process = subprocess.Popen(
            [PROGRAM, "sandbox", "--users", str(users), "--meetings", str(meetings), *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self.ready = json.loads(self._process.stdout.readline())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()

    def address(self, user):
        return self.ready["users"][user]["address"]

    def state(self):
        return requests.get(self.ready["state"], timeout=30).json()

    def mails(self):
        """How many updates each attendee of each event was sent."""
        return {(mail["event"], mail["attendee"]): mail["count"] for mail in self.state()["mails"]}

    def faults(self, **faults):
        requests.post(self.ready["faults"], json=faults, timeout=30).raise_for_status()

    def mailbox(self, user, auth_type=BASIC, password=None):
        """A user's mailbox through exchangelib, impersonated."""
        account = self.ready["account"]
        configuration = Configuration(
            service_endpoint=self.ready["ews"], credentials=Credentials(account["user"], password or account["password"]),
            auth_type=auth_type, version=Version(EXCHANGE_2016))
        return Account(primary_smtp_address=self.address(user), config=configuration, autodiscover=False,
                       access_type=IMPERSONATION, default_timezone=EWSTimeZone("UTC"))

    def token(self):
        """An access token for Graph."""
        client = self.ready["client"]
        answer = requests.post(self.ready["token"], timeout=30, data={
            "grant_type": "client_credentials", "client_id": client["id"], "client_secret": client["secret"],
            "scope": "https://graph.microsoft.com/.default"})
        answer.raise_for_status()
        return answer.json()["access_token"]
