"""One network played by several threads."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numba
import numpy as np
import pytest
from tests.programs import NETWORKS as PROGRAMS
from torch import nn

from karikomi.engines import sparse
from karikomi.engines.contract import Recipe
from karikomi.engines.sparse.kernels.meeting import meet, team_of
from karikomi.engines.sparse.together import run_sharing
from karikomi.networks import build
from karikomi.networks.architecture import Architecture

# Five blocks of planes, the last one with six examples, and two of rows.
RECIPE = Recipe(12, 70, "adam", 1e-3, 0.0, 0.0, 5, snapshots=(7,))


@numba.njit(nogil=True)
def hand_round(team, values, times):
    """Everybody takes the value of the next one, plus 1."""
    for _ in range(times):
        taken = values[(team.number + 1) % team.threads] + 1
        meet(team)
        values[team.number] = taken
        meet(team)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_nobody_goes_on_before_all_are_there(threads):
    values, times = np.arange(threads) * 10_000, 500
    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(hand_round, team, values, times) for team in team_of(threads)]:
            done.result()
    np.testing.assert_array_equal(values, np.roll(np.arange(threads) * 10_000, -times % threads) + times)


NETWORKS = {
    "convolutions": build("conv-2-small", (28, 28), 10),
    "residual": build("resnet-8", (28, 28), 10),
    "normalized rows": nn.Sequential(
        *(nn.Unflatten(1, (1, -1)), nn.Conv2d(1, 3, 5, 3, bias=False), nn.BatchNorm2d(3), nn.Tanh(), nn.Flatten()),
        *(nn.Linear(192, 20), nn.BatchNorm1d(20), nn.ReLU(), nn.Linear(20, 10)),
    ),
    "dropout": nn.Sequential(
        *(nn.Unflatten(1, (1, -1)), nn.Conv2d(1, 3, 5, 3), nn.Dropout(0.3), nn.ReLU(), nn.Flatten()),
        *(nn.Linear(192, 20), nn.ReLU(), nn.Dropout(), nn.Linear(20, 10)),
    ),
    **{name: PROGRAMS[name] for name in ("side by side", "bends")},
}


@pytest.mark.parametrize("density", [1.0, 0.3])
@pytest.mark.parametrize("module", NETWORKS.values(), ids=NETWORKS.keys())
def test_any_number_of_threads_gives_the_same_bits(make, data, module, density):
    trial = make.trial(module, density)
    trial = replace(trial, subnetwork=of_images(trial.subnetwork))
    [alone], *others = ([*sparse.train([trial], data, RECIPE, threads=threads)] for threads in (1, 2, 3, 7))
    for [found] in others:
        for one, other in ((alone.best, found.best), (alone.final, found.final), *zip_snapshots(alone, found)):
            for name, value in one.weights.items():
                np.testing.assert_array_equal(value, other.weights[name], err_msg=name)
        for name, moment in alone.state.second.items():
            np.testing.assert_array_equal(moment, found.state.second[name], err_msg=name)
        np.testing.assert_array_equal(alone.curve.train_loss, found.curve.train_loss)
        np.testing.assert_array_equal(alone.curve.validation_loss, found.curve.validation_loss)


def of_images(subnetwork):
    return replace(subnetwork, architecture=Architecture(subnetwork.module, sample_shape=(28, 28)))


def zip_snapshots(one, other):
    assert one.snapshots.keys() == other.snapshots.keys() == {7}
    return [(one.snapshots[at], other.snapshots[at]) for at in one.snapshots]


def test_evaluation_too(make, data):
    subnetwork = of_images(make.subnetwork(NETWORKS["residual"], 0.5))
    [alone], *others = (sparse.evaluate([subnetwork], data.test, threads=threads) for threads in (1, 2, 3))
    for [found] in others:
        assert (found.loss, found.accuracy) == (alone.loss, alone.accuracy)
        np.testing.assert_array_equal(found.class_accuracy, alone.class_accuracy)


def test_threads_are_shared_out_among_what_is_not_done():
    def cores_of(item, report, stop, cores):
        return cores()

    assert run_sharing(cores_of, ["alone"], 3, None) == [3]
    assert run_sharing(cores_of, ["one", "other", "last"], 1, None) == [1, 1, 1]
    assert run_sharing(cores_of, [], 2, None) == []
