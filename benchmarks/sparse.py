"""Training of few links: the sparse engine, SparseLinear, sparselab and sparseprop, beside dense layers."""

from statistics import median

import contestants
import layers
from arguments import Arguments, part, say
from problem import Uniform
from workers import CORES, Setup, Team, best_teams, in_turn, ratio, ways

NETWORKS, DENSITIES = ("lenet-300-100", "mlp-1024-1024"), (0.1, 0.05, 0.01)
CHECKED, TOLERANCE = 200, 1e-3
# How long a run lasts: what it costs once must not count, nor what others do meanwhile.
SECONDS = 0.7

FAMILIES = {
    "engine": [Setup("one network per core", contestants.sparse, threads=CORES, networks=CORES)],
    "engine, one core": [Setup("one network", contestants.sparse)],
    "SparseLinear": ways(layers.sparse_linear),
    "sparselab": ways(layers.sparselab),
    "sparseprop": ways(layers.sparseprop),
    "dense": [*ways(layers.dense, "eager, "), *ways(layers.dense_compiled, "compiled, ")],
    "nothing": ways(layers.nothing),
}
# What is compared with: for the engine all of them, for SparseLinear those that compute with links alone.
RIVALS, SPARSE = ("sparselab", "sparseprop", "dense"), ("sparselab", "sparseprop")


def measure(arguments: Arguments) -> dict:
    cases = [Uniform(network=network, density=density) for network in NETWORKS for density in DENSITIES]
    points = [_point(problem, arguments) for problem in (cases[:1] if arguments.quick else cases)]
    return {"cores": CORES, "tolerance": TOLERANCE, "points": points}


def _point(problem: Uniform, arguments: Arguments) -> dict:
    say(f"{problem.network} at density {problem.density}")
    families = {name: setups[:1] for name, setups in FAMILIES.items()} if arguments.quick else FAMILIES
    teams, failed = best_teams(families, problem, CHECKED, 3)
    try:
        losses, steps = {}, {}
        for name, team in [*teams.items()]:
            try:
                losses[name], steps[name] = team.check(CHECKED), _steps(team, arguments)
                team.check(steps[name])  # a library may fail later on
            except RuntimeError as problem_there:
                failed[name] = str(problem_there)
                teams.pop(name).close()
        checks = {
            name: max(abs(a - b) for a, b in zip(theirs, losses["engine"], strict=True))
            for name, theirs in losses.items()
            if name not in ("dense", "nothing")
        }
        for name in [name for name, apart in checks.items() if not apart <= TOLERANCE and name in teams]:
            failed[name] = f"does other work than the engine: its loss differs by {checks[name]:.2g}"
            teams.pop(name).close()
        times = in_turn(teams, steps, 2 if arguments.quick else 9)
    finally:
        for team in teams.values():
            team.close()
    return {
        "network": problem.network,
        "density": problem.density,
        "chosen": {name: team.setup.name for name, team in teams.items()},
        "failed": failed,
        "checks": checks,
        "times": times,
        "ratios": _ratios(times),
    }


def _steps(team: Team, arguments: Arguments) -> int:
    """So many that a run of the team takes about as long as it should."""
    microseconds = median(team.time(CHECKED) for _ in range(3)) * team.setup.processes * team.setup.networks
    return max(20, round(1e6 * SECONDS / (4 if arguments.quick else 1) / microseconds))


def _ratios(times: dict[str, list[float]]) -> dict[str, float]:
    """How many times faster than the fastest of the others, in each repetition."""

    def fastest(names: tuple[str, ...]) -> list[float]:
        return [min(some) for some in zip(*(times[name] for name in names if name in times), strict=True)]

    compared = {"engine": RIVALS, "engine, one core": RIVALS, "SparseLinear": SPARSE, "nothing": SPARSE}
    return {
        name: ratio(fastest(others), times[name])
        for name, others in compared.items()
        if name in times and any(other in times for other in others)
    }


if __name__ == "__main__":
    part(measure)
