"""The work of the lesion study: training, scoring, removal."""

from collections.abc import Sequence
from typing import Any

from torch import nn

from karikomi.data.dataset import Dataset
from karikomi.networks.subnetwork import Arrays, Subnetwork
from karikomi.removal.units import check_removable
from karikomi.runs.files import write_arrays
from karikomi.runs.folder import RunFolder
from karikomi.studies.healthy.networks import load_healthy, prepare_healthy, training
from karikomi.studies.healthy.scoring import suited
from karikomi.studies.healthy.viewing import viewing
from karikomi.studies.lesion.arms import all_arms, controls_of
from karikomi.studies.lesion.protocol import Lesioned, LesionSetup, lesion, score
from karikomi.studies.lesion.settings import LesionSettings
from karikomi.studies.lesion.tables import LESIONS, SCORES, curves_file, read_scores, scores_file
from karikomi.studies.stage import Stage, Task


def prepare(settings: LesionSettings, data: Dataset | None = None, models: Sequence[nn.Module] = ()) -> LesionSetup:
    """As :func:`karikomi.studies.healthy.networks.prepare_healthy`, without defaults that do not suit.

    Raises:
        InputError: also for a timing, or a criterion that was asked for, that means nothing for this network.
    """
    setup = suited(prepare_healthy(settings, data, models))
    if "adaptive" in settings.timing:
        check_removable(setup.architecture)
    return setup


def stages(setup: LesionSetup) -> list[Stage]:
    return [
        training(setup),
        viewing(),
        Stage(SCORES, _scorings, score, _write_scores, load_healthy),
        Stage(LESIONS, _orders, lesion, _write_curves, _scored, lesions=True),
    ]


def _scorings(setup: LesionSetup, folder: RunFolder) -> dict[Task, int]:
    s = setup.settings
    return {Task(replicate): len(s.criteria) * (1 + len(s.null)) for replicate in range(s.replicates)}


def _write_scores(setup: LesionSetup, folder: RunFolder, task: Task, scores: Arrays) -> dict[str, Any]:
    file = scores_file(folder, task.replicate)
    write_arrays(file, scores, {})
    where = {"file": f"{folder.pieces.name}/{file.name}", "layers": setup.architecture.hidden_units}
    return {**where, "criteria": list(scores)}


def _orders(setup: LesionSetup, folder: RunFolder) -> dict[Task, int]:
    s = setup.settings
    steps = {arm: setup.architecture.units * sum(controls_of(arm, s).values()) for arm in all_arms(s)}
    return {Task(replicate, arm): many for replicate in range(s.replicates) for arm, many in steps.items()}


def _scored(setup: LesionSetup, folder: RunFolder, task: Task) -> tuple[Subnetwork, Arrays]:
    return load_healthy(setup, folder, task), read_scores(folder, task.replicate)


def _write_curves(setup: LesionSetup, folder: RunFolder, task: Task, found: Lesioned) -> dict[str, Any]:
    file = curves_file(folder, task.replicate, task.step)
    write_arrays(file, found.curves, {})
    return {"file": f"{folder.pieces.name}/{file.name}", "rows": found.rows}
