"""Microseconds per training step of LeNet-300-100, side by side with what a user could write today."""

import contestants
import peak
from arguments import Arguments, part, say
from problem import Problem
from workers import CORES, Setup, Team, best_teams, in_turn, ratio, ways

# Density 1, 0.51, 0.21, 0.108, 0.036 and 0.019.
ROUNDS = (0, 3, 7, 10, 15, 18)
# Where each library's best way to use the machine is chosen; what it costs hardly depends on density.
CHOSEN_AT = 10
TOLERANCE = 1e-3
# Every contestant is checked after as many steps as fit into seconds.
CHECKED = 200

FAMILIES = {
    "sparse": [Setup("one network per core", contestants.sparse, threads=CORES, networks=CORES)],
    "sparse, one core": [Setup("one network", contestants.sparse)],
    "population": [Setup("8 networks stacked", contestants.population, threads=CORES, networks=8)],
    "PyTorch": ways(contestants.torch_masks),
    "prune": ways(contestants.torch_prune),
    "JAX": [
        Setup("1 network", contestants.jax_scan),
        Setup("8 networks under vmap", contestants.jax_scan, networks=8),
        Setup(f"processes: {CORES}, one core each", contestants.jax_scan, processes=CORES, pinned=True),
    ],
    "peak": [
        Setup("multiply-adds in registers", peak.multiply_adds, processes=CORES),
        Setup("matrix products", peak.matrix_product, processes=CORES),
    ],
    "peak, one core": [
        Setup("multiply-adds in registers", peak.multiply_adds),
        Setup("matrix products", peak.matrix_product),
    ],
}


def measure(arguments: Arguments) -> dict:
    repetitions, rounds = (1, (0, 10)) if arguments.quick else (7, ROUNDS)
    teams, failed = best_teams(FAMILIES, Problem(CHOSEN_AT), CHECKED, 1 if arguments.quick else 5)
    densities = []
    try:
        for number in rounds:
            say(f"training steps after {number} rounds")
            problem = Problem(number)
            checks = _check(teams, problem)
            for name in [name for name, apart in checks.items() if not apart <= TOLERANCE]:
                failed[name] = f"does other work than the sparse engine: its loss differs by {checks[name]:.2g}"
                teams.pop(name).close()
            steps = {name: _steps(name, team.setup, problem, arguments) for name, team in teams.items()}
            for name, team in teams.items():
                team.check(steps[name])  # JAX compiles for every number of steps
            times = in_turn(teams, steps, repetitions)
            densities.append({"round": number, **_figures(problem, times), "checks": checks, "times": times})
    finally:
        for team in teams.values():
            team.close()
    chosen = {name: team.setup.name for name, team in teams.items()}
    return {"cores": CORES, "tolerance": TOLERANCE, "chosen": chosen, "failed": failed, "densities": densities}


def _steps(family: str, setup: Setup, problem: Problem, arguments: Arguments) -> int:
    """So many that a run takes about a second: what a run costs once must not count, nor what others do meanwhile."""
    if family.startswith("peak"):
        steps = 1000
    elif setup.contestant is contestants.sparse:
        steps = round(1000 * min(10, 1 / problem.subnetwork.density))
    else:
        steps = 1000 // min(setup.networks, 5)
    return steps // 4 if arguments.quick else steps


def _check(teams: dict[str, Team], problem: Problem) -> dict[str, float]:
    """By how much the losses of each contestant differ from those of the sparse engine, at most."""
    losses = {}
    for name, team in teams.items():
        team.prepare(problem)
        losses[name] = team.check(CHECKED)
    ours = losses["sparse"]
    return {
        name: max(abs(a - b) for a, b in zip(theirs, ours, strict=True))
        for name, theirs in losses.items()
        if not name.startswith("peak")
    }


def _figures(problem: Problem, times: dict[str, list[float]]) -> dict:
    ours, one = times["sparse"], times["sparse, one core"]
    flops = 2 * problem.products
    limit = {name: [flops / peak.UNIT * t for t in times[name]] for name in ("peak", "peak, one core")}
    rivals = {name: ratio(times[name], ours) for name in ("PyTorch", "prune", "JAX", "population") if name in times}
    return {
        "density": problem.subnetwork.density,
        "limit": limit["peak"],
        "ratios": {
            **rivals,
            "one core": ratio(one, ours),
            "over limit": ratio(ours, limit["peak"]),
            "over limit, one core": ratio(one, limit["peak, one core"]),
        },
    }


if __name__ == "__main__":
    part(measure)
