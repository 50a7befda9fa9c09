"""The mms program, run as an administrator runs it."""

import json
import os
import pathlib
import signal
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
PROGRAM = pathlib.Path(os.environ.get("MMS_BIN", ROOT / "target/release/mms"))
JITSI = "https://meet.jitsi.example.test"


class Mms:
    """A configuration in a folder of its own, and the program run with it."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._calendars = []
        self._users = []
        self._smtp = ""
        self._engine = {"notify": "all"}
        self._organisation = ""
        self._more = ""

    # What the administrator configures.

    def ics_calendar(self, people):
        """A folder of .ics files for each of `people`; returns the folders by name."""
        self._calendars.append('[calendar.files]\nkind = "ics"\nroot = "calendars"\n')
        folders = {}
        for name in people:
            folders[name] = self.folder / "calendars" / name
            folders[name].mkdir(parents=True, exist_ok=True)
            self._users.append((name, f"{name}@example.test", "files", name))
        return folders

    def caldav_calendar(self, server, people=None, url=None, extra=""):
        """The calendars of `people` (a list of names) on a started server; each signs in as themselves."""
        credentials = self.folder / "dav-users.toml"
        with credentials.open("a", encoding="utf-8") as file:
            for name in people or server.people:
                person = server[name]
                file.write(f'["{person.address}"]\nuser = "{name}"\npassword = "{person.password}"\n')
                self._users.append((name, person.address, "dav", ""))
        credentials.chmod(0o600)
        self._calendars.append(
            f'[calendar.dav]\nkind = "caldav"\nurl = "{url or server.url}"\n'
            f'auth = {{ type = "per-user", credentials_file = "{credentials.name}" }}\n{extra}')

    def exchange(self, sandbox, cloud, office, more="", sign_in="basic", url=None, auth=None):
        """Mailboxes of a sandbox: the users (numbers) whose calendar is in Exchange Online, and those on a server, which is
        perhaps reached at another URL, by the account of `auth`."""
        ready = sandbox.ready
        self._secret("client-secret", ready["client"]["secret"])
        self._secret("ews-password", ready["account"]["password"])
        if ready["certificate"]:
            (self.folder / "sandbox.pem").write_text(ready["certificate"], encoding="utf-8")
        trust = 'ca_file = "sandbox.pem"\n' if ready["certificate"] else ""
        access = (f'{trust}tenant = "{ready["tenant"]}"\nclient_id = "{ready["client"]["id"]}"\nsecret_file = "client-secret"\n'
                  f'url = "{ready["authority"]}"\nauthority = "{ready["authority"]}"\n')
        self._calendars.append(f'[calendar.cloud]\nkind = "graph"\n{access}{more}')
        auth = auth or f'{{ type = "{sign_in}", user = {json.dumps(ready["account"]["user"])}, password_file = "ews-password" }}'
        self._calendars.append(
            f'[calendar.office]\nkind = "ews"\nurl = "{url or ready["ews"]}"\nauth = {auth}\n{trust}')
        self._more += (f'[platform.Teams]\nkind = "teams"\n{access}'
                       f'[recognise]\nhosts = {{ SfB = ["meet.{ready["domain"]}"] }}\n')
        for calendar, users in (("cloud", cloud), ("office", office)):
            self._users += [(f"user{number}", sandbox.address(number), calendar, "") for number in users]

    def identity_map(self, rows):
        """Old and new addresses."""
        text = "source,target\n" + "".join(f"{source},{target}\n" for source, target in rows)
        (self.folder / "map.csv").write_text(text, encoding="utf-8")
        self._organisation = 'identity_map = "map.csv"\n'

    def skype(self, sandbox, users, more=""):
        """The sandbox's Skype for Business Server; `users` (numbers) have their passwords in the file."""
        ready = sandbox.ready["ucwa"]
        people = [ready["users"][number] for number in users]
        lines = [f'{person["address"]},{person["user"]},{person["password"]}' for person in people]
        self._secret("skype-users.csv", "\n".join(["address,username,password", *lines]))
        trust = 'ca_file = "sandbox.pem"\n' if sandbox.ready["certificate"] else ""
        self._more += (f'[platform.SfB]\nkind = "skype"\n{trust}sip_domains = ["{ready["domain"]}"]\nmeet_urls = ["{ready["meet"]}"]\n'
                       f'discover_url = "{ready["discover"]}"\ncredentials_file = "skype-users.csv"\n{more}')

    def _secret(self, name, text):
        file = self.folder / name
        file.write_text(text + "\n", encoding="utf-8")
        file.chmod(0o600)

    def smtp(self, server):
        self._smtp = f'[smtp]\nhost = "{server.host}"\nport = {server.port}\ntls = "none"\n'

    def engine(self, **settings):
        self._engine.update(settings)

    def write(self):
        """Writes mms.toml and the directory."""
        rows = ["upn,display_name,addresses,calendar,place"]
        rows += [f"{address},{name.title()} Example,{address},{calendar},{place}"
                 for name, address, calendar, place in self._users]
        (self.folder / "users.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
        engine = "\n".join(f"{key} = {json.dumps(value)}" for key, value in self._engine.items())
        (self.folder / "mms.toml").write_text(
            '[organisation]\ndomains = ["example.test"]\n' + self._organisation + '[directory]\nfile = "users.csv"\n'
            + "".join(self._calendars)
            + f'[platform.Jitsi]\nkind = "jitsi"\nurl = "{JITSI}"\n'
            + self._smtp
            + self._more
            + f'[engine]\n{engine}\n[store]\npath = "mms.db"\n', encoding="utf-8")
        return self

    # What they run.

    def start(self, *arguments, **options):
        """Starts `mms ARGUMENTS` and returns the process."""
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        return subprocess.Popen([PROGRAM, "--config", self.folder / "mms.toml", *arguments], stdin=subprocess.DEVNULL,
                                text=True, env={**os.environ, "NO_COLOR": "1"}, **options)

    def run(self, *arguments, expect=0, timeout=300, **options):
        """Runs `mms ARGUMENTS` to its end; fails unless it exits with `expect` (None for whatever)."""
        process = self.start(*arguments, **options)
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            raise AssertionError(f"mms {arguments} did not end within {timeout} s:\n{out}\n{err}") from None
        result = subprocess.CompletedProcess(arguments, process.returncode, out, err)
        if expect is not None and process.returncode != expect:
            raise AssertionError(f"mms {arguments} exited with {process.returncode}, not {expect}:\n{out}\n{err}")
        assert "panicked" not in err, err
        return result

    def migrate(self, *names, **options):
        """Migrates users to Jitsi, now."""
        return self.run("migrate", *(f"{name}@example.test" for name in names), "--to", "Jitsi", **options)

    def status(self, *arguments):
        """The status records, newest first."""
        return json.loads(self.run("status", *arguments, "-o", "json").stdout)

    def meetings(self, name):
        """The outcomes of the meetings of a user's requests."""
        identity = name if "@" in name else f"{name}@example.test"
        rows = json.loads(self.run("history", identity, "-o", "json").stdout)
        return [row for row in rows if row["Entry"] == "Meeting"]


def eventually(condition, seconds=60):
    """Waits until `condition()` is true; returns whether it became so."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def run_and_kill(mms, seconds, *arguments):
    """Starts mms, kills it with SIGKILL after `seconds`; returns whether it was still running."""
    process = mms.start(*arguments)
    try:
        process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.communicate()
        return True
    assert process.returncode == 0, f"mms {arguments} exited with {process.returncode}"
    return False
