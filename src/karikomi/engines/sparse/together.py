"""One network played by several threads, to the same bits as by one."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import torch

from karikomi import machine
from karikomi.engines.contract import Advance
from karikomi.engines.sparse.kernels.flow import Flow
from karikomi.engines.sparse.kernels.gather import Source
from karikomi.engines.sparse.kernels.layout import Network, aligned
from karikomi.engines.sparse.kernels.meeting import Team, team_of
from karikomi.engines.sparse.kernels.optimizer import Optimizer
from karikomi.engines.sparse.kernels.planes import ROW
from karikomi.engines.sparse.kernels.play import evaluate_flow, train_flow
from karikomi.engines.sparse.kernels.steps import evaluate_all, train_steps
from karikomi.engines.threads import run

T = TypeVar("T")
R = TypeVar("R")
Cores = Callable[[], int]
"""How many threads a network may take just now."""


def run_sharing(
    job: Callable[[T, Advance, threading.Event, Cores], R],
    items: Sequence[T],
    threads: int | None,
    advance: Advance | None,
) -> list[R]:
    """As :func:`~karikomi.engines.threads.run`, with the threads shared out among the items that are not done yet."""
    most, left = threads or machine.threads(), list(items)

    def counted(item: T, report: Advance, stop: threading.Event) -> R:
        try:
            return job(item, report, stop, lambda: max(1, most // len(left)))
        finally:
            left.pop()

    return run(counted, items, threads, advance)


def train_together(
    cores: Cores, source: Source, order: np.ndarray, played: Network | Flow, optimizer: Optimizer, done: int, taken: int
) -> float:
    """As :func:`~karikomi.engines.sparse.kernels.steps.train_steps`; a perceptron takes one core."""
    if isinstance(played, Network):
        return train_steps(source, order, played, optimizer, done, taken)

    def play(own: Flow, team: Team) -> float:
        scratch = optimizer._replace(gradient=aligned(optimizer.gradient.size))
        return train_flow(source, order, own, scratch, done, taken, team)

    return _together(play, played, cores())


def evaluate_together(
    cores: Cores, source: Source, examples: np.ndarray, played: Network | Flow, correct: np.ndarray
) -> float:
    """As :func:`~karikomi.engines.sparse.kernels.steps.evaluate_all`; a perceptron takes one core."""
    if isinstance(played, Network):
        return evaluate_all(source, examples, played, correct)
    return _together(lambda own, team: evaluate_flow(source, examples, own, correct, team), played, cores())


def _together(play: Callable[[Flow, Team], R], flow: Flow, threads: int) -> R:
    """What the first of ``threads`` returns; there is no work for more of them than there are blocks."""
    first, *others = team_of(min(threads, flow.real.size // ROW))
    if not others:
        return play(flow, first)
    with ThreadPoolExecutor(len(others), initializer=torch.set_flush_denormal, initargs=(True,)) as pool:
        beside = [pool.submit(play, _with_own_scratch(flow), team) for team in others]
        result = play(flow, first)
        for other in beside:
            other.result()
    return result


def _with_own_scratch(flow: Flow) -> Flow:
    """The same arrays, but for those that each thread needs for itself."""
    return flow._replace(
        network=flow.network._replace(example_starts=flow.network.example_starts.copy()),
        convolutions=flow.convolutions._replace(
            passes=flow.convolutions.passes.copy(), sums=aligned(flow.convolutions.sums.size)
        ),
        signals=flow.signals.copy(),
        slopes=flow.slopes.copy(),
        passing=flow.passing._replace(moved=flow.passing.moved.copy()),
        moments=flow.moments.copy(),
    )
