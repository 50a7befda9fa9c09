"""Xandikos: CalDAV on git. It has one principal, the first user; it asks for no password over plain http."""

import sys

from .session import free_port, run, user_record

CREATE_PRINCIPALS = """\
import sys
from xandikos.web import SingleUserFilesystemBackend
backend = SingleUserFilesystemBackend(sys.argv[1])
for name in sys.argv[2:]:
    backend.create_principal(f"/{name}/", create_defaults=True)
"""


def start(session, names, arguments):
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    run([sys.executable, "-c", CREATE_PRINCIPALS, session.path("collections"), *names])
    process = session.spawn([
        sys.executable, "-m", "xandikos", "serve", "-d", session.path("collections"),
        "-l", "127.0.0.1", "-p", str(port), "--current-user-principal", f"/{names[0]}/",
        "--state-dir", session.path("state"),
    ])
    session.wait_for_port(process, port)
    users = [user_record(name, arguments.domain, url, f"/{name}/calendars/calendar/") for name in names]
    return {"url": url + "/", "scheduling": False, "users": users}
