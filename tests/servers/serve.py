#!/usr/bin/env python3
"""Starts one real server on free loopback ports, says where it listens, and cleans up after itself.

    serve.py radicale|xandikos|cyrus|davical|sogo|smtp|slapd|samba|kerberos [--users alice,bob] [--users-count N]
    serve.py davmail --ews URL

When the server answers, ONE line of JSON is printed on stdout. The server then runs until stdin is
closed or a SIGTERM or SIGINT arrives; its processes are ended and its files are removed.

A calendar server prints
    {"name", "url", "scheduling", "users": [{"name", "password", "address", "calendar"}]}
(`scheduling`: it delivers invitations itself, RFC 6638), the SMTP server
    {"name", "host", "port", "maildir"}
and a directory
    {"name", "url", "tls_url", "base", "filter", "user", "password", "certificate", "users": [{"name", "id", "upn"}]}
and DavMail, whose users are those of the Exchange that it asks,
    {"name", "url", "log"}
and the Kerberos realm, with a web server in front of --upstream that takes its tickets with each request, with each
connection (bound_url), or over TLS, or the account's NTLM,
    {"name", "url", "bound_url", "tls_url", "ntlm_url", "kdc", "realm", "domain", "user", "password", "keytab", "krb5_config",
     "certificate", "kdc_log"}
"""

import argparse
import json
import os
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from launch import (  # noqa: E402
    cyrus, davical, davmail, kerberos, radicale_server, samba, slapd, smtp_sink, sogo, xandikos_server)
from launch.session import Session, StartFailure  # noqa: E402

SERVERS = {
    "radicale": radicale_server.start,
    "xandikos": xandikos_server.start,
    "cyrus": cyrus.start,
    "davical": davical.start,
    "davmail": davmail.start,
    "sogo": sogo.start,
    "smtp": smtp_sink.start,
    "slapd": slapd.start,
    "samba": samba.start,
    "kerberos": kerberos.start,
}


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("server", choices=SERVERS)
    parser.add_argument("--users", help="names, separated by commas; by default alice,bob,carol")
    parser.add_argument("--users-count", type=int, metavar="N",
                        help="N users named user0001 and so on, instead, or beside those of --users")
    parser.add_argument("--domain", default="example.test", help="the domain of the users' addresses")
    parser.add_argument("--ews", metavar="URL", help="the Exchange Web Services that DavMail asks")
    faults = parser.add_argument_group("faults of the SMTP server")
    faults.add_argument("--reject", action="append", default=[], metavar="ADDRESS",
                        help="answer 550 to this recipient (may be repeated)")
    faults.add_argument("--defer", action="append", default=[], metavar="ADDRESS",
                        help="answer 451 to this recipient (may be repeated)")
    faults.add_argument("--delay", type=float, default=0.0, metavar="SECONDS",
                        help="wait this long before a mail is accepted")
    faults.add_argument("--drop-after-data", type=int, default=0, metavar="N",
                        help="keep the first N mails, then close the connection instead of answering")
    proxied = parser.add_argument_group("what stands behind the web server of the Kerberos realm")
    proxied.add_argument("--upstream", default="http://127.0.0.1:9", metavar="URL", help="the server, without a path")
    proxied.add_argument("--authorization", default="none", metavar="TEXT", help="the header that it is sent")
    return parser.parse_args()


def wait_for_the_end():
    """Returns when stdin is closed or a signal asks for the end."""
    try:
        while os.read(0, 4096):
            pass
    except OSError:
        pass


def main():
    arguments = parse_arguments()

    def end(_signal, _frame):
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    users = arguments.users
    if users is None:
        users = "" if arguments.users_count else "alice,bob,carol"
    names = [name for name in users.split(",") if name]
    names += [f"user{number:04}" for number in range(1, (arguments.users_count or 0) + 1)]
    with Session(arguments.server) as session:
        try:
            ready = SERVERS[arguments.server](session, names, arguments)
        except StartFailure as failure:
            print(f"serve.py: {failure}", file=sys.stderr)
            return 1
        print(json.dumps({"name": arguments.server, **ready}), flush=True)
        wait_for_the_end()
    return 0


if __name__ == "__main__":
    sys.exit(main())
