"""Lesions of any ``nn.Module``, on CPU or CUDA: what its units do, and what it still does without them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, one_hot

from karikomi.data.dataset import Examples
from karikomi.engines.contract import Ablation, Activations, Advance, Outcomes
from karikomi.engines.lesion_input import ZERO, check_ablation, check_examples, lesion_orders, single_lesions
from karikomi.engines.population.lesioned import ChainNetwork, HookedNetwork, Lesions, lesionable
from karikomi.engines.population.source import Device, Source, find_device, reproducible
from karikomi.engines.population.stacking import Population, plan
from karikomi.errors import InputError
from karikomi.networks.subnetwork import Subnetwork


def activations(subnetwork: Subnetwork, examples: Examples, *, device: Device = "auto") -> Activations:
    """What every hidden unit of the whole network does on ``examples``.

    In a chain of layers ``after`` is what the next layer takes, behind normalization, non-linearity and pooling. In any
    other module ``before`` and ``after`` are both the layer's own outputs; a head's are what it gives to the projection
    of its attention layer.

    Raises:
        InputError: if the network has no hidden units or does not fit the examples, or one of them holds NaN.
    """
    before, after = [], []
    with _opened(subnetwork, examples, device) as opened:
        for some in opened.blocks(opened.block):
            signals = opened.network.signals(opened.source.inputs(some))
            before.append(signals.before)
            after.append([part.mean(2) for part in opened.by_unit(signals.after)])
    return Activations(_units_first(before), _units_first(after))


def attributions(subnetwork: Subnetwork, examples: Examples, *, device: Device = "auto") -> np.ndarray:
    """What every unit's activation contributes to every example's loss, to first order: float32 ``[units, examples]``.

    a · ∂L/∂a, where L is the example's cross-entropy and a the activation of :func:`activations`; summed over the
    places of a channel or head. Its magnitude estimates what removing the unit changes (Molchanov et al. 2017).

    Raises:
        InputError: as :func:`activations`.
    """
    found = []
    with _opened(subnetwork, examples, device) as opened, torch.enable_grad():
        for some in opened.blocks(opened.block):
            signals = opened.network.signals(opened.source.inputs(some))
            loss = cross_entropy(signals.outputs, opened.source.y[some], reduction="sum")
            slopes = torch.autograd.grad(loss, signals.after)
            products = [a.detach() * slope for a, slope in zip(signals.after, slopes, strict=True)]
            found.append([part.sum(2) for part in opened.by_unit(products)])
    return _units_first(found)


def knock_out(
    subnetwork: Subnetwork,
    examples: Examples,
    ablation: Ablation = ZERO,
    units: np.ndarray | None = None,
    *,
    device: Device = "auto",
) -> Outcomes:
    """The network without each of ``units`` alone (None: every hidden unit), see :class:`contract.Engine`.

    In a chain of layers all that a unit passes on is gone: its row, bias, normalization and column. In other modules
    it is gone from the outputs of its own layer.

    Raises:
        InputError: as :func:`activations`, and for unknown or repeated units and an ablation that does not fit.
    """
    with _opened(subnetwork, examples, device) as opened:
        single = single_lesions(units, opened.units)
        gone = np.zeros((1 + len(single), opened.units), bool)
        gone[np.arange(1, len(gone)), single] = True
        return opened.outcomes(gone, ablation)


def remove_in_order(
    subnetwork: Subnetwork,
    orders: np.ndarray,
    examples: Examples,
    ablation: Ablation = ZERO,
    advance: Advance | None = None,
    *,
    device: Device = "auto",
) -> Outcomes:
    """The network along each of ``orders`` ``[orders, steps]``, see :class:`contract.Engine` and :func:`knock_out`.

    ``advance`` hears of removal steps, over all orders ``orders.size`` of them.

    Raises:
        InputError: as :func:`knock_out`.
    """
    with _opened(subnetwork, examples, device) as opened:
        found = []
        for order in lesion_orders(orders, opened.units):
            gone = np.zeros((1 + len(order), opened.units), bool)
            for step, unit in enumerate(order, start=1):
                gone[step:, unit] = True
            found.append(opened.outcomes(gone, ablation))
            if advance:
                advance(len(order))
    if not found:
        raise InputError("there are no orders to remove units in")
    loss, correct = np.stack([one.loss for one in found]), np.stack([one.correct for one in found])
    return Outcomes(loss, correct, found[0].present)


@dataclass(frozen=True)
class _Opened:
    """A network and the examples on the device; ``block`` is how many examples it takes at a time."""

    network: ChainNetwork | HookedNetwork
    source: Source
    block: int
    classes: int

    @property
    def units(self) -> int:
        return sum(layer.units for layer in self.network.layers)

    def by_unit(self, signals: Sequence[Tensor]) -> list[Tensor]:
        """For each hidden layer ``[n, units, numbers of each]``."""
        return [layer.by_unit(signal) for layer, signal in zip(self.network.layers, signals, strict=True)]

    def blocks(self, size: int) -> Sequence[Tensor]:
        return torch.arange(len(self.source.y), device=self.source.device).split(size)

    def outcomes(self, gone: np.ndarray, ablation: Ablation) -> Outcomes:
        """Of the networks that have lost ``gone``, bool ``[rows, units]``."""
        examples, device = len(self.source.y), self.source.device
        check_ablation(ablation, self.units, examples)
        lesions = Lesions(gone, self.network.layers, device)
        size = min(examples, self.block)
        loss = torch.zeros(len(gone), dtype=torch.float64, device=device)
        correct = torch.zeros(len(gone), self.classes, dtype=torch.float64, device=device)
        for some in self.blocks(size):
            labels, shown = self.source.y[some], self._shown(ablation, some)
            by_class = one_hot(labels, self.classes).double()
            for rows, outputs in self.network.outputs(self.source.inputs(some), lesions, shown, self.block // size):
                losses = cross_entropy(outputs.flatten(0, 1), labels.repeat(len(rows)), reduction="none")
                loss[rows] += losses.view(len(rows), -1).double().sum(1)
                correct[rows] += (outputs.argmax(2) == labels).double() @ by_class
        present = torch.bincount(self.source.y, minlength=self.classes)
        return Outcomes((loss / examples).cpu().numpy(), correct.long().cpu().numpy(), present.cpu().numpy())

    def _shown(self, ablation: Ablation, some: Tensor) -> list[Tensor]:
        """What removed units show instead on ``some`` examples."""
        layers = self.network.layers
        if ablation.donors is not None:
            donors = torch.from_numpy(np.ascontiguousarray(ablation.donors)).to(some.device)[some]
            signals = self.network.signals(self.source.inputs(donors)).after
            return [layer.split(signal[None], 2) for layer, signal in zip(layers, signals, strict=True)]
        values = np.zeros(self.units) if ablation.means is None else ablation.means
        on_device = torch.from_numpy(np.ascontiguousarray(values, np.float32)).to(some.device)
        return [part[None] for part in on_device.split([layer.units for layer in layers])]


@contextmanager
def _opened(subnetwork: Subnetwork, examples: Examples, device: Device) -> Iterator[_Opened]:
    if not subnetwork.architecture.hidden:
        raise InputError("the network has no hidden units to observe or remove")
    check_examples(examples)
    source = Source(examples, find_device(device))
    with reproducible(source.device), torch.no_grad():
        [(_, block)] = plan([subnetwork], source.pair, int(examples.y.max()) + 1)
        population = Population([subnetwork], source.device)
        module = population.module.requires_grad_(True)
        # Buffers that are never saved are there already.
        module.load_state_dict({name: value[0] for name, value in population.state.items()}, strict=False)
        classes = module(source.pair).shape[1]
        yield _Opened(lesionable(module, subnetwork.architecture, source.pair), source, block, classes)


def _units_first(found: Sequence[Sequence[Tensor]]) -> np.ndarray:
    """From blocks of examples and layers ``[n, units]`` to ``[units, examples]``."""
    together = torch.cat([torch.cat(list(layers), 1) for layers in found])
    return np.ascontiguousarray(together.T.cpu().numpy())
