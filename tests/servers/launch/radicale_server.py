"""Radicale: a plain CalDAV server that does not schedule."""

import os
import sys

from .http import request
from .session import free_port, user_record

CONFIGURATION = """\
[server]
hosts = 127.0.0.1:{port}
max_connections = 100

[auth]
type = htpasswd
htpasswd_filename = {directory}/users
htpasswd_encryption = plain
delay = 0

[rights]
type = owner_only

[storage]
filesystem_folder = {directory}/collections

[logging]
level = warning
"""

MKCALENDAR = """\
<?xml version="1.0" encoding="utf-8"?>
<C:mkcalendar xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:set><D:prop>
<D:displayname>Calendar</D:displayname>
<C:supported-calendar-component-set><C:comp name="VEVENT"/></C:supported-calendar-component-set>
</D:prop></D:set></C:mkcalendar>
"""


def start(session, names, arguments):
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    users = [user_record(name, arguments.domain, url, f"/{name}/calendar/") for name in names]
    session.write("users", "".join(f"{user['name']}:{user['password']}\n" for user in users))
    configuration = session.write("config", CONFIGURATION.format(port=port, directory=session.directory))
    process = session.spawn([sys.executable, "-m", "radicale", "-C", configuration])
    session.wait_for_port(process, port)
    for user in users:
        request("MKCALENDAR", user["calendar"], user, MKCALENDAR)
    return {"url": url + "/", "scheduling": False, "users": users,
            "storage": os.path.join(session.directory, "collections")}
