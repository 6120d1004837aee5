"""Long runs: `python -m tests.simulation --seeds 0:1000000 --jobs 2`; `--fingerprint SEED` tells what one schedule came to."""

import argparse
import sys
import time

from tests.simulation.archive.simulate import Simulation as ArchiveSimulation
from tests.simulation.campaign import Simulator, fingerprint, violations
from tests.simulation.generations.simulate import Simulation as GenerationsSimulation
from tests.simulation.simulate import Simulation

PROGRESS_EVERY_S = 5
SIMULATORS: dict[str, Simulator] = {
    "projection": Simulation,
    "archive": ArchiveSimulation,
    "generations": GenerationsSimulation,
}


def main() -> int:
    """The exit status is 1 when a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--what", choices=SIMULATORS, default="projection", help="whose schedules (%(default)s)")
    parser.add_argument("--seeds", default="0:10000", metavar="A:B", help="from A, up to but without B")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--fingerprint", type=int, metavar="SEED")
    arguments = parser.parse_args()
    simulator = SIMULATORS[arguments.what]
    if arguments.fingerprint is not None:
        sys.stdout.write(fingerprint(simulator, arguments.fingerprint) + "\n")
        return 0
    first, last = map(int, arguments.seeds.split(":"))
    begun_s = told_s = time.monotonic()
    done = broken = 0
    for count, texts in violations(simulator, range(first, last), arguments.jobs):
        done += count
        broken += len(texts)
        for text in texts:
            sys.stdout.write(text + "\n")
        if time.monotonic() - told_s >= PROGRESS_EVERY_S or done == last - first:
            told_s = time.monotonic()
            sys.stdout.write(f"{done} schedules, {broken} violations, {done / (told_s - begun_s):.0f} a second\n")
            sys.stdout.flush()
    return bool(broken)


if __name__ == "__main__":
    sys.exit(main())
