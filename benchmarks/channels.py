"""Knock-outs of every channel of convolutional networks, side by side with a masked PyTorch pass for each of them."""

import time
from collections.abc import Callable
from itertools import product
from statistics import median

import numpy as np
import torch
from arguments import Arguments, part, say
from problem import mnist, recipe, split
from torch import Tensor, nn
from workers import CORES, ratio

from karikomi import seeds
from karikomi.engines import convolutional
from karikomi.engines.contract import Trial
from karikomi.engines.sparse.compilation import compile_kernels
from karikomi.networks import build
from karikomi.networks.architecture import Architecture
from karikomi.networks.initialization import initialize
from karikomi.networks.subnetwork import Subnetwork

IMAGES = {"conv-2-small": 10_000, "lenet-5": 10_000, "conv-4-small": 10_000, "resnet-8": 1000}
BATCHES = (100, 250, 1000)
# One pass each for all of them would take minutes: so many are timed, spread over the layers.
SAMPLED, REPEATED = 3, 3


class Passes:
    """The same network in plain PyTorch, data in memory."""

    def __init__(self, network: Subnetwork, x: np.ndarray, y: np.ndarray) -> None:
        self.module = network.module.eval()
        self.module.load_state_dict({name: torch.tensor(w) for name, w in network.weights.items()})
        self.x, self.y = torch.tensor(x).float().div(255), torch.tensor(y)
        self.batch = BATCHES[0]

    def whole(self, form: torch.memory_format, batch: int) -> float:
        """The seconds of a pass in another setting, which stays."""
        self.module.to(memory_format=form)
        self.batch, began = batch, time.perf_counter()
        self._pass()
        return time.perf_counter() - began

    def masked(self, channel: tuple[str, int]) -> None:
        """A whole forward with a mask on a channel where it leaves its layer; right answers by class."""
        name, number = channel
        layer = self.module.get_submodule(name)
        mask = (torch.arange(len(layer.weight)) != number).float()[:, None, None]  # type: ignore[arg-type]

        def cut(module: nn.Module, given: object, signal: Tensor) -> Tensor:
            return signal * mask

        hook = layer.register_forward_hook(cut)
        self._pass()
        hook.remove()

    def _pass(self) -> None:
        logits = torch.cat([self.module(some) for some in self.x.split(self.batch)])
        torch.nn.functional.cross_entropy(logits, self.y)
        torch.bincount(self.y[logits.argmax(dim=1) == self.y], minlength=10)


def measure(arguments: Arguments) -> dict:
    torch.set_num_threads(CORES)
    torch.set_grad_enabled(False)
    compile_kernels(flows=True, lesions=True)
    return {"sampled": SAMPLED, "networks": {name: _network(name, arguments.quick) for name in IMAGES}}


def _network(name: str, quick: bool) -> dict[str, float]:
    say(name)
    test = mnist().test.take(np.arange(200 if quick else IMAGES[name]))
    network = _trained(name, 20 if quick else 300)
    names = [(layer, number) for layer in network.architecture.hidden for number in range(layer.units)]
    channels = np.flatnonzero([layer.channels for layer, _ in names])
    passes = Passes(network, test.x, test.y)
    settings = [*product((torch.contiguous_format, torch.channels_last), BATCHES)]
    passes.whole(*settings[0])
    passes.whole(*min(settings, key=lambda setting: passes.whole(*setting)))
    sampled = [names[channels[place]] for place in np.linspace(0, len(channels) - 1, SAMPLED).astype(int)]
    tasks: dict[str, Callable[[], object]] = {
        "karikomi": lambda: convolutional.knock_out(network, test, units=channels),
        "pass each": lambda: [passes.masked((layer.name, number)) for layer, number in sampled],
    }
    times: dict[str, list[float]] = {task: [] for task in tasks}
    for _ in range(1 if quick else REPEATED):
        for task, run in tasks.items():
            began = time.perf_counter()
            run()
            times[task].append(time.perf_counter() - began)
    times["pass each"] = [seconds * len(channels) / SAMPLED for seconds in times["pass each"]]
    return {
        "images": len(test),
        "channels": len(channels),
        **{task: median(seconds) for task, seconds in times.items()},
        "ratio": ratio(times["pass each"], times["karikomi"]),
    }


def _trained(name: str, steps: int) -> Subnetwork:
    start = initialize(
        Architecture(build(name, (28, 28), 10), sample_shape=(28, 28)), "pytorch", seeds.stream(0, "init")
    )
    trial = Trial(start, split(), seeds.sequence(0, "order"))
    [trained] = convolutional.train([trial], mnist(), recipe(steps))
    return trained.final


if __name__ == "__main__":
    part(measure)
