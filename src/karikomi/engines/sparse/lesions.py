"""Lesions of multilayer perceptrons on CPU: each of them exactly, and for no more than what lies behind it costs."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np

from karikomi.data.dataset import Examples
from karikomi.engines.contract import Ablation, Activations, Advance, Outcomes
from karikomi.engines.lesion_input import ZERO, check_ablation, check_examples, lesion_orders, single_lesions
from karikomi.engines.sparse.close_calls import decide
from karikomi.engines.sparse.input import check, check_weights, nonzero_fraction, source_of
from karikomi.engines.sparse.kernels.circuits import (
    Packs,
    make_circuit,
    make_orders,
    make_packs,
    make_state,
    rows_of_units,
    with_own_scratch,
)
from karikomi.engines.sparse.kernels.gather import Source
from karikomi.engines.sparse.kernels.layout import Network, aligned, lay_out
from karikomi.engines.sparse.kernels.lesions import activate_packs, knock_out_each, pass_whole, remove_in_orders
from karikomi.engines.sparse.kernels.packs import Circuit, Signals, State
from karikomi.engines.sparse.kernels.rows import PACK
from karikomi.engines.sparse.kernels.vector import LANES
from karikomi.engines.sparse.kernels.verdicts import Tally
from karikomi.engines.threads import run
from karikomi.errors import InputError
from karikomi.networks.subnetwork import Subnetwork

# Packs in one job. Losses are added up job by job, so that the number of threads changes nothing.
_PORTION = 16
# Packs times lesions in one call of the kernels, at most: how long Ctrl-C may have to wait.
_CHUNK = 2**14
# Close calls decided at once.
_CALLS = 1024


@dataclass(frozen=True)
class _Lesions:
    """Many lesions of one network: a kernel that tallies some packs under each, and which units each takes."""

    count: int
    tally: Callable[[State, Signals, tuple[int, int], Tally], None]
    gone: Callable[[np.ndarray], np.ndarray]


def activations(subnetwork: Subnetwork, examples: Examples, *, threads: int | None = None) -> Activations:
    """What every hidden unit of the whole network does on ``examples``.

    Raises:
        InputError: if the network is not of the supported kind, has no hidden units or does not fit the examples, or
            one of them holds NaN.
    """
    return Whole.of(subnetwork, examples, threads).activations()


def knock_out(
    subnetwork: Subnetwork,
    examples: Examples,
    ablation: Ablation = ZERO,
    units: np.ndarray | None = None,
    *,
    threads: int | None = None,
) -> Outcomes:
    """The network without each of ``units`` alone (None: every hidden unit), see :class:`contract.Engine`.

    Right answers are counted as if in float64. The outcomes are the same, bit for bit, for any number of threads.

    Raises:
        InputError: as :func:`activations`, and for unknown or repeated units and an ablation that does not fit.
    """
    whole = Whole.of(subnetwork, examples, threads)
    single = single_lesions(units, whole.units)
    rows = whole.rows[single]

    def tally(state: State, signals: Signals, packs: tuple[int, int], tally: Tally) -> None:
        knock_out_each(whole.circuit, state, signals, packs, rows, tally)

    def gone(lesions: np.ndarray) -> np.ndarray:
        return np.append(-1, single)[lesions, None] == np.arange(whole.units)

    return whole.outcomes(_Lesions(1 + len(single), tally, gone), ablation)


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
    in_rows = make_orders(whole.circuit, orders)
    step_of = np.full((many, whole.units), steps)
    np.put_along_axis(step_of, orders, np.arange(steps)[None], axis=1)

    def tally(state: State, signals: Signals, packs: tuple[int, int], tally: Tally) -> None:
        remove_in_orders(whole.circuit, state, signals, packs, in_rows, tally)

    def gone(lesions: np.ndarray) -> np.ndarray:
        order, removed = np.divmod(lesions, steps + 1)
        return step_of[order] < removed[:, None]

    found = whole.outcomes(_Lesions(many * (steps + 1), tally, gone), ablation, advance, orders.size)
    return Outcomes(found.loss.reshape(many, -1), found.correct.reshape(many, steps + 1, -1), found.present)


@dataclass(frozen=True)
class Whole:
    """A whole network and the examples, laid out to be lesioned."""

    subnetwork: Subnetwork
    examples: Examples
    threads: int | None
    source: Source
    network: Network
    circuit: Circuit
    rows: np.ndarray

    @classmethod
    def of(cls, subnetwork: Subnetwork, examples: Examples, threads: int | None) -> Self:
        check_examples(examples)
        check(subnetwork, examples)
        check_weights(subnetwork)
        if subnetwork.architecture.perceptron is None:
            raise InputError("these are the lesions of perceptrons; engines.convolutional has those of other networks")
        circuit = make_circuit(subnetwork)
        if len(circuit.levels) == 1:
            raise InputError("the network has no hidden units to observe or remove")
        network, _ = lay_out(subnetwork, nonzero_fraction(examples), LANES, keep_idle=True, backward=False)
        return cls(subnetwork, examples, threads, source_of(examples), network, circuit, rows_of_units(circuit))

    @property
    def units(self) -> int:
        return len(self.rows)

    def activations(self) -> Activations:
        found = Activations(*(np.empty((self.units, len(self.examples)), np.float32) for _ in range(2)))

        room = Room(self)

        def job(portion: Packs, report: Advance, stop: threading.Event) -> None:
            values = self.signals(portion, room).before
            found.preactivation[:, portion.examples] = self._by_unit(values)[:, self.rows].swapaxes(0, 1)
            activate_packs(self.circuit, values)
            found.activation[:, portion.examples] = self._by_unit(values)[:, self.rows].swapaxes(0, 1)

        run(job, self.portions(), self.threads, None)
        return found

    def signals(self, portion: Packs, room: "Room") -> Signals:
        """Of some packs; what removed units show is left as it is in the room."""
        signals = room.signals(portion)
        pass_whole(self.source, portion.examples.ravel(), room.network, self.circuit, signals)
        return signals

    def outcomes(
        self, lesions: _Lesions, ablation: Ablation, advance: Advance | None = None, steps: int = 0
    ) -> Outcomes:
        """Of every lesion; ``advance`` hears of ``steps`` in all."""
        check_ablation(ablation, self.units, len(self.examples))
        shown, portions, room = self._shown(ablation), self.portions(), Room(self)
        classes = int(self.circuit.levels["units"][-1])
        correct, turn = np.zeros((classes, lesions.count), np.int64), threading.Lock()

        def job(number: int, report: Advance, stop: threading.Event) -> tuple[np.ndarray, np.ndarray]:
            signals, state = self.signals(portions[number], room), make_state(self.circuit)
            if shown is not None:
                self._by_unit(signals.removed)[:, self.rows] = shown[:, portions[number].examples].swapaxes(0, 1)
            packs, at_once = len(signals.sizes), max(1, _CHUNK // lesions.count)
            own = empty_tally(classes, lesions.count, min(packs, at_once))
            close = []
            for first in range(0, packs, at_once):
                if stop.is_set():
                    raise InterruptedError
                lesions.tally(state, signals, (first, min(first + at_once, packs)), own)
                close.append(own.close[: own.listed[0]].T.copy())
                own.listed[0] = 0
            with turn:
                np.add(correct, own.correct, out=correct)
            done = [steps * n // len(portions) for n in (number, number + 1)]
            if done[1] > done[0]:
                report(done[1] - done[0])
            return own.loss, np.concatenate(close, axis=1)

        losses, close = zip(*run(job, range(len(portions)), self.threads, advance), strict=True)
        self._decide(np.concatenate(close, axis=1), lesions, ablation, correct)
        present = np.bincount(self.examples.y, minlength=classes)
        return Outcomes(np.sum(losses, axis=0) / len(self.examples), np.ascontiguousarray(correct.T), present)

    def _decide(self, close: np.ndarray, lesions: _Lesions, ablation: Ablation, correct: np.ndarray) -> None:
        """Count the right ones of the answers that were too close to call, ``close`` [lesion or example, calls]."""
        for first in range(0, close.shape[1], _CALLS):
            some, chosen = close[:, first : first + _CALLS]
            labels = self.examples.y[chosen]
            answers = decide(self.subnetwork, self.examples, chosen, lesions.gone(some), ablation)
            np.add.at(correct, (labels, some), answers == labels)

    def portions(self) -> list[Packs]:
        packs = make_packs(self.source.labels)
        starts = range(0, len(packs.sizes), _PORTION)
        return [Packs(*(part[start : start + _PORTION] for part in packs)) for start in starts]

    def _shown(self, ablation: Ablation) -> np.ndarray | None:
        """What removed units show, ``[units, examples]``; None for 0."""
        if ablation.donors is not None:
            return self.activations().activation[:, ablation.donors]
        if ablation.means is not None:
            return np.broadcast_to(np.asarray(ablation.means, np.float32)[:, None], (self.units, len(self.examples)))
        return None

    def _by_unit(self, packs: np.ndarray) -> np.ndarray:
        return packs.reshape(-1, len(self.circuit.level_of), PACK)


class Room(threading.local):
    """What a thread computes in, one portion after the other: fresh memory for each would cost as much as a product."""

    def __init__(self, whole: Whole) -> None:
        self.network = with_own_scratch(whole.network)
        self.size = whole.circuit.biases.size
        self.before, self.removed = (aligned(_PORTION * self.size) for _ in range(2))

    def signals(self, portion: Packs) -> Signals:
        used = len(portion.sizes) * self.size
        return Signals(self.before[:used], self.removed[:used], portion.examples, portion.labels, portion.sizes)


def empty_tally(classes: int, lesions: int, packs: int) -> Tally:
    # The memory for all calls being close is asked for, not touched.
    close = np.empty((packs * lesions * PACK, 2), np.int64)
    return Tally(np.zeros(lesions), np.zeros((classes, lesions), np.int64), close, np.zeros(1, np.int64))
