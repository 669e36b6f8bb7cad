"""A healthy network per replicate, trained or given: the first stage of a study of lesions."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from torch import nn

from karikomi import seeds
from karikomi.data.dataset import Dataset
from karikomi.engines import population
from karikomi.errors import InputError
from karikomi.networks.architecture import Architecture
from karikomi.networks.subnetwork import Arrays, Subnetwork
from karikomi.runs.files import read_arrays, write_arrays
from karikomi.runs.folder import RunFolder
from karikomi.runs.progress import Advance
from karikomi.studies import setup as every_study
from karikomi.studies.healthy.settings import OWN, HealthySettings
from karikomi.studies.healthy.tables import STAGE, healthy_rows, network_file
from karikomi.studies.pieces import play_pieces
from karikomi.studies.setup import Setup

HealthyT = TypeVar("HealthyT", bound=HealthySettings)
Healthy = tuple[Subnetwork, dict[str, Any]]
"""A network, and its row of :func:`~karikomi.studies.healthy.tables.healthy_rows`."""


def prepare(settings: HealthyT, data: Dataset | None = None, models: Sequence[nn.Module] = ()) -> Setup[HealthyT]:
    """As :func:`karikomi.studies.setup.prepare`, with the models that the settings name.

    Raises:
        InputError: also for models that do not fit the data or each other, and for a network without hidden units.
    """
    if settings.network == OWN and not models:
        raise InputError(f"network {OWN} stands for your own modules, which only Python can give (models=[…])")
    setup = every_study.prepare(settings, data, models)
    if not setup.architecture.hidden:
        raise InputError(f"the network {settings.network} has no hidden units")
    if settings.models:
        setup = replace(setup, trained=[_read(Path(path), setup.architecture) for path in settings.models])
    for subnetwork in setup.trained:
        _refuse_other_architecture(subnetwork.weights, setup.architecture)
    if setup.trained:  # One example shows whether they fit the data.
        population.evaluate(setup.trained, setup.data.test.take(np.arange(1)))
    return setup


def train_healthy(setup: Setup[Any], folder: RunFolder, quiet: bool, pool: Executor | None) -> None:
    """Train the replicates that the journal does not have, and save them; where models are given, save those.

    Here all of them are one list for the engine, with a pool each is a task. What is saved is the network of minimum
    validation loss.
    """
    s = setup.settings
    done = {row["replicate"] for row in healthy_rows(folder)}
    missing = tuple(replicate for replicate in range(s.replicates) if replicate not in done)
    lists = [missing] if pool is None or setup.trained else [(replicate,) for replicate in missing]
    pieces = {replicates: len(replicates) * s.iterations for replicates in lists if replicates}
    if setup.trained:
        played = ((replicates, _given(setup, replicates)) for replicates in pieces)
    else:
        total = s.replicates * s.iterations
        played = play_pieces("training", _train, lambda piece: (piece,), setup, pieces, total, quiet, pool)
    for replicates, networks in played:
        for subnetwork, row in networks:
            _save(setup, network_file(folder, row["replicate"]), subnetwork, row)
        rows = [row for _, row in networks]
        folder.journal.append({"stage": STAGE, "replicates": replicates, "rows": rows})


def load_healthy(setup: Setup[Any], folder: RunFolder, replicate: int) -> Subnetwork:
    """The healthy network of a replicate."""
    return _read(network_file(folder, replicate), setup.architecture)


def _train(setup: Setup[Any], advance: Advance, replicates: Sequence[int]) -> list[Healthy]:
    s = setup.settings
    trials = [
        setup.trial(setup.initial(replicate, seeds.stream(s.seed, "init", replicate)), replicate)
        for replicate in replicates
    ]
    trained = setup.engine.train(trials, setup.data, setup.recipe(), advance)
    return _measured(
        setup,
        replicates,
        [result.best for result in trained],
        [{"early_stop_iteration": result.early_stop_iteration, "seconds": result.seconds} for result in trained],
    )


def _given(setup: Setup[Any], replicates: Sequence[int]) -> list[Healthy]:
    return _measured(setup, replicates, [setup.trained[replicate] for replicate in replicates], [{}] * len(replicates))


def _measured(
    setup: Setup[Any], replicates: Sequence[int], networks: Sequence[Subnetwork], past: Sequence[Mapping[str, Any]]
) -> list[Healthy]:
    measures = setup.engine.evaluate(networks, setup.data.test)
    return [
        (network, {"replicate": replicate, **known, "accuracy": measure.accuracy, "loss": measure.loss})
        for replicate, network, known, measure in zip(replicates, networks, past, measures, strict=True)
    ]


def _save(setup: Setup[Any], path: Path, subnetwork: Subnetwork, row: Mapping[str, Any]) -> None:
    weights = {f"weights/{name}": array for name, array in subnetwork.weights.items()}
    masks = {f"mask/{name}": mask for name, mask in subnetwork.masks.items()}
    provenance = {
        "settings": setup.settings.model_dump_json(),
        "network": setup.settings.network,
        "sample_shape": ",".join(str(n) for n in setup.data.sample_shape),
        "classes": str(setup.data.classes),
        "replicate": str(row["replicate"]),
        "test_accuracy": repr(row["accuracy"]),
    }
    write_arrays(path, weights | masks, provenance)


def _read(path: Path, architecture: Architecture) -> Subnetwork:
    """A network from a file of ours, or from one with the weights under the module's own names."""
    arrays, _ = read_arrays(path)
    weights = {name.removeprefix("weights/"): array for name, array in arrays.items() if not name.startswith("mask/")}
    masks = {name.removeprefix("mask/"): array for name, array in arrays.items() if name.startswith("mask/")}
    _refuse_other_architecture(weights, architecture)
    subnetwork = Subnetwork.full(architecture, weights)
    return subnetwork.masked(masks) if masks else subnetwork


def _refuse_other_architecture(weights: Arrays, architecture: Architecture) -> None:
    expected = {name: tuple(value.shape) for name, value in architecture.module.state_dict().items()}
    given = {name: array.shape for name, array in weights.items()}
    if given != expected:
        name = next(name for name in {**expected, **given} if expected.get(name) != given.get(name))
        raise InputError(
            f"every model must have the weights of the network: of {name} the shape is {given.get(name, 'missing')},"
            f" where {expected.get(name, 'nothing of that name')} belongs"
        )
