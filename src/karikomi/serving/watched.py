"""What the pages say of a run, looked up again only once the run has gone on."""

import time
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from karikomi.errors import InputError
from karikomi.runs.folder import RunFolder
from karikomi.studies import study_of
from karikomi.studies.result import Result

NOTHING = "No results yet."


class Stamp(NamedTuple):
    """What changes whenever a run goes on: size and time of its journal, and whether it is finished."""

    size: int
    changed: int
    finished: bool


class Progress(NamedTuple):
    """How far a stage is: finished tasks, replicates that have any, and the step of the last one."""

    stage: str
    tasks: int
    replicates: int
    step: str


def stamp(folder: RunFolder) -> Stamp:
    """That of a run now."""
    path = folder.journal.path
    about = path.stat() if path.exists() else None
    return Stamp(about.st_size, about.st_mtime_ns, folder.finished) if about else Stamp(0, 0, folder.finished)


def state(folder: RunFolder) -> str:
    """Finished or not, and how long ago the last task was."""
    if folder.finished:
        return "finished"
    changed = stamp(folder).changed
    return f"unfinished, last task {_ago(time.time() - changed / 1e9)} ago" if changed else "unfinished, no task yet"


def answer(folder: RunFolder) -> str:
    """The answer in a sentence, so far."""
    return _answer(folder.path, stamp(folder))


def result(folder: RunFolder) -> Result:
    """The run as it is now.

    Raises:
        InputError: if it is damaged, of another version, or has no results yet.
    """
    return _result(folder.path, stamp(folder))


def progress(folder: RunFolder) -> Iterator[Progress]:
    """The stages of a run that have begun, from its journal."""
    by_stage: dict[str, list[dict]] = {}
    for record in folder.journal.records():
        if "stage" in record:
            by_stage.setdefault(record["stage"], []).append(record)
    for stage, records in by_stage.items():
        replicates = {replicate for record in records for replicate in record["replicates"]}
        tasks = sum(len(record["replicates"]) for record in records)
        yield Progress(stage, tasks, len(replicates), _step(records[-1]["step"]))


@lru_cache(maxsize=1024)
def _answer(path: Path, at: Stamp) -> str:
    try:
        return _result(path, at).summary().headline
    except InputError as problem:
        return str(problem)


@lru_cache(maxsize=4)
def _result(path: Path, at: Stamp) -> Result:
    folder = RunFolder.open(path)
    found = Result(study_of(folder), folder)
    if found.table.empty:
        raise InputError(NOTHING)
    return found


def _step(step: object) -> str:
    return ", ".join(map(str, step)) if isinstance(step, list) else str(step)


def _ago(seconds: float) -> str:
    """
    >>> _ago(12), _ago(200), _ago(100_000)
    ('12 s', '3 min', '27 h')
    """
    for unit, size in (("s", 1), ("min", 60)):
        if seconds < 120 * size:
            return f"{seconds // size:.0f} {unit}"
    return f"{seconds // 3600:.0f} h"
