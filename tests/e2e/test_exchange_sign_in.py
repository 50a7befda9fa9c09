"""Windows sign-in. NTLM: the sandbox, which signs connections in and not requests, as curl and exchangelib meet it, and as mms
does. Kerberos: mms at a web server in front of the sandbox that takes tickets, with those of a real domain controller."""

import base64
import hashlib
import os
import ssl
import subprocess

import pytest
import requests
import spnego
from exchangelib import NTLM
from exchangelib.errors import UnauthorizedError
from spnego.channel_bindings import GssChannelBindings

from support.mms import Mms
from support.sandbox import Sandbox
from support.servers import KerberosRealm

REQUEST = (
    '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
    '<m:GetFolder xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages" '
    'xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types">'
    '<m:FolderShape><t:BaseShape>IdOnly</t:BaseShape></m:FolderShape>'
    '<m:FolderIds><t:DistinguishedFolderId Id="calendar"/></m:FolderIds></m:GetFolder></s:Body></s:Envelope>')


@pytest.fixture
def sandbox():
    with Sandbox() as sandbox:
        sandbox.faults(no_basic=True)
        yield sandbox


@pytest.fixture
def tls_sandbox(tmp_path, monkeypatch):
    """A sandbox with TLS whose certificate requests and curl trust."""
    with Sandbox("--tls") as sandbox:
        authority = tmp_path / "sandbox.pem"
        authority.write_text(sandbox.ready["certificate"], encoding="utf-8")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority))
        monkeypatch.setenv("CURL_CA_BUNDLE", str(authority))
        yield sandbox


def curl(sandbox, user, password, *arguments):
    """The statuses of `curl --ntlm` for two requests on one connection."""
    answer = subprocess.run(
        ["curl", "--silent", "--ntlm", "--user", f"{user}:{password}", "--data", REQUEST, "--header",
         "Content-Type: text/xml", "--output", "/dev/null", "--output", "/dev/null", "--write-out", "%{http_code}\n",
         *arguments, sandbox.ready["ews"], sandbox.ready["ews"]],
        capture_output=True, text=True, timeout=60)
    return answer.stdout.split()


def test_curl_signs_a_connection_in(sandbox):
    account = sandbox.ready["account"]
    for name in (account["user"], account["upn"], "contoso.example\\MMS"):
        assert curl(sandbox, name, account["password"]) == ["200", "200"], name
    state = sandbox.state()
    # The second request of each connection needs none.
    assert state["requests"] == {"GetFolder": 6, "ntlmChallenge": 3} and state["signIns"] == 3, state


def test_a_wrong_password_another_user_and_basic_are_refused(sandbox):
    account = sandbox.ready["account"]
    assert set(curl(sandbox, account["user"], "wrong")) == {"401"}
    assert set(curl(sandbox, "CONTOSO\\somebody", account["password"])) == {"401"}
    assert set(curl(sandbox, "FABRIKAM\\mms", account["password"])) == {"401"}
    answer = requests.post(sandbox.ready["ews"], REQUEST, auth=(account["user"], account["password"]), timeout=30)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "NTLM"
    assert "GetFolder" not in sandbox.state()["requests"]


def test_what_a_connection_was_told_is_worth_nothing_on_another(sandbox):
    first = {"Authorization": "NTLM TlRMTVNTUAABAAAABoIIAAAAAAAAAAAAAAAAAAAAAAA="}
    with requests.Session() as one, requests.Session() as other:
        challenge = one.post(sandbox.ready["ews"], headers=first, timeout=30)
        assert challenge.headers["WWW-Authenticate"].startswith("NTLM TlRMTVNTUAAC")
        answer = {"Authorization": challenge.headers["WWW-Authenticate"].replace("TlRMTVNTUAAC", "TlRMTVNTUAAD")}
        assert other.post(sandbox.ready["ews"], REQUEST, headers=answer, timeout=30).status_code == 401
    assert sandbox.state()["refusals"] == {"NTLM: this connection was not challenged": 1}


def test_exchangelib_reads_a_mailbox_by_ntlm(sandbox):
    assert len(list(sandbox.mailbox(1, NTLM).calendar.all())) == 15
    assert sandbox.state()["signIns"] >= 1
    with pytest.raises(UnauthorizedError):
        list(sandbox.mailbox(2, NTLM, password="wrong").calendar.all())


def test_a_channel_binding_is_asked_for_over_tls(tls_sandbox):
    # exchangelib binds its sign-in to the certificate, curl does not.
    account = tls_sandbox.ready["account"]
    assert curl(tls_sandbox, account["user"], account["password"]) == ["200", "200"]
    tls_sandbox.faults(no_basic=True, channel_binding_required=True)
    assert len(list(tls_sandbox.mailbox(1, NTLM).calendar.all())) == 15
    assert set(curl(tls_sandbox, account["user"], account["password"])) == {"401"}
    assert tls_sandbox.state()["refusals"] == {"NTLM: the channel binding is missing": 2}


def test_a_sign_in_that_is_bound_to_another_certificate_is_refused(tls_sandbox):
    # As it comes to a server when somebody sits in between. pyspnego makes the messages.
    ready = tls_sandbox.ready
    # The first certificate is that of HTTPS, the second that of LDAP.
    first = ready["certificate"].partition(ssl.PEM_FOOTER)[0] + ssl.PEM_FOOTER
    right = hashlib.sha256(ssl.PEM_cert_to_DER_cert(first)).digest()
    for hashed, status in ((right, 200), (bytes(32), 401)):
        bindings = GssChannelBindings(application_data=b"tls-server-end-point:" + hashed)
        client = spnego.client(ready["account"]["user"], ready["account"]["password"], protocol="ntlm",
                               channel_bindings=bindings, options=spnego.NegotiateOptions.use_ntlm)
        with requests.Session() as session:
            def said(token, body=""):
                headers = {"Authorization": "NTLM " + base64.b64encode(token).decode(), "Content-Type": "text/xml"}
                return session.post(ready["ews"], body, headers=headers, timeout=30)

            challenge = said(client.step()).headers["WWW-Authenticate"].removeprefix("NTLM ")
            assert said(client.step(base64.b64decode(challenge)), REQUEST).status_code == status
    assert tls_sandbox.state()["refusals"] == {"NTLM: the channel binding is that of another certificate": 1}


def configured(folder, sandbox):
    mms = Mms(folder)
    mms.exchange(sandbox, cloud=[], office=[0, 1, 2, 3], sign_in="ntlm")
    mms.write()
    return mms


def test_mailboxes_move_by_ntlm_alone(tmp_path, sandbox):
    mms = configured(tmp_path, sandbox)
    assert "Failed" not in mms.run("doctor").stdout
    mms.run("migrate", "--all", "--to", "Teams")
    assert {record["SucceededMeeting"] for record in mms.status()} == {14}
    state = sandbox.state()
    assert "unauthorised" not in state["requests"] and state["signIns"] <= 8 + 1, state
    online = [item for item in sandbox.mailbox(1, NTLM).calendar.all() if item.teams_url]
    assert len(online) == 12


def test_mailboxes_move_with_extended_protection(tmp_path, tls_sandbox):
    tls_sandbox.faults(no_basic=True, channel_binding_required=True)
    mms = configured(tmp_path, tls_sandbox)
    mms.run("migrate", "--all", "--to", "Teams")
    assert {record["SucceededMeeting"] for record in mms.status()} == {14}
    assert tls_sandbox.state()["refusals"] == {}


def test_a_wrong_password_is_tried_once_for_all_users(tmp_path, sandbox, monkeypatch):
    mms = configured(tmp_path, sandbox)
    (tmp_path / "ews-password").write_text("n0t-the-pa55word\n", encoding="utf-8")
    said = mms.run("doctor", expect=1).stdout
    assert "check user and password" in said, said
    monkeypatch.setenv("MMS_LOG", "trace")
    result = mms.run("migrate", "--all", "--to", "Teams", expect=1)
    assert "sqlx::query" in result.stderr, "everything is logged"
    told = result.stdout + result.stderr + mms.run("history", sandbox.address(1)).stdout
    assert "CalendarAccessDenied" in told
    for secret in ("n0t-the-pa55word", "TlRMTVNTUA", "NTLMSSP"):
        assert secret not in told, told
    assert sandbox.state()["refusals"] == {"NTLM: the password is wrong": 2}, "once by each command"
    assert sandbox.mails() == {}


@pytest.fixture
def realm():
    with Sandbox() as sandbox, KerberosRealm(sandbox) as realm:
        realm.sandbox = sandbox
        yield realm


def test_curl_is_let_in_with_a_ticket_and_not_without(tmp_path, realm):
    environment = {**os.environ, "KRB5_CONFIG": realm.ready["krb5_config"], "KRB5CCNAME": str(tmp_path / "tickets")}
    asking = ["curl", "--silent", "--output", "/dev/null", "--write-out", "%{http_code}", "--negotiate", "--user", ":",
              "--cacert", realm.ready["certificate"], "--header", "Content-Type: text/xml", "--data", REQUEST]

    def status(way):
        return subprocess.run([*asking, realm.ews(way)], env=environment, capture_output=True, text=True, timeout=60).stdout

    assert status("url") == "401"
    subprocess.run(["kinit", "-k", "-t", realm.ready["keytab"], "mms@EXAMPLE.TEST"], env=environment, check=True)
    assert [status(way) for way in ("url", "bound_url", "tls_url")] == ["200"] * 3


def kerberos(folder, realm, way, key, more=""):
    """mms, signing in with a ticket; `key` is the part of `auth` that proves the account."""
    mms = Mms(folder)
    ready = realm.ready
    mms.exchange(realm.sandbox, cloud=[], office=[0, 1, 2, 3], url=realm.ews(way),
                 auth=f'{{ type = "kerberos", user = "{ready["user"]}@{ready["realm"]}", {key} }}\n{more}')
    (folder / "kerberos-password").write_text(ready["password"] + "\n", encoding="utf-8")
    mms.write()
    return mms


def test_another_server_takes_the_ntlm_of_mms(tmp_path, realm):
    # gss-ntlmssp, which checks with code of its own.
    ready = realm.ready
    mms = Mms(tmp_path)
    mms.exchange(realm.sandbox, cloud=[], office=[0, 1, 2, 3], url=realm.ews("ntlm_url"), auth=(
        f'{{ type = "ntlm", user = "{ready["domain"]}\\\\{ready["user"]}", password_file = "password" }}'))
    mms.write()
    (tmp_path / "password").write_text("n0t-the-pa55word\n", encoding="utf-8")
    assert "check user and password" in mms.run("doctor", expect=1).stdout
    (tmp_path / "password").write_text(ready["password"] + "\n", encoding="utf-8")
    mms.run("migrate", "--all", "--to", "Teams")
    assert {record["SucceededMeeting"] for record in mms.status()} == {14}


def test_a_server_that_takes_no_tickets_says_what_it_has(tmp_path, realm):
    kdc = f'kdc = "{realm.ready["kdc"]}", spn = "HTTP/localhost"'
    mms = kerberos(tmp_path, realm, "url", f'keytab_file = "{realm.ready["keytab"]}", {kdc}')
    file = tmp_path / "mms.toml"
    file.write_text(file.read_text(encoding="utf-8").replace(realm.ews(), realm.sandbox.ready["ews"]), encoding="utf-8")
    assert "does not offer Negotiate (Kerberos), but NTLM, Basic" in mms.run("doctor", expect=1).stdout


@pytest.mark.parametrize("way", ["url", "bound_url", "tls_url"])
def test_mailboxes_move_with_a_ticket(tmp_path, realm, way):
    ready = realm.ready
    trust = f'ca_file = "{ready["certificate"]}"\n' if way == "tls_url" else ""
    mms = kerberos(tmp_path, realm, way, f'keytab_file = "{ready["keytab"]}", kdc = "{ready["kdc"]}"', trust)
    said = mms.run("doctor").stdout
    assert "Failed" not in said, said
    mms.run("migrate", "--all", "--to", "Teams")
    assert {record["SucceededMeeting"] for record in mms.status()} == {14}
    # One by each command: a ticket serves more than one connection, and more than one request.
    assert (realm.asked("AS_REQ"), realm.asked("TGS_REQ")) == (4, 2)


def test_a_password_does_in_place_of_a_keytab(tmp_path, realm, monkeypatch):
    monkeypatch.setenv("KRB5_CONFIG", realm.ready["krb5_config"])
    mms = kerberos(tmp_path, realm, "url", 'password_file = "kerberos-password"')
    mms.run("migrate", realm.sandbox.address(0), "--to", "Teams")
    assert mms.status()[0]["SucceededMeeting"] == 14


def test_what_the_domain_controller_refuses_says_what_to_do(tmp_path, realm):
    kdc = f'kdc = "{realm.ready["kdc"]}"'
    password = f'password_file = "kerberos-password", {kdc}'
    mms = kerberos(tmp_path / "password", realm, "url", password)
    (tmp_path / "password" / "kerberos-password").write_text("n0t-the-pa55word\n", encoding="utf-8")
    result = mms.run("migrate", "--all", "--to", "Teams", expect=1)
    asked = realm.asked("AS_REQ")
    told = result.stdout + result.stderr + mms.run("history", realm.sandbox.address(1)).stdout
    assert "CalendarAccessDenied" in told and "the password or the key is wrong" in told, told
    assert "n0t-the-pa55word" not in told
    assert asked == 2, "one to be told the salt, one with the password"
    mms = kerberos(tmp_path / "service", realm, "url", password + ', spn = "HTTP/other.example.test"')
    assert "setspn" in mms.run("doctor", expect=1).stdout
    mms = kerberos(tmp_path / "nobody", realm, "url", password)
    file = tmp_path / "nobody" / "mms.toml"
    file.write_text(file.read_text(encoding="utf-8").replace("mms@EXAMPLE.TEST", "somebody@EXAMPLE.TEST"), encoding="utf-8")
    assert "client not found" in mms.run("doctor", expect=1).stdout
    mms = kerberos(tmp_path / "nowhere", realm, "url", 'password_file = "kerberos-password", kdc = "127.0.0.1:9"')
    assert "domain controller" in mms.run("doctor", expect=1).stdout
