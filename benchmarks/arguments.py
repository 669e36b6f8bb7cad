"""What the parts of the benchmark have in common on the command line."""

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Arguments:
    """``quick``: figures that only show that all works."""

    quick: bool


def parse(parser: argparse.ArgumentParser) -> argparse.Namespace:
    parser.add_argument("--quick", action="store_true", help="a run of two minutes, to see that all works")
    return parser.parse_args()


def part(measure: Callable[[Arguments], dict]) -> None:
    """Run one part: progress to stderr, the figures as one line of JSON to stdout."""
    given = parse(argparse.ArgumentParser())
    print(json.dumps(measure(Arguments(given.quick))))


def say(what: str) -> None:
    print(f"  {what}", file=sys.stderr, flush=True)
