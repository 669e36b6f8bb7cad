"""What a model is asked: which loss its outputs have, and which of its answers are right."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, one_hot

from karikomi.errors import InputError

TaskName = Literal["multiclass", "binary", "multilabel", "regression", "tokens"]
IGNORED = -100
"""The label of a position that does not count."""


class Score(NamedTuple):
    """Of a batch: the summed loss, right answers by class, and how many there are of each, ``[classes]``."""

    loss: Tensor
    correct: Tensor
    present: Tensor
    examples: int


@dataclass(frozen=True)
class Task:
    """How outputs are scored.

    Attributes:
        name: see ``TaskName``; ``own`` for a loss of your own.
        classes: how many classes are counted apart; 0: answers are neither right nor wrong.
        by_class: whether the classes have names, so that tables show them.
        score: from outputs and labels.
    """

    name: str
    classes: int
    by_class: bool
    score: Callable[[Tensor, Tensor], Score]


def multiclass(classes: int) -> Task:
    """Cross-entropy (nats) of ``[n, classes]``; an answer is the first of the highest outputs."""

    def score(outputs: Tensor, y: Tensor) -> Score:
        losses = cross_entropy(outputs.float(), y, reduction="none").double()
        labels = one_hot(y, classes).double()
        return Score(losses.sum(), (outputs.argmax(1) == y).double() @ labels, labels.sum(0), len(y))

    return Task("multiclass", classes, True, score)


def binary() -> Task:
    """Cross-entropy (nats) of one logit per example."""

    def score(outputs: Tensor, y: Tensor) -> Score:
        logits, y = outputs.reshape(len(y)).float(), y.reshape(-1)
        losses = binary_cross_entropy_with_logits(logits, y.float(), reduction="none").double()
        labels = one_hot(y.long(), 2).double()
        return Score(losses.sum(), ((logits > 0) == (y > 0.5)).double() @ labels, labels.sum(0), len(y))

    return Task("binary", 2, True, score)


def multilabel(labels: int) -> Task:
    """Cross-entropy (nats) of a logit per label, mean over labels; every label is a class."""

    def score(outputs: Tensor, y: Tensor) -> Score:
        logits, y = outputs.float(), y.float()
        losses = binary_cross_entropy_with_logits(logits, y, reduction="none").double()
        right = ((logits > 0) == (y > 0.5)).double()
        return Score(losses.mean(1).sum(), right.sum(0), torch.full_like(right[0], len(y)), len(y))

    return Task("multilabel", labels, True, score)


def regression() -> Task:
    """Squared error, mean over outputs."""

    def score(outputs: Tensor, y: Tensor) -> Score:
        errors = (outputs.float().reshape(len(y), -1) - y.float().reshape(len(y), -1)).square().double()
        nothing = torch.zeros(0, dtype=torch.float64, device=outputs.device)
        return Score(errors.mean(1).sum(), nothing, nothing, len(y))

    return Task("regression", 0, False, score)


def tokens() -> Task:
    """Cross-entropy (nats) per position of ``[n, positions, classes]`` or of pixels ``[n, classes, h, w]``.

    The label -100 does not count.
    """

    def score(outputs: Tensor, y: Tensor) -> Score:
        kept = y != IGNORED
        outputs = outputs if y.shape == outputs.shape[:-1] else outputs.movedim(1, -1)
        logits, labels = outputs[kept].float(), y[kept]
        right = (logits.argmax(1) == labels).double().sum()[None]
        loss = cross_entropy(logits, labels, reduction="sum").double()
        return Score(loss, right, torch.full_like(right, len(labels)), len(labels))

    return Task("tokens", 1, False, score)


def own(loss: Callable[[Tensor, Tensor], Tensor], metric: Callable[[Tensor, Tensor], Tensor] | None) -> Task:
    """A loss, and the share of right answers, of your own, both per example ``[n]``."""

    def each(function: Callable[[Tensor, Tensor], Tensor], outputs: Tensor, y: Tensor, what: str) -> Tensor:
        try:
            values = function(outputs, y)
        except Exception as problem:
            reason = (str(problem).strip().splitlines() or [""])[0]
            raise InputError(f"{what} fails on outputs and labels: {type(problem).__name__}: {reason}") from problem
        if not isinstance(values, Tensor) or values.shape[:1] != outputs.shape[:1]:
            raise InputError(f"{what} must give a number per example, [n] (reduction='none')")
        return values.double().flatten(1).mean(1) if values.ndim > 1 else values.double()

    def score(outputs: Tensor, y: Tensor) -> Score:
        losses = each(loss, outputs, y, "loss")
        if metric is None:
            return Score(losses.sum(), losses[:0], losses[:0], len(losses))
        shares = each(metric, outputs, y, "metric")
        if not ((shares >= 0) & (shares <= 1)).all():
            raise InputError("metric must say how right each example is, from 0 to 1")
        right = shares.sum()[None]
        return Score(losses.sum(), right, torch.full_like(right, len(losses)), len(losses))

    return Task("own", 0 if metric is None else 1, False, score)
