"""A Kerberos realm (MIT krb5) and, in front of another server, Apache with mod_auth_gssapi as the one that accepts its
tickets, and NTLM (gss-ntlmssp) for the same account. What Apache lets pass it hands on with the other server's own
authorization."""

import os

from .session import free_port, require, run

REALM = "EXAMPLE.TEST"
DOMAIN = "EXAMPLE"
USER = "mms"
PASSWORD = "mms-kerberos-pw"

KRB5_CONF = """\
[libdefaults]
    default_realm = {realm}
    dns_lookup_kdc = false
    dns_lookup_realm = false
    rdns = false
    dns_canonicalize_hostname = false

[realms]
    {realm} = {{
        kdc = 127.0.0.1:{kdc}
    }}

[domain_realm]
    localhost = {realm}
    example.test = {realm}
"""

KDC_CONF = """\
[kdcdefaults]
    kdc_listen = 127.0.0.1:{kdc}
    kdc_tcp_listen = 127.0.0.1:{kdc}

[realms]
    {realm} = {{
        database_name = {directory}/principal
        key_stash_file = {directory}/stash
        acl_file = {directory}/kadm5.acl
        supported_enctypes = aes256-cts-hmac-sha1-96:normal aes128-cts-hmac-sha1-96:normal
        default_principal_flags = +preauth
    }}

[logging]
    kdc = FILE:{directory}/kdc.log
"""

APACHE_CONF = """\
ServerName localhost
ServerRoot {directory}
PidFile {directory}/apache.pid
ErrorLog {directory}/apache-error.log
LogLevel warn auth_gssapi:debug
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authn_core_module {modules}/mod_authn_core.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule authz_user_module {modules}/mod_authz_user.so
LoadModule auth_gssapi_module {modules}/mod_auth_gssapi.so
LoadModule headers_module {modules}/mod_headers.so
LoadModule proxy_module {modules}/mod_proxy.so
LoadModule proxy_http_module {modules}/mod_proxy_http.so
LoadModule ssl_module {modules}/mod_ssl.so
User www-data
Group www-data
Listen 127.0.0.1:{plain}
Listen 127.0.0.1:{bound}
Listen 127.0.0.1:{encrypted}
Listen 127.0.0.1:{ntlm}
KeepAlive On
{hosts}"""

HOST = """\
<VirtualHost 127.0.0.1:{port}>
    {more}
    <Location "/">
        AuthType GSSAPI
        AuthName "Kerberos"
        GssapiAllowedMech {mechanism}
        GssapiConnectionBound {is_bound}
        Require {who}
        RequestHeader set Authorization "{authorization}"
        ProxyPass "{upstream}/"
    </Location>
</VirtualHost>
"""

TLS = """SSLEngine On
    SSLCertificateFile {directory}/certificate.pem
    SSLCertificateKeyFile {directory}/key.pem"""

MODULES = "/usr/lib/apache2/modules"


def start(session, _names, arguments):
    for path, package in (("/usr/sbin/krb5kdc", "krb5-kdc"), ("/usr/sbin/kadmin.local", "krb5-admin-server"),
                          ("/etc/gss/mech.d/mech.ntlmssp.conf", "gss-ntlmssp"), ("/usr/sbin/apache2", "apache2"), (f"{MODULES}/mod_auth_gssapi.so", "libapache2-mod-auth-gssapi")):
        require(path, package)
    ports = {name: free_port() for name in ("kdc", "plain", "bound", "encrypted", "ntlm")}
    values = {"directory": session.directory, "realm": REALM, "user": USER, "modules": MODULES,
              "authorization": arguments.authorization, "upstream": arguments.upstream, **ports}
    environment = {"KRB5_CONFIG": session.write("krb5.conf", KRB5_CONF.format(**values)),
                   "KRB5_KDC_PROFILE": session.write("kdc.conf", KDC_CONF.format(**values))}
    start_realm(session, environment, ports["kdc"])
    run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE",
         "-keyout", session.path("key.pem"), "-out", session.path("certificate.pem")])
    ticket = f"krb5\n        GssapiCredStore keytab:{session.path('service.keytab')}"

    def host(name, is_bound="Off", mechanism=ticket, who=f"user {USER}@{REALM}", more=""):
        return HOST.format(port=ports[name], is_bound=is_bound, mechanism=mechanism, who=who, more=more, **values)

    hosts = [host("plain"), host("bound", "On"), host("encrypted", more=TLS.format(**values)),
             host("ntlm", "On", "ntlmssp", "valid-user")]
    configuration = session.write("apache.conf", APACHE_CONF.format(hosts="".join(hosts), **values), 0o600)
    passwords = session.write("ntlm-passwords", f"{DOMAIN}:{USER}:{PASSWORD}\n")
    # What Apache has seen of authenticators, written by its own user.
    os.mkdir(session.path("replay"))
    os.chmod(session.path("replay"), 0o777)
    process = session.spawn(["/usr/sbin/apache2", "-f", configuration, "-D", "FOREGROUND"],
                            environment={**environment, "KRB5RCACHEDIR": session.path("replay"), "NTLM_USER_FILE": passwords})
    session.wait_for_port(process, ports["encrypted"])
    return {"url": f"http://localhost:{ports['plain']}", "bound_url": f"http://localhost:{ports['bound']}",
            "tls_url": f"https://localhost:{ports['encrypted']}", "ntlm_url": f"http://localhost:{ports['ntlm']}",
            "domain": DOMAIN, "kdc": f"127.0.0.1:{ports['kdc']}",
            "realm": REALM, "user": USER, "password": PASSWORD, "keytab": session.path("user.keytab"),
            "krb5_config": environment["KRB5_CONFIG"], "certificate": session.path("certificate.pem"),
            "kdc_log": session.path("kdc.log")}


def start_realm(session, environment, port):
    """Makes the realm's database, the account, the service and their keys, and starts the KDC."""
    everything = {"env": {**os.environ, **environment}}
    run(["/usr/sbin/kdb5_util", "create", "-s", "-r", REALM, "-P", "master-pw"], **everything)

    def administer(query):
        run(["/usr/sbin/kadmin.local", "-r", REALM, "-q", query], **everything)

    administer(f"addprinc -pw {PASSWORD} {USER}")
    # The account's key as its password makes it, so that both work.
    administer(f"ktadd -norandkey -k {session.path('user.keytab')} {USER}")
    administer("addprinc -randkey HTTP/localhost")
    administer(f"ktadd -k {session.path('service.keytab')} HTTP/localhost")
    os.chmod(session.path("service.keytab"), 0o644)
    process = session.spawn(["/usr/sbin/krb5kdc", "-n", "-r", REALM], environment=environment)
    session.wait_for_port(process, port)
