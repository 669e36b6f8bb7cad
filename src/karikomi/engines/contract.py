"""What every engine takes and gives.

An engine is a module with ``train`` and ``evaluate`` as in :class:`Engine`. It knows nothing of studies. After
every step a removed link is exactly 0.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from karikomi.data.dataset import Dataset, Examples, Split
from karikomi.networks.subnetwork import Subnetwork

# Adam's constants (Kingma & Ba 2015) and PyTorch's epsilon, in every engine.
ADAM_BETA1, ADAM_BETA2, ADAM_EPSILON = 0.9, 0.999, 1e-8

Advance = Callable[[int], None]
"""Called by an engine now and then with the number of training steps done since the last call."""


@dataclass(frozen=True)
class Recipe:
    """How a network is trained: cross-entropy on minibatches, validated every ``validate_every`` iterations.

    ``weight_decay`` is added to the gradient (L2), as in ``torch.optim.Adam`` and ``torch.optim.SGD``; ``momentum``
    is used by ``sgd`` alone. ``snapshot_at`` keeps the weights after that many iterations, for rewinding.
    """

    iterations: int
    batch: int
    optimizer: Literal["adam", "sgd"]
    learning_rate: float
    momentum: float
    weight_decay: float
    validate_every: int
    snapshot_at: int | None = None

    def validations(self) -> list[int]:
        """The iterations after which the network is validated; the last iteration is always one of them."""
        every = list(range(self.validate_every, self.iterations + 1, self.validate_every))
        return every if every and every[-1] == self.iterations else [*every, self.iterations]


@dataclass(frozen=True)
class Trial:
    """One network to train: where it starts, on which examples, and in which order it sees them."""

    subnetwork: Subnetwork
    split: Split
    order: np.random.SeedSequence


@dataclass(frozen=True)
class Curve:
    """What validation saw; every array has one entry per validation.

    ``train_loss`` is the mean minibatch loss since the previous validation.
    """

    iteration: np.ndarray
    train_loss: np.ndarray
    validation_loss: np.ndarray
    validation_accuracy: np.ndarray


@dataclass(frozen=True)
class Trained:
    """A trained network: at the minimum validation loss (``best``), at the end, and at the snapshot if asked for."""

    best: Subnetwork
    final: Subnetwork
    snapshot: Subnetwork | None
    early_stop_iteration: int
    curve: Curve
    seconds: float


@dataclass(frozen=True)
class Evaluation:
    """Mean cross-entropy in nats, accuracy in 0 … 1, and accuracy per class (NaN where a class is absent)."""

    loss: float
    accuracy: float
    class_accuracy: np.ndarray


class Engine(Protocol):
    """What a study asks of an engine; modules fit it."""

    def train(
        self, trials: Sequence[Trial], data: Dataset, recipe: Recipe, advance: Advance | None = None
    ) -> list[Trained]: ...

    def evaluate(self, subnetworks: Sequence[Subnetwork], examples: Examples) -> list[Evaluation]: ...


def minibatches(trial: Trial, batch: int) -> Iterator[np.ndarray]:
    """Endless minibatches of ``batch`` indices into the training examples.

    Every training example is drawn once before any is drawn again; a minibatch may straddle two passes.
    All engines draw from here, so that they see the same examples in the same order.
    """
    rng = np.random.default_rng(trial.order)
    left = np.empty(0, np.int64)
    while True:
        while len(left) < batch:
            left = np.concatenate([left, rng.permutation(trial.split.train)])
        for start in range(0, len(left) - batch + 1, batch):
            yield left[start : start + batch]
        left = left[len(left) - len(left) % batch :]
