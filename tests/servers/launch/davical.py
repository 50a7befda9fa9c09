"""DAViCal on PHP's own server and a throwaway PostgreSQL; schedules by itself once users may deliver."""

import shutil

from .http import request
from .postgres import Cluster
from .session import free_port, require, run, user_record

INSTALLED = "/usr/share/davical"

CONFIG_PHP = """\
<?php
$c->pg_connect[] = "host=127.0.0.1 port={port} dbname=davical user=davical_app";
$c->system_name = "MMS tests";
$c->admin_email = "admin@{domain}";
$c->enable_auto_schedule = true;
$c->default_locale = "en";
"""

# A password that starts with ** is plain text.
USER = """\
INSERT INTO usr (username, password, fullname, email, active, date_format_type, locale)
  VALUES ('{name}', '**{password}', '{name}', '{address}', TRUE, 'E', 'en');
INSERT INTO principal (type_id, user_no, displayname, default_privileges)
  SELECT 1, user_no, fullname, privilege_to_bits(ARRAY['schedule-deliver', 'schedule-query-freebusy',
    'read-free-busy']) FROM usr WHERE username = '{name}';
INSERT INTO collection (user_no, parent_container, dav_name, dav_etag, dav_displayname, is_calendar,
    resourcetypes, created, modified)
  SELECT user_no, '/{name}/', '/{name}/calendar/', md5('{name}'), 'Calendar', TRUE,
    '<DAV::collection/><urn:ietf:params:xml:ns:caldav:calendar/>', now(), now()
    FROM usr WHERE username = '{name}';
"""

# Without this privilege the answer to a delivery is SCHEDULE-STATUS=3.8.
ALLOW_DELIVERY = """\
UPDATE collection SET default_privileges = privilege_to_bits(ARRAY['schedule-deliver', 'schedule-query-freebusy',
  'read-free-busy']) WHERE dav_name LIKE '%/.in/';
"""


def start(session, names, arguments):
    require(f"{INSTALLED}/htdocs/caldav.php", "davical")
    require("/usr/bin/php", "php-cli")
    database = Cluster(session)
    run(["bash", f"{INSTALLED}/dba/create-database.sh", "davical", "admin-pw"], env=database.environment)
    configuration = session.write("config.php", CONFIG_PHP.format(port=database.port, domain=arguments.domain))
    use_configuration(session, configuration)

    port = free_port()
    url = f"http://127.0.0.1:{port}/caldav.php"
    users = [user_record(name, arguments.domain, url, f"/{name}/calendar/") for name in names]
    database.execute("davical", "".join(USER.format(**user) for user in users))
    include = f"{session.path('davical', 'inc')}:/usr/share/awl/inc:/usr/share/php"
    htdocs = session.path("davical", "htdocs")
    process = session.spawn(
        ["/usr/bin/php", "-d", f"include_path={include}", "-d", "display_errors=0",
         "-S", f"127.0.0.1:{port}", "-t", htdocs],
        cwd=htdocs, environment={"PHP_CLI_SERVER_WORKERS": "4"})
    session.wait_for_port(process, port)
    for user in users:
        # The first request for it makes the inbox.
        request("PROPFIND", f"{url}/{user['name']}/.in/", user, headers={"Depth": "0"})
    database.execute("davical", ALLOW_DELIVERY)
    return {"url": url + "/", "scheduling": True, "users": users}


def use_configuration(session, configuration):
    """DAViCal reads /etc/davical/config.php: a copy of it reads ours."""
    copy = session.path("davical")
    shutil.copytree(INSTALLED, copy)
    path = f"{copy}/htdocs/always.php"
    with open(path, encoding="utf-8") as file:
        text = file.read()
    with open(path, "w", encoding="utf-8") as file:
        file.write(text.replace("/etc/davical/config.php", configuration))
