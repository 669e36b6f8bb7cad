"""An importance run as a whole: its tables, resuming, what is refused, pictures."""

from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from unittest import mock

import numpy as np
import pandas as pd
import pytest
import torch

import karikomi
from karikomi.errors import InputError
from karikomi.runs.folder import RunFolder
from karikomi.studies import find_study
from karikomi.studies.healthy.networks import load_healthy
from karikomi.studies.importance import stages
from karikomi.studies.importance.settings import ImportanceSettings
from karikomi.studies.result import Result
from karikomi.studies.run import run
from karikomi.studies.settings import SCHEMA
from karikomi.studies.stage import Task
from karikomi.studies.work import run_stages

IMPORTANCE = find_study("importance")
UNITS = 13


@pytest.fixture(scope="module")
def settings(tiny):
    given = {"data": tiny, "network": "mlp-8-5", "replicates": 2, "iterations": 40, "batch": 20, "validation": 200}
    given |= {"criteria": ("in-strength", "betweenness-inverse", "taylor", "knock-out"), "scoring": 150, "shapley": 3}
    return ImportanceSettings.of(**given, validate_every=20, pairs=4, engine="population")


@pytest.fixture(scope="module")
def finished(settings, tmp_path_factory):
    with mock.patch.object(Result, "draw"):
        return run(IMPORTANCE, settings, out=tmp_path_factory.mktemp("runs") / "finished", quiet=True)


def test_a_run_does_not_differ_from_itself(assert_comparable, finished):
    assert_comparable(finished)


def test_the_tables(finished, settings):
    table = pd.read_parquet(finished.folder.path / "table.parquet")
    first = ["replicate", "layer", "unit", "index", "loss_rise", "accuracy_drop", "shapley_value", "shapley_error"]
    assert list(table.columns) == [*first, *settings.scored_by]
    assert list(table["unit"]) == 2 * list(range(UNITS))
    assert list(table["index"]) == 2 * [*range(8), *range(5)]
    assert list(table["layer"]) == 2 * [*8 * ["fc1"], *5 * ["fc2"]]
    classes, pairs, networks = (finished.tables[name] for name in ("classes", "pairs", "networks"))
    assert len(classes) == 2 * UNITS * 10
    share = np.bincount(np.load(settings.data)["y_test"], minlength=10) / 300
    by_unit = classes.pivot_table(index=["replicate", "unit"], columns="class", values="accuracy_drop").to_numpy()
    np.testing.assert_allclose(by_unit @ share, table["accuracy_drop"], atol=1e-12)
    assert len(pairs) == 2 * 6
    rise = table.set_index(["replicate", "unit"])["loss_rise"]
    singles = [rise[r, a] + rise[r, b] for r, a, b in pairs[["replicate", "first_unit", "second_unit"]].to_numpy()]
    np.testing.assert_allclose(pairs["interaction"], pairs["loss_rise"] - singles)
    assert networks["examples"].tolist() == [300, 300]


def test_a_run_that_was_stopped_goes_on_to_the_same_bits(assert_same_run, finished, settings, tmp_path):
    def stop_at_the_second(setup, advance, task, subnetwork):
        if task.replicate == 1:
            raise KeyboardInterrupt
        return measure(setup, advance, task, subnetwork)

    measure = stages.measure
    with mock.patch.object(stages, "measure", stop_at_the_second), pytest.raises(KeyboardInterrupt):
        run(IMPORTANCE, settings, out=tmp_path, quiet=True)
    half = Result(IMPORTANCE, RunFolder.open(tmp_path))
    assert set(half.table["replicate"]) == {0}
    assert "one network" in half.summary().explanation
    with mock.patch.object(Result, "draw"):
        whole = run(IMPORTANCE, settings, out=tmp_path, quiet=True)
    assert_same_run(whole.folder, finished.folder)


def test_a_pool_gives_the_same_bits(assert_same_run, settings, tmp_path):
    sparse = settings.changed(engine="sparse")
    with mock.patch.object(Result, "draw"):
        here = run(IMPORTANCE, sparse, out=tmp_path / "here", quiet=True)
    with (
        RunFolder.create_or_resume(tmp_path / "there", "importance", here.settings.model_dump(), SCHEMA) as there,
        ThreadPoolExecutor(1) as pool,
    ):
        setup = IMPORTANCE.prepare(here.settings)
        run_stages(IMPORTANCE.stages(setup), setup, there, True, pool)
        assert_same_run(there, here.folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"criteria": ("in-strenght",)}, "did you mean 'in-strength'"),
        ({"criteria": ("clustering",)}, "means nothing"),
        ({"criteria": ("in-degree",)}, "tells no units of fc1 apart"),
        ({"given": ("betweenness",)}, "the distance must be named"),
        ({"criteria": ()}, "at least one value"),
        ({"pairs": -1}, "pairs should be"),
    ],
)
def test_what_means_nothing_is_refused_in_one_line_before_anything_is_written(settings, tmp_path, changes, message):
    with pytest.raises(InputError, match=message) as refused:
        run(IMPORTANCE, ImportanceSettings.of(**{**settings.model_dump(), **changes}), out=tmp_path / "run", quiet=True)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "run").exists()


def test_every_figure_and_the_page_are_drawn(finished):
    finished.draw()
    names = {path.stem for path in finished.folder.figures.glob("*.png")}
    assert names == set(IMPORTANCE.figures)
    assert "Which scores predict unit importance" in finished.page.read_text(encoding="utf-8")


def test_figures_of_what_was_not_measured_are_left_out(settings, tmp_path):
    bare = settings.changed(shapley=0, pairs=0, given=(), replicates=1)
    with mock.patch.object(Result, "draw"):
        result = run(IMPORTANCE, bare, out=tmp_path, quiet=True)
    assert result.figure("shapley") is None
    assert result.figure("pairs") is None
    assert result.figure("associations") is not None
    assert "Shapley" not in result.summary().explanation


def test_your_own_networks_are_measured_and_not_trained(finished, settings, tmp_path):
    setup = IMPORTANCE.prepare(settings)
    healthy = load_healthy(setup, finished.folder, Task(1))
    module = deepcopy(setup.architecture.module)
    module.load_state_dict({name: torch.from_numpy(array) for name, array in healthy.weights.items()})
    given = {"criteria": settings.criteria, "shapley": 3, "engine": "population", "quiet": True, "data": settings.data}
    with mock.patch.object(Result, "draw"):
        found = karikomi.importance(models=[module], out=tmp_path / "modules", **given)
        file = karikomi.importance(
            models=[finished.folder.subnetworks / "replicate-1.safetensors"],
            network=settings.network,
            out=tmp_path / "files",
            **given,
        )
    trained = finished.table.query("replicate == 1")["loss_rise"].to_numpy()
    for result in (found, file):
        np.testing.assert_allclose(result.table["loss_rise"], trained, atol=1e-6)
    with pytest.raises(InputError, match="modules or files, not both"):
        karikomi.importance(models=[module, "a.safetensors"])
