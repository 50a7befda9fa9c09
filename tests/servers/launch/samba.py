"""Samba as a domain controller: a real Active Directory, with the attributes that Exchange and Skype for Business add
to its schema.

The ports of Active Directory are fixed, so root starts it, each on a loopback address of its own. It answers to
sign-ins over TLS only, as a domain controller does.
"""

import base64
import os
import random
import socket
import uuid

from .session import StartFailure, require, run
from .slapd import MAILBOXES, certificate

REALM, DOMAIN = "EXAMPLE.TEST", "EXAMPLE"
SUFFIX = "DC=example,DC=test"
ADMINISTRATOR, ADMINISTRATOR_PASSWORD = f"Administrator@{REALM}", "Admin-pw-2026"
# A domain controller wants passwords of several kinds of letters.
ACCOUNT, PASSWORD = "mms@example.test", "Mms-pw-2026"

SMB_CONF = """\
[global]
workgroup = {domain}
realm = {realm}
netbios name = DC1
server role = active directory domain controller
server services = ldap
dsdb:schema update allowed = yes
interfaces = {address}/8
bind interfaces only = yes
tls certfile = {directory}/certificate.pem
tls keyfile = {directory}/key.pem
tls cafile =
private dir = {directory}/ad/private
state directory = {directory}/ad/state
lock directory = {directory}/ad
cache directory = {directory}/ad/cache
pid directory = {directory}/ad
ncalrpc dir = {directory}/ad/ncalrpc
winbindd socket directory = {directory}/ad/winbindd
ntp signd socket directory = {directory}/ad/ntp
log file = {directory}/ad/log
"""

# Names with attributeSyntax and oMSyntax (MS-ADTS section 3.1.1.2.2.2): text, a large integer, a name.
TEXT, LARGE_INTEGER, NAME = ("2.5.5.12", 64), ("2.5.5.16", 65), ("2.5.5.1", 127)
ATTRIBUTES = {
    "msRTCSIP-PrimaryUserAddress": TEXT,
    "targetAddress": TEXT,
    "msExchRecipientTypeDetails": LARGE_INTEGER,
    "msExchRemoteRecipientType": LARGE_INTEGER,
    "homeMDB": NAME,
}

ATTRIBUTE = """\
dn: CN={name},CN=Schema,CN=Configuration,{suffix}
changetype: add
objectClass: attributeSchema
lDAPDisplayName: {name}
attributeID: 1.2.840.113556.1.8000.2554.1.{number}
attributeSyntax: {syntax}
oMSyntax: {om_syntax}
isSingleValued: TRUE
searchFlags: 1
isMemberOfPartialAttributeSet: TRUE
{more}
"""

READ_SCHEMA = """\
dn:
changetype: modify
replace: schemaUpdateNow
schemaUpdateNow: 1
-

"""

ENTRIES = """\
dn: CN=DB1,CN=Services,CN=Configuration,{suffix}
changetype: add
objectClass: container

dn: OU=Staff,{suffix}
changetype: add
objectClass: organizationalUnit

dn: CN=mms,CN=Users,{suffix}
changetype: add
objectClass: user
sAMAccountName: mms
userPrincipalName: {account}
unicodePwd:: {password}
userAccountControl: 512

"""

USER = """\
dn: CN={display},OU=Staff,{suffix}
changetype: add
objectClass: user
sn: {name}
displayName: {display}
sAMAccountName: {name}
userPrincipalName: {name}@{domain}
mail: {name}.mail@{domain}
proxyAddresses: SMTP:{name}.mail@{domain}
proxyAddresses: smtp:{name}.alias@{domain}
msRTCSIP-PrimaryUserAddress: sip:{name}.sip@{domain}
{mailbox}

"""


def start(session, names, arguments):
    require("/usr/sbin/samba", "samba-ad-dc")
    require("/usr/share/samba/setup/provision.ldif", "samba-ad-provision")
    if os.geteuid():
        raise StartFailure("Samba listens on the fixed ports of Active Directory: run this as root")
    address = free_address()
    provision(session, address)
    certificate(session, address)
    values = {"directory": session.directory, "address": address, "realm": REALM, "domain": DOMAIN}
    configuration = session.write("smb.conf", SMB_CONF.format(**values))
    for folder in ("cache", "ncalrpc"):
        os.makedirs(session.path("ad", folder), exist_ok=True)
    process = session.spawn(["/usr/sbin/samba", "-i", "-M", "single", "-s", configuration])
    session.wait_until(process, lambda: listens(address), f"listen on {address}")
    extend_schema(session, address)
    return {"url": f"ldap://{address}", "tls_url": f"ldaps://{address}", "base": SUFFIX, "user": ACCOUNT,
            "password": PASSWORD, "certificate": session.path("certificate.pem"),
            "filter": "(&(objectCategory=person)(objectClass=user)(mail=*))",
            "users": add_users(session, address, names, arguments.domain)}


def free_address():
    """A loopback address on which nobody listens on the port of LDAP."""
    while listens(address := f"127.{random.randint(2, 254)}.{random.randint(1, 254)}.{random.randint(1, 254)}"):
        pass
    return address


def listens(address):
    try:
        socket.create_connection((address, 636), timeout=1).close()
        return True
    except OSError:
        return False


def provision(session, address):
    run(["/usr/bin/samba-tool", "domain", "provision", f"--targetdir={session.path('ad')}", f"--realm={REALM}",
         f"--domain={DOMAIN}", "--server-role=dc", "--dns-backend=NONE", "--host-name=dc1", f"--host-ip={address}",
         f"--adminpass={ADMINISTRATOR_PASSWORD}", f"--option=interfaces={address}/8",
         "--option=bind interfaces only=yes"])


def ldap(command, session, address, *arguments, **options):
    """Runs one of OpenLDAP's clients as the administrator."""
    return run([f"/usr/bin/{command}", "-x", "-H", f"ldaps://{address}", "-D", ADMINISTRATOR,
                "-w", ADMINISTRATOR_PASSWORD, *arguments],
               env={**os.environ, "LDAPTLS_CACERT": session.path("certificate.pem")}, **options)


def extend_schema(session, address):
    """What the setups of Exchange and Skype for Business do to the forest."""
    entries, may_contain = "", ""
    for number, (name, (syntax, om_syntax)) in enumerate(ATTRIBUTES.items(), start=1):
        # OM_S object class DS-DN
        more = "oMObjectClass:: KwwCh3McAIVK\n" if om_syntax == 127 else ""
        entries += ATTRIBUTE.format(name=name, suffix=SUFFIX, number=number, syntax=syntax, om_syntax=om_syntax, more=more)
        may_contain += f"mayContain: {name}\n"
    entries += READ_SCHEMA
    entries += (f"dn: CN=User,CN=Schema,CN=Configuration,{SUFFIX}\nchangetype: modify\nadd: mayContain\n"
                f"{may_contain}-\n\n{READ_SCHEMA}")
    ldap("ldapmodify", session, address, "-f", session.write("schema.ldif", entries))


def add_users(session, address, names, domain):
    password = base64.b64encode(f'"{PASSWORD}"'.encode("utf-16-le")).decode()
    entries = ENTRIES.format(suffix=SUFFIX, account=ACCOUNT, password=password)
    for number, name in enumerate(names):
        mailbox = MAILBOXES.get(name, f"msExchRecipientTypeDetails: {2147483648 if number % 2 else 1}")
        entries += USER.format(name=name, display=name.capitalize(), domain=domain, suffix=SUFFIX, mailbox=mailbox)
    ldap("ldapmodify", session, address, "-f", session.write("entries.ldif", entries))
    found = ldap("ldapsearch", session, address, "-LLL", "-o", "ldif-wrap=no", "-E", "pr=500/noprompt", "-b",
                 f"OU=Staff,{SUFFIX}", "(objectClass=user)", "sAMAccountName", "objectGUID")
    ids = {}
    for entry in found.split("\n\n"):
        values = dict(line.split(": ", 1) for line in entry.splitlines() if ": " in line and not line.startswith("#"))
        if "sAMAccountName" in values:
            # ldapsearch writes base64 after two colons.
            ids[values["sAMAccountName"]] = str(uuid.UUID(bytes_le=base64.b64decode(values["objectGUID:"])))
    return [{"name": name, "id": ids[name], "upn": f"{name}@{domain}"} for name in names]
