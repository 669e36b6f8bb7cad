"""How networks are trained: what every engine is told."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

OptimizerName = Literal["adam", "adamw", "sgd", "nesterov"]
Augmentation = Literal["shift", "flip"]
Schedule = Literal["constant", "step", "cosine"]
Precision = Literal["tf32", "bf16"]


@dataclass(frozen=True)
class Recipe:
    """How a network is trained: cross-entropy on minibatches, validated every ``validate_every`` iterations.

    Attributes:
        optimizer: as in ``torch.optim``; ``nesterov`` is SGD with Nesterov's momentum (Sutskever et al. 2013).
        learning_rate: one number, or one for every iteration; see :func:`learning_rates`.
        momentum: of ``sgd`` and ``nesterov``.
        weight_decay: λ of λw, which is added to the gradient (L2); ``adamw`` takes rate · λw off the weights instead
            (Loshchilov & Hutter 2019).
        snapshots: keeps the weights after so many iterations, for rewinding.
        label_smoothing: ε of training: labels are 1 − ε of the right class and ε / C of each (Szegedy et al. 2016).
        clip: the largest L2 norm of a network's whole gradient, which is scaled down to it; None: it stays as it is.
        augment: what happens to every example anew each time it is trained on; images only. ``shift``: by up to an
            eighth of its height and width, zeros move in; ``flip``: left to right, half of the time.
        precision: of the products in training, where less than float32 is asked for: ``tf32`` (GPU) or ``bf16``
            (autocast). Weights and the optimizer stay float32, networks are measured in float32.
    """

    iterations: int
    batch: int
    optimizer: OptimizerName
    learning_rate: float | np.ndarray
    momentum: float
    weight_decay: float
    validate_every: int
    snapshots: tuple[int, ...] = ()
    label_smoothing: float = 0.0
    clip: float | None = None
    augment: tuple[Augmentation, ...] = ()
    precision: Precision | None = None

    @property
    def rates(self) -> np.ndarray:
        """The learning rate of every iteration, float64 ``[iterations]``."""
        return np.broadcast_to(np.asarray(self.learning_rate, np.float64), self.iterations)

    def after(self, done: int) -> "Recipe":
        """What is left of it after so many iterations."""
        return replace(self, iterations=self.iterations - done, learning_rate=self.rates[done:]) if done else self

    @property
    def extras(self) -> list[str]:
        """What it asks for that the population engine alone does."""
        asked = {
            "label smoothing": self.label_smoothing > 0,
            "clip": self.clip is not None,
            "augment": self.augment,
            "precision": self.precision,
        }
        return [name for name, wanted in asked.items() if wanted]

    def validations(self) -> list[int]:
        """The iterations after which the network is validated; the last iteration is always one of them."""
        every = list(range(self.validate_every, self.iterations + 1, self.validate_every))
        return every if every and every[-1] == self.iterations else [*every, self.iterations]


def learning_rates(peak: float, schedule: Schedule, warm_up: int, iterations: int, start: int = 0) -> np.ndarray:
    """The learning rates of a schedule over T ``iterations``, float64 ``[T]``: those of t = ``start``, ``start`` + 1, …

    With w iterations of warm-up the rate is ``peak`` times min(1, (t + 1) / w) times

    - constant: 1
    - step: 1, from T / 2 on 0.1, from 3 T / 4 on 0.01 (He et al. 2016)
    - cosine: (1 + cos(π (t − w) / (T − w))) / 2 after the warm-up (Loshchilov & Hutter 2017)

    After the end the last rate stays.

    >>> learning_rates(0.1, "step", 2, 8).round(4).tolist()
    [0.05, 0.1, 0.1, 0.1, 0.01, 0.01, 0.001, 0.001]
    """
    t = np.minimum(start + np.arange(iterations), iterations - 1)
    factor = np.minimum(1.0, (t + 1) / max(warm_up, 1))
    if schedule == "step":
        factor = factor * np.where(t < iterations / 2, 1.0, np.where(t < 3 * iterations / 4, 0.1, 0.01))
    elif schedule == "cosine":
        part = np.maximum(t - warm_up, 0) / max(iterations - warm_up, 1)
        factor = factor * (1 + np.cos(np.pi * part)) / 2
    return peak * factor
