"""A lesion run as a whole: its tables, resuming, what is refused, pictures."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import pytest
import torch

import karikomi
from karikomi.commands import export, report, show
from karikomi.data.dataset import Dataset
from karikomi.errors import InputError
from karikomi.networks import build
from karikomi.runs.checkpoint import load_network
from karikomi.runs.folder import RunFolder
from karikomi.studies import find_study
from karikomi.studies.lesion import stages
from karikomi.studies.lesion.arms import Arm
from karikomi.studies.lesion.settings import LesionSettings
from karikomi.studies.result import Result
from karikomi.studies.run import run
from karikomi.studies.settings import SCHEMA
from karikomi.studies.work import run_stages

LESION = find_study("lesion")
UNITS = 13


@pytest.fixture(scope="module")
def settings(tiny):
    given = {"data": tiny, "network": "mlp-8-5", "replicates": 2, "iterations": 40, "batch": 20, "validation": 200}
    given |= {"criteria": ("in-strength", "taylor"), "timing": ("static", "adaptive"), "every": 4, "orders": 3}
    return LesionSettings.of(**given, learning_rate=0.01, validate_every=20, scoring=150, engine="population")


@pytest.fixture(scope="module")
def finished(settings, tmp_path_factory):
    with mock.patch.object(Result, "draw"):
        return run(LESION, settings, out=tmp_path_factory.mktemp("runs") / "finished", quiet=True)


def test_a_run_does_not_differ_from_itself(assert_comparable, finished):
    assert_comparable(finished)


def test_the_tables(finished):
    table = pd.read_parquet(finished.folder.path / "table.parquet")
    # In each replicate 3 random orders, 3 layer-matched ones, and 2 criteria × 2 directions × 2 timings.
    assert table["control"].value_counts().to_dict() == {"random": 6, "layer-matched": 6, "targeted": 16}
    assert table["replicate"].is_monotonic_increasing
    assert table["robustness"].between(-0.5, 1.2).all()
    curves = pd.read_parquet(finished.folder.path / "curves.parquet")
    assert len(curves) == 2 * (2 + 8) * (UNITS + 1)
    arm = ["replicate", "criterion", "direction", "timing", "control"]
    healthy = finished.tables["networks"].set_index("replicate")
    for (replicate, *_), curve in curves.groupby(arm):
        assert curve["units_left"].tolist() == list(range(UNITS, -1, -1))
        whole, nothing = curve.iloc[0], curve.iloc[-1]
        assert whole["accuracy"] == pytest.approx(healthy.loc[replicate, "accuracy"])
        assert whole["loss"] == pytest.approx(healthy.loc[replicate, "loss"], rel=1e-5)
        assert whole["parameters_left"] == 196 * 8 + 8 + 8 * 5 + 5 + 5 * 10 + 10
        assert (nothing["links_left"], nothing["parameters_left"]) == (0, 10)
    scores = finished.tables["scores"]
    assert list(scores.columns) == ["replicate", "layer", "unit", "in-strength", "taylor"]
    assert scores["layer"].tolist() == 2 * [*8 * ["fc1"], *5 * ["fc2"]]


def test_robustness_in_the_table_is_that_of_the_curves(finished):
    keys = ["replicate", "criterion", "direction", "timing", "control"]
    accuracy = finished.tables["curves"].groupby(keys)["accuracy"]
    expected = accuracy.apply(lambda a: ((a.iloc[1:] - 0.1) / (a.iloc[0] - 0.1)).mean())
    found = finished.table.groupby(keys)["robustness"].mean()
    pd.testing.assert_series_equal(found, expected, check_names=False)


def test_wherever_a_run_is_stopped_it_goes_on_to_the_same_bits(assert_same_run, finished, settings, tmp_path):
    compute = stages.lesion
    for number in (0, 1, 7):
        left = iter(range(number))

        def stop(*given, left=left):
            if next(left, None) is None:
                raise KeyboardInterrupt
            return compute(*given)

        with mock.patch.object(stages, "lesion", stop), pytest.raises(KeyboardInterrupt):
            run(LESION, settings, out=tmp_path, quiet=True)
    half = Result(LESION, RunFolder.open(tmp_path))
    assert len(half.tables["curves"]) == (8 + 1) * (UNITS + 1)
    assert set(half.summary().verdicts["verdict"]) == {"not shown"}
    with mock.patch.object(Result, "draw"):
        whole = run(LESION, settings, out=tmp_path, quiet=True)
    assert_same_run(whole.folder, finished.folder)


def test_a_run_that_has_only_random_orders_yet_says_so(settings, tmp_path):
    def stop(setup, advance, task, given):
        if task.step != Arm():
            raise KeyboardInterrupt
        return compute(setup, advance, task, given)

    compute = stages.lesion
    with mock.patch.object(stages, "lesion", stop), pytest.raises(KeyboardInterrupt):
        run(LESION, settings, out=tmp_path, quiet=True)
    assert Result(LESION, RunFolder.open(tmp_path)).summary().headline.startswith("No order has been compared")


def test_a_pool_gives_the_same_bits(assert_same_run, settings, tmp_path):
    sparse = settings.changed(engine="sparse", timing=("static",))
    with mock.patch.object(Result, "draw"):
        here = run(LESION, sparse, out=tmp_path / "here", quiet=True)
    with (
        RunFolder.create_or_resume(tmp_path / "there", "lesion", here.settings.model_dump(), SCHEMA) as there,
        ThreadPoolExecutor(1) as pool,
    ):
        setup = LESION.prepare(here.settings)
        run_stages(LESION.stages(setup), setup, there, True, pool)
        assert_same_run(there, here.folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"criteria": ("in-strenght",)}, "did you mean 'in-strength'"),
        ({"criteria": ("eigenvector",)}, "means nothing"),
        ({"criteria": ("in-degree",)}, "tells no units of fc1 apart"),
        ({"criteria": ()}, "at least one value"),
        ({"directions": ("up",)}, "directions should be 'low' or 'high'"),
        ({"timing": ()}, "at least one value"),
        ({"every": 0}, "every should be greater than or equal to 1"),
        ({"orders": 1}, "orders should be greater than or equal to 2"),
        ({"scope": "all"}, "scope should be 'layer' or 'global'"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_written(settings, tmp_path, changes, message):
    with pytest.raises(InputError, match=message) as refused:
        run(LESION, LesionSettings.of(**{**settings.model_dump(), **changes}), out=tmp_path / "run", quiet=True)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "run").exists()


def test_own_modules_of_any_kind(tiny, settings, tmp_path):
    class Doubled(torch.nn.Module):
        """No chain of layers."""

        def __init__(self):
            super().__init__()
            self.first, self.second, self.last = (torch.nn.Linear(n, m) for n, m in ((196, 6), (6, 6), (6, 10)))

        def forward(self, x):
            hidden = torch.relu(self.first(x.flatten(1)))
            return self.last(hidden + torch.relu(self.second(hidden)))

    with np.load(tiny) as file:
        digits = Dataset.from_arrays(file["x_train"], file["y_train"], file["x_test"], file["y_test"], name="own")
    given = {"data": digits, "orders": 3, "quiet": True, "engine": "population"}
    torch.manual_seed(0)
    modules = [Doubled(), Doubled()]
    with mock.patch.object(Result, "draw"):
        found = karikomi.lesion(models=modules, criteria=["taylor"], out=tmp_path / "own", **given)
        again = karikomi.lesion(models=modules, criteria=["taylor"], out=tmp_path / "own", **given)
        chain = [build("mlp-6-6", (14, 14), 10)]
        graph = karikomi.lesion(models=chain, criteria=["betweenness-inverse"], out=tmp_path / "graph", **given)
    assert found.settings.network == "model"
    left = found.tables["curves"].query("step == 0")["parameters_left"]
    assert set(left) == {sum(parameter.numel() for parameter in modules[0].parameters())}
    assert found.table["accuracy_at_post"].notna().all()
    assert found.figure("accuracy_by_parameters") is not None
    assert found.figure("accuracy") is not None
    pd.testing.assert_frame_equal(found.table, again.table)
    assert len(graph.table) == 3 + 3 + 2
    refused: tuple[tuple[dict[str, Any], str], ...] = (
        ({"criteria": ["taylor"], "cluster": "local:1"}, "cannot see your"),
        ({"criteria": ["taylor"], "replicates": 3}, "replicates must be 2 or left out"),
    )
    for changes, message in refused:
        with pytest.raises(InputError, match=message):
            karikomi.lesion(models=modules, out=tmp_path / "refused", **given, **changes)
        assert not (tmp_path / "refused").exists()


def test_all_pictures_are_drawn_and_the_commands_of_the_lottery_say_whose_they_are(finished, tmp_path, capsys):
    run_folder = str(finished.folder.path)
    report(run_folder)
    pictures = {path.name for path in finished.folder.figures.iterdir()}
    assert pictures == {f"{name}.{kind}" for name in LESION.figures for kind in ("png", "svg")}
    show(run_folder)
    assert "layer-matched" in capsys.readouterr().out
    for command in (lambda: show(run_folder, margin=0.1), lambda: report(run_folder, margin=0.1)):
        with pytest.raises(InputError, match="no verdict of a lesion run has a margin"):
            command()
    with pytest.raises(InputError, match=r"no network of replicate 0, round 0; choose among replicate 0, 1$"):
        export(run_folder, replicate=0, round=0, to=tmp_path / "x.safetensors")
    export(run_folder, replicate=1, to=tmp_path / "x.safetensors")
    network = load_network(tmp_path / "x.safetensors")
    assert all((network.trained.weights[name] == w).all() for name, w in finished.network(1).trained.weights.items())
    with pytest.raises(InputError, match="initial weights of this network were not saved"):
        network.initial_module()
