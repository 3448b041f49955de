"""A PostgreSQL server of its own for the proof; it and its files are gone afterwards."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path


class Cluster:
    """A server that listens on a socket in its own folder only."""

    def __init__(self):
        self.tools = tools()
        # Not below the repository: the path of a socket is short, and the server's user must be able to enter.
        self.folder = Path(tempfile.mkdtemp(prefix="lockstep-crash-"))
        self.as_root = os.geteuid() == 0
        self.data = self.folder / "data"
        try:
            if self.as_root:
                shutil.chown(self.folder, "postgres", "postgres")
            self.server("initdb", "-D", self.data, "--auth=trust", "--username=postgres", "--encoding=UTF8", "--no-locale")
            self.server(
                "pg_ctl", "start", "-w", "-t", "60", "-D", self.data, "-l", self.folder / "log",
                "-o", f"-c listen_addresses= -c unix_socket_directories={self.folder}",
            )
            self.run([self.tools / "createdb", "-h", self.folder, "-U", "postgres", "-T", "template0", "lockstep"])
        except BaseException:
            self.stop()
            raise

    @property
    def url(self) -> str:
        """Where Lockstep finds the database."""
        return f"postgres://postgres@{str(self.folder).replace('/', '%2F')}/lockstep"

    def sessions(self) -> int:
        """Sessions of clients that the server still has; one whose client is gone first ends what it was doing."""
        asked = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        command = [self.tools / "psql", "-h", self.folder, "-U", "postgres", "-d", "lockstep", "-tAc", asked]
        return int(subprocess.run(list(map(str, command)), cwd="/", capture_output=True, text=True, check=True).stdout)

    def stop(self) -> None:
        """Stops the server and removes everything."""
        if (self.data / "postmaster.pid").exists():
            self.server("pg_ctl", "stop", "-w", "-m", "immediate", "-D", self.data)
        shutil.rmtree(self.folder, ignore_errors=True)

    def server(self, tool: str, *arguments) -> None:
        """Runs a server tool; PostgreSQL refuses to run as root, then it runs as its own user."""
        user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if self.as_root else []
        self.run([*user, self.tools / tool, *arguments])

    def run(self, command: list) -> None:
        """Runs a command to its end. Its output goes to a file: the server that it starts keeps it open."""
        shown = " ".join(map(str, command))
        with (Path(tempfile.gettempdir()) / f"{self.folder.name}.out").open("w+", encoding="utf-8") as output:
            Path(output.name).unlink()
            done = subprocess.run(
                list(map(str, command)), cwd="/", stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False
            )
            output.seek(0)
            if done.returncode != 0:
                raise SystemExit(f"`{shown}` ended with {done.returncode}: {output.read()}")


def tools() -> Path:
    """The folder of the server tools: the newest installed, else what PATH finds."""
    installed = [path for path in Path("/usr/lib/postgresql").glob("*/bin") if (path / "initdb").exists()]
    if installed:
        return max(installed, key=lambda path: float(path.parent.name))
    found = shutil.which("initdb")
    if not found:
        raise SystemExit("initdb is neither in /usr/lib/postgresql/*/bin nor on PATH (Debian: apt-get install postgresql)")
    return Path(found).parent
