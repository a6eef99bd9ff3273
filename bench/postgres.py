"""A PostgreSQL server of the benches' own, as Debian sets one up: every commit is on the disk before it is answered."""

import glob
import os
import pwd
import re
import signal
import subprocess
import time

from rig import free_port


def newest_programs():
    folders = glob.glob("/usr/lib/postgresql/*/bin")
    if not folders:
        raise SystemExit("PostgreSQL is not installed: ./dev setup --tests")
    return max(folders, key=lambda f: int(f.split("/")[-2]))


class Postgres:
    def __init__(self, folder):
        self.folder, self.port, self.programs = f"{folder}/postgresql", free_port(), newest_programs()
        os.makedirs(self.folder)
        # It refuses to run as root.
        self.user = {}
        if os.getuid() == 0:
            who = pwd.getpwnam("postgres")
            os.chown(self.folder, who.pw_uid, who.pw_gid)
            self.user = {"user": who.pw_uid, "group": who.pw_gid}
        self._run("initdb", "-D", f"{self.folder}/data", "-U", "bench", "--auth=trust", "-E", "UTF8", "--locale=C.UTF-8")
        with open(f"{self.folder}/data/postgresql.conf", "a") as f:
            f.write(f"listen_addresses = '127.0.0.1'\nport = {self.port}\nunix_socket_directories = '{self.folder}'\n")
        self.process = subprocess.Popen([f"{self.programs}/postgres", "-D", f"{self.folder}/data"], cwd=self.folder,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **self.user)
        deadline = time.monotonic() + 30
        while subprocess.run([f"{self.programs}/pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]).returncode:
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise SystemExit("PostgreSQL does not start")
            time.sleep(0.05)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGINT)  # connections end, what was committed is kept
        self.process.wait(30)

    def _run(self, program, *arguments):
        return subprocess.run([f"{self.programs}/{program}", *arguments], cwd=self.folder, check=True, capture_output=True,
                              text=True, **self.user).stdout

    def _client(self, program, *arguments):
        return self._run(program, "-h", "127.0.0.1", "-p", str(self.port), "-U", "bench", *arguments)

    def database(self, name):
        """Its URL, of a fresh one."""
        self._client("createdb", name)
        return f"postgresql://bench@127.0.0.1:{self.port}/{name}"

    def commits(self, seconds, at_once):
        """Commits of one row a second, by so many connections."""
        url = self.database(f"commits_{at_once}")
        self._client("psql", "-q", "-d", url, "-c", "create table t(key bytea primary key, data text)")
        script = f"{self.folder}/insert.sql"
        with open(script, "w") as f:
            f.write("insert into t values(gen_random_uuid()::text::bytea, repeat('x', 300));\n")
        out = self._client("pgbench", "-n", "-f", script, "-c", str(at_once), "-T", str(seconds), f"commits_{at_once}")
        return float(re.search(r"tps = ([\d.]+)", out).group(1))
