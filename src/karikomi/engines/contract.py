"""What every engine takes and gives.

An engine is a module with ``train`` and ``evaluate`` as in :class:`Engine`. It knows nothing of studies. After
every step a link that is not there is exactly 0.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Literal, NamedTuple, Protocol, Self

import numpy as np

from karikomi.data.dataset import Dataset, Examples, Split
from karikomi.engines.recipe import Recipe
from karikomi.networks.subnetwork import Arrays, Subnetwork

# Adam's constants (Kingma & Ba 2015) and PyTorch's epsilon, in every engine.
ADAM_BETA1, ADAM_BETA2, ADAM_EPSILON = 0.9, 0.999, 1e-8

Advance = Callable[[int], None]
"""Called by an engine now and then with the number of training steps done since the last call."""


@dataclass(frozen=True)
class OptimizerState:
    """Where an optimizer is, for a training that goes on from there.

    Attributes:
        steps: steps taken so far: where a learning-rate schedule goes on (``start`` of ``recipe.learning_rates``).
        first: for every parameter by name Adam's first moments, or SGD's velocity; 0 for removed links.
        second: Adam's second moments; all 0 for SGD.
    """

    steps: int
    first: Arrays
    second: Arrays

    def groups(self) -> dict[str, Arrays]:
        """All of it as groups of arrays, such as a file keeps beside a network's weights."""
        return {"first": self.first, "second": self.second, "steps": {"all": np.array(self.steps)}}

    @classmethod
    def of(cls, groups: Mapping[str, Arrays]) -> Self | None:
        """The state in such groups; None where there is none."""
        return cls(int(groups["steps"]["all"]), groups["first"], groups["second"]) if "steps" in groups else None


class Links(NamedTuple):
    """The links of one weight while it is trained.

    Attributes:
        shape: of the weight.
        places: the links that are there, int64, places in the flat weight in any order.
        weights: theirs, float32.
        steepest: places, in any order, and |∂L/∂w| there, float32, in the last training step and before it, of about
            as many greatest ones as asked for, and of all that are as great as the least of them; None where gradients
            are not asked for.
    """

    shape: tuple[int, ...]
    places: np.ndarray
    weights: np.ndarray
    steepest: Callable[[int], tuple[np.ndarray, np.ndarray]] | None


class Change(NamedTuple):
    """Which of the links stay, bool, and the places of new ones, ascending: none that stays, and as many as go."""

    kept: np.ndarray
    grown: np.ndarray


Growth = Literal["random", "gradient", "structure"]
"""Where links grow: anywhere; where the gradient is greatest; where the layer's other links have it."""


class Rewiring(Protocol):
    """How links change in training. Those that stay keep the optimizer's moments; new ones begin at 0, moments too.

    Attributes:
        steps: the iterations after which they do: behind the validation of that iteration, if there is one.
        growth: where links grow.
    """

    @property
    def steps(self) -> range: ...

    @property
    def growth(self) -> Growth: ...

    def share_at(self, step: int) -> float:
        """The share of every layer's links that changes after iteration ``step``."""
        ...

    def draws_at(self, step: int) -> np.ndarray:
        """Where the draws of that iteration begin: a state as of ``karikomi.engines.sparse.kernels.draws.state_of``."""
        ...

    def change(self, step: int, weights: Mapping[str, Links]) -> Mapping[str, Change]:
        """What changes after iteration ``step``, by weight; draws depend on the step alone, not on calls before."""
        ...


@dataclass(frozen=True)
class Trial:
    """One network to train.

    Attributes:
        subnetwork: where it starts.
        split: on which examples.
        order: in which order it sees them.
        state: the optimizer's state to go on from; what it holds of removed links is ignored. None: a fresh one.
        link_cost: for every weight by name what a link of size 1 costs, float32 of its shape: Σ cost · |w| is added
            to the loss that training descends (not to the losses that are reported). None: links are free.
        dropout: where the draws of dropout begin; None: where the order does.
        augment: where the draws of augmentation begin; None: where the order does.
        rewiring: how its links change; None: they stay. The results have the masks that they were trained under.
        frozen: for weights by name which links keep their value, through momentum and decay, bool of their shape.
            None: all are trained. What the optimizer's state holds of them means nothing.
    """

    subnetwork: Subnetwork
    split: Split
    order: np.random.SeedSequence
    state: OptimizerState | None = None
    link_cost: Arrays | None = None
    dropout: np.random.SeedSequence | None = None
    augment: np.random.SeedSequence | None = None
    rewiring: Rewiring | None = None
    frozen: Arrays | None = None


@dataclass(frozen=True)
class Curve:
    """What validation saw; every array has one entry per validation.

    ``train_loss`` is the mean minibatch loss since the previous validation, of smoothed labels where they are.
    """

    iteration: np.ndarray
    train_loss: np.ndarray
    validation_loss: np.ndarray
    validation_accuracy: np.ndarray


@dataclass(frozen=True)
class Trained:
    """A trained network: at the minimum validation loss (``best``), at the end, and at the snapshots by iteration.

    ``state`` is that of the optimizer at the end.
    """

    best: Subnetwork
    final: Subnetwork
    snapshots: Mapping[int, Subnetwork]
    state: OptimizerState
    early_stop_iteration: int
    curve: Curve
    seconds: float


@dataclass(frozen=True)
class Evaluation:
    """Mean cross-entropy in nats, accuracy in 0 … 1, and accuracy per class (NaN where a class is absent)."""

    loss: float
    accuracy: float
    class_accuracy: np.ndarray


@dataclass(frozen=True)
class Activations:
    """What every hidden unit does, float32 ``[units, examples]``; of a channel or head, its mean over places.

    Attributes:
        preactivation: what enters the unit's non-linearity.
        activation: what leaves it, and reaches the next layer.
    """

    preactivation: np.ndarray
    activation: np.ndarray


@dataclass(frozen=True)
class Ablation:
    """What takes the place of a removed unit's activation: 0 (its row, bias and column are gone), unless told else.

    Attributes:
        means: mean ablation: for every unit the activation that it is held at, float32 ``[units]``.
        donors: resample ablation: for every example the one whose activations, those of the whole network, its removed
            units show instead, int64 ``[examples]``.
    """

    means: np.ndarray | None = None
    donors: np.ndarray | None = None


@dataclass(frozen=True)
class Outcomes:
    """What lesioned networks still do; the leading axes are those of the lesions.

    Attributes:
        loss: mean cross-entropy in nats, float64 ``[…]``.
        correct: right answers of each class, int64 ``[…, classes]``.
        present: examples of each class, int64 ``[classes]``.
    """

    loss: np.ndarray
    correct: np.ndarray
    present: np.ndarray

    @property
    def accuracy(self) -> np.ndarray:
        """Share of right answers, ``[…]``."""
        return self.correct.sum(axis=-1) / self.present.sum()

    @property
    def class_accuracy(self) -> np.ndarray:
        """The same for each class, ``[…, classes]``; NaN where a class is absent."""
        with np.errstate(invalid="ignore"):
            return self.correct / self.present


class Engine(Protocol):
    """What a study asks of an engine; modules fit it.

    Hidden units are numbered through, layer by layer, as ``subnetwork.architecture.hidden`` lists them.
    ``knock_out`` removes each of ``units`` (None: all) alone: entry 0 is the whole network, entry 1 + k the one without
    ``units[k]``. ``remove_in_order`` removes along each row of ``orders`` ``[orders, steps]``: entry ``[r, s]`` is the
    network without the first ``s`` units of row ``r``.
    """

    def train(
        self, trials: Sequence[Trial], data: Dataset, recipe: Recipe, advance: Advance | None = None
    ) -> list[Trained]: ...

    def evaluate(self, subnetworks: Sequence[Subnetwork], examples: Examples) -> list[Evaluation]: ...

    def activations(self, subnetwork: Subnetwork, examples: Examples) -> Activations: ...

    def knock_out(
        self, subnetwork: Subnetwork, examples: Examples, ablation: Ablation = ..., units: np.ndarray | None = None
    ) -> Outcomes: ...

    def remove_in_order(
        self,
        subnetwork: Subnetwork,
        orders: np.ndarray,
        examples: Examples,
        ablation: Ablation = ...,
        advance: Advance | None = None,
    ) -> Outcomes: ...


def stacked_minibatches(trial: Trial, batch: int, counts: Iterable[int]) -> Iterator[np.ndarray]:
    """For each of ``counts`` so many minibatches, ``[count, batch]`` indices into the training examples.

    Every training example is drawn once before any is drawn again; a minibatch may straddle two passes.
    All engines draw from here, so that they see the same examples in the same order.
    """
    rng, left = np.random.default_rng(trial.order), np.empty(0, np.int64)
    for count in counts:
        size = count * batch
        while len(left) < size:
            left = np.concatenate([left, rng.permutation(trial.split.train)])
        yield left[:size].reshape(count, batch)
        left = left[size:]


def minibatches(trial: Trial, batch: int) -> Iterator[np.ndarray]:
    """The minibatches of :func:`stacked_minibatches` one by one, without end."""
    return (indices for [indices] in stacked_minibatches(trial, batch, repeat(1)))
