"""TLS with a private certificate authority."""

import subprocess

import pytest
from support.fault_proxy import FaultProxy
from support.invites import meeting, value
from support.mms import JITSI, Mms


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """A certificate authority, and a certificate of it for 127.0.0.1: (authority, (certificate, key))."""
    folder = tmp_path_factory.mktemp("authority")
    ca, ca_key, certificate, key, request = (folder / name for name in
                                             ("ca.pem", "ca.key", "server.pem", "server.key", "server.csr"))
    (folder / "server.cnf").write_text(
        "basicConstraints=CA:FALSE\nsubjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth\n")
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl("req", "-x509", *curve, "-keyout", ca_key, "-out", ca, "-days", 2, "-subj", "/CN=Tests CA",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    openssl("req", *curve, "-keyout", key, "-out", request, "-subj", "/CN=127.0.0.1")
    openssl("x509", "-req", "-in", request, "-CA", ca, "-CAkey", ca_key, "-CAcreateserial", "-days", 2,
            "-extfile", folder / "server.cnf", "-out", certificate)
    return ca, (certificate, key)


def test_a_private_authority_is_trusted_where_it_is_named(authority, radicale, tmp_path):
    ca, certificate = authority
    invite = meeting(77, "alice", [])
    radicale["alice"].put(invite.file, invite.content)
    with FaultProxy(radicale.url, certificate) as proxy:
        untrusting = Mms(tmp_path / "without")
        untrusting.caldav_calendar(radicale, ["alice"], url=proxy.url)
        untrusting.write()
        refused = untrusting.migrate("alice", expect=None)
        assert refused.returncode != 0
        assert "CalendarUnreachable" in untrusting.status()[0]["LastMessage"]
        assert "certificate" in untrusting.status()[0]["LastMessage"].lower()
        assert proxy.exchanges == [], "nothing was sent"

        trusting = Mms(tmp_path / "with")
        trusting.caldav_calendar(radicale, ["alice"], url=proxy.url, extra=f'ca_file = "{ca}"\n')
        trusting.write()
        trusting.migrate("alice")
    assert JITSI in value(radicale["alice"].get(invite.file), "DESCRIPTION")
