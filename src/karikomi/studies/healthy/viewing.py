"""The stage that keeps what the page shows of the first healthy network."""

from collections.abc import Mapping
from typing import Any

from karikomi.runs.folder import RunFolder
from karikomi.studies.healthy.networks import load_healthy
from karikomi.studies.setup import Setup
from karikomi.studies.snapshots import (
    REPLICATE,
    Snapshot,
    look,
    read_snapshots,
    snapshots_file,
    write_snapshots,
)
from karikomi.studies.stage import Stage, Task

SNAPSHOTS, HEALTHY = "snapshots", "healthy"


def viewing() -> Stage:
    """The stage, to follow on that of training."""
    return Stage(SNAPSHOTS, _tasks, look, _write, load_healthy, lesions=True)


def healthy_snapshot(folder: RunFolder) -> tuple[Snapshot, tuple[int, int] | None] | None:
    """The network, and the rows and columns of its inputs if they are pixels; None where it was not kept."""
    path = snapshots_file(folder, HEALTHY)
    if not path.exists():
        return None
    found, pixels = read_snapshots(path)
    return found[0], pixels


def _tasks(setup: Setup[Any], folder: RunFolder) -> Mapping[Task, int]:
    return {Task(REPLICATE): 1}


def _write(setup: Setup[Any], folder: RunFolder, task: Task, seen: Snapshot) -> dict[str, Any]:
    write_snapshots(snapshots_file(folder, HEALTHY), setup, {0: seen})
    return {}
