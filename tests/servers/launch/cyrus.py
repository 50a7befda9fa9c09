"""Cyrus IMAP: schedules by itself (RFC 6638) and sends Schedule-Tags.

It runs as the user `cyrus` when started by root, else as whoever starts it. Every service line names its
own configuration, since a Cyrus program without `-C` reads the machine's /etc/imapd.conf.
"""

import getpass
import grp
import imaplib
import os
import shutil

from .http import request
from .session import StartFailure, free_port, require, run, user_record

PROGRAMS = "/usr/lib/cyrus/bin"
ADMINISTRATOR, ADMINISTRATOR_PASSWORD = "cyrus", "cyrus-pw"

IMAPD_CONF = """\
configdirectory: {directory}/config
proc_path: {directory}/run/proc
mboxname_lockpath: {directory}/run/lock
partition-default: {directory}/spool
sievedir: {directory}/sieve
servername: localhost
admins: cyrus
cyrus_user: {user}
cyrus_group: {group}
allowplaintext: yes
unixhierarchysep: yes
virtdomains: off
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: {directory}/sasldb2
sasl_mech_list: PLAIN LOGIN
httpmodules: caldav
caldav_allowscheduling: on
calendar_user_address_set: {domain}
idlesocket: {directory}/run/socket/idle
lmtpsocket: {directory}/run/socket/lmtp
notifysocket: {directory}/run/socket/notify
httpkeepalive: 20
"""

CYRUS_CONF = """\
START {{
  recover cmd="{programs}/ctl_cyrusdb -C {imapd_conf} -r"
}}
SERVICES {{
  imap cmd="imapd -C {imapd_conf} -U 30" listen="127.0.0.1:{imap_port}" prefork=0 maxchild=10
  http cmd="httpd -C {imapd_conf} -U 30" listen="127.0.0.1:{http_port}" prefork=2 maxchild=20
}}
EVENTS {{
  checkpoint cmd="{programs}/ctl_cyrusdb -C {imapd_conf} -c" period=30
}}
"""


def start(session, names, arguments):
    require(f"{PROGRAMS}/master", "cyrus-imapd")
    require(f"{PROGRAMS}/httpd", "cyrus-caldav")
    saslpasswd = shutil.which("saslpasswd2", path=os.environ.get("PATH", "") + ":/usr/sbin")
    if saslpasswd is None:
        raise StartFailure("saslpasswd2 is missing: install sasl2-bin, or run ./test, which does")
    account, group = ("cyrus", "mail") if os.geteuid() == 0 else (getpass.getuser(), None)
    imap_port, http_port = free_port(), free_port()
    imapd_conf = session.write("imapd.conf", IMAPD_CONF.format(
        directory=session.directory, domain=arguments.domain, user=account,
        group=group or grp.getgrgid(os.getegid()).gr_name))
    cyrus_conf = session.write("cyrus.conf", CYRUS_CONF.format(
        programs=PROGRAMS, imapd_conf=imapd_conf, imap_port=imap_port, http_port=http_port))
    url = f"http://127.0.0.1:{http_port}"
    users = [user_record(name, arguments.domain, url, f"/dav/calendars/user/{name}/Default/") for name in names]
    passwords = [(u["name"], u["password"]) for u in users] + [(ADMINISTRATOR, ADMINISTRATOR_PASSWORD)]
    for name, password in passwords:
        run([saslpasswd, "-p", "-c", "-u", "localhost", "-f", session.path("sasldb2"), name], input=password)
    for part in ("config", "run/proc", "run/lock", "run/socket", "spool", "sieve"):
        os.makedirs(session.path(part))
    if group:
        run(["chown", "-R", f"{account}:{group}", session.directory])

    process = session.spawn(
        [f"{PROGRAMS}/master", "-C", imapd_conf, "-M", cyrus_conf, "-p", session.path("run", "master.pid"), "-D"],
        **({"user": account, "group": group} if group else {}))
    session.wait_for_port(process, imap_port)
    session.wait_for_port(process, http_port)
    with imaplib.IMAP4("127.0.0.1", imap_port, timeout=30) as imap:
        imap.login(ADMINISTRATOR, ADMINISTRATOR_PASSWORD)
        for name in names:
            status, answer = imap.create(f"user/{name}")
            if status != "OK":
                raise StartFailure(f"Cyrus does not create the mailbox of {name}: {answer}")
    for user in users:
        # The first DAV request of a user makes Default, Inbox and Outbox.
        request("PROPFIND", f"{url}/dav/calendars/user/{user['name']}/", user, headers={"Depth": "1"})
    return {"url": url + "/dav/", "scheduling": True, "users": users}
