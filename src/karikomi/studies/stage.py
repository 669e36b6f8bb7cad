"""The stages of a study and their tasks: what is to be done, and what the journal says is done."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from karikomi.runs.folder import RunFolder
from karikomi.runs.progress import Advance

if TYPE_CHECKING:
    from karikomi.studies.setup import Setup


LEFT_OUT = "left_out"
"""In the journal: criteria of the defaults that do not suit the network, with the reason."""


class Task(NamedTuple):
    """A piece of work of one replicate; ``step`` tells its tasks of a stage apart and must be what JSON can hold."""

    replicate: int
    step: Any = 0


@dataclass(frozen=True)
class Stage:
    """One stage of a study.

    Attributes:
        name: what the journal and the progress call it.
        tasks: from setup and folder all tasks of the stage, those that are done included; each with the number of
            steps that it counts for in the progress.
        compute: called as ``compute(setup, advance, task, given)``, here or on a worker; a function of a module.
        write: called as ``write(setup, folder, task, result)``; writes what is too large for the journal, and returns
            what the journal keeps.
        arguments: called as ``arguments(setup, folder, task)`` for what a task is computed from, ``given``.
        lockstep: the tasks of one step are computed together, as one list for the engine, and need the step before;
            on a cluster each replicate goes through its steps by itself. ``compute`` and ``write`` then take the step
            in place of the task, and ``given`` is by replicate. Else every task stands alone.
        here: never sent to a cluster.
        lesions: whether it needs the kernels for lesions.
        tidy: called as ``tidy(setup, folder)`` after every record.
    """

    name: str
    tasks: Callable[[Setup[Any], RunFolder], Mapping[Task, int]]
    compute: Callable[[Setup[Any], Advance, Any, Any], Any]
    write: Callable[[Setup[Any], RunFolder, Any, Any], Mapping[str, Any]]
    arguments: Callable[[Setup[Any], RunFolder, Task], Any] = lambda setup, folder, task: None
    lockstep: bool = False
    here: bool = False
    lesions: bool = False
    tidy: Callable[[Setup[Any], RunFolder], None] = lambda setup, folder: None


class Saved(NamedTuple):
    """A network in a run folder: what tells it from others (replicate, round …), its file, and its name in there."""

    where: Mapping[str, Any]
    path: Path
    name: str = ""


def journaled(folder: RunFolder, *stages: str) -> list[dict[str, Any]]:
    """The journal's records of some stages; one record may be that of several replicates."""
    return [record for record in folder.journal.records() if record["stage"] in stages]


def records(folder: RunFolder, stage: str) -> dict[Task, dict[str, Any]]:
    """The journal's records of a stage, by task."""
    return {
        Task(replicate, _hashable(record["step"])): record
        for record in journaled(folder, stage)
        for replicate in record["replicates"]
    }


def _hashable(step: Any) -> Hashable:
    """As it was before the journal made a list of a tuple."""
    return tuple(map(_hashable, step)) if isinstance(step, list) else step
