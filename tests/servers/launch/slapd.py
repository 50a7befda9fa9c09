"""OpenLDAP's slapd as a stand-in for Active Directory: the attributes of AD, Exchange and Skype for Business, an
entry for each user, the domains' NetBIOS names, and a certificate of its own making."""

import base64
import os
import uuid

from .session import free_port, require, run

SUFFIX = "DC=example,DC=test"
ADMIN = f"CN=mms,{SUFFIX}"
PASSWORD = "mms-pw"

SCHEMA = """\
attributetype ( 1.1.2.1.1 NAME 'sAMAccountName' EQUALITY caseIgnoreMatch SUBSTR caseIgnoreSubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.1.2.1.2 NAME 'userPrincipalName' EQUALITY caseIgnoreMatch SUBSTR caseIgnoreSubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.1.2.1.3 NAME 'proxyAddresses' EQUALITY caseIgnoreMatch SUBSTR caseIgnoreSubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )
attributetype ( 1.1.2.1.4 NAME 'objectGUID' EQUALITY octetStringMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.40 SINGLE-VALUE )
attributetype ( 1.1.2.1.5 NAME 'msRTCSIP-PrimaryUserAddress' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.1.2.1.6 NAME 'msExchRecipientTypeDetails' EQUALITY integerMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
attributetype ( 1.1.2.1.7 NAME 'targetAddress' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.1.2.1.8 NAME 'nCName' EQUALITY distinguishedNameMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.12 SINGLE-VALUE )
attributetype ( 1.1.2.1.9 NAME 'nETBIOSName' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.1.2.1.10 NAME 'configurationNamingContext' EQUALITY distinguishedNameMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.12 SINGLE-VALUE )
attributetype ( 1.1.2.1.11 NAME 'msExchRemoteRecipientType' EQUALITY integerMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
attributetype ( 1.1.2.1.12 NAME 'homeMDB' EQUALITY distinguishedNameMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.12 SINGLE-VALUE )
objectclass ( 1.1.2.2.1 NAME 'user' SUP inetOrgPerson STRUCTURAL MAY ( sAMAccountName $ userPrincipalName $ proxyAddresses $ objectGUID $ msRTCSIP-PrimaryUserAddress $ msExchRecipientTypeDetails $ msExchRemoteRecipientType $ homeMDB $ targetAddress ) )
objectclass ( 1.1.2.2.2 NAME 'crossRef' SUP top STRUCTURAL MUST cn MAY ( nCName $ nETBIOSName ) )
"""

CONFIGURATION = """\
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
include {directory}/ad.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {directory}/slapd.pid
rootDSE {directory}/root.ldif
TLSCertificateFile {directory}/certificate.pem
TLSCertificateKeyFile {directory}/key.pem
sizelimit size.soft=100 size.hard=100 size.pr=500 size.prtotal=unlimited
database mdb
suffix "{suffix}"
directory {directory}/data
access to dn.subtree="OU=Hidden,{suffix}" by * none
access to * by dn.exact="{admin}" read by anonymous auth by * none
"""

BASE = """\
dn: {suffix}
objectClass: dcObject
objectClass: organization
o: Example
dc: example

dn: {admin}
objectClass: person
cn: mms
sn: mms
userPassword: {password}

dn: OU=Staff,{suffix}
objectClass: organizationalUnit
ou: Staff

dn: CN=Configuration,{suffix}
objectClass: device
cn: Configuration

dn: CN=Partitions,CN=Configuration,{suffix}
objectClass: device
cn: Partitions

dn: CN=EXAMPLE,CN=Partitions,CN=Configuration,{suffix}
objectClass: crossRef
cn: EXAMPLE
nCName: {suffix}
nETBIOSName: EXAMPLE
"""

USER = """
dn: CN={display},OU=Staff,{suffix}
objectClass: user
cn: {display}
sn: {name}
displayName: {display}
sAMAccountName: {name}
userPrincipalName: {name}@{domain}
mail: {name}.mail@{domain}
proxyAddresses: SMTP:{name}.mail@{domain}
proxyAddresses: smtp:{name}.alias@{domain}
msRTCSIP-PrimaryUserAddress: sip:{name}.sip@{domain}
objectGUID:: {guid}
{mailbox}
"""

# What Exchange notes of a mailbox, by the user's name; of the others every second one is in Exchange Online.
MAILBOXES = {
    "room": "msExchRecipientTypeDetails: 16",
    "legacy": f"homeMDB: CN=DB1,CN=Services,CN=Configuration,{SUFFIX}",
    "provisioned": "msExchRecipientTypeDetails: 128\nmsExchRemoteRecipientType: 1",
    "routed": "targetAddress: SMTP:routed@contoso.mail.onmicrosoft.com",
    "nobox": "msExchRecipientTypeDetails: 128",
    "odd": "msExchRecipientTypeDetails: 256",
}


def certificate(session, address):
    """A key and a certificate for localhost and an address, in key.pem and certificate.pem."""
    run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", f"subjectAltName=DNS:localhost,IP:{address}", "-addext", "basicConstraints=critical,CA:FALSE",
         "-keyout", session.path("key.pem"), "-out", session.path("certificate.pem")])
    os.chmod(session.path("key.pem"), 0o600)


def start(session, names, arguments):
    require("/usr/sbin/slapd", "slapd")
    plain, encrypted = free_port(), free_port()
    values = {"directory": session.directory, "suffix": SUFFIX, "admin": ADMIN, "password": PASSWORD}
    session.write("ad.schema", SCHEMA)
    session.write("root.ldif", f"dn:\nconfigurationNamingContext: CN=Configuration,{SUFFIX}\n")
    configuration = session.write("slapd.conf", CONFIGURATION.format(**values))
    certificate(session, "127.0.0.1")
    os.mkdir(session.path("data"))
    users, entries = [], BASE.format(**values)
    for number, name in enumerate(names):
        guid = uuid.uuid5(uuid.NAMESPACE_DNS, f"{name}.{arguments.domain}")
        mailbox = MAILBOXES.get(name, f"msExchRecipientTypeDetails: {2147483648 if number % 2 else 1}")
        entries += USER.format(name=name, display=name.capitalize(), domain=arguments.domain, mailbox=mailbox,
                               guid=base64.b64encode(guid.bytes_le).decode(), **values)
        users.append({"name": name, "id": str(guid), "upn": f"{name}@{arguments.domain}"})
    ldif = session.write("entries.ldif", entries)
    run(["/usr/sbin/slapadd", "-q", "-f", configuration, "-l", ldif])
    process = session.spawn(["/usr/sbin/slapd", "-f", configuration, "-d", "0", "-h",
                             f"ldap://127.0.0.1:{plain} ldaps://127.0.0.1:{encrypted}"])
    session.wait_for_port(process, encrypted)
    return {"url": f"ldap://127.0.0.1:{plain}", "tls_url": f"ldaps://localhost:{encrypted}", "base": SUFFIX,
            "user": ADMIN, "password": PASSWORD, "certificate": session.path("certificate.pem"),
            "filter": "(objectClass=user)", "users": users}
