"""Users out of Active Directory (slapd with its attributes, and Samba in `./test all`), by every form of identity."""

import json
import os
import subprocess

import pytest

from support.invites import meeting, value
from support.mms import JITSI, Mms
from support.sandbox import Sandbox
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


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox("--rooms", "1", users=300) as sandbox:
        yield sandbox


def ldapsearch(ready, *arguments, name=None, password=None, expect=0):
    """What OpenLDAP's client finds in the sandbox; as the account, unless another name (or none, "") is given."""
    account = [] if name == "" else ["-D", name or ready["user"], "-w", password or ready["password"]]
    result = subprocess.run(["ldapsearch", "-x", "-LLL", "-o", "ldif-wrap=no", "-H", ready["url"], *account, *arguments],
                            capture_output=True, text=True, timeout=60)
    assert result.returncode == expect, (result.returncode, result.stdout, result.stderr)
    return result.stdout + result.stderr


@pytest.mark.parametrize("scope, base, query, found", [
    ("sub", "DC=contoso,DC=example", "(&(objectCategory=person)(objectClass=user)(mail=user00002@*))", ["user00002"]),
    ("sub", "dc=CONTOSO, dc=example", "(|(mail=user00002@contoso.example)(sAMAccountName=USER00003))", ["user00002", "user00003"]),
    ("sub", "DC=contoso,DC=example", "(&(sn=Evans)(!(givenName=B*))(givenName<=D))", ["user00065", "user00067"]),
    ("sub", "DC=contoso,DC=example", "(&(mail=*)(userAccountControl:1.2.840.113556.1.4.803:=2))", ["user00301"]),
    ("sub", "DC=contoso,DC=example", "(&(msExchRecipientTypeDetails>=2147483648)(mail=user*9@contoso*))", []),
    ("sub", "DC=contoso,DC=example", "(&(msExchRecipientTypeDetails>=2147483648)(mail=user0002*8@contoso*))", ["user00028"]),
    ("sub", "DC=contoso,DC=example", "(proxyAddresses=SMTP:user00007@mail.contoso.example)", ["user00007"]),
    ("sub", "DC=contoso,DC=example", "(displayName=Chloé\\20Adler)", ["user00003", "user00259"]),
    ("sub", "DC=contoso,DC=example", r"(objectGUID=\01\00\00\00\00\00\00\40\80\00\00\00\00\00\00\00)", ["user00002"]),
    ("one", "DC=contoso,DC=example", "(mail=*)", []),
    ("one", "OU=Staff,DC=contoso,DC=example", "(mail=user00001@*)", ["user00001"]),
    ("base", "CN=Anna Adler,OU=Staff,DC=contoso,DC=example", "(objectClass=*)", ["user00001"]),
    ("sub", "DC=contoso,DC=example", "(noSuchAttribute=*)", []),
    ("sub", "DC=contoso,DC=example", "(!(noSuchAttribute=x))", []),
])
def test_ldapsearch_finds_users_of_the_sandbox(sandbox, scope, base, query, found):
    said = ldapsearch(sandbox.ready["ldap"], "-s", scope, "-b", base, query, "sAMAccountName")
    assert sorted(line.split()[1] for line in said.splitlines() if line.startswith("sAMAccountName:")) == found, said


def test_ldapsearch_reads_the_sandbox_page_by_page(sandbox):
    ready = sandbox.ready["ldap"]
    said = ldapsearch(ready, "-E", "pr=70/noprompt", "-b", ready["base"], "(mail=*)", "mail")
    assert sum(line.startswith("mail: ") for line in said.splitlines()) == 301
    assert said.count("ldap://contoso.example/CN=Configuration,DC=contoso,DC=example") == 1, "with the last page alone"
    said = ldapsearch(ready, "-z", "5", "-b", ready["base"], "(mail=*)", "mail", expect=4)
    assert sum(line.startswith("mail: ") for line in said.splitlines()) == 5


def test_ldapsearch_is_refused_by_the_sandbox_as_by_a_domain_controller(sandbox):
    ready = sandbox.ready["ldap"]
    assert "defaultNamingContext: DC=contoso,DC=example" in ldapsearch(ready, "-s", "base", "-b", "", name="")
    assert "successful bind" in ldapsearch(ready, "-b", ready["base"], name="", expect=1)
    assert "52e" in ldapsearch(ready, "-b", ready["base"], password="wrong", expect=49)
    assert "52e" in ldapsearch(ready, "-b", ready["base"], name="CN=Nobody,DC=contoso,DC=example", expect=49)
    said = ldapsearch(ready, "-b", "CN=Nobody,OU=Staff,DC=contoso,DC=example", expect=32)
    assert "Matched DN: OU=Staff,DC=contoso,DC=example" in said
    ldapsearch(ready, "-b", "nonsense", expect=34)
    deleted = subprocess.run(["ldapdelete", "-x", "-H", ready["url"], "-D", ready["user"], "-w", ready["password"],
                              "CN=Anna Adler,OU=Staff,DC=contoso,DC=example"], capture_output=True, text=True)
    assert deleted.returncode == 53


@pytest.mark.parametrize("tls", [False, True])
def test_each_user_of_a_hybrid_organisation_is_migrated_where_the_mailbox_is(tmp_path, tls):
    with Sandbox(*(["--tls"] if tls else []), users=2, meetings=7) as sandbox:
        ready = sandbox.ready["ldap"]
        mms = Mms(tmp_path)
        mms.exchange(sandbox, cloud=[], office=[])
        mms.write()
        (tmp_path / "ldap-password").write_text(ready["password"] + "\n", encoding="utf-8")
        settings = {"kind": "ldap", "url": ready["url"], "base": ready["base"], "user": ready["user"],
                    "password_file": "ldap-password", "calendar_on_premises": "office", "calendar_online": "cloud",
                    "filter": "(&(objectCategory=person)(mail=*))"}
        if tls:
            settings["ca_file"] = "sandbox.pem"
        section = "".join(f"{key} = {json.dumps(text)}\n" for key, text in settings.items())
        file = tmp_path / "mms.toml"
        file.write_text(file.read_text(encoding="utf-8").replace('file = "users.csv"\n', section), encoding="utf-8")
        assert "2 users, 0 without a calendar" in mms.run("doctor").stdout
        mms.run("migrate", "CONTOSO\\user00001", "sip:user00002@contoso.example", "--to", "Teams")
        assert [row["State"] for row in mms.status()] == ["Succeeded", "Succeeded"]
        for user, calendar in (("user00001", "office"), ("user00002", "cloud")):
            assert f"on [calendar.{calendar}]" in mms.run("doctor", f"{user}@contoso.example").stdout


def test_a_user_of_a_tenant_without_a_calendar_is_told_why(tmp_path, sandbox):
    mms = Mms(tmp_path)
    mms.exchange(sandbox, cloud=[], office=[])
    mms.write()
    file = tmp_path / "mms.toml"
    text = file.read_text(encoding="utf-8")
    access = text.split("[calendar.cloud]\nkind = \"graph\"\n")[1].split("[")[0]
    file.write_text(text.replace('file = "users.csv"\n', f'kind = "graph"\n{access}'), encoding="utf-8")
    why = "the mailbox is in Exchange Online: name its calendar in [directory] calendar_online"
    assert why in mms.run("doctor", "user00001@contoso.example", expect=1).stdout
    assert why in mms.run("preview", "user00001@contoso.example", "--to", "Teams", expect=1).stderr
