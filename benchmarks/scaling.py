"""How the cost of a training step of the sparse engine grows with density, width, replicates and cores."""

import time
from collections import defaultdict
from statistics import median

from arguments import Arguments, part, say
from problem import Problem, mnist, recipe
from workers import CORES

from karikomi.engines import sparse
from karikomi.engines.sparse.compilation import compile_kernels

WIDTHS = (64, 128, 256, 512, 1024)
REPLICATES = (1, 2, 4, 8, 16)
# After three, ten and fifteen rounds: densities 0.51, 0.108 and 0.036.
ON_MORE_CORES = (0, 3, 10, 15)
# Products in one timed run: about half a second of a core.
WORK = 2e10


def measure(arguments: Arguments) -> dict:
    repetitions = 1 if arguments.quick else 5
    work = WORK / 16 if arguments.quick else WORK
    compile_kernels()
    say("density")
    rounds = (0, 1, 2, 3, 4, 5, 7, 10, 12, 15, 18, 21)
    density = _in_turn([(Problem(number), CORES, CORES) for number in rounds], repetitions, work)
    say("width")
    wide = [(Problem(number, f"mlp-{w}-{w}"), CORES, CORES) for w in WIDTHS for number in (0, 10)]
    width = _in_turn(wide, repetitions, work)
    say("replicates")
    replicates = _in_turn([(Problem(10), n, CORES) for n in REPLICATES], repetitions, work)
    say("cores")
    counts = sorted({2**n for n in range(CORES.bit_length())} | {CORES})
    cores = _in_turn([(Problem(number), n, n) for number in ON_MORE_CORES for n in counts], repetitions, work)
    for row in cores:
        one = next(other for other in cores if other["round"] == row["round"] and other["threads"] == 1)
        pairs = zip(one["times"], row["times"], strict=True)
        row["speedup"] = median(slow / fast for slow, fast in pairs)
    return {"cores": CORES, "density": density, "width": width, "replicates": replicates, "more cores": cores}


def _in_turn(cases: list[tuple[Problem, int, int]], repetitions: int, work: float) -> list[dict]:
    """Microseconds per step and network of every (problem, networks, threads), one time in each repetition."""
    times = defaultdict(list)
    for _ in range(repetitions):
        for case in cases:
            times[case].append(_time(*case, work))
    return [
        {
            "round": problem.round,
            "network": problem.network,
            "density": problem.subnetwork.density,
            "links": problem.subnetwork.links,
            "networks": networks,
            "threads": threads,
            "microseconds": median(times[problem, networks, threads]),
            "times": times[problem, networks, threads],
        }
        for problem, networks, threads in cases
    ]


def _time(problem: Problem, networks: int, threads: int, work: float) -> float:
    steps = round(min(10_000, max(200, work / problem.products)) / max(1, networks / threads))
    trials = [problem.trial(number) for number in range(networks)]
    began = time.perf_counter()
    sparse.train(trials, mnist(), recipe(steps), threads=threads)
    return 1e6 * (time.perf_counter() - began) / (steps * networks)


if __name__ == "__main__":
    part(measure)
