"""What the parts of the benchmark have in common on the command line."""

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Arguments:
    """``quick``: figures that only show that all works. ``full``: the lottery with all its 5,000 iterations."""

    quick: bool
    full: bool


def parse(parser: argparse.ArgumentParser) -> argparse.Namespace:
    parser.add_argument("--quick", action="store_true", help="a run of two minutes, to see that all works")
    parser.add_argument("--full", action="store_true", help="the lottery with all 5,000 iterations (half an hour)")
    return parser.parse_args()


def part(measure: Callable[[Arguments], dict]) -> None:
    """Run one part: progress to stderr, the figures as one line of JSON to stdout."""
    given = parse(argparse.ArgumentParser())
    print(json.dumps(measure(Arguments(given.quick, given.full))))


def say(what: str) -> None:
    print(f"  {what}", file=sys.stderr, flush=True)
