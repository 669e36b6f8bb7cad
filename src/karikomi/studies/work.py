"""The work of a study: stages of tasks, computed here or by a cluster's workers, never twice."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from functools import lru_cache
from itertools import islice
from typing import Any

from karikomi.engines.choice import warm_up
from karikomi.engines.population.source import computing_on
from karikomi.runs.folder import RunFolder
from karikomi.runs.progress import Advance, progress
from karikomi.studies.settings import StudySettings
from karikomi.studies.setup import Setup, prepare
from karikomi.studies.stage import Stage, Task, records


def run_stages(
    stages: Sequence[Stage], setup: Setup[Any], folder: RunFolder, quiet: bool, pool: Executor | None
) -> None:
    """Do whatever work the journal does not have.

    What a task leaves is on disk before its line is in the journal: whenever it is killed, the next start finds a task
    done or not at all, and repeats the same work with the same streams.

    Args:
        stages: one after the other.
        setup: that of the study.
        folder: where results go.
        quiet: show no progress.
        pool: where to compute; None means here.
    """
    if pool is None:
        lesions = any(stage.lesions for stage in stages)
        warm_up(setup.engine, lambda text: None if quiet else print(text, file=sys.stderr, flush=True), lesions=lesions)
    for stage in stages:
        tasks, done = stage.tasks(setup, folder), records(folder, stage.name)
        missing = {task: steps for task, steps in tasks.items() if task not in done}
        total, left = sum(tasks.values()), sum(missing.values())
        with progress(stage.name, total, quiet or left == 0, total - left) as advance:
            for batch, result in _computed(stage, setup, folder, missing, advance, pool):
                kept = stage.write(setup, folder, batch[0].step if stage.lockstep else batch[0], result)
                where = {"replicates": [task.replicate for task in batch], "step": batch[0].step}
                folder.journal.append({"stage": stage.name, **where, **kept})
                stage.tidy(setup, folder)
        stage.tidy(setup, folder)


def _computed(
    stage: Stage,
    setup: Setup[Any],
    folder: RunFolder,
    missing: Mapping[Task, int],
    advance: Advance,
    pool: Executor | None,
) -> Iterator[tuple[list[Task], Any]]:
    """The missing tasks, those that are computed together as one, with their results.

    The next ones are begun once those that were given are recorded.
    """
    if pool is not None and not stage.here:
        yield from _spread(stage, setup, folder, missing, advance, pool)
        return
    batches: dict[Any, list[Task]] = {}
    for task in missing:
        batches.setdefault(task.step if stage.lockstep else task, []).append(task)
    for batch in batches.values():
        yield batch, stage.compute(setup, advance, *_call(stage, setup, folder, batch))


def _spread(
    stage: Stage, setup: Setup[Any], folder: RunFolder, missing: Mapping[Task, int], advance: Advance, pool: Executor
) -> Iterator[tuple[list[Task], Any]]:
    """The same on a cluster, task by task: in rows, of which each task needs the one before."""
    kind, settings = type(setup.settings), setup.settings.model_dump_json()
    rows: dict[Any, list[Task]] = {}
    for task in missing:
        rows.setdefault(task.replicate if stage.lockstep else task, []).append(task)

    running: dict[Future[Any], tuple[Task, Iterator[Task]]] = {}

    def begin(row: Iterator[Task]) -> None:
        for task in islice(row, 1):
            call = _call(stage, setup, folder, [task])
            running[pool.submit(_compute_there, stage.compute, kind, settings, *call)] = task, row

    for row in rows.values():
        begin(iter(row))
    while running:
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            task, row = running.pop(future)
            yield [task], future.result()
            advance(missing[task], f"{stage.name}, replicate {task.replicate}")
            begin(row)


def _call(stage: Stage, setup: Setup[Any], folder: RunFolder, batch: Sequence[Task]) -> tuple[Any, Any]:
    """What ``compute`` takes last."""
    given = {task.replicate: stage.arguments(setup, folder, task) for task in batch}
    return (batch[0].step, given) if stage.lockstep else (batch[0], given[batch[0].replicate])


def _compute_there(compute: Callable[..., Any], kind: type[StudySettings], settings: str, task: Any, given: Any) -> Any:
    """What a worker does: prepare the setup from the settings, and compute."""
    with computing_on(kind.model_validate_json(settings).device):
        return compute(_setup(kind, settings), lambda n, description=None: None, task, given)


@lru_cache(maxsize=1)
def _setup(kind: type[StudySettings], settings: str) -> Setup[Any]:
    return prepare(kind.model_validate_json(settings))
