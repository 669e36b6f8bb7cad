"""Labels in any form, and the task that they make with a model's outputs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
import torch
from torch import Tensor

from karikomi.engines.population.tasks import Task, TaskName, binary, multiclass, multilabel, own, regression, tokens
from karikomi.errors import InputError, unknown

Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Scoring:
    """What is asked of the outputs; None: it is guessed."""

    task: TaskName | None = None
    loss: Loss | None = None
    metric: Loss | None = None


def labels_of(given: Any) -> Tensor:
    if isinstance(given, Tensor):
        labels = given.detach()
        if labels.is_floating_point() and not torch.isfinite(labels).all():
            raise InputError("the labels hold NaN or infinite values")
        return labels
    array = np.asarray(given)
    if array.dtype.kind in "OUS":
        raise InputError(
            "labels are text, but a model's outputs have numbers: give y = [names.index(label) for label in labels],"
            " names being in the order of the outputs"
        )
    return labels_of(torch.from_numpy(np.ascontiguousarray(array)))


def task_of(outputs: Tensor, y: Tensor, scoring: Scoring) -> tuple[Task, Callable[[Tensor], Tensor]]:
    """The task, and what makes of labels what it takes."""
    for name, function in (("loss", scoring.loss), ("metric", scoring.metric)):
        _refuse(function is not None and not callable(function), f"{name} must be a function of outputs and labels")
    _refuse(scoring.metric is not None and scoring.loss is None, "metric goes with a loss of your own: give loss, too")
    if scoring.loss is not None:
        return own(scoring.loss, scoring.metric), lambda labels: labels
    name = scoring.task or _guessed(outputs, y)
    if name not in get_args(TaskName):
        raise unknown("task", str(name), get_args(TaskName))
    width = outputs.shape[1] if outputs.ndim > 1 else 1
    fitting = f"there are labels {['n', *y.shape[1:]]}, outputs {['n', *outputs.shape[1:]]}".replace("'", "")
    if name == "multiclass":
        _refuse(outputs.ndim != 2 or width < 2, f"multiclass needs outputs [n, classes]; {fitting}")
        return multiclass(width), _class_numbers(y, width)
    if name == "binary":
        _refuse(int(np.prod(outputs.shape[1:])) != 1, f"binary needs one output per example; {fitting}")
        _refuse(bool(((y != 0) & (y != 1)).any()), "binary labels are 0 and 1")
        return binary(), lambda labels: labels
    if name == "multilabel":
        _refuse(y.shape[1:] != outputs.shape[1:], f"multilabel needs a label for each output; {fitting}")
        return multilabel(width), lambda labels: labels
    if name == "tokens":
        last = y.shape[1:] == outputs.shape[1:-1]
        _refuse(not last and y.shape[1:] != outputs.shape[2:], f"tokens needs a label for each position; {fitting}")
        outputs = outputs if last else outputs.movedim(1, -1)
        _refuse(int(y.max()) >= outputs.shape[-1], f"there is a label {int(y.max())}, but {outputs.shape[-1]} outputs")
        return tokens(), lambda labels: labels.long()
    same = y.shape[1:].numel() == outputs.shape[1:].numel()
    _refuse(not same, f"regression needs a number for each output; {fitting}")
    return regression(), lambda labels: labels


def _guessed(outputs: Tensor, y: Tensor) -> TaskName:
    """The task that outputs and labels make."""
    whole = not y.is_floating_point() or bool((y == y.round()).all())
    zeros_and_ones = bool(((y == 0) | (y == 1)).all())
    if outputs.ndim == 1 or outputs.shape[1:].numel() == 1:
        return "binary" if zeros_and_ones else "regression"
    if outputs.ndim > 2:
        if whole and y.ndim == outputs.ndim - 1:
            return "tokens"
        raise InputError(
            f"what the outputs {list(outputs.shape)} are for is not plain; name the task"
            f" ({', '.join(get_args(TaskName))}), or give loss=, a function of outputs and labels with a number per"
            " example"
        )
    if y.ndim == 2 and y.shape[1] == outputs.shape[1]:
        one_hot = zeros_and_ones and bool((y.sum(1) == 1).all())
        return "multiclass" if one_hot else "multilabel" if zeros_and_ones else "regression"
    if not whole:
        raise InputError(
            f"labels hold fractions, but there are {outputs.shape[1]} outputs: classes are whole numbers from 0, and"
            " regression needs a label for each output"
        )
    return "multiclass"


def _class_numbers(y: Tensor, classes: int) -> Callable[[Tensor], Tensor]:
    """From class numbers in a row, in a column or as one-hot rows to ``[n]``."""
    one_hot = y.ndim == 2 and y.shape[1] == classes and classes > 1

    def numbers(labels: Tensor) -> Tensor:
        found = labels.argmax(1) if one_hot else labels.reshape(len(labels)).long()
        if len(found) and not 0 <= int(found.min()) <= int(found.max()) < classes:
            raise InputError(
                f"labels must be whole numbers 0 … {classes - 1}, one per output; they go from {int(found.min())} to"
                f" {int(found.max())}"
            )
        return found

    _refuse(y.ndim > 1 and not one_hot and y.shape[1:].numel() != 1, f"labels must be [n]; they are {list(y.shape)}")
    numbers(y)
    return numbers


def _refuse(wrong: bool, why: str) -> None:
    if wrong:
        raise InputError(why)
