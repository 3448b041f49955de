"""Runs every judge against the endpoint on each database; prints counts per judge and exits 1 if one failure is not expected."""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from cluster import Cluster
from product import Product

HERE = Path(__file__).resolve().parent
PROGRAMS = Path(sys.executable).parent
WIRE = HERE / "wire_cases"
LEVELS = ("must", "idp", "lenient")
# So many steps are in the files; fewer run means that some were not looked at.
STEPS = {"must": 128, "idp": 43, "lenient": 9}

# Checks of scim-sanity that ask for something that must not be: name -> why.
SANITY_EXPECTED = {
    "PATCH /Groups/{id} add member": "it adds the id `fake-member-id`, which nobody ever issued, and demands success",
}


class Judge:
    """What is missed, over all judges."""

    def __init__(self, folder: Path):
        self.folder, self.missed = folder, []

    def say(self, where: str, judge: str, text: str) -> None:
        print(f"[{time.monotonic() - STARTED:6.1f} s] {where:<10} {judge:<24} {text}", flush=True)

    def miss(self, where: str, judge: str, what: str) -> None:
        self.missed.append(f"{where}: {judge}: {what}")

    def tester(self, where: str, base: str, token: str) -> None:
        """scim2-tester, through the command line of scim2-cli."""
        done = run(
            [PROGRAMS / "scim2", "--url", base, "test", "--verbose"], {"SCIM_CLI_HEADERS": f"Authorization: Bearer {token}"}
        )
        (self.folder / f"{where}-scim2-tester.txt").write_text(done.stdout + done.stderr)
        counts, failed = {}, []
        lines = done.stdout.splitlines()
        for number, line in enumerate(lines):
            state, _, title = line.partition(" ")
            if state in ("SUCCESS", "COMPLIANT", "ACCEPTABLE", "DEVIATION", "SKIPPED", "ERROR", "CRITICAL"):
                counts[state] = counts.get(state, 0) + 1
                if state != "SUCCESS":
                    failed.append(f"{state} {title}: {(lines[number + 1] if number + 1 < len(lines) else '').strip()[:300]}")
        self.say(where, "scim2-tester", ", ".join(f"{count} {state}" for state, count in sorted(counts.items())) or "no check ran")
        for line in failed:
            self.miss(where, "scim2-tester", line)
        if not counts.get("SUCCESS") or (done.returncode != 0 and not failed):
            self.miss(where, "scim2-tester", f"ended with {done.returncode}: {(done.stdout + done.stderr)[-600:]}")

    def sanity(self, where: str, base: str, token: str) -> None:
        """scim-sanity, strict."""
        fields = {"emails": [{"value": "p@example.com", "primary": True}], "name": {"givenName": "P", "familyName": "Q"}}
        done = run([
            PROGRAMS / "scim-sanity", "probe", base, "--token", token, "--i-accept-side-effects", "--json-output",
            "--user-domain", "example.com", "--extra-user-fields", json.dumps(fields),
        ])
        (self.folder / f"{where}-scim-sanity.json").write_text(done.stdout + done.stderr)
        start = done.stdout.find("{")
        if start < 0:
            self.miss(where, "scim-sanity", f"no report: {(done.stdout + done.stderr)[-600:]}")
            return
        results = json.loads(done.stdout[start:])["results"]
        bad = [result for result in results if result["status"] not in ("pass", "skip", "skipped")]
        expected = [result for result in bad if result["name"] in SANITY_EXPECTED]
        passed = sum(result["status"] == "pass" for result in results)
        self.say(where, "scim-sanity", f"{passed} passed, {len(expected)} expected failure, {len(bad) - len(expected)} failed")
        for result in expected:
            self.say(where, "scim-sanity", f"  expected: {result['name']}: {SANITY_EXPECTED[result['name']]}")
        for result in bad:
            if result not in expected:
                self.miss(where, "scim-sanity", f"{result['status']} {result['name']}: {result.get('message')}")
        if passed < 20:
            self.miss(where, "scim-sanity", f"only {passed} checks passed")

    def wire(self, where: str, base: str, token: str, dialect: str, levels: tuple[str, ...]) -> None:
        """The wire cases; every step of these levels passes."""
        name = f"wire cases, {dialect}"
        out = self.folder / f"{where}-wire-{dialect}.json"
        run([sys.executable, "-B", WIRE / "run.py", base, token, *sorted(WIRE.glob("*.json")), "--level", ",".join(levels), "--json", out])
        steps = json.loads(out.read_text()) if out.exists() else []
        shown = []
        for level in levels:
            of_level = [step for step in steps if step["level"] == level]
            passed = sum(step["ok"] for step in of_level)
            shown.append(f"{level} {passed} of {STEPS[level]}")
            if len(of_level) != STEPS[level]:
                self.miss(where, name, f"{len(of_level)} steps `{level}` ran, not {STEPS[level]}")
        self.say(where, name, ", ".join(shown))
        for step in steps:
            if not step["ok"]:
                self.miss(where, name, f"{Path(step['file']).stem} #{step['step']} [{step['level']}] {step['name']}: " + "; ".join(step["problems"])[:500])

    def all(self, where: str, base: str, token: str, strict: str | None) -> None:
        """Every judge; `strict` is the token of a connection whose dialect is strict."""
        self.tester(where, base, token)
        self.sanity(where, base, token)
        self.wire(where, base, token, "auto", LEVELS)
        if strict:
            self.wire(where, base, strict, "strict", ("must",))


def run(command: list, environment: dict | None = None) -> subprocess.CompletedProcess:
    return subprocess.run(
        list(map(str, command)), env={**os.environ, **(environment or {}), "NO_COLOR": "1"}, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, check=False, timeout=300,
    )


def on_database(judge: Judge, backend: str, database: str) -> None:
    """Starts the binary on a fresh database and judges it."""
    product = Product(judge.folder / backend, database)
    product.run("tenant", "create", "acme")
    token = product.connection("acme", "generic", "judges")
    product.run("tenant", "create", "strictly")
    strict = product.connection("strictly", "generic", "strictly", "--dialect", "strict")
    product.serve()
    try:
        judge.all(backend, product.base, token, strict)
    finally:
        product.stop()
    product.run("--tenant", "acme", "log", "check")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", required=True, type=Path)
    parser.add_argument("--short", action="store_true", help="changes nothing: it is short")
    parser.add_argument("--backend", choices=["sqlite", "postgres"])
    parser.add_argument("--against", help="base URL of an endpoint that runs already")
    parser.add_argument("--token", help="the token for it")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    judge = Judge(args.folder)
    if args.against:
        judge.all("given", args.against, args.token or "", None)
    else:
        for backend in [args.backend] if args.backend else ["sqlite", "postgres"]:
            cluster = Cluster() if backend == "postgres" else None
            try:
                on_database(judge, backend, cluster.url if cluster else "")
            finally:
                if cluster:
                    cluster.stop()
    if judge.missed:
        print(f"endpoint-suites: FAILED, {len(judge.missed)} missed:")
        for line in judge.missed:
            print(f"  - {line}")
        sys.exit(1)
    print("endpoint-suites: every judge is content")


STARTED = time.monotonic()

if __name__ == "__main__":
    main()
