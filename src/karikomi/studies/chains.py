"""Pieces of work that follow on each other within a replicate: computed here, or by a cluster's workers."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from itertools import islice
from typing import Any, TypeVar

from karikomi.runs.progress import progress
from karikomi.studies.pieces import compute_there
from karikomi.studies.setup import Setup

R = TypeVar("R")


def play_chains(
    name: str,
    compute: Callable[..., R],
    arguments: Callable[[int, int], Any],
    setup: Setup[Any],
    chains: Mapping[int, Mapping[int, int]],
    total: int,
    quiet: bool,
    pool: Executor | None,
) -> Iterator[tuple[int, Sequence[int], R]]:
    """Compute pieces that follow on each other; give each with its number and replicates when it is finished.

    Here all replicates of a number are one piece. With a pool each replicate goes on by itself.

    Args:
        name: what is being done, for the progress.
        compute: called as ``compute(setup, advance, number, {replicate: arguments(replicate, number)})``.
        arguments: what a piece is computed from; asked for once the piece before it has been given and recorded.
        setup: that of the study.
        chains: by replicate the numbers of the pieces that are to do; of each how many steps it counts for.
        total: the steps of all pieces, with those that were done before.
        quiet: show no progress.
        pool: where to compute; None means here.
    """
    left = sum(steps for chain in chains.values() for steps in chain.values())
    if not any(chains.values()):
        return
    with progress(name, total, quiet, total - left) as advance:
        if pool is None:
            for number in sorted({number for chain in chains.values() for number in chain}):
                given = {replicate: arguments(replicate, number) for replicate in chains if number in chains[replicate]}
                yield number, list(given), compute(setup, advance, number, given)
            return
        kind, settings = type(setup.settings), setup.settings.model_dump_json()

        def submitted(replicate: int) -> Iterator[tuple[Future[R], int, int]]:
            for number in sorted(chains[replicate]):
                given = {replicate: arguments(replicate, number)}
                yield pool.submit(compute_there, compute, kind, settings, number, given), replicate, number

        waiting = {replicate: submitted(replicate) for replicate in chains}
        running = {task: piece for tasks in waiting.values() for task, *piece in islice(tasks, 1)}
        while running:
            for task in wait(running, return_when=FIRST_COMPLETED).done:
                replicate, number = running.pop(task)
                yield number, [replicate], task.result()
                advance(chains[replicate][number], f"{name}: {number} of replicate {replicate}")
                running |= {task: piece for task, *piece in islice(waiting[replicate], 1)}
