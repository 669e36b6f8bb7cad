"""The work of the study of architectures, condition by condition."""

from collections.abc import Sequence
from typing import Any

from torch import nn

from karikomi.data.dataset import Dataset
from karikomi.errors import InputError
from karikomi.runs.checkpoint import Checkpoint, provenance_of
from karikomi.runs.folder import RunFolder
from karikomi.studies import setup as every_study
from karikomi.studies.architectures.conditions import ArchitecturesSetup, Condition, conditions, settings_of, setup_of
from karikomi.studies.architectures.protocol import Measured, measure, steps_of
from karikomi.studies.architectures.settings import ArchitecturesSettings
from karikomi.studies.architectures.tables import CONDITIONS, network_file
from karikomi.studies.stage import Stage, Task


def prepare(
    settings: ArchitecturesSettings, data: Dataset | None = None, models: Sequence[nn.Module] = ()
) -> ArchitecturesSetup:
    """As :func:`karikomi.studies.setup.prepare`, for every condition.

    Raises:
        InputError: also if the units of a network cannot be removed for good.
    """
    setup = every_study.prepare(settings, data, models)
    for condition in conditions(setup):
        try:
            setup_of(setup, condition).architecture.require_chain()
        except InputError as problem:
            raise InputError(f"{condition.network}: {problem}") from problem
    return setup


def stages(setup: ArchitecturesSetup) -> list[Stage]:
    return [Stage(CONDITIONS, _tasks, measure, _write, lockstep=True, lesions=True)]


def _tasks(setup: ArchitecturesSetup, folder: RunFolder) -> dict[Task, int]:
    every, replicates = conditions(setup), range(setup.settings.replicates)
    return {Task(replicate, one): steps_of(setup.settings) for one in every for replicate in replicates}


def _write(setup: ArchitecturesSetup, folder: RunFolder, step: Condition, found: Sequence[Measured]) -> dict[str, Any]:
    for network, row, _ in found:
        provenance = provenance_of(
            row["network"],
            setup.data.sample_shape,
            setup.data.classes,
            study=folder.study,
            settings=settings_of(setup.settings, Condition(*step)).model_dump_json(),
            replicate=row["replicate"],
            test_accuracy=row["accuracy"],
        )
        Checkpoint(network, {}, provenance).save(network_file(folder, row["replicate"], Condition(*step)))
    return {"rows": [one.row for one in found], "curves": [one.curve for one in found]}
