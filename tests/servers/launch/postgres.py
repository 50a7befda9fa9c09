"""A throwaway PostgreSQL cluster for the calendar servers that need one."""

import getpass
import glob
import os
import subprocess

from .session import StartFailure, free_port, run


class Cluster:
    """A cluster on a loopback port whose superuser is `postgres`, without a password."""

    def __init__(self, session):
        programs = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
        if not programs:
            raise StartFailure("PostgreSQL is missing: install postgresql, or run ./test all, which does")
        self._programs = programs[-1]
        self.port = free_port()
        # initdb refuses root.
        self._account = "postgres" if os.geteuid() == 0 else getpass.getuser()
        directory = session.path("postgres")
        os.makedirs(directory)
        identity = {}
        if os.geteuid() == 0:
            identity = {"user": "postgres", "group": "postgres", "extra_groups": []}
            run(["chown", "-R", "postgres:postgres", directory])
        run([f"{self._programs}/initdb", "-D", directory, "-A", "trust", "-U", "postgres", "-E", "UTF8",
             "--locale=C.UTF-8", "--no-sync"], cwd=directory, **identity)
        command = [f"{self._programs}/postgres", "-D", directory, "-c", "listen_addresses=127.0.0.1",
                   "-p", str(self.port), "-k", directory, "-c", "fsync=off"]
        process = session.spawn(command, cwd=directory,
                                **{key: identity[key] for key in ("user", "group") if key in identity})
        # It listens before it has recovered, and turns clients away until then.
        session.wait_until(process, self._accepts_connections, f"answer on port {self.port}")

    def _accepts_connections(self):
        probe = [f"{self._programs}/pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres",
                 "-t", "2"]
        return subprocess.run(probe, check=False).returncode == 0

    @property
    def environment(self):
        """What PostgreSQL's clients need to reach the cluster as its superuser."""
        return {**os.environ, "PGHOST": "127.0.0.1", "PGPORT": str(self.port), "PGUSER": "postgres",
                "PATH": f"{self._programs}:{os.environ.get('PATH', '')}"}

    def execute(self, database, statements):
        run(["psql", "-qXAt", "-v", "ON_ERROR_STOP=1", "-d", database], input=statements, env=self.environment)
