"""Users out of Active Directory (slapd with its attributes, and Samba in `./test all`), by every form of identity."""

import json
import os
import subprocess

import pytest

from support.invites import meeting, value
from support.mms import JITSI, Mms
from support.servers import Started


SERVERS = ["slapd"]
# Its ports are root's.
if os.environ.get("MMS_TEST_ALL_SERVERS") and os.geteuid() == 0:
    SERVERS.append("samba")


@pytest.fixture(scope="module", params=SERVERS)
def directory(request):
    with Started(request.param, "--users", "alice,bob,carol") as started:
        yield started.ready


def configured(folder, directory, **settings):
    """A folder of .ics files for each user, found by their logon name."""
    mms = Mms(folder)
    mms.ics_calendar(["alice", "bob", "carol"])
    mms.engine(notify="none")
    mms.write()
    (folder / "ldap-password").write_text(directory["password"] + "\n", encoding="utf-8")
    settings = {"kind": "ldap", "url": directory["tls_url"], "ca_file": directory["certificate"], "base": directory["base"],
                "user": directory["user"], "password_file": "ldap-password", "filter": directory["filter"],
                "place_attribute": "sAMAccountName", **settings}
    section = "".join(f"{key} = {json.dumps(text)}\n" for key, text in settings.items())
    file = folder / "mms.toml"
    file.write_text(file.read_text(encoding="utf-8").replace('file = "users.csv"\n', section), encoding="utf-8")
    return mms


@pytest.mark.parametrize("identity", [
    "alice@example.test", "sip:alice.sip@example.test", "EXAMPLE\\alice", "Alice", "alice.alias@example.test",
    "CN=Alice,OU=Staff,DC=example,DC=test"])
def test_every_form_of_identity_migrates_the_user(tmp_path, directory, identity):
    mms = configured(tmp_path, directory)
    invite = meeting(1, "alice", ["bob"])
    place = tmp_path / "calendars/alice" / invite.file
    place.write_bytes(invite.content)
    mms.run("migrate", identity, "--to", "Jitsi")
    assert JITSI in value(place.read_bytes(), "DESCRIPTION")
    assert mms.status()[0]["UserPrincipalName"] == "alice@example.test"


def test_who_is_unknown_or_meant_twice_is_an_error_of_its_own(tmp_path, directory):
    mms = configured(tmp_path, directory)
    assert "no user in the directory" in mms.run("migrate", "dave@example.test", "--to", "Jitsi", expect=3).stderr
    assert "3 users have the display name" in mms.run("migrate", "*", "--to", "Jitsi", expect=3).stderr


def test_doctor_tries_the_directory(tmp_path, directory):
    mms = configured(tmp_path, directory)
    said = mms.run("doctor").stdout
    assert "3 users, 0 without a calendar" in said, said
    (tmp_path / "ldap-password").write_text("wrong\n", encoding="utf-8")
    result = mms.run("doctor", expect=1)
    assert "correct user and password_file" in result.stdout, result.stdout
    assert "wrong" not in (result.stdout + result.stderr).replace("wrong)", "")


def test_a_user_without_a_calendar_is_told_why(tmp_path, directory):
    mms = configured(tmp_path, directory, calendar_on_premises="files")
    assert "3 users, 1 without a calendar" in mms.run("doctor").stdout
    why = "the mailbox is in Exchange Online: name its calendar in [directory] calendar_online"
    assert why in mms.run("doctor", "bob@example.test", expect=1).stdout
    assert why in mms.run("preview", "bob@example.test", "--to", "Jitsi", expect=1).stderr
    mms.run("migrate", "bob@example.test", "--to", "Jitsi", expect=1)
    message = mms.status()[0]["LastMessage"]
    assert message.startswith("NoCalendar: ") and why in message, message
    mms.run("migrate", "alice@example.test", "--to", "Jitsi")


def test_an_untrusted_server_gets_no_password(tmp_path, directory):
    mms = configured(tmp_path, directory, ca_file=str(tmp_path / "other.pem"))
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=other",
                    "-keyout", tmp_path / "other.key", "-out", tmp_path / "other.pem"], check=True, capture_output=True)
    assert "ca_file" in mms.run("migrate", "alice@example.test", "--to", "Jitsi", expect=None).stderr


def test_ldapsearch_sees_what_mms_sees(directory):
    """The stand-in is a directory to another client, too."""
    # OpenLDAP compares a certificate for localhost with the machine's own name.
    url = directory["tls_url"].replace("localhost", "127.0.0.1")
    found = subprocess.run(
        ["ldapsearch", "-x", "-LLL", "-H", url, "-D", directory["user"], "-w", directory["password"],
         "-b", directory["base"], "(msRTCSIP-PrimaryUserAddress=sip:bob.sip@example.test)", "userPrincipalName"],
        check=True, capture_output=True, text=True, env={**os.environ, "LDAPTLS_CACERT": directory["certificate"]}).stdout
    assert "userPrincipalName: bob@example.test" in found
