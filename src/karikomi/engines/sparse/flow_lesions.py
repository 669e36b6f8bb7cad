"""Lesions of convolutional networks on CPU: each of them exactly, and for no more than what lies behind it costs."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np

from karikomi.data.dataset import Examples
from karikomi.engines.contract import Ablation, Advance, Outcomes
from karikomi.engines.lesion_input import ZERO, check_ablation, check_examples, lesion_orders, single_lesions
from karikomi.engines.sparse.input import check, check_weights, source_of
from karikomi.engines.sparse.kernels.activations import IDENTITY
from karikomi.engines.sparse.kernels.circuits import Packs, make_packs
from karikomi.engines.sparse.kernels.cuts import SHOWN, Cuts, Pack
from karikomi.engines.sparse.kernels.flow import Flow
from karikomi.engines.sparse.kernels.flow_lesions import knock_out_channels, remove_channels, show_others
from karikomi.engines.sparse.kernels.gather import Source
from karikomi.engines.sparse.kernels.layout import aligned
from karikomi.engines.sparse.kernels.packs import LEVEL, Circuit, State
from karikomi.engines.sparse.kernels.planes import ROW, line, plane
from karikomi.engines.sparse.lesion_layout import lay_out_lesions
from karikomi.engines.threads import run
from karikomi.errors import InputError
from karikomi.networks.subnetwork import Subnetwork

# Packs in one job. Losses are added up job by job, so that the number of threads changes nothing.
_PORTION = 8

Tally = tuple[np.ndarray, np.ndarray]
"""Of each lesion the summed loss ``[lesions]``, and right answers ``[classes, lesions]``."""


def knock_out(
    subnetwork: Subnetwork,
    examples: Examples,
    ablation: Ablation = ZERO,
    units: np.ndarray | None = None,
    *,
    threads: int | None = None,
) -> Outcomes:
    """The network without each of ``units`` alone (None: every hidden unit), see :class:`contract.Engine`.

    The outcomes are the same, bit for bit, for any number of threads.

    Raises:
        InputError: if the network is not of the supported kind, has no hidden units or does not fit the examples; for
            unknown or repeated units, and an ablation that does not fit.
    """
    whole = Whole.of(subnetwork, examples, threads)
    single = single_lesions(units, whole.units)
    # The last site first: what lies behind it is computed anew behind those before it.
    order = np.argsort(-whole.cuts.site_of[single], kind="stable")
    numbers = order + 1

    def count(room: Room, pack: Pack, loss: np.ndarray, correct: np.ndarray) -> None:
        knock_out_channels(*room.given(pack), single[order], numbers, loss, correct)

    return whole.outcomes(1 + len(single), count, ablation)


def remove_in_order(
    subnetwork: Subnetwork,
    orders: np.ndarray,
    examples: Examples,
    ablation: Ablation = ZERO,
    advance: Advance | None = None,
    *,
    threads: int | None = None,
) -> Outcomes:
    """The network along each of ``orders`` ``[orders, steps]``, see :class:`contract.Engine` and :func:`knock_out`.

    ``advance`` hears of removal steps, over all orders ``orders.size`` of them.

    Raises:
        InputError: as :func:`knock_out`.
    """
    whole = Whole.of(subnetwork, examples, threads)
    orders = lesion_orders(orders, whole.units)
    many, steps = orders.shape
    orders = np.ascontiguousarray(orders)

    def count(room: Room, pack: Pack, loss: np.ndarray, correct: np.ndarray) -> None:
        remove_channels(*room.given(pack), orders, loss, correct)

    found = whole.outcomes(many * (steps + 1), count, ablation, advance, orders.size)
    return Outcomes(found.loss.reshape(many, -1), found.correct.reshape(many, steps + 1, -1), found.present)


@dataclass(frozen=True)
class Whole:
    """A whole network and the examples, laid out to be lesioned."""

    examples: Examples
    threads: int | None
    source: Source
    flow: Flow
    cuts: Cuts

    @classmethod
    def of(cls, subnetwork: Subnetwork, examples: Examples, threads: int | None) -> Self:
        check_examples(examples)
        check(subnetwork, examples)
        check_weights(subnetwork)
        if not subnetwork.architecture.anatomy.parts:
            raise InputError("the network has no hidden units to observe or remove")
        return cls(examples, threads, source_of(examples), *lay_out_lesions(subnetwork))

    @property
    def units(self) -> int:
        return len(self.cuts.site_of)

    @cached_property
    def classes(self) -> int:
        signal = self.flow.signals[self.cuts.output]
        return int(signal["channels"] * signal["height"] * signal["width"])

    def outcomes(
        self,
        lesions: int,
        count: Callable[["Room", Pack, np.ndarray, np.ndarray], None],
        ablation: Ablation,
        advance: Advance | None = None,
        steps: int = 0,
    ) -> Outcomes:
        """Of every lesion; ``advance`` hears of ``steps`` in all."""
        check_ablation(ablation, self.units, len(self.examples))
        packs, room = make_packs(self.source.labels), Room(self, ablation)
        starts = range(0, len(packs.sizes), _PORTION)

        def job(start: int, report: Advance, stop: threading.Event) -> Tally:
            loss, correct = np.zeros(lesions), np.zeros((self.classes, lesions), np.int64)
            for number in range(start, min(start + _PORTION, len(packs.sizes))):
                if stop.is_set():
                    raise InterruptedError
                count(room, room.pack(packs, number), loss, correct)
                report(steps * (number + 1) // len(packs.sizes) - steps * number // len(packs.sizes))
            return loss, correct

        losses, correct = zip(*run(job, starts, self.threads, advance), strict=True)
        present = np.bincount(self.examples.y, minlength=self.classes)
        right = np.ascontiguousarray(np.sum(correct, axis=0).T)
        return Outcomes(np.sum(losses, axis=0) / len(self.examples), right, present)


class Room(threading.local):
    """What a thread computes in."""

    def __init__(self, whole: Whole, ablation: Ablation) -> None:
        flow = whole.flow
        network = flow.network._replace(example_starts=flow.network.example_starts.copy())
        units = aligned(flow.units.size)
        self.source, self.donors, winograd = whole.source, ablation.donors, whole.cuts.winograd
        winograd = winograd._replace(room=aligned(winograd.room.size), loud=winograd.loud.copy())
        self.cuts = whole.cuts._replace(winograd=winograd)
        self.flow = flow._replace(network=network, signals=flow.signals.copy(), units=units)
        self.circuit, self.state = _outputs(whole.classes), _state(whole)
        if ablation.means is not None:
            for means, place in zip(np.asarray(ablation.means, np.float32), self._places(), strict=True):
                place[:] = means

    def pack(self, packs: Packs, number: int) -> Pack:
        examples, size = packs.examples[number], packs.sizes[number]
        if self.donors is not None:
            show_others(self.source, self.donors[examples], self.flow, self.cuts, self.state.some)
        return Pack(examples, int(packs.labels[number]), (np.arange(ROW) < size).astype(np.float32))

    def given(self, pack: Pack) -> tuple[Any, ...]:
        return self.source, pack, self.flow, self.cuts, self.circuit, self.state

    def _places(self) -> Any:
        """Of every unit what it shows once it is removed, without the halo."""
        for site, channel in zip(self.cuts.site_of, self.cuts.channel_of, strict=True):
            signal = self.flow.signals[self.cuts.sites[site]["signal"]]
            start, size = SHOWN * self.flow.block + signal["start"], plane.py_func(signal)
            whole = self.flow.units[start + channel * size :][:size].reshape(-1, line.py_func(signal) // ROW, ROW)
            halo = signal["halo"]
            yield whole[halo : halo + signal["height"], halo : halo + signal["width"]]


def _outputs(classes: int) -> Circuit:
    """The outputs as the only level of a circuit."""
    level, nothing = np.zeros(1, LEVEL), aligned(0)
    level["units"], level["activation"] = classes, IDENTITY
    return Circuit(level, np.zeros(classes, np.int64), *(nothing for _ in range(5)))


def _state(whole: Whole) -> State:
    """Outputs that are judged as they are; ``some`` are the units that are there."""
    outputs, few = aligned(whole.classes * ROW), aligned(ROW)
    ones, none = np.ones(whole.units, np.int64), np.zeros(0, np.int64)
    return State(outputs, aligned(0), aligned(0), none, none, ones, np.zeros(3), few, aligned(ROW))
