"""The fuzzer's command line; exits with 1 if an input broke a target's promise, 2 for a wrong argument."""

import argparse
import logging
import random
import sys
from pathlib import Path

import structlog

from tests.fuzz.harness import Failure, Target, discover, fuzz

FAILURES = Path("fuzz-failures")
"""Where failing inputs are kept, below the working directory."""

MAX_HEX_BYTES = 4096
"""Octets of a failing input that are printed; the file has all of them."""


def report(failure: Failure) -> None:
    """Saves a failing input and prints it."""
    path = failure.save(FAILURES)
    print(f"\n{failure.target}: {failure.reason.rstrip()}")
    print(f"input ({len(failure.data)} octets, saved to {path}):")
    print(failure.data[:MAX_HEX_BYTES].hex(), flush=True)


def replay(target: Target, path: Path) -> int:
    """Runs one saved input; an exception that the target does not allow ends in a traceback."""
    try:
        target.run(path.read_bytes())
    except target.ALLOWED as error:
        print(f"{target.NAME}: rejected: {error}")
    else:
        print(f"{target.NAME}: accepted")
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Runs the chosen targets one after the other."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR)
    )  # refusals by the million
    targets = discover()
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="target", help=f"of {', '.join(targets)}; default: all")
    parser.add_argument("--seconds", type=float, default=60.0, help="for each target (default: 60)")
    parser.add_argument("--inputs", type=int, help="stop a target after this many inputs")
    parser.add_argument("--seed", type=int, help="repeats a run (default: a new one, printed)")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="run one saved input of one target")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.targets if name not in targets]
    if unknown:
        parser.error(f"no such target: {', '.join(unknown)}; there are {', '.join(targets)}")
    chosen = [targets[name] for name in options.targets or targets]
    if options.replay is not None:
        if len(chosen) != 1:
            parser.error("--replay needs exactly one target")
        return replay(chosen[0], options.replay)
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}, {options.seconds:g} s for each of {len(chosen)} targets", flush=True)
    failures = 0
    for target in chosen:
        result = fuzz(target, seconds=options.seconds, seed=seed, max_inputs=options.inputs)
        print(result, flush=True)
        if result.failure is not None:
            failures += 1
            report(result.failure)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
