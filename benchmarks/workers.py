"""Contestants in processes of their own, timed in turn: A B C, A B C, …"""

import multiprocessing
import os
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from statistics import median
from typing import Any

from arguments import say
from contestants import Contestant
from problem import Problem, test_loss

from karikomi.runs.environment import usable_cores

# Threads of the contestant before may still be spinning.
PAUSE_SECONDS = 0.05
CORES = usable_cores()


@dataclass(frozen=True)
class Setup:
    """A contestant and how it uses the machine.

    ``processes`` do the same at once, each with ``threads`` threads and ``networks`` networks; ``pinned`` gives each
    its own core, for a library whose threads cannot be limited otherwise.
    """

    name: str
    contestant: Contestant
    processes: int = 1
    threads: int = 1
    networks: int = 1
    pinned: bool = False


class Team:
    """The processes of a setup. Asleep until they are asked."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.pipes: list[Connection] = []
        self.processes = []
        context = multiprocessing.get_context("spawn")
        for number in range(setup.processes):
            ours, theirs = context.Pipe()
            self.pipes.append(ours)
            self.processes.append(context.Process(target=_serve, args=(theirs, setup, number), daemon=True))
            self.processes[-1].start()
            theirs.close()

    def prepare(self, problem: Problem) -> None:
        self._ask("prepare", problem)

    def check(self, steps: int) -> tuple[float, float]:
        """Mean minibatch loss and test loss after ``steps`` steps; the first call compiles what needs compiling."""
        return self._ask("check", steps)[0]

    def time(self, steps: int) -> float:
        """Microseconds per step and network, all cores together."""
        time.sleep(PAUSE_SECONDS)
        began = time.perf_counter()
        self._ask("run", steps)
        seconds = time.perf_counter() - began
        return 1e6 * seconds / (steps * self.setup.processes * self.setup.networks)

    def close(self) -> None:
        for pipe in self.pipes:
            pipe.close()
        for process in self.processes:
            process.join(timeout=10)

    def _ask(self, what: str, argument: Any) -> list[Any]:
        try:
            for pipe in self.pipes:
                pipe.send((what, argument))
            answers = [pipe.recv() for pipe in self.pipes]
        except (EOFError, OSError):
            raise RuntimeError(f"{self.setup.name}: the process died") from None
        for failed, answer in answers:
            if failed:
                raise RuntimeError(f"{self.setup.name}: {answer}")
        return [answer for _, answer in answers]


def in_turn(teams: dict[str, Team], steps: dict[str, int], repetitions: int) -> dict[str, list[float]]:
    """The times of every team, one in each repetition; every repetition asks all of them, one after the other."""
    times: dict[str, list[float]] = {name: [] for name in teams}
    for _ in range(repetitions):
        for name, team in teams.items():
            times[name].append(team.time(steps[name]))
    return times


def ways(contestant: Contestant, name: str = "") -> list[Setup]:
    """How a library with threads may use the machine: some threads, or a process with one thread for each core."""
    threads = sorted({2**n for n in range(CORES.bit_length())} & set(range(1, CORES)) | {CORES})
    setups = [Setup(f"{name}1 process, threads: {n}", contestant, threads=n) for n in threads]
    each = Setup(f"{name}processes: {CORES}, 1 thread each", contestant, processes=CORES)
    return [*setups, each] if CORES > 1 else setups


def best_teams(
    families: dict[str, list[Setup]], problem: Problem, steps: int, repetitions: int
) -> tuple[dict[str, Team], dict[str, str]]:
    """Of every family the setup that is fastest here, ready, and why setups are missing."""
    best: dict[str, Team] = {}
    failed: dict[str, str] = {}
    for family, setups in families.items():
        say(f"choosing the best setup of {family}")
        teams: dict[str, Team] = {}
        for setup in setups:
            team = Team(setup)
            try:
                team.prepare(problem)
                team.check(steps)
                teams[setup.name] = team
            except RuntimeError as problem_there:
                failed[f"{family}, {setup.name}"] = str(problem_there)
                team.close()
        if teams:
            alone = len(teams) == 1
            times = in_turn(teams, dict.fromkeys(teams, steps), 0 if alone else repetitions)
            fastest = min(teams, key=lambda name: sorted(times[name])[len(times[name]) // 2] if times[name] else 0)
            best[family] = teams.pop(fastest)
        for team in teams.values():
            team.close()
    return best, failed


def ratio(slower: list[float], faster: list[float]) -> float:
    """The median of the ratios within each repetition, in which the machine was equally busy with other things."""
    return median(a / b for a, b in zip(slower, faster, strict=True))


def _serve(pipe: Connection, setup: Setup, number: int) -> None:
    if setup.pinned and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[number]})
    run = None
    while True:
        try:
            what, argument = pipe.recv()
        except (EOFError, KeyboardInterrupt):
            return
        try:
            if what == "prepare":
                run, answer = setup.contestant(argument, setup.networks, setup.threads), None
            else:
                assert run is not None
                loss, weights = run(argument)
                answer = (loss, test_loss(weights) if weights else loss) if what == "check" else None
            pipe.send((False, answer))
        except Exception as problem:
            pipe.send((True, f"{type(problem).__name__}: {str(problem).partition(chr(10))[0]}"))
