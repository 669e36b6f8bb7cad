"""Lesions of any ``nn.Module``, on CPU or CUDA: what its units do, and what it still does without them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch

from karikomi.data.dataset import Examples
from karikomi.engines.contract import Ablation, Activations, Advance, Outcomes
from karikomi.engines.lesion_input import ZERO, check_ablation, check_examples, lesion_orders, single_lesions
from karikomi.engines.population.planning import plan
from karikomi.engines.population.source import Device, Source, find_device, reproducible
from karikomi.engines.population.stacking import Population
from karikomi.engines.population.subject import Batch, Subject
from karikomi.engines.population.tasks import multiclass
from karikomi.errors import InputError
from karikomi.networks.architecture import Architecture
from karikomi.networks.subnetwork import Subnetwork


def activations(subnetwork: Subnetwork, examples: Examples, *, device: Device = "auto") -> Activations:
    """What every hidden unit of the whole network does on ``examples``, where it acts; the mean over its places.

    Raises:
        InputError: if the network has no hidden units or does not fit the examples, or one of them holds NaN.
    """
    with _opened(subnetwork, examples, device) as subject:
        return subject.activations()


def attributions(subnetwork: Subnetwork, examples: Examples, *, device: Device = "auto") -> np.ndarray:
    """What every unit's activation contributes to every example's loss, to first order: float32 ``[units, examples]``.

    a · ∂L/∂a, where L is the example's cross-entropy and a the activation of :func:`activations`; summed over the
    places of a channel or head. Its magnitude estimates what removing the unit changes (Molchanov et al. 2017).

    Raises:
        InputError: as :func:`activations`.
    """
    with _opened(subnetwork, examples, device) as subject:
        return subject.attributions()


def knock_out(
    subnetwork: Subnetwork,
    examples: Examples,
    ablation: Ablation = ZERO,
    units: np.ndarray | None = None,
    *,
    device: Device = "auto",
) -> Outcomes:
    """The network without each of ``units`` alone (None: every hidden unit), see :class:`contract.Engine`.

    A removed unit contributes nothing to anything behind its site: its row, bias and normalization are gone, and every
    weight that reads it.

    Raises:
        InputError: as :func:`activations`, and for unknown or repeated units and an ablation that does not fit.
    """
    with _opened(subnetwork, examples, device, ablation) as subject:
        return subject.outcomes(knock_outs(single_lesions(units, subject.units), subject.units), ablation.means)


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
    with _opened(subnetwork, examples, device, ablation) as subject:
        return along(subject, lesion_orders(orders, subject.units), ablation.means, advance)


def knock_outs(single: np.ndarray, units: int) -> np.ndarray:
    """The whole network and then each lesion of one unit, bool ``[1 + lesions, units]``."""
    gone = np.zeros((1 + len(single), units), bool)
    gone[np.arange(1, len(gone)), single] = True
    return gone


def along(
    subject: Subject,
    orders: np.ndarray,
    means: np.ndarray | None,
    advance: Advance | None = None,
    players: Sequence[np.ndarray] | None = None,
) -> Outcomes:
    """What is left along each of ``orders`` ``[orders, steps]`` of units, or of ``players``, groups of them."""
    if len(orders) == 0:
        raise InputError("there are no orders to remove units in")
    many, steps = orders.shape
    gone = np.zeros((many, steps + 1, subject.units), bool)
    for step in range(steps):
        gone[:, step + 1] = gone[:, step]
        for row, one in enumerate(orders[:, step]):
            gone[row, step + 1, one if players is None else players[one]] = True
    # The whole network once; it is the first step of every order.
    found = subject.outcomes(np.concatenate([gone[:1, 0], gone[:, 1:].reshape(-1, subject.units)]), means, advance)

    def by_order(values: np.ndarray) -> np.ndarray:
        lesioned = values[1:].reshape(many, steps, *values.shape[1:])
        return np.concatenate([np.broadcast_to(values[:1], (many, 1, *values.shape[1:])), lesioned], axis=1)

    return Outcomes(by_order(found.loss), by_order(found.correct), found.present)


@contextmanager
def _opened(subnetwork: Subnetwork, examples: Examples, device: Device, ablation: Ablation = ZERO) -> Iterator[Subject]:
    check_examples(examples)
    source, classes = Source(examples, find_device(device)), int(examples.y.max()) + 1
    with reproducible(source.device), torch.no_grad():
        plan([subnetwork], source.pair, classes)
        population = Population([subnetwork], source.device)
        module = population.module
        # Buffers that are never saved are there already.
        module.load_state_dict({name: value[0] for name, value in population.state.items()}, strict=False)
        architecture: Architecture = subnetwork.architecture
        anatomy = architecture.anatomy_on((source.pair,))
        if not anatomy.parts:
            raise InputError("the network has no hidden units to observe or remove")
        check_ablation(ablation, sum(part.units for part in anatomy.parts), len(examples))

        def batches() -> Iterator[Batch]:
            donors = (
                None
                if ablation.donors is None
                else torch.from_numpy(np.ascontiguousarray(ablation.donors)).to(source.device)
            )
            for some in torch.arange(len(examples), device=source.device).split(subject.block):
                others = None if donors is None else (source.inputs(donors[some]),)
                yield Batch((source.inputs(some),), {}, source.y[some], others)

        outputs = anatomy.tape.values[anatomy.tape.result]
        subject = Subject(
            module, anatomy, anatomy.parts, multiclass(outputs.shape[1]), anatomy.tape.result, batches, len(examples)
        )
        yield subject
