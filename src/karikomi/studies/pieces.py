"""A study's pieces of work: computed here, or by a cluster's workers."""

from collections.abc import Callable, Hashable, Iterator, Mapping
from concurrent.futures import Executor, as_completed
from functools import lru_cache
from typing import Any, TypeVar

from karikomi.runs.progress import progress
from karikomi.studies.settings import StudySettings
from karikomi.studies.setup import Setup, prepare

P = TypeVar("P", bound=Hashable)
R = TypeVar("R")


def play_pieces(
    name: str,
    compute: Callable[..., R],
    arguments: Callable[[P], tuple[Any, ...]],
    setup: Setup[Any],
    pieces: Mapping[P, int],
    total: int,
    quiet: bool,
    pool: Executor | None,
) -> Iterator[tuple[P, R]]:
    """Compute pieces one after the other, or all at once on a pool, and give each with its result when it is finished.

    Args:
        name: what is being done, for the progress.
        compute: called as ``compute(setup, advance, *arguments(piece))``; with a pool on a worker, which prepares the
            setup from the settings.
        arguments: what a piece is computed from.
        setup: that of the study.
        pieces: what is to do; of each how many steps it counts for.
        total: the steps of all pieces, with those that were done before.
        quiet: show no progress.
        pool: where to compute; None means here.
    """
    if not pieces:
        return
    with progress(name, total, quiet, total - sum(pieces.values())) as advance:
        if pool is None:
            for piece in pieces:
                yield piece, compute(setup, advance, *arguments(piece))
            return
        settings = setup.settings
        given = (compute, type(settings), settings.model_dump_json())
        running = {pool.submit(compute_there, *given, *arguments(piece)): piece for piece in pieces}
        for task in as_completed(running):
            yield running[task], task.result()
            advance(pieces[running[task]])


def compute_there(compute: Callable[..., R], kind: type[StudySettings], settings: str, *arguments: Any) -> R:
    """What a worker does: prepare the setup from the settings, and compute."""
    return compute(_setup(kind, settings), lambda n, description=None: None, *arguments)


@lru_cache(maxsize=1)
def _setup(kind: type[StudySettings], settings: str) -> Setup[Any]:
    return prepare(kind.model_validate_json(settings))
