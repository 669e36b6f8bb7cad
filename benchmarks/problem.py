"""The task that every contestant gets: a network on MNIST with the links that a lottery ticket has."""

from dataclasses import dataclass, field
from functools import cache, cached_property
from itertools import islice

import numpy as np

from karikomi import data, seeds
from karikomi.data.dataset import Dataset, Split
from karikomi.engines import convolutional
from karikomi.engines.contract import Recipe, Trial, minibatches
from karikomi.networks import build
from karikomi.networks.architecture import Architecture
from karikomi.networks.initialization import initialize
from karikomi.networks.subnetwork import Subnetwork
from karikomi.removal.masks import remove_links

BATCH, LEARNING_RATE = 60, 1.2e-3
# Validation is part of the lottery's benchmark, not of a training step: here it is a formality.
VALIDATED = 64


@cache
def mnist() -> Dataset:
    return data.load("mnist")


@cache
def split() -> Split:
    whole = mnist().split(10_000, seeds.stream(0, "split", 0))
    return Split(whole.train, whole.validation[:VALIDATED])


def recipe(iterations: int, validate_every: int | None = None) -> Recipe:
    """Adam as in the lottery ticket paper; by default validated once, at the end."""
    every = validate_every or iterations
    return Recipe(iterations, BATCH, "adam", LEARNING_RATE, momentum=0.0, weight_decay=0.0, validate_every=every)


@dataclass(frozen=True)
class Problem:
    """``network`` after ``round`` rounds at the paper's rates: 20 % of the links a round, 10 % in the output layer."""

    round: int = 0
    network: str = "lenet-300-100"

    @cached_property
    def subnetwork(self) -> Subnetwork:
        """Initial weights under a mask as uneven as a trained ticket's.

        Magnitude pruning keeps the pixels that vary and prefers some units to others; random masks would be kinder
        to kernels that want even rows.
        """
        dense = initialize(Architecture(build(self.network, (28, 28), 10)), "glorot", seeds.stream(0, "init", 0))
        rng = seeds.stream(0, "scores", 0)
        scores, left = {}, {}
        for name, mask in dense.masks.items():
            first, output = not scores, name == list(dense.masks)[-1]
            favour = mnist().train.x[::20].reshape(-1, 784).std(axis=0) / 255 + 0.1 if first else 1.0
            scores[name] = np.abs(dense.weights[name]) * favour * rng.lognormal(sigma=0.3, size=mask.shape[1])
            left[name] = round(mask.size * (0.9 if output else 0.8) ** self.round)
        return dense.masked(remove_links(dense.masks, scores, left, rng))

    def trial(self, number: int) -> Trial:
        """The network with its own order of minibatches, one for every ``number``."""
        return Trial(self.subnetwork, split(), seeds.sequence(0, "order", number))

    def order(self, number: int, steps: int) -> np.ndarray:
        """The minibatches of ``trial(number)``, ``[steps, BATCH]``."""
        return np.stack(list(islice(minibatches(self.trial(number), BATCH), steps)))

    @property
    def products(self) -> int:
        """Multiply-adds that a step cannot do without: forward, weight gradient, and input gradient but in layer 1."""
        links = [int(mask.sum()) for mask in self.subnetwork.masks.values()]
        return BATCH * (3 * sum(links) - links[0])


@dataclass(frozen=True)
class Uniform(Problem):
    """``network`` with ``density`` of the links in every layer, drawn by lot."""

    density: float = 0.1

    @cached_property
    def subnetwork(self) -> Subnetwork:
        dense, rng = Problem(network=self.network).subnetwork, seeds.stream(0, "scores", 0)
        scores = {name: rng.random(mask.shape) for name, mask in dense.masks.items()}
        left = {name: round(self.density * mask.size) for name, mask in dense.masks.items()}
        return dense.masked(remove_links(dense.masks, scores, left, rng))


@dataclass(frozen=True, eq=False)
class Ticket(Problem):
    """``network`` with the links in ``masks`` and the weights it starts with; see :func:`ticket`."""

    masks: dict[str, np.ndarray] = field(default_factory=dict)

    @cached_property
    def subnetwork(self) -> Subnetwork:
        dense = _of_images(self.network)
        return dense.masked(self.masks) if self.masks else dense


def ticket(network: str, density: float, iterations: int) -> Ticket:
    """The largest weights of every layer after so many ``iterations``; the output layer loses them at half the rate."""
    dense = _of_images(network)
    if density == 1:
        return Ticket(network=network)
    [trained] = convolutional.train([Trial(dense, split(), seeds.sequence(0, "order"))], mnist(), recipe(iterations))
    rounds = np.log(density) / np.log(0.8)
    left = {name: round(mask.size * density) for name, mask in dense.masks.items()}
    output = list(left)[-1]
    left[output] = round(dense.masks[output].size * 0.9**rounds)
    scores = {name: np.abs(trained.final.weights[name]) for name in left}
    return Ticket(network=network, masks=remove_links(dense.masks, scores, left, seeds.stream(0, "scores", 0)))


def _of_images(network: str) -> Subnetwork:
    architecture = Architecture(build(network, (28, 28), 10), sample_shape=(28, 28))
    return initialize(architecture, "glorot", seeds.stream(0, "init", 0))


def test_loss(weights: dict[str, np.ndarray]) -> float:
    """Mean cross-entropy on the test images: one yardstick for what all contestants have learned."""
    test = mnist().test
    values = test.x.reshape(len(test), -1) * np.float32(test.scale)
    names = [name.removesuffix(".weight") for name in weights if name.endswith(".weight")]
    for name in names:
        values = values @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]
        values = values if name == names[-1] else np.maximum(values, 0)
    values -= values.max(axis=1, keepdims=True)
    losses = np.log(np.exp(values).sum(axis=1)) - values[np.arange(len(test)), test.y]
    return float(losses.mean(dtype=np.float64))
