"""Every call of the `lockstep` command line that the proof makes, in one place."""

import csv
import json
import os
import subprocess
import time
from pathlib import Path

APP = "demo"
IN_FLIGHT_WINDOW = "2s"


class Lockstep:
    """Runs the binary on one database; everything it prints goes to `log`."""

    def __init__(self, binary: str, database: Path, log: Path):
        self.binary, self.log = binary, log
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("LOCKSTEP_")},
            "LOCKSTEP_DATABASE": str(database),
            "NO_COLOR": "1",
        }

    def setup(self) -> None:
        """A new database with its first tenant."""
        self.run("tenant", "create", "acme")

    def load_first(self, folder: Path) -> None:
        """Loads a whole directory."""
        self.run("directory", "load", folder / "users.csv", "--groups", folder / "groups.csv", "--members", folder / "members.csv")

    def load_changes(self, folder: Path) -> None:
        """Loads what a generation changed; a load adds and changes only, so removals are commands of their own."""
        self.run(
            "directory", "load", folder / "changed-users.csv",
            "--groups", folder / "changed-groups.csv", "--members", folder / "changed-members.csv",
        )
        with (folder / "removed-members.csv").open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                self.run("group", "member", "remove", row["group"], row["member"])

    def connect(self, base_url: str, token_file: Path, assigned: str, pushed: list[str]) -> None:
        """Connects the app, assigns a group to it, pushes groups, and activates it."""
        self.run("app", "add", APP, "--base-url", base_url, "--token-file", token_file, "--allow-private")
        self.run("app", "set", APP, "--in-flight-window", IN_FLIGHT_WINDOW)
        self.run("app", "assign", APP, "--group", assigned)
        for group in pushed:
            self.run("push-group", "add", APP, "--group", group)
        self.run("app", "activate", APP, "--yes")

    def sync(self) -> float:
        """`sync --wait` to its end; returns the seconds it took."""
        started = time.monotonic()
        self.run("sync", "--wait")
        return time.monotonic() - started

    def start_sync(self, *arguments: str) -> subprocess.Popen:
        """`sync --wait` as a process that can be killed: the process is the binary itself."""
        output = self.log.open("ab")
        return subprocess.Popen(
            [self.binary, "sync", "--wait", *arguments], env=self.environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
        )

    def check_log(self) -> None:
        """The audit chain holds."""
        self.run("log", "check")

    def read(self, *arguments):
        """What a command answers with `-o json`; 4 (something needs a person) is an answer, too."""
        return json.loads(self.run("-o", "json", *arguments, codes=(0, 4)))

    def run(self, *arguments, codes=(0,)) -> str:
        """Runs a command to its end and returns its output; a failure ends the proof with what the command said."""
        command = [self.binary, *map(str, arguments)]
        done = subprocess.run(command, env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        with self.log.open("a", encoding="utf-8") as log:
            log.write(f"$ lockstep {' '.join(command[1:])}\n{done.stdout}{done.stderr}-> {done.returncode}\n")
        if done.returncode not in codes:
            raise SystemExit(f"`lockstep {' '.join(command[1:])}` ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stdout
