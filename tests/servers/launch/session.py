"""The life of a started server: its directory, its processes, its end."""

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None, use_errno=True)


class StartFailure(Exception):
    """The server did not come up; the message says why and what to do."""


def free_port():
    """A loopback port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def user_record(name, domain, url, calendar_path):
    return {
        "name": name,
        "password": f"{name}-pw",
        "address": f"{name}@{domain}",
        "calendar": url + calendar_path,
    }


class Session:
    """A temporary directory and the processes that live in it. Leaving the context ends both."""

    def __init__(self, name):
        self.directory = tempfile.mkdtemp(prefix=f"mms-{name}-")
        os.chmod(self.directory, 0o755)
        self._processes = []
        self._at_end = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for process in reversed(self._processes):
            end_process_group(process)
        for action in reversed(self._at_end):
            action()
        shutil.rmtree(self.directory, ignore_errors=True)

    def path(self, *parts):
        return os.path.join(self.directory, *parts)

    def write(self, name, text, mode=0o644):
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, mode)
        return path

    def at_end(self, action):
        """Runs `action` after the processes have ended."""
        self._at_end.append(action)

    def spawn(self, command, *, user=None, group=None, cwd=None, environment=None):
        """Starts a process that ends with this one, its output going to a log in the directory."""
        log_path = self.path(f"{len(self._processes)}-{os.path.basename(command[0])}.log")
        credentials = {} if user is None else {"user": user, "group": group, "extra_groups": []}
        with open(log_path, "wb") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=cwd or self.directory,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
                preexec_fn=die_with_parent,
                **credentials,
            )
        process.log_path = log_path
        self._processes.append(process)
        return process

    def wait_for_port(self, process, port, seconds=30):
        """Returns when `port` accepts connections; raises with the log if `process` ends before."""
        self.wait_until(process, lambda: accepts_connections(port), f"listen on port {port}", seconds)

    def wait_until(self, process, ready, what, seconds=30):
        """Returns when `ready()` holds; raises with the log if `process` ends before, or does not `what` in time."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise StartFailure(f"{process.args[0]} ended with {process.returncode}: {tail(process.log_path)}")
            if ready():
                return
            time.sleep(0.05)
        raise StartFailure(f"{process.args[0]} does not {what} after {seconds} s: {tail(process.log_path)}")


def accepts_connections(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    except OSError:
        return False


def require(path, package):
    """Raises unless `path` exists; names the package that brings it."""
    if not os.path.exists(path):
        raise StartFailure(f"{path} is missing: install {package}, or run ./test, which does")


def run(command, **options):
    """Runs a command to its end; raises with what it said if it failed."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    if done.returncode:
        raise StartFailure(f"{' '.join(command)} failed with {done.returncode}: {done.stdout[-2000:]}")
    return done.stdout


def die_with_parent():
    """Asks the kernel to end this process when the launcher is killed, so that nothing is left behind."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def end_process_group(process):
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            continue
        if number == signal.SIGTERM and group_is_empty_soon(process.pid):
            break
    process.poll()


def group_is_empty_soon(group, seconds=2):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.02)
    return False


def tail(path, size=2000):
    with open(path, "rb") as file:
        return file.read()[-size:].decode("utf-8", "replace").strip() or "it said nothing"
