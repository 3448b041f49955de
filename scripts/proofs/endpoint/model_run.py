"""The differential proof: the random sequences, then the races; prints figures for each database and exits 1 if one is missed."""

import argparse
import sys
import time
from pathlib import Path

import races
from cluster import Cluster
from differential import Differential
from product import Product
from wire import Wire

# The dialects under which the sequences run; the shapes are those of both identity providers, and `auto` takes both.
SHORT, FULL = 2_500, 40_000


def on_database(backend: str, database: str, args) -> list[str]:
    """Everything on one database; gives what was missed."""
    product = Product(Path(args.folder) / backend, database)
    product.run("tenant", "create", "acme")
    token = product.connection("acme", "generic", "model", unlimited=True)
    product.run("tenant", "create", "races")
    racing = product.connection("races", "generic", "races", unlimited=True)
    product.serve()
    missed = []
    try:
        wire = Wire(product.base, token)
        run = Differential(wire, args.seed)
        run.run(args.requests or (SHORT if args.short else FULL))
        missed += run.mismatches
        say(backend, f"seed {args.seed}: {run.compared} requests compared, of them {run.refused} refused as they must be; "
                     f"{len(run.model.users)} users and {len(run.model.groups)} groups at the end; mismatches {len(run.mismatches)}, 5xx {wire.broken}")
        if wire.broken:
            missed.append(f"{wire.broken} answers 5xx")
        if not args.only_sequences:
            for name, race in races.ALL.items():
                wire = Wire(product.base, racing)
                try:
                    figures, problems = race(wire, args.short)
                except races.Unmade as error:
                    figures, problems = "did not come to an end", [str(error)]
                say(backend, f"{name}: {figures}; 5xx {wire.broken}")
                missed += [f"{name}: {problem}" for problem in problems] + ([f"{name}: {wire.broken} answers 5xx"] if wire.broken else [])
    finally:
        product.stop()
    product.run("--tenant", "acme", "log", "check")
    product.run("--tenant", "races", "log", "check")
    return [f"{backend}: {line}" for line in missed]


def say(backend: str, text: str) -> None:
    print(f"[{time.monotonic() - STARTED:6.1f} s] {backend:<9} {text}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", required=True)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--requests", type=int)
    parser.add_argument("--backend", choices=["sqlite", "postgres"])
    parser.add_argument("--only-sequences", action="store_true", help="leave the races out")
    args = parser.parse_args()
    missed = []
    for backend in [args.backend] if args.backend else ["sqlite", "postgres"]:
        cluster = Cluster() if backend == "postgres" else None
        try:
            missed += on_database(backend, cluster.url if cluster else "", args)
        finally:
            if cluster:
                cluster.stop()
    if missed:
        print(f"endpoint-model: FAILED, {len(missed)} missed:")
        for line in missed:
            print(f"  - {line}")
        sys.exit(1)
    print("endpoint-model: 0 mismatches, 0 answers 5xx")


STARTED = time.monotonic()

if __name__ == "__main__":
    main()
