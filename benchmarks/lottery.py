"""Wall time of whole lotteries, against a plain PyTorch script that trains and measures the very same networks."""

import os
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from multiprocessing import get_context

import numpy as np
from arguments import Arguments, part, say
from plain_torch import Lottery, Measured
from problem import Problem, mnist, recipe
from workers import CORES

from karikomi.data.dataset import Dataset, Examples
from karikomi.engines import sparse
from karikomi.engines.contract import Advance, Evaluation, Recipe, Trained, Trial
from karikomi.engines.sparse.compilation import compile_kernels
from karikomi.runs.checkpoint import Checkpoint
from karikomi.studies.lottery.protocol import run_round
from karikomi.studies.lottery.settings import LotterySettings
from karikomi.studies.setup import prepare

PROTOCOLS = {"ten rounds": {"rounds": 10}, "eighteen rounds": {"rounds": 18, "output_rate": "half"}}
# Networks of a round cost the script the same, one after the other; all of them would take it hours.
SCRIPTED = max(2, CORES)


class Script:
    """The PyTorch script: its networks one after the other in ``processes`` processes that share the cores."""

    def __init__(self, processes: int) -> None:
        self.processes = processes
        threads = max(1, CORES // processes)
        # Spawned processes import this file anew, and load the data once.
        self.pool: Executor = ProcessPoolExecutor(processes, get_context("spawn"), _begin, (threads,))
        list(self.pool.map(_wait, [0.5] * processes))

    def measure(self, trials: Sequence[Trial], recipe: Recipe) -> list[Measured]:
        return list(self.pool.map(partial(_measure, recipe), trials))


class Both:
    """An engine that gives the study the sparse engine's results, and has the script do the same in between.

    The script gets SCRIPTED networks of each round: ``elapsed`` is the time they took, ``seconds`` what all would take.
    """

    def __init__(self, script: Script) -> None:
        self.script, self.elapsed, self.seconds = script, 0.0, 0.0
        self.measured: dict[int, Measured] = {}

    def train(
        self, trials: Sequence[Trial], data: Dataset, recipe: Recipe, advance: Advance | None = None
    ) -> list[Trained]:
        began = time.perf_counter()
        chosen = range(0, len(trials), -(-len(trials) // SCRIPTED))
        measured = self.script.measure([trials[place] for place in chosen], recipe)
        elapsed = time.perf_counter() - began
        self.measured = dict(zip(chosen, measured, strict=True))
        self.elapsed, self.seconds = elapsed, elapsed * len(trials) / len(chosen)
        return sparse.train(trials, data, recipe, advance)

    def evaluate(self, subnetworks: Sequence, examples: Examples) -> list[Evaluation]:
        return sparse.evaluate(subnetworks, examples)


def measure(arguments: Arguments) -> dict:
    iterations = 100 if arguments.quick else 5000
    replicates = 2 if arguments.quick else 5
    compile_kernels()
    script, choice = _best_script()
    lotteries = {}
    for name, protocol in PROTOCOLS.items():
        if arguments.quick:
            protocol = {**protocol, "rounds": 2}
        say(f"lottery, {name}")
        settings = LotterySettings.of(iterations=iterations, replicates=replicates, **protocol)
        lotteries[name] = play(settings, script)
    script.pool.shutdown()
    return {
        "iterations": iterations,
        "replicates": replicates,
        "script": choice,
        "scripted": SCRIPTED,
        "lotteries": lotteries,
    }


def _best_script() -> tuple[Script, str]:
    """One process with all cores, or one process per core with one thread: the faster one."""
    trials = [Problem(10).trial(number) for number in range(2 * CORES)]
    times, scripts = {}, {count: Script(count) for count in sorted({1, CORES})}
    for _ in range(2):
        for count, script in scripts.items():
            began = time.perf_counter()
            script.measure(trials, recipe(200, 100))
            times[count] = min(times.get(count, np.inf), time.perf_counter() - began)
    best = min(times, key=lambda count: times[count])
    for count in set(scripts) - {best}:
        scripts[count].pool.shutdown()
    return scripts[best], f"processes: {best}, threads of each: {max(1, CORES // best)}"


def play(settings: LotterySettings, script: Script) -> dict:
    """Play all rounds; each is timed for both in turn, so that both see the same busy or quiet machine."""
    both = Both(script)
    setup = replace(prepare(settings, mnist()), engine=both)
    past: dict[tuple[int, int, str], Checkpoint] = {}
    ours, theirs, apart, networks = [], [], [], Counter()
    for number in range(settings.rounds + 1):
        began = time.perf_counter()
        outcomes = run_round(setup, number, range(settings.replicates), lambda *which: past[which])
        ours.append(time.perf_counter() - began - both.elapsed)
        theirs.append(both.seconds)
        for place, outcome in enumerate(outcomes):
            networks[outcome.row["arm"]] += 1
            if place in both.measured:
                apart.append(abs(outcome.row["final_test_accuracy"] - both.measured[place].final_test_accuracy))
            if outcome.ticket is not None:
                past[outcome.row["replicate"], number, ""] = outcome.ticket
    return {
        "networks": networks,
        "sparse": ours,
        "script": theirs,
        "ratio": sum(theirs) / sum(ours),
        "accuracy_apart": float(np.mean(apart)),
    }


_lottery: Lottery


def _begin(threads: int) -> None:
    global _lottery
    import torch

    torch.set_num_threads(threads)
    _lottery = Lottery(mnist())


def _wait(seconds: float) -> int:
    """Long enough for every process to have started on one."""
    time.sleep(seconds)
    return os.getpid()


def _measure(recipe: Recipe, trial: Trial) -> Measured:
    return _lottery.measure(trial, recipe)


if __name__ == "__main__":
    part(measure)
