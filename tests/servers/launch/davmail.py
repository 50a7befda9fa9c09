"""DavMail: an Exchange mailbox as CalDAV. It asks Exchange Web Services at `--ews` in the name of whoever signs in."""

import os
import shutil

from .session import StartFailure, free_port, require

PROGRAM = "/usr/share/davmail/davmail.jar"

CONFIGURATION = """\
davmail.server=true
davmail.mode=EWS
davmail.url={ews}
davmail.bindAddress=127.0.0.1
davmail.allowRemote=false
davmail.caldavPort={port}
davmail.imapPort=
davmail.ldapPort=
davmail.popPort=
davmail.smtpPort=
davmail.disableUpdateCheck=true
davmail.enableProxy=false
davmail.useSystemProxies=false
davmail.logFilePath={directory}/davmail.log
log4j.rootLogger=WARN
log4j.logger.davmail={level}
log4j.logger.org.apache.http.wire=WARN
"""


def start(session, _names, arguments):
    require(PROGRAM, "davmail-server")
    if not shutil.which("java"):
        raise StartFailure("java is missing: install default-jre-headless, or run ./test, which does")
    if not arguments.ews:
        raise StartFailure("davmail needs the URL of the service that it asks: --ews URL")
    port = free_port()
    level = os.environ.get("DAVMAIL_LOG", "WARN")
    configuration = session.write("davmail.properties", CONFIGURATION.format(
        ews=arguments.ews, port=port, directory=session.directory, level=level))
    process = session.spawn(
        ["java", "-Xmx128m", "-XX:TieredStopAtLevel=1", "-jar", PROGRAM, "-server", configuration],
        environment={"HOME": session.directory})
    session.wait_for_port(process, port)
    return {"url": f"http://127.0.0.1:{port}/", "log": session.path("davmail.log")}
