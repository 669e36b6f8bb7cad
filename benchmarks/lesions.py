"""Lesions of 784-256-256-10 side by side with PyTorch, and its betweenness beside networkx."""

import time
from collections.abc import Callable
from statistics import median

import networkx as nx
import numpy as np
import torch
from arguments import Arguments, part, say
from problem import mnist, recipe, split
from torch import Tensor
from workers import CORES, ratio

from karikomi import seeds
from karikomi.engines import sparse
from karikomi.engines.contract import Trial
from karikomi.engines.sparse.compilation import compile_kernels
from karikomi.graphs import LayeredGraph
from karikomi.graphs.registry import node_measure
from karikomi.networks import build
from karikomi.networks.architecture import Architecture
from karikomi.networks.initialization import initialize
from karikomi.networks.subnetwork import Subnetwork

HIDDEN = (256, 256)
PERMUTATIONS, ORDERS, REPLICATES = 100, 30, 5
# One pass each for all of them would take minutes: so many are timed, spread over both layers.
SAMPLED = 32


class Passes:
    """The same network in plain PyTorch, data in memory."""

    def __init__(self, network: Subnetwork) -> None:
        names = ("fc1", "fc2", "output")
        self.weights = [torch.tensor(network.weights[f"{name}.weight"]) for name in names]
        self.biases = [torch.tensor(network.weights[f"{name}.bias"]) for name in names]
        test = mnist().test
        self.x = torch.tensor(test.x).float().div(255).flatten(1)
        self.y = torch.tensor(test.y)

    def masked(self, unit: int) -> np.ndarray:
        """A whole forward with a mask on each hidden layer; right answers by class."""
        masks = [torch.ones(width) for width in HIDDEN]
        masks[unit // HIDDEN[0]][unit % HIDDEN[0]] = 0
        signal = self.x
        for weight, bias, mask in zip(self.weights, self.biases, [*masks, None], strict=True):
            signal = torch.nn.functional.linear(signal, weight, bias)
            signal = signal if mask is None else torch.relu(signal) * mask
        return self._judge(signal)

    def cached(self) -> None:
        """Every knock-out by subtracting the unit's rank-one term from what follows."""
        (_, second, third), (_, bias, last) = self.weights, self.biases
        one = torch.relu(torch.nn.functional.linear(self.x, self.weights[0], self.biases[0]))
        before = torch.nn.functional.linear(one, second, bias)
        two = torch.relu(before)
        logits = torch.nn.functional.linear(two, third, last)
        for unit in range(HIDDEN[0]):
            hidden = torch.relu(before - one[:, unit, None] * second[:, unit])
            self._judge(torch.nn.functional.linear(hidden, third, last))
        for unit in range(HIDDEN[1]):
            self._judge(logits - two[:, unit, None] * third[:, unit])

    def _judge(self, logits: Tensor) -> np.ndarray:
        torch.nn.functional.cross_entropy(logits, self.y)
        right = self.y[logits.argmax(dim=1) == self.y]
        return torch.bincount(right, minlength=10).numpy()


def measure(arguments: Arguments) -> dict:
    repetitions = 1 if arguments.quick else 5
    torch.set_num_threads(CORES)
    torch.set_grad_enabled(False)
    compile_kernels(lesions=True)
    network, test = _trained(), mnist().test
    passes, units = Passes(network), sum(HIDDEN)
    sampled = np.linspace(0, units - 1, 4 if arguments.quick else SAMPLED).astype(int)
    rng = seeds.stream(0, "lesions")
    orders = np.stack([rng.permutation(units) for _ in range(4 if arguments.quick else PERMUTATIONS)])
    say("knock-outs")
    single = _in_turn(
        {
            "sparse": lambda: sparse.knock_out(network, test),
            "pass each": lambda: [passes.masked(unit) for unit in sampled],
            "cached": passes.cached,
        },
        repetitions,
    )
    single["pass each"] = [seconds * units / len(sampled) for seconds in single["pass each"]]
    say("removal in order")
    whole = _in_turn({"sparse": lambda: sparse.remove_in_order(network, orders, test)}, min(repetitions, 3))
    study = _in_turn(
        {"sparse": lambda: [sparse.remove_in_order(network, orders[:ORDERS], test) for _ in range(REPLICATES)]}, 1
    )
    each = [seconds * orders.size / units for seconds in single["pass each"]]
    counts = sparse.knock_out(network, test).correct[1 + sampled]
    apart = sum(int(np.abs(passes.masked(unit) - right).sum()) for unit, right in zip(sampled, counts, strict=True))
    return {
        "examples": len(test),
        "sampled": len(sampled),
        "apart": apart,
        "answers": len(sampled) * len(test),
        "times": {
            f"{units} knock-outs": _row(single),
            f"Shapley: {len(orders)} orders of {units} removals": _row(
                {**whole, "pass each": each[: len(whole["sparse"])]}
            ),
            f"a study: {REPLICATES} networks, {min(ORDERS, len(orders))} orders of {units} removals each": _row(
                {
                    **study,
                    "pass each": [seconds * REPLICATES * min(ORDERS, len(orders)) for seconds in single["pass each"]][
                        :1
                    ],
                }
            ),
        },
        "betweenness": _betweenness(network, repetitions),
    }


def _trained() -> Subnetwork:
    start = initialize(Architecture(build("mlp-256-256", (28, 28), 10)), "pytorch", seeds.stream(0, "init"))
    [trained] = sparse.train([Trial(start, split(), seeds.sequence(0, "order"))], mnist(), recipe(2000))
    return trained.final


def _in_turn(tasks: dict[str, Callable[[], object]], repetitions: int) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(repetitions):
        for name, task in tasks.items():
            began = time.perf_counter()
            task()
            times[name].append(time.perf_counter() - began)
    return times


def _row(times: dict[str, list[float]]) -> dict[str, float]:
    rivals = times.keys() - {"sparse"}
    ratios = {f"ratio {name}": ratio(times[name], times["sparse"]) for name in rivals}
    return {**{name: median(seconds) for name, seconds in times.items()}, **ratios}


def _betweenness(network: Subnetwork, repetitions: int) -> dict:
    say("betweenness")
    graph = LayeredGraph.from_subnetwork(network)
    whole = graph.to_networkx()
    times = _in_turn(
        {
            "karikomi": lambda: node_measure(graph, "betweenness-inverse"),
            "networkx": lambda: nx.betweenness_centrality(whole, weight="distance"),
        },
        min(repetitions, 3),
    )
    medians = {name: median(seconds) for name, seconds in times.items()}
    ratios = ratio(times["networkx"], times["karikomi"])
    return {"nodes": graph.nodes, "links": graph.links, **medians, "ratio": ratios}


if __name__ == "__main__":
    part(measure)
