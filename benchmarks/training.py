"""Training of any network: the engine that is chosen for it, side by side with the loops that a user would write."""

import time
from collections.abc import Callable
from copy import deepcopy

import numpy as np
import torch
from arguments import Arguments, part, say
from plain_torch import masks_of, minibatch_losses, model_of
from problem import BATCH, LEARNING_RATE, mnist, recipe, split
from workers import CORES, PAUSE_SECONDS, ratio

from karikomi import seeds
from karikomi.engines.choice import choose
from karikomi.engines.contract import Trial, stacked_minibatches
from karikomi.networks import build
from karikomi.networks.architecture import Architecture
from karikomi.networks.initialization import initialize

SEVERAL = 2 * CORES
# Steps that are timed at once: a second's.
FEWEST, MOST = 10, 2000


NETWORKS = ("mlp-32-16", "lenet-300-100", "conv-2-small", "resnet-8", "vit")


def measure(arguments: Arguments) -> dict:
    torch.set_num_threads(CORES)
    seconds, repetitions = (0.1, 3) if arguments.quick else (1.0, 7)
    return {
        "several": SEVERAL,
        "networks": {name: _compared(name, seconds, repetitions) for name in NETWORKS},
    }


def _compared(name: str, seconds: float, repetitions: int) -> dict:
    """Microseconds per step and network of the loops, and of the engine with one network and with several."""
    say(name)
    subnetwork = initialize(
        Architecture(build(name, (28, 28), 10), sample_shape=(28, 28)), "glorot", seeds.stream(0, "init", 0)
    )
    trials = [Trial(subnetwork, split(), seeds.sequence(0, "order", number)) for number in range(SEVERAL)]
    x, y = torch.from_numpy(mnist().train.x * np.float32(mnist().train.scale)), torch.from_numpy(mnist().train.y)
    orders = torch.from_numpy(next(stacked_minibatches(trials[0], BATCH, [MOST])))

    own = model_of(subnetwork).train()
    weights = deepcopy(own.state_dict())
    forward = torch.compile(own)  # once: what a loop compiles is used for all its steps

    def loop(compiled: bool, steps: int) -> float:
        own.load_state_dict(weights)
        how = (x, y, orders[:steps], LEARNING_RATE, forward if compiled else own)
        return float(torch.stack(list(minibatch_losses(own, masks_of(subnetwork), *how))).mean())

    loop(False, FEWEST)
    began = time.perf_counter()
    loop(False, FEWEST)
    steps = round(np.clip(seconds * FEWEST / (time.perf_counter() - began), FEWEST, MOST))

    chosen = choose("auto", subnetwork.architecture)

    def engine(some: list[Trial]) -> float:
        return float(chosen.train(some, mnist(), recipe(steps))[0].curve.train_loss[-1])

    contestants: dict[str, Callable[[], float]] = {
        "loop": lambda: loop(False, steps),
        "compiled": lambda: loop(True, steps),
        "one": lambda: engine(trials[:1]),
        "several": lambda: engine(trials),
    }
    losses = {who: run() for who, run in contestants.items()}
    apart = max(losses.values()) - min(losses.values())
    times: dict[str, list[float]] = {who: [] for who in contestants}
    for _ in range(repetitions):
        for who, run in contestants.items():
            time.sleep(PAUSE_SECONDS)
            began = time.perf_counter()
            run()
            networks = SEVERAL if who == "several" else 1
            times[who].append(1e6 * (time.perf_counter() - began) / (steps * networks))
    faster = [min(pair) for pair in zip(times["loop"], times["compiled"], strict=True)]
    ratios = {who: ratio(faster, times[who]) for who in ("one", "several")}
    return {"times": times, "ratios": ratios, "apart": apart}


if __name__ == "__main__":
    part(measure)
