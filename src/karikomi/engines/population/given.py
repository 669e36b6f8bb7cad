"""What people bring, understood: a model as it is, inputs of any form, labels of any form, and the task they make."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves
from torch.utils.data import DataLoader, Dataset

from karikomi.engines.population.labels import Scoring, labels_of, task_of
from karikomi.engines.population.subject import Batch, Subject
from karikomi.errors import InputError
from karikomi.networks.architecture import Architecture
from karikomi.networks.samples import first_tensor, inputs_of, some_examples
from karikomi.networks.tape import Tape, unwrapped

LABEL_NAMES = ("labels", "label", "y", "target", "targets")
PROBABILITIES = {"softmax", "log_softmax", "sigmoid", "logsigmoid", "log_sigmoid"}
STREAMED = 64
"""Examples of a ``Dataset`` in a batch."""


def subject_of(model: nn.Module, x: Any, y: Any, scoring: Scoring) -> Subject:
    """A model with examples, ready for lesions.

    Args:
        model: any module; one that is compiled or in ``DataParallel`` is taken out.
        x: a tensor or array ``[n, …]``, a tuple of them, a mapping of them by name, a ``Dataset`` or a ``DataLoader``.
        y: labels; None where x brings them.
        scoring: the task, or a loss of your own.

    Raises:
        InputError: if they do not fit together, saying what would.
    """
    model = unwrapped(model)
    _check_weights(model)
    place = first_tensor(model)
    batches, count = _batches(x, y, place)
    first = next(batches(), None)
    if first is None or len(first.y) == 0:
        raise InputError("there are no examples to evaluate on")
    few = some_examples((first.inputs, dict(first.named)), 3)
    architecture, widen = _fitting(model, *few)
    anatomy = architecture.anatomy
    if not anatomy.parts:
        raise InputError("the network has no hidden units to observe or remove" + _reasons(anatomy.left_out))
    result = _scored(anatomy.tape)
    outputs = anatomy.tape.values[result]
    labels = first.y if y is None else labels_of(y)
    task, shape = task_of(outputs, labels, scoring)

    def prepared() -> Iterator[Batch]:
        for batch in batches():
            inputs = tuple(one[:, None] for one in batch.inputs) if widen else batch.inputs
            yield Batch(inputs, batch.named, shape(batch.y).to(outputs.device))

    return Subject(model, anatomy, anatomy.parts, task, result, prepared, count)


def _check_weights(model: nn.Module) -> None:
    for name, value in model.named_parameters():
        if not torch.isfinite(value).all():
            raise InputError(f"{name} holds NaN or infinite values; has its training diverged?")


def _fitting(model: nn.Module, inputs: tuple[Any, ...], named: Mapping[str, Any]) -> tuple[Architecture, bool]:
    """The model's architecture on these inputs; whether images lacked an axis of channels, and were given one."""
    architecture = Architecture(model, inputs, named)
    try:
        _ = architecture.anatomy
    except InputError:
        if len(inputs) != 1 or named or not isinstance(inputs[0], Tensor) or inputs[0].ndim != 3:
            raise
        wider = Architecture(model, (inputs[0][:, None],))
        try:
            _ = wider.anatomy
        except InputError:
            wider = None
        if wider is None:
            raise
        return wider, True
    return architecture, False


def _scored(tape: Tape) -> int:
    """The value that is scored: the outputs, before a softmax or sigmoid at the end."""
    if tape.result < 0:
        raise InputError("what the model gives does not depend on its inputs, or holds no tensor of numbers")
    last = next((op for op in reversed(tape.ops) if tape.result in op.results), None)
    if last is not None and last.name in PROBABILITIES:
        return last.refs[0]
    return tape.result


def _reasons(left_out: Mapping[str, str]) -> str:
    return "".join(f"; {name}: {reason}" for name, reason in list(left_out.items())[:3])


def _batches(x: Any, y: Any, place: Tensor) -> tuple[Callable[[], Iterator[Batch]], int]:
    """What gives the examples, again and again, and how many there are (0: not known)."""
    if isinstance(x, DataLoader):
        if y is not None:
            raise InputError("a DataLoader brings its labels along: give y=None")
        return lambda: (_split(item, place) for item in x), 0
    if isinstance(x, Dataset):
        loader = DataLoader(x, batch_size=STREAMED)
        if y is not None:
            raise InputError("a Dataset brings its labels along: give y=None")
        return lambda: (_split(item, place) for item in loader), 0
    if y is None:
        raise InputError("labels are missing: give y, or a Dataset or DataLoader that brings them along")
    inputs, named = inputs_of(x, place)
    labels = labels_of(y)
    sizes = {len(leaf) for leaf in tree_leaves((inputs, named)) if isinstance(leaf, Tensor) and leaf.ndim}
    if sizes != {len(labels)}:
        raise InputError(f"x and y must hold as many examples; they hold {sorted(sizes)} and {len(labels)}")
    return lambda: iter([Batch(inputs, named, labels)]), len(labels)


def _split(item: Any, place: Tensor) -> Batch:
    """A loader's item: (inputs …, labels), or a mapping that holds the labels by a usual name."""
    if isinstance(item, Mapping):
        name = next((name for name in LABEL_NAMES if name in item), None)
        if name is None:
            raise InputError(f"which entry holds the labels? there are {', '.join(item)}; call it labels")
        named = {key: value for key, value in item.items() if key != name}
        return Batch(*inputs_of(named, place), labels_of(item[name]))
    if not isinstance(item, tuple | list) or len(item) < 2:
        raise InputError("every item must be a tuple of inputs and labels, or a mapping with an entry labels")
    inputs, labels = item[:-1], item[-1]
    return Batch(*inputs_of(inputs[0] if len(inputs) == 1 else inputs, place), labels_of(labels))
