"""Training of any network: the population engine side by side with the loop that a user would write."""

import time
from collections.abc import Callable

import numpy as np
import torch
from arguments import Arguments, part, say
from models import Block
from plain_torch import masks_of, minibatch_losses, model_of
from problem import BATCH, LEARNING_RATE, mnist, recipe, split
from torch import Tensor, nn
from workers import CORES, PAUSE_SECONDS, ratio

from karikomi import seeds
from karikomi.engines import population
from karikomi.engines.contract import Trial, stacked_minibatches
from karikomi.networks import build
from karikomi.networks.architecture import Architecture
from karikomi.networks.initialization import initialize

SEVERAL = 2 * CORES


def convolutional() -> nn.Module:
    """Two convolutions and a perceptron."""
    features = [nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 16, 3, padding=1), nn.ReLU()]
    head = [nn.MaxPool2d(2), nn.Flatten(), nn.Linear(784, 32), nn.ReLU(), nn.Linear(32, 10)]
    return nn.Sequential(nn.Unflatten(1, (1, 28)), *features, *head)


def residual() -> nn.Module:
    """Three residual blocks."""
    stem = [nn.Unflatten(1, (1, 28)), nn.Conv2d(1, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU()]
    blocks = [Block(8, 8, 1), Block(8, 16, 2), Block(16, 32, 2)]
    return nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10))


class Transformer(nn.Module):
    """16 patches of 7 × 7 pixels, two layers of four heads."""

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.output = nn.Conv2d(1, 32, 7, 7), nn.Linear(32, 10)
        self.layers = nn.Sequential(*(nn.TransformerEncoderLayer(32, 4, 64, 0.0, batch_first=True) for _ in range(2)))

    def forward(self, x: Tensor) -> Tensor:
        return self.output(self.layers(self.patches(x[:, None]).flatten(2).mT).mean(1))


NETWORKS = {
    "mlp-32-16": lambda: build("mlp-32-16", (28, 28), 10),
    "LeNet-300-100": lambda: build("lenet-300-100", (28, 28), 10),
    "two convolutions": convolutional,
    "residual network": residual,
    "vision transformer": Transformer,
}


def measure(arguments: Arguments) -> dict:
    torch.set_num_threads(CORES)
    steps, repetitions = (40, 3) if arguments.quick else (200, 7)
    return {
        "several": SEVERAL,
        "networks": {name: _compared(name, make(), steps, repetitions) for name, make in NETWORKS.items()},
    }


def _compared(name: str, module: nn.Module, steps: int, repetitions: int) -> dict:
    """Microseconds per step and network of the loop, and of the engine with one network and with several."""
    say(name)
    subnetwork = initialize(Architecture(module), "glorot", seeds.stream(0, "init", 0))
    trials = [Trial(subnetwork, split(), seeds.sequence(0, "order", number)) for number in range(SEVERAL)]
    x, y = torch.from_numpy(mnist().train.x * np.float32(mnist().train.scale)), torch.from_numpy(mnist().train.y)
    order = torch.from_numpy(next(stacked_minibatches(trials[0], BATCH, [steps])))

    def loop() -> float:
        model = model_of(subnetwork).train()
        losses = minibatch_losses(model, masks_of(subnetwork), x, y, order, LEARNING_RATE)
        return float(torch.stack(list(losses)).mean())

    def engine(some: list[Trial]) -> float:
        return float(population.train(some, mnist(), recipe(steps), device="cpu")[0].curve.train_loss[-1])

    contestants: dict[str, Callable[[], float]] = {
        "loop": loop,
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
    ratios = {who: ratio(times["loop"], times[who]) for who in ("one", "several")}
    return {"times": times, "ratios": ratios, "apart": apart}


if __name__ == "__main__":
    part(measure)
