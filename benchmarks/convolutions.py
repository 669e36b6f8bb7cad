"""Convolutional networks: training steps by density, convolutions over the arithmetic limit, a whole lottery."""

import time
from statistics import median
from typing import Any

import contestants
import layers
import numpy as np
import peak
from arguments import Arguments, part, say
from lottery import Script, play
from numba import njit
from problem import BATCH, Problem, Ticket, ticket
from workers import CORES, Setup, Team, best_teams, in_turn, ratio, ways

from karikomi.engines.sparse.compilation import compile_kernels
from karikomi.engines.sparse.flow_layout import lay_out_flow
from karikomi.engines.sparse.kernels.convolution import convolve
from karikomi.engines.sparse.kernels.flow import KINDS, Flow
from karikomi.engines.sparse.kernels.passing import move_passing
from karikomi.engines.sparse.kernels.planes import ROW
from karikomi.engines.sparse.kernels.play import convolution_back
from karikomi.engines.sparse.lowering import lowered
from karikomi.studies.lottery.settings import LotterySettings

NETWORKS, DENSITIES, LIMITED = ("conv-2-small", "lenet-5", "resnet-8"), (1, 0.1, 0.02), (0.5, 0.1)
# Where each library's best way to use the machine is chosen; what it costs hardly depends on density.
CHOSEN_AT = 0.1
CHECKED, TOLERANCE = 30, 1e-3
# Iterations behind which links are chosen, and of each training of the lottery.
TRAINED, LOTTERY = 300, 300
SECONDS, REPETITIONS = 0.4, 7


def engine(problem: Problem, networks: int, threads: int) -> contestants.Run:
    """The mean loss alone: weights are compared of perceptrons only."""
    run = contestants.sparse(problem, networks, threads)
    return lambda steps: (run(steps)[0], {})


*_ALONE, _EACH = ways(layers.masked)
FAMILIES = {
    "engine": [Setup("one network per core", engine, threads=CORES, networks=CORES)],
    "engine, one network": [Setup("one network", engine, threads=CORES)],
    "PyTorch": [_EACH],
    "PyTorch, one network": _ALONE,
    "sparseprop": ways(layers.sparseprop_convolutions),
}


def measure(arguments: Arguments) -> dict:
    quick = arguments.quick
    compile_kernels(flows=True)
    tickets = {
        (name, density): ticket(name, density, 20 if quick else TRAINED)
        for name in NETWORKS
        for density in sorted({*DENSITIES, *LIMITED})
    }
    limits = [
        {
            "network": name,
            "density": density,
            "layers": _over_limit(tickets[name, density], 2 if quick else REPETITIONS),
        }
        for name in NETWORKS
        for density in LIMITED
    ]
    points = [
        point
        for name in NETWORKS[: 1 if quick else None]
        for point in _points({density: tickets[name, density] for density in DENSITIES}, quick)
    ]
    return {
        "trained": TRAINED,
        "checked": CHECKED,
        "tolerance": TOLERANCE,
        "points": points,
        "limits": limits,
        "lottery": _lottery(quick),
    }


def _points(problems: dict[float, Ticket], quick: bool) -> list[dict]:
    """The training steps of one network at every density."""
    chosen_at = problems[CHOSEN_AT]
    say(f"training steps of {chosen_at.network}")
    teams, failed = best_teams(FAMILIES, chosen_at, CHECKED, 1 if quick else 3)
    points = []
    try:
        for density, problem in problems.items():
            some = {name: team for name, team in teams.items() if density < 1 or name != "sparseprop"}
            points.append({**_point(problem, some, failed, quick), "density": density, "failed": failed})
    finally:
        for team in teams.values():
            team.close()
    return points


def _point(problem: Problem, teams: dict[str, Team], failed: dict[str, str], quick: bool) -> dict:
    losses, steps = {}, {}
    for name, team in [*teams.items()]:
        try:
            team.prepare(problem)
            losses[name], _ = team.check(CHECKED)
            microseconds = median(team.time(CHECKED) for _ in range(3)) * team.setup.processes * team.setup.networks
        except RuntimeError as problem_there:
            failed[name] = str(problem_there)
            teams.pop(name)
            continue
        steps[name] = max(10, round(1e6 * SECONDS / (4 if quick else 1) / microseconds))
    checks = {name: abs(loss - losses["engine"]) for name, loss in losses.items()}
    for name in [name for name, apart in checks.items() if not apart <= TOLERANCE]:
        failed[name] = f"does other work than the engine: its loss differs by {checks[name]:.2g}"
        teams.pop(name)
    times = in_turn(teams, steps, 2 if quick else REPETITIONS)
    together, alone = times["engine"], times["engine, one network"]
    loops = [times[name] for name in ("PyTorch", "PyTorch, one network") if name in times]
    compared = {
        "PyTorch": [*map(min, *loops)] if len(loops) > 1 else loops[0],
        "sparseprop": times.get("sparseprop"),
    }
    return {
        "network": problem.network,
        "links": problem.subnetwork.density,
        "chosen": {name: team.setup.name for name, team in teams.items()},
        "checks": checks,
        "times": times,
        "ratios": {
            **{name: ratio(theirs, together) for name, theirs in compared.items() if theirs},
            "alone": ratio(times.get("PyTorch, one network", compared["PyTorch"]), alone),
        },
    }


def _over_limit(problem: Problem, repetitions: int) -> dict[str, float]:
    """How many times longer than its multiply-adds at the machine's peak each convolution takes, on one core."""
    blocks = -(-BATCH // ROW)
    flow, _ = lay_out_flow(problem.subnetwork, BATCH)
    rng = np.random.default_rng(0)
    for array in (flow.units, flow.deltas):
        array[:] = rng.standard_normal(array.size)
    peak_rate, found = peak.multiply_adds(problem, 1, 1), {}
    low = lowered(problem.subnetwork.architecture.program, near=True)
    names = [part.weight for part in low.parts if part.kind == "convolution"]
    numbers = np.flatnonzero(flow.operations["kind"] == KINDS.index("convolution"))
    for name, number in zip(names, numbers, strict=True):
        operation: Any = flow.operations[number]
        target = flow.signals[operation["y"]]
        links, places = int(problem.subnetwork.masks[name].sum()), int(target["height"] * target["width"])
        products = links * places * blocks * ROW * (3 if operation["back_x"] else 2)
        visits, units = max(1, round(2e8 / products)), max(1, round(4e8 / peak.UNIT))
        passes(flow, number, blocks, 1)
        ratios = []
        for _ in range(repetitions):
            began = time.perf_counter()
            passes(flow, number, blocks, visits)
            between = time.perf_counter()
            peak_rate(units)
            ours, limit = (between - began) / (visits * products), (time.perf_counter() - between) / units
            ratios.append(ours / (limit * 2 / peak.UNIT))
        found[name.removesuffix(".weight")] = median(ratios)
    return found


@njit(nogil=True)
def passes(flow: Flow, number: int, blocks: int, times: int) -> None:
    """A convolution forward, its gradient, and its way back if there is one."""
    layer = flow.operations[number].number
    for _ in range(times):
        for block in range(blocks):
            move_passing(flow, block, np.intp(0))
            convolve(flow.convolutions, layer, flow.units, block * flow.block, flow.network.parameters, np.bool_(True))
            convolution_back(flow, number, block)


def _lottery(quick: bool) -> dict:
    say("lottery of conv-2-small")
    script, changes = Script(CORES), {"iterations": 20, "rounds": 1} if quick else {"iterations": LOTTERY, "rounds": 10}
    played = play(LotterySettings.of(preset="paper-conv-2-small", **changes), script)
    script.pool.shutdown()
    return {**played, **changes, "processes": CORES}


if __name__ == "__main__":
    part(measure)
