"""The binary at work: its database, tenants, connections and tokens, and `serve` as a process that can be stopped or killed."""

import json
import os
import shutil
import signal
import subprocess
import threading
from pathlib import Path

# `serve` says where it listens, or ends, within this time.
START_AT_MOST_S = 60


class Product:
    """One database; `run` calls the command line on it, `serve` starts the server."""

    def __init__(self, folder: Path, database: str = ""):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.folder, self.log = folder.resolve(), folder.resolve() / "lockstep.log"
        self.binary = os.environ["LOCKSTEP_BINARY"]
        self.database = database or str(self.folder / "lockstep.db")
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("LOCKSTEP_")},
            "LOCKSTEP_DATABASE": self.database,
            "LOCKSTEP_KEY": "5a" * 32,
            "NO_COLOR": "1",
        }
        self.process, self.base = None, ""

    def run(self, *arguments, codes=(0,)) -> str:
        """Runs a command to its end and returns its output; a failure ends the proof with what the command said."""
        command = [self.binary, *map(str, arguments)]
        done = subprocess.run(command, env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        with self.log.open("a", encoding="utf-8") as log:
            log.write(f"$ lockstep {' '.join(command[1:])}\n-> {done.returncode} {done.stderr}\n")
        if done.returncode not in codes:
            raise SystemExit(f"`lockstep {' '.join(command[1:])}` ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stdout

    def connection(self, tenant: str, provider: str, name: str, *options, unlimited: bool = False) -> str:
        """Makes a connection and returns its token; `unlimited` if the limits of a token would be in the way."""
        said = self.run("-o", "json", "--tenant", tenant, "connection", "add", provider, name, *options)
        if unlimited:
            self.run("--tenant", tenant, "connection", "set", name, "--rate", "100000", "--concurrency", "1000")
        return json.loads(said)["token"]

    def token(self, tenant: str, *options) -> str:
        """Makes one more token."""
        return self.run("--tenant", tenant, "token", "create", *options).strip()

    def serve(self, *options) -> None:
        """Starts the server on any free port and waits until it says where it listens."""
        log = self.log.open("ab")
        self.process = subprocess.Popen(
            [self.binary, "serve", "--listen", "127.0.0.1:0", "--quiet", *options],
            env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True,
        )
        late = threading.Timer(START_AT_MOST_S, self.process.kill)
        late.start()
        said = self.process.stdout.readline()
        late.cancel()
        if "listening on http://" not in said:
            raise SystemExit(f"the server did not start: {said!r}; see {self.log}")
        self.origin = said.strip().removeprefix("listening on ").rstrip("/")
        self.base = f"{self.origin}/scim/v2"
        # It must never wait for somebody to read what it says.
        threading.Thread(target=self.process.stdout.read, daemon=True).start()

    def stop(self) -> None:
        """A graceful stop; anything but a clean end is a failure."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            code = self.process.wait(30)
            if code != 0:
                raise SystemExit(f"the server ended with {code} after SIGTERM")

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait(30)

    def memory_kib(self) -> int:
        """The most memory that the server had so far."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))
