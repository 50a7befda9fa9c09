"""SOGo on a throwaway PostgreSQL: schedules by itself, with the habits of Exchange. Needs root.

SOGo reads /etc/sogo/sogo.conf and nothing else, so it runs in a mount namespace of its own in which
that path is our file.
"""

import os
import shutil
import time

from .http import request
from .postgres import Cluster
from .session import StartFailure, free_port, require, user_record

SOGO_CONF = """\
{{
  WOPort = "127.0.0.1:{port}";
  WOWorkersCount = 3;
  WOPidFile = "{run}/sogo.pid";
  WOLogFile = "-";
  SOGoProfileURL = "{database}/sogo_user_profile";
  OCSFolderInfoURL = "{database}/sogo_folder_info";
  OCSSessionsFolderURL = "{database}/sogo_sessions_folder";
  OCSEMailAlarmsFolderURL = "{database}/sogo_alarms_folder";
  SOGoLanguage = English;
  SOGoTimeZone = UTC;
  SOGoAppointmentSendEMailNotifications = NO;
  SOGoMemcachedHost = "127.0.0.1:{memcached_port}";
  SOGoUserSources = ({{
    type = sql;
    id = directory;
    viewURL = "{database}/sogo_users";
    canAuthenticate = YES;
    isAddressBook = YES;
    userPasswordAlgorithm = plain;
  }});
}}
"""

USERS = """\
CREATE TABLE sogo_users (c_uid text PRIMARY KEY, c_name text, c_password text, c_cn text, mail text);
"""
USER = "INSERT INTO sogo_users VALUES ('{name}', '{name}', '{password}', '{name}', '{address}');\n"


def start(session, names, arguments):
    if os.geteuid() != 0:
        raise StartFailure("SOGo can only be started by root: its configuration has a fixed place; run as root")
    require("/usr/sbin/sogod", "sogo")
    memcached = shutil.which("memcached") or "/usr/bin/memcached"
    require(memcached, "memcached")
    database = Cluster(session)
    database.execute("postgres", "CREATE DATABASE sogo;")
    port, memcached_port = free_port(), free_port()
    url = f"http://127.0.0.1:{port}/SOGo/dav"
    users = [user_record(name, arguments.domain, url, f"/{name}/Calendar/personal/") for name in names]
    database.execute("sogo", USERS + "".join(USER.format(**user) for user in users))

    cache = session.spawn([memcached, "-u", "nobody", "-l", "127.0.0.1", "-p", str(memcached_port), "-m", "16"])
    session.wait_for_port(cache, memcached_port)
    run_directory = session.path("run")
    os.makedirs(run_directory)
    shutil.chown(run_directory, "sogo", "sogo")
    configuration = session.write("sogo.conf", SOGO_CONF.format(
        port=port, memcached_port=memcached_port, run=run_directory,
        database=f"postgresql://postgres@127.0.0.1:{database.port}/sogo"))
    process = session.spawn([
        "unshare", "--mount", "sh", "-c",
        f"mount --bind {configuration} /etc/sogo/sogo.conf && exec setpriv --reuid=sogo --regid=sogo "
        "--clear-groups --pdeathsig=TERM /usr/sbin/sogod -WONoDetach YES"])
    session.wait_for_port(process, port)
    for user in users:
        # The first request makes the personal calendar. Workers that start together race for their
        # tables once, so it is asked again where that failed.
        ask_until_answered(user)
    return {"url": url + "/", "scheduling": True, "users": users}


def ask_until_answered(user, seconds=20):
    deadline = time.monotonic() + seconds
    while True:
        try:
            request("PROPFIND", user["calendar"], user, headers={"Depth": "0"})
            return
        except OSError as error:
            if time.monotonic() > deadline:
                raise StartFailure(f"SOGo does not open the calendar of {user['name']}: {error}") from error
            time.sleep(0.2)
