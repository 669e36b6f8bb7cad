"""A healthy network per replicate, trained or given: the first stage of a study of lesions."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from torch import nn

from karikomi import seeds
from karikomi.data.dataset import Dataset
from karikomi.engines import population
from karikomi.errors import InputError
from karikomi.networks.subnetwork import Subnetwork
from karikomi.runs.checkpoint import Checkpoint, check_fits, read_network
from karikomi.runs.folder import RunFolder
from karikomi.runs.progress import Advance
from karikomi.studies import setup as every_study
from karikomi.studies.healthy.settings import HealthySettings
from karikomi.studies.healthy.tables import TRAINING, network_file
from karikomi.studies.settings import OWN
from karikomi.studies.setup import Setup
from karikomi.studies.stage import LEFT_OUT, Stage, Task

HealthyT = TypeVar("HealthyT", bound=HealthySettings)
Healthy = tuple[Subnetwork, dict[str, Any]]
"""A network, and its row of :func:`~karikomi.studies.healthy.tables.healthy_rows`."""


def prepare_healthy(
    settings: HealthyT, data: Dataset | None = None, models: Sequence[nn.Module] = ()
) -> Setup[HealthyT]:
    """As :func:`karikomi.studies.setup.prepare`, with the models that the settings name.

    Raises:
        InputError: also for models that do not fit the data or each other, and for a network without hidden units.
    """
    if settings.network == OWN and not models:
        raise InputError(f"network {OWN} stands for your own modules, which only Python can give (models=[…])")
    setup = every_study.prepare(settings, data, models)
    if not setup.architecture.hidden:
        raise InputError(f"the network {settings.network} has no hidden units")
    for number, subnetwork in enumerate(setup.trained):
        check_fits(subnetwork.weights, setup.architecture, f"model {number}")
    if settings.models:
        found = [read_network(Path(path), setup.architecture).trained for path in settings.models]
        setup = replace(setup, trained=found)
    if setup.trained:  # One example shows whether they fit the data.
        population.evaluate(setup.trained, setup.data.test.take(np.arange(1)))
    return setup


def training(setup: Setup[Any]) -> Stage:
    """The stage that trains the healthy networks, all of them as one list for the engine; or takes those given.

    What is saved is the network of minimum validation loss.
    """
    if setup.trained:
        return Stage(TRAINING, _tasks, _given, _write, lockstep=True, here=True)
    return Stage(TRAINING, _tasks, _train, _write, lockstep=True)


def load_healthy(setup: Setup[Any], folder: RunFolder, task: Task) -> Subnetwork:
    """The healthy network of a task's replicate."""
    return read_network(network_file(folder, task.replicate), setup.architecture).trained


def _tasks(setup: Setup[Any], folder: RunFolder) -> dict[Task, int]:
    steps = 0 if setup.trained else setup.settings.iterations
    return {Task(replicate): steps for replicate in range(setup.settings.replicates)}


def _train(setup: Setup[Any], advance: Advance, step: int, replicates: Mapping[int, None]) -> list[Healthy]:
    s = setup.settings
    trials = [setup.trial(setup.initial(r, seeds.stream(s.seed, "init", r)), r) for r in replicates]
    trained = setup.engine.train(trials, setup.data, s.recipe(), advance)
    past = [{name: getattr(result, name) for name in ("early_stop_iteration", "seconds")} for result in trained]
    return _measured(setup, replicates, [result.best for result in trained], past)


def _given(setup: Setup[Any], advance: Advance, step: int, replicates: Mapping[int, None]) -> list[Healthy]:
    return _measured(setup, replicates, [setup.trained[replicate] for replicate in replicates], [{}] * len(replicates))


def _measured(
    setup: Setup[Any], replicates: Mapping[int, None], networks: Sequence[Subnetwork], past: Sequence[Mapping[str, Any]]
) -> list[Healthy]:
    measures = setup.engine.evaluate(networks, setup.data.test)
    return [
        (network, {"replicate": replicate, **known, "accuracy": measure.accuracy, "loss": measure.loss})
        for replicate, network, known, measure in zip(replicates, networks, past, measures, strict=True)
    ]


def _write(setup: Setup[Any], folder: RunFolder, step: int, networks: Sequence[Healthy]) -> dict[str, Any]:
    for subnetwork, row in networks:
        provenance = setup.provenance(folder.study, row["replicate"], test_accuracy=row["accuracy"])
        Checkpoint(subnetwork, {}, provenance).save(network_file(folder, row["replicate"]))
    left_out = {LEFT_OUT: setup.left_out} if setup.left_out else {}
    return {"rows": [row for _, row in networks], **left_out}
