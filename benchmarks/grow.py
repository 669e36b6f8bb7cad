"""Links that go and grow: what part of a training their changes take, SET and RigL, in one thread."""

import time
from collections.abc import Callable
from dataclasses import replace
from statistics import median
from typing import Any

import numpy as np
from arguments import Arguments, part, say
from problem import Problem, mnist, recipe, split

from karikomi import seeds
from karikomi.engines import sparse
from karikomi.engines.contract import Trial
from karikomi.engines.sparse import training
from karikomi.engines.sparse.rewiring import Rewired
from karikomi.removal.allocation import erdos_renyi_kernel
from karikomi.removal.masks import random_links
from karikomi.removal.rewiring import Growth, Rewiring
from karikomi.studies.grow.settings import GrowSettings

ARMS: dict[str, Growth] = {"SET": "random", "RigL": "gradient"}
ITERATIONS = 2000


def measure(arguments: Arguments) -> dict:
    settings, repetitions = GrowSettings(), 2 if arguments.quick else 9
    spent = dict.fromkeys(("choose", "change", "all"), 0.0)
    for name in ("choose", "change"):
        setattr(Rewired, name, _timed(getattr(Rewired, name), name, spent))
    training._train = _timed(training._train, "all", spent)
    points = []
    for density in settings.densities:
        for arm, growth in ARMS.items():
            say(f"{arm}, density {density:g}")
            trial, rows = _trial(settings, density, growth), []
            for every in (settings.validate_every, ITERATIONS):
                sparse.train([trial], mnist(), recipe(2 * settings.every), threads=1)
                for _ in range(repetitions):
                    spent.update(dict.fromkeys(spent, 0.0))
                    sparse.train([trial], mnist(), recipe(ITERATIONS, every), threads=1)
                    rows.append((every, dict(spent)))
            changes = len(trial.rewiring.steps) if trial.rewiring else 0
            shares = {
                name: median((one["choose"] + one["change"]) / one["all"] for at, one in rows if at == every)
                for name, every in (("validated", settings.validate_every), ("not validated", ITERATIONS))
            }
            parts = {name: 1e6 * median(one[name] for _, one in rows) / changes for name in ("choose", "change")}
            steps = 1e6 * median(one["all"] for at, one in rows if at == ITERATIONS) * settings.every / ITERATIONS
            points.append({"density": density, "arm": arm, "shares": shares, "parts": parts, "steps": steps})
    return {"every": settings.every, "points": points}


def _trial(settings: GrowSettings, density: float, growth: Growth) -> Trial:
    """As ``karikomi grow`` trains it, validated on as many examples."""
    dense = Problem(network=settings.network).subnetwork
    links = erdos_renyi_kernel(dense.masks, round(density * dense.links))
    network = dense.masked(random_links(dense.masks, links, np.random.default_rng(0)))
    validation = mnist().split(settings.validation, seeds.stream(0, "split", 0)).validation
    until = round(settings.end * ITERATIONS)
    rule = Rewiring(settings.every, until, settings.share, settings.decay, growth, np.random.SeedSequence(0))
    whole = replace(split(), validation=validation)
    return Trial(network, whole, seeds.sequence(0, "order", 0), rewiring=rule)


def _timed(function: Callable[..., Any], name: str, spent: dict[str, float]) -> Callable[..., Any]:
    def timed(*arguments: Any) -> Any:
        began = time.thread_time()
        result = function(*arguments)
        spent[name] += time.thread_time() - began
        return result

    return timed


if __name__ == "__main__":
    part(measure)
