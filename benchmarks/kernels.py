"""Where the time of a training step of few links goes: every kernel of the sparse engine against its arithmetic."""

import ctypes
import time
from typing import Any

import numpy as np
import peak
from arguments import Arguments, part, say
from numba import njit
from problem import BATCH, Uniform, mnist, recipe

from karikomi.engines.sparse.input import nonzero_fraction, source_of
from karikomi.engines.sparse.kernels.gather import gather
from karikomi.engines.sparse.kernels.layout import lay_out
from karikomi.engines.sparse.kernels.loss import activate, cross_entropy
from karikomi.engines.sparse.kernels.optimizer import pace_of
from karikomi.engines.sparse.kernels.products import back, linear
from karikomi.engines.sparse.kernels.steps import learn
from karikomi.engines.sparse.kernels.vector import LANES
from karikomi.engines.sparse.training import optimizer_of

NETWORK, DENSITIES, STEPS = "mlp-1024-1024", (0.1, 0.05), 50
_CLOCK: Any = ctypes.CDLL(None).clock_gettime
_CLOCK.argtypes, _CLOCK.restype = [ctypes.c_int, ctypes.c_size_t], ctypes.c_int
_MONOTONIC = 1


@njit(nogil=True)
def _now(moment, address):
    _CLOCK(_MONOTONIC, address)
    return moment[0] * 1_000_000_000 + moment[1]


@njit(nogil=True, error_model="numpy", fastmath={"contract"})
def _timed(source, order, network, optimizer, best, moment, address):
    """The steps of ``train_steps``, of one block and without listed inputs; ``best`` are the shortest times in ns.

    Of gathering, the loss, the layers forward, backward and their links, and a whole step.
    """
    steps, batch = order.shape
    layers = network.layers.size
    for step in range(steps):
        began = before = _now(moment, address)
        for number in range(-1, 3 * layers + 1):
            layer = number if number < layers else layers - 1 - (number - layers - 1) // 2
            if number < 0:
                place = 0
                gather(source, order[step], network, 0, order[min(step + 1, steps - 1)])
            elif number < layers:
                place = 2 + layer
                if not linear(network, layer, 0, True):
                    activate(network, layer, 0)
            elif number == layers:
                place = 1
                cross_entropy(network, 0, source.labels, order[step], np.float32(1 / batch))
            elif (number - layers) % 2:
                place = 2 + layers + layer
                if layer:
                    back(network, layer, 0, network.layers[layer - 1].activation)
            else:
                place = 2 + 2 * layers + layer
                learn(network, layer, optimizer, pace_of(optimizer, optimizer.rates[step], step + 1), batch)
            after = _now(moment, address)
            best[place] = min(best[place], after - before)
            before = after
        best[-1] = min(best[-1], before - began)


def measure(arguments: Arguments) -> dict:
    return {"batch": BATCH, "points": [_point(Uniform(network=NETWORK, density=d), arguments) for d in DENSITIES]}


def _point(problem: Uniform, arguments: Arguments) -> dict:
    say(f"kernels of {problem.network} at density {problem.density}")
    source, order = source_of(mnist().train), problem.order(0, STEPS)
    network, places = lay_out(problem.subnetwork, nonzero_fraction(mnist().train), BATCH, keep_idle=False)
    optimizer, layers = optimizer_of(recipe(STEPS), network), len(network.layers)
    assert BATCH <= LANES
    assert not network.listed.inputs
    start, best = network.parameters.copy(), np.full(3 + 3 * layers, np.iinfo(np.int64).max)
    chains, moment, highest = peak.multiply_adds(problem, 1, 1), np.zeros(2, np.int64), 0.0
    chains(1)  # compiles
    end = time.monotonic() + (1 if arguments.quick else 15)
    while time.monotonic() < end:
        network.parameters[:], optimizer.first[:], optimizer.second[:] = start, 0, 0
        _timed(source, order, network, optimizer, best, moment, moment.ctypes.data)
        began = time.perf_counter()
        chains(2)
        highest = max(highest, peak.UNIT / (time.perf_counter() - began))  # multiply-adds of two steps
    links = [len(places[name].positions) for name in problem.subnetwork.masks]
    forward, backward, learned = best[2:-1].reshape(3, layers) / 1e3
    return {
        "density": problem.density,
        "peak": highest,
        "step": best[-1] / 1e3,
        "gather": best[0] / 1e3,
        "loss": best[1] / 1e3,
        "layers": [
            {
                "links": links[number],
                "limit": 1e6 * links[number] * LANES / highest,
                "forward": forward[number],
                "back": backward[number] if number else 0.0,
                "learn": learned[number],
            }
            for number in range(layers)
        ],
    }


if __name__ == "__main__":
    part(measure)
