"""Networks whose hidden units can be taken away: chains of layers, and any other module by hooks."""

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from karikomi.errors import InputError
from karikomi.networks.architecture import Architecture
from karikomi.networks.layers import Layer
from karikomi.networks.tracing import Chain, Step

Replacement = Sequence[Tensor]
"""For each hidden layer what removed units show: a number for each, ``[1, units]``, or a split signal ``[1, n, …]``."""

Change = Callable[[int, Tensor], Tensor]
"""What is done to the signal of a hidden layer, given its place among them."""

Outputs = Iterator[tuple[np.ndarray, Tensor]]
"""Some of the lesions, by row, and what the networks with them give, ``[len(rows), n, classes]``."""


@dataclass(frozen=True)
class Signals:
    """What a whole network does on n examples.

    Attributes:
        before: for each hidden layer what enters its non-linearity, ``[n, units]``, the mean over places.
        after: the signals in which units are removed, ``[n, …]``.
        outputs: ``[n, classes]``.
    """

    before: list[Tensor]
    after: list[Tensor]
    outputs: Tensor


class Lesions:
    """The units that each of many networks has lost, from bools ``[rows, units]``."""

    def __init__(self, gone: np.ndarray, layers: Sequence[Layer], device: torch.device) -> None:
        self.rows = np.arange(len(gone))
        bounds = np.cumsum([0, *(layer.units for layer in layers)])
        by_layer = [np.ascontiguousarray(gone[:, start:end]) for start, end in pairwise(bounds)]
        self.gone = [torch.from_numpy(part).to(device) for part in by_layer]
        # By layer: rows with the same number have lost the same units in this layer and all before it.
        self.alike: list[np.ndarray] = []
        number = np.zeros(len(gone), np.int64)
        for part in by_layer:
            lost = np.column_stack([number, np.packbits(part, axis=1)])
            number = np.unique(lost, axis=0, return_inverse=True)[1].reshape(-1)
            self.alike.append(number)


def lesionable(module: nn.Module, architecture: Architecture, samples: Tensor) -> "ChainNetwork | HookedNetwork":
    """``module``, which may be changed, of ``architecture``; ``samples`` are two inputs ``[2, …]``."""
    if architecture.chain:
        return ChainNetwork(module, architecture.chain, architecture.hidden)
    return HookedNetwork(module, architecture, samples)


class ChainNetwork:
    """A chain of layers. Units are removed where the next layer takes them; what comes before is computed once."""

    def __init__(self, module: nn.Module, chain: Chain, layers: Sequence[Layer]) -> None:
        self.module, self.chain, self.layers = module, chain, layers

    def signals(self, x: Tensor) -> Signals:
        """What the whole network does on ``x`` ``[n, …]``."""
        before, after = [], []
        signal = self._pass(x, self.chain.entrance)
        for stage, layer in zip(self.chain.stages[:-1], self.layers, strict=True):
            bend = next((i for i, step in enumerate(stage.after) if step.nonlinear), len(stage.after))
            entering = self._pass(signal, (stage.layer, *stage.after[:bend]))
            before.append(layer.by_unit(entering).mean(2))
            signal = self._pass(entering, stage.after[bend:])
            after.append(signal)
        return Signals(before, after, self._pass_stage(-1, signal))

    def outputs(self, x: Tensor, lesions: Lesions, replacement: Replacement, stack: int) -> Outputs:
        """Outputs on ``x`` ``[n, …]`` with every lesion, at most ``stack`` networks at a time."""

        def deeper(depth: int, signals: Tensor, rows: np.ndarray, parents: np.ndarray) -> Outputs:
            # signals [k, n, …] of networks that are lesioned up to here; rows[i] goes on from parents[i].
            if depth == len(self.layers):
                yield rows, signals[parents]
                return
            _, first, child = np.unique(lesions.alike[depth][rows], return_index=True, return_inverse=True)
            for start in range(0, len(first), stack):
                some = first[start : start + stack]
                before = signals if len(signals) == 1 else signals[parents[some]]
                lesioned = _lesioned(self.layers[depth], before, lesions.gone[depth][rows[some]], replacement[depth])
                after = self._pass_stage(depth + 1, lesioned.flatten(0, 1)).unflatten(0, lesioned.shape[:2])
                mine = (start <= child) & (child < start + len(some))
                yield from deeper(depth + 1, after, rows[mine], child[mine] - start)

        entering = self._pass_stage(0, self._pass(x, self.chain.entrance))
        yield from deeper(0, entering[None], lesions.rows, np.zeros_like(lesions.rows))

    def _pass_stage(self, depth: int, signal: Tensor) -> Tensor:
        stage = self.chain.stages[depth]
        return self._pass(signal, (stage.layer, *stage.after))

    def _pass(self, signal: Tensor, steps: Sequence[Step]) -> Tensor:
        for step in steps:
            signal = step.apply(signal, self.module)
        return signal


class HookedNetwork:
    """Any module. Units are removed from the outputs of their own layer, and all of the network runs every time."""

    def __init__(self, module: nn.Module, architecture: Architecture, samples: Tensor) -> None:
        self.module, self.layers = module, architecture.hidden
        for k, layer in enumerate(self.layers):
            part = module.get_submodule(layer.name)
            project = _open_heads(part) if isinstance(part, nn.MultiheadAttention) else None
            part.register_forward_hook(partial(self._called, k, project))
        shapes: list[list[torch.Size]] = [[] for _ in self.layers]

        def record(k: int, signal: Tensor) -> Tensor:
            shapes[k].append(signal.shape)
            return signal

        outputs, [*_, last] = self._run(samples, record), architecture.outputs
        self._run(samples[:1], record)
        if outputs.shape[1] != last.units:
            raise InputError(
                f"the network gives {outputs.shape[1]} outputs, but its last layer, {last.name}, has {last.units}"
                " units; declare the output layer last"
            )
        self.axes = [_examples_axis(*both) for both in shapes]
        self.mixing = [
            layer.name
            for layer, axis, (two, one) in zip(self.layers, self.axes, shapes, strict=True)
            if (two[axis], one[axis]) != (2, 1)
        ]

    def signals(self, x: Tensor) -> Signals:
        """What the whole network does on ``x`` ``[n, …]``."""
        if self.mixing:
            raise InputError(
                f"the outputs of {self.mixing[0]} have no axis of examples, so its units cannot be observed"
            )
        after: list[Tensor] = [x] * len(self.layers)

        def keep(k: int, signal: Tensor) -> Tensor:
            after[k] = signal
            return signal.clone()  # the module may go on in place

        outputs = self._run(x, self._examples_first(keep))
        before = [layer.by_unit(signal).mean(2) for layer, signal in zip(self.layers, after, strict=True)]
        return Signals(before, after, outputs)

    def outputs(self, x: Tensor, lesions: Lesions, replacement: Replacement, stack: int) -> Outputs:
        """Outputs on ``x`` ``[n, …]`` with every lesion, at most ``stack`` networks at a time."""
        size = 1 if self.mixing else stack
        for start in range(0, len(lesions.rows), size):
            rows = lesions.rows[start : start + size]
            lesion = self._examples_first(partial(self._lesion, lesions, replacement, rows))
            stacked = x.repeat(len(rows), *[1] * (x.ndim - 1))
            yield rows, self._run(stacked, lesion).unflatten(0, (len(rows), -1))

    def _lesion(self, lesions: Lesions, replacement: Replacement, rows: np.ndarray, k: int, signal: Tensor) -> Tensor:
        stacked = signal.unflatten(0, (len(rows), -1))
        return _lesioned(self.layers[k], stacked, lesions.gone[k][rows], replacement[k]).flatten(0, 1)

    def _examples_first(self, change: Change) -> Change:
        return lambda k, signal: change(k, signal.movedim(self.axes[k], 0)).movedim(0, self.axes[k])

    def _run(self, x: Tensor, change: Change) -> Tensor:
        """Outputs on ``x`` with the signal of every hidden layer replaced by what ``change`` makes of it."""
        self.change, self.calls = change, np.zeros(len(self.layers), int)
        outputs = self.module(x)
        for layer, calls in zip(self.layers, self.calls, strict=True):
            if calls != 1:
                raise InputError(
                    f"a forward must call {layer.name} once, to remove its units; it calls it {calls} times"
                )
        return outputs

    def _called(self, k: int, project: nn.Linear | None, part: nn.Module, given: object, output: Any) -> Any:
        self.calls[k] += 1
        if project is None:
            return self.change(k, output)
        heads, *attention = output
        return (project(self.change(k, heads)), *attention)


def _open_heads(attention: nn.MultiheadAttention) -> nn.Linear:
    """Have ``attention`` give the outputs of its heads side by side, and return the projection that it gave them."""
    projection = copy.deepcopy(attention.out_proj)
    nn.init.eye_(attention.out_proj.weight)
    if attention.out_proj.bias is not None:
        nn.init.zeros_(attention.out_proj.bias)
    return projection


def _examples_axis(two: torch.Size, one: torch.Size) -> int:
    """Which axis of a signal has changed between two examples and one."""
    return next((axis for axis in range(len(two)) if two[axis] != one[axis]), 0)


def _lesioned(layer: Layer, signals: Tensor, gone: Tensor, replacement: Tensor) -> Tensor:
    """``signals`` ``[k or 1, n, …]`` in which the units ``gone`` ``[k, units]`` show ``replacement``."""
    instead = layer.spread(replacement, signals) if replacement.ndim == 2 else replacement
    lesioned = torch.where(layer.spread(gone, signals), instead, layer.split(signals, 2))
    return lesioned.view(len(gone), *signals.shape[1:])
