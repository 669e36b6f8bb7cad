"""Runs a lottery again and again, kills it at twenty random moments, and lets every run come to its end.

Usage: killer.py FOLDER SETTINGS-JSON. Everything is loaded once and each run is a fork, so that the kills fall into
the runs and not into the imports. No figures: they take longer than the run.
"""

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import torch._dynamo

from karikomi.engines import population
from karikomi.studies import find_study, setup, work
from karikomi.studies.lottery import stages, summary
from karikomi.studies.lottery.settings import LotterySettings
from karikomi.studies.result import Result
from karikomi.studies.run import run

LOADED = (stages, work, population, setup, summary, torch._dynamo)
KILLS = 20


def start(out: Path, settings: LotterySettings) -> int:
    child = os.fork()
    if child == 0:
        run(find_study("lottery"), settings, out=out, quiet=True)
        os._exit(0)
    return child


def ended(child: int, within: float) -> bool:
    until = time.monotonic() + within
    while time.monotonic() < until:
        if os.waitpid(child, os.WNOHANG)[0]:
            return True
        time.sleep(0.001)
    return False


def main(folder: Path, settings: LotterySettings) -> None:
    Result.draw = lambda self, **margins: None
    began = time.monotonic()
    os.waitpid(start(folder / "run-0", settings), 0)
    takes = time.monotonic() - began
    rng, number, rounds = random.Random(0), 1, []
    while len(rounds) < KILLS:
        out = folder / f"run-{number}"
        child = start(out, settings)
        if ended(child, within=rng.uniform(0, takes)):
            number += 1
            continue
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        journal = out / "journal.jsonl"
        rounds.append(journal.read_bytes().count(b"\n") if journal.exists() else 0)
    os.waitpid(start(folder / f"run-{number}", settings), 0)
    print(json.dumps({"kills": len(rounds), "rounds finished when killed": rounds, "seconds": takes}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), LotterySettings.of(**json.loads(sys.argv[2])))
