"""Whether a forward does the same in training as in evaluation."""

from collections.abc import Iterator
from copy import deepcopy
from itertools import zip_longest
from typing import Any

import torch
from torch import nn

from karikomi.networks.nested import Ref, leaves
from karikomi.networks.tape import Op, Tape, record


def other_in_training(module: nn.Module, tape: Tape) -> str | None:
    """The part whose forward is another one in training than on the ``tape``, of evaluation; None if there is none.

    Dropout and normalization are what PyTorch's functions make of the mode that they are told.
    """
    given = [tape.values[number] for number in tape.inputs]
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        trained = record(deepcopy(module).train(), given, training=True)
    for one, other in zip_longest(trained.ops, tape.ops):
        if one is None or other is None or _done(one) != _done(other):
            return next(_own(module, one, other), "the network")
    return None if trained.result == tape.result else "the network"


def _done(op: Op) -> list[Any]:
    """The function, and those of its arguments that no weight and no mode is."""
    kept = [leaf for leaf in leaves((op.args, op.kwargs)) if isinstance(leaf, Ref | int | float | str)]
    return [op.name, op.module, *(leaf for leaf in kept if not isinstance(leaf, bool))]


def _own(module: nn.Module, *ops: Op | None) -> Iterator[str]:
    """Parts that are not PyTorch's own."""
    for op in ops:
        if op and op.module and not type(module.get_submodule(op.module)).__module__.startswith("torch.nn."):
            yield op.module
