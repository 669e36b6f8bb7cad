"""The work of the importance study: training, then measuring, replicate by replicate."""

from collections.abc import Sequence
from typing import Any

from torch import nn

from karikomi.data.dataset import Dataset
from karikomi.networks.subnetwork import Arrays
from karikomi.runs.files import write_arrays
from karikomi.runs.folder import RunFolder
from karikomi.studies.healthy.networks import load_healthy, prepare_healthy, training
from karikomi.studies.healthy.scoring import suited
from karikomi.studies.healthy.viewing import viewing
from karikomi.studies.importance.protocol import measure
from karikomi.studies.importance.settings import ImportanceSettings
from karikomi.studies.importance.tables import KNOCK_OUTS, SCORE
from karikomi.studies.setup import Setup
from karikomi.studies.stage import Stage, Task


def prepare(
    settings: ImportanceSettings, data: Dataset | None = None, models: Sequence[nn.Module] = ()
) -> Setup[ImportanceSettings]:
    """As :func:`karikomi.studies.healthy.networks.prepare_healthy`, without defaults that do not suit.

    Raises:
        InputError: also for a criterion that was asked for and means nothing for this network.
    """
    return suited(prepare_healthy(settings, data, models))


def stages(setup: Setup[ImportanceSettings]) -> list[Stage]:
    return [training(setup), viewing(), Stage(KNOCK_OUTS, _tasks, measure, _write, load_healthy, lesions=True)]


def _tasks(setup: Setup[ImportanceSettings], folder: RunFolder) -> dict[Task, int]:
    s = setup.settings
    return {Task(replicate): setup.architecture.units * (1 + s.shapley) for replicate in range(s.replicates)}


def _write(setup: Setup[ImportanceSettings], folder: RunFolder, task: Task, found: Arrays) -> dict[str, Any]:
    file = folder.pieces / f"replicate-{task.replicate}-knock-outs.safetensors"
    write_arrays(file, found, {})
    where = {"file": f"{folder.pieces.name}/{file.name}", "layers": setup.architecture.hidden_units}
    return {**where, "scores": [name.removeprefix(SCORE) for name in found if name.startswith(SCORE)]}
