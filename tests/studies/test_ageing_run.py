"""An ageing run as a whole: its tables, resuming, what is refused, pictures."""

from concurrent.futures import ThreadPoolExecutor
from unittest import mock

import numpy as np
import pandas as pd
import pytest

import karikomi
from karikomi.commands import report, show
from karikomi.data.dataset import Dataset
from karikomi.errors import InputError
from karikomi.networks import build
from karikomi.runs.checkpoint import load_network
from karikomi.runs.folder import RunFolder
from karikomi.runs.journal import Journal
from karikomi.studies import find_study
from karikomi.studies.ageing import stages
from karikomi.studies.result import Result
from karikomi.studies.run import run
from karikomi.studies.settings import SCHEMA
from karikomi.studies.work import run_stages

AGEING = find_study("ageing")
ALL = ("none", "retrain", "sham", "homeostasis", "regrowth", "scratch")


def played(settings, out):
    with mock.patch.object(Result, "draw"):
        return run(AGEING, settings, out=out, quiet=True)


@pytest.fixture(scope="module")
def settings(ageing):
    return ageing(arms=ALL, cycles=4)


@pytest.fixture(scope="module")
def finished(settings, tmp_path_factory):
    return played(settings, tmp_path_factory.mktemp("runs") / "finished")


def test_a_run_does_not_differ_from_itself(assert_comparable, finished):
    assert_comparable(finished)


def test_the_tables(finished):
    table = pd.read_parquet(finished.folder.path / "table.parquet")
    # Per replicate the healthy network, five arms twice in each of 4 cycles, and scratch halfway and at the end.
    assert len(table) == 2 * (1 + 5 * 2 * 4 + 2)
    assert table["cycle"].is_monotonic_increasing
    healthy = table[table["arm"] == "healthy"].set_index("replicate")
    networks = finished.tables["networks"].set_index("replicate")
    assert healthy["accuracy"].tolist() == networks["accuracy"].tolist()
    assert healthy["cka"].tolist() == pytest.approx([1, 1])
    assert set(table.loc[table["arm"] == "scratch", "cycle"]) == {2, 4}
    layers = finished.tables["layers"]
    assert set(layers["layer"]) == {"fc1", "fc2", "output"}
    dormant = layers.groupby(["replicate", "arm", "cycle", "when"])["dormant"].sum()
    found = table.set_index(["replicate", "arm", "cycle", "when"])["dormant"].sort_index()
    pd.testing.assert_series_equal(dormant.sort_index(), found, check_dtype=False)


def test_equal_budgets_and_sizes_in_the_table(finished):
    table = finished.table[finished.table["when"] == "after"].set_index(["arm", "replicate", "cycle"]).sort_index()
    for column in ("iterations", "units_left"):
        retrain = table.loc["retrain", column]
        assert (table.loc["scratch", column] == retrain.loc[table.loc["scratch"].index]).all()
    assert (table.loc["retrain", "iterations"] == table.loc["sham", "iterations"]).all()
    assert (table.loc["none", "parameters_left"] == table.loc["retrain", "parameters_left"]).all()


def test_what_a_class_loses_and_gets_back(finished):
    classes = finished.tables["classes"]
    chosen = classes[(classes["arm"] == "retrain") & (classes["replicate"] == 1) & (classes["class"] == 3)]
    before, after = (chosen[when].to_numpy() for when in ("before", "after"))
    first = classes[(classes["arm"] == "sham") & (classes["replicate"] == 1) & (classes["class"] == 3)].iloc[0]
    last = np.append(first["before"], after[:-1])  # the sham's first cycle begins with the healthy network
    np.testing.assert_allclose(chosen["forgotten"], last - before)
    np.testing.assert_allclose(chosen["recovered"], after - before)
    with_all = finished.table.set_index(["replicate", "arm", "cycle", "when"])["accuracy"]
    present = np.bincount(AGEING.prepare(finished.settings).data.test.y, minlength=10)
    of_three = classes.query("arm == 'none' and replicate == 0 and cycle == 3")["after"]
    assert with_all[0, "none", 3, "after"] == pytest.approx((of_three * present).sum() / present.sum())


def test_who_dies_is_in_the_table(finished):
    deaths = finished.tables["deaths"]
    assert len(deaths) == 2 * 18
    assert deaths.groupby(["replicate", "cycle"]).size().loc[0].to_dict() == {0: 10, 1: 2, 2: 2, 3: 2, 4: 2}
    assert list(deaths["layer"][:18]) == [*10 * ["fc1"], *8 * ["fc2"]]


def test_only_chosen_cycles_are_kept(finished):
    names = {path.name for path in finished.folder.subnetworks.iterdir()}
    assert names == {f"replicate-{r}{end}.safetensors" for r in (0, 1) for end in ("", "-cycle-2", "-cycle-4")}


@pytest.mark.parametrize("after", range(7))
def test_wherever_a_run_is_stopped_it_goes_on_to_the_same_bits(assert_same_run, finished, settings, tmp_path, after):
    """Stopped before its ``after``-th line in the journal, when the line's files are there already."""
    append, left = Journal.append, iter(range(after))

    def stop(journal, record):
        if next(left, None) is None:
            raise KeyboardInterrupt
        append(journal, record)

    if after < 6:
        with mock.patch.object(Journal, "append", stop), pytest.raises(KeyboardInterrupt):
            run(AGEING, settings, out=tmp_path, quiet=True)
    else:  # after the last line, before older cycles are dropped
        with mock.patch.object(stages, "_drop_past", side_effect=KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
            run(AGEING, settings, out=tmp_path, quiet=True)
    assert_same_run(played(settings, tmp_path).folder, finished.folder)


def test_a_run_gives_the_network_of_any_life_as_a_module(finished):
    end = finished.network(1, cycle=4, arm="retrain")
    row = finished.table.query("replicate == 1 and cycle == 4 and arm == 'retrain' and when == 'after'").iloc[0]
    assert end.trained.links == row["links_left"]
    weights = end.module().state_dict()
    assert all((weights[name].numpy() == array).all() for name, array in end.trained.weights.items())
    assert (end.provenance["arm"], end.provenance["cycle"], end.provenance["study"]) == ("retrain", "4", "ageing")
    assert finished.network(0, cycle=0).trained.density == 1
    with pytest.raises(InputError, match=r"several networks of replicate 0, cycle 2; choose among .*arm none, retrain"):
        finished.network(0, cycle=2)
    with pytest.raises(InputError, match="holds several networks"):
        load_network(finished.folder.subnetworks / "replicate-0-cycle-2.safetensors")


def test_an_unfinished_run_shows_what_it_has(settings, tmp_path):
    compute = stages.run_cycle

    def stop(setup, advance, number, pasts):
        if number == 3:
            raise KeyboardInterrupt
        return compute(setup, advance, number, pasts)

    with mock.patch.object(stages, "run_cycle", stop), pytest.raises(KeyboardInterrupt):
        run(AGEING, settings, out=tmp_path, quiet=True)
    half = Result(AGEING, RunFolder.open(tmp_path))
    assert half.table["cycle"].max() == 2
    assert half.summary().headline.startswith("After 2 cycles accuracy")
    assert half.figure("life") is not None


def test_a_pool_gives_the_same_bits(assert_same_run, finished, settings, tmp_path):
    with (
        RunFolder.create_or_resume(tmp_path, "ageing", finished.settings.model_dump(), SCHEMA) as there,
        ThreadPoolExecutor(1) as pool,
    ):
        setup = AGEING.prepare(finished.settings)
        run_stages(AGEING.stages(setup), setup, there, True, pool)
        assert_same_run(there, finished.folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"deaths": 7}, "21 units cannot die in 3 cycles: there are 18"),
        ({"deaths": 19}, "units cannot die"),
        ({"deaths": 1.5}, "a whole number of units from 1, or a share"),
        ({"deaths": 6, "patterns": ("in-strength",)}, "the last unit of fc"),
        ({"deaths": 0}, "deaths should be greater than 0"),
        ({"patterns": ("regoinal",)}, "did you mean 'regional'"),
        ({"patterns": ("scattered",)}, "control of other patterns"),
        ({"patterns": ("regional",)}, "needs a network with groups"),
        ({"patterns": ("local", "random")}, "take one kind"),
        ({"patterns": ("in-degree",)}, "tells no units of fc1 apart"),
        ({"patterns": ("eigenvector",)}, "means nothing"),
        ({"retraining": 0}, "retrain needs training steps"),
        ({"arms": ()}, "at least one value"),
        ({"arms": ("rest",)}, "arms should be 'none', 'retrain'"),
        ({"scratch_at": (2, 4)}, "scratch_at names cycle 4; a life has the cycles 1 to 3"),
        ({"cycles": None, "units_left": 18}, "has 18 units"),
        ({"cycles": None, "parameters_left": 3000}, "has 2148 parameters"),
        ({"cycles": None, "parameters_left": 1}, "name the cycles"),
        ({"ablation": "mean"}, "ablation should be 'zero'"),
        ({"wiring_cost": 0.1}, "wiring_cost needs a network with groups"),
    ],
)
def test_what_cannot_work_is_refused_in_one_line_before_anything_is_written(ageing, tmp_path, changes, message):
    with pytest.raises(InputError, match=message) as refused:
        run(AGEING, ageing(**changes), out=tmp_path / "run", quiet=True)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"patterns": ("regional",), "regions": (1, 5)}, "there is no group 5"),
        ({"patterns": ("regional",), "regions": (2,)}, "6 units cannot die in 3 cycles: there are 4"),
        ({"long_range": 0.0}, "nothing crosses from group 0 to group 1"),
        ({"entry": 3}, "entry is group 3; there are 3"),
        ({"within": 2.0}, "within is a probability"),
        ({"patterns": ("long-range",), "long_range": 0.0, "exit": 0}, "no long-range links"),
        ({"patterns": ("long-range",), "deaths": 5000}, "long-range links cannot die"),
        ({"patterns": ("local",), "deaths": 0.5}, "links die in whole numbers"),
        ({"patterns": ("local",), "units_left": 4}, "units_left left out"),
    ],
)
def test_what_cannot_work_in_a_modular_network(ageing, tmp_path, changes, message):
    with pytest.raises(InputError, match=message) as refused:
        run(AGEING, ageing(**{"network": "modular-3-9-14-9", "long_range": 0.3, **changes}), out=tmp_path / "run")
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "run").exists()


def test_a_run_of_your_own_modules(ageing, tiny, tmp_path):
    with np.load(tiny) as file:
        data = Dataset.from_arrays(*(file[name] for name in ("x_train", "y_train", "x_test", "y_test")))
    modules = [build("mlp-9-7", (14, 14), 10) for _ in range(2)]
    with mock.patch.object(Result, "draw"):
        result = karikomi.ageing(
            models=modules, data=data, deaths=0.25, cycles=2, retraining=5, arms=["none", "retrain"],
            patterns=["cluster", "scattered"], validation=200, scoring=100, quiet=True, out=tmp_path / "run",
        )  # fmt: skip
    table = result.table
    assert set(table["pattern"]) == {"", "cluster", "scattered-cluster"}
    assert table.query("cycle == 2 and arm == 'retrain'")["units_left"].unique().tolist() == [9]
    assert set(table.query("arm == 'none'")["iterations"]) == {0}


def test_the_answer_is_shown_and_the_page_drawn_again(finished, capsys):
    show(str(finished.folder.path))
    shown = capsys.readouterr().out
    assert "Retraining against" in shown
    show(str(finished.folder.path), margin=0.9)
    assert capsys.readouterr().out != shown
    report(str(finished.folder.path))
    page = finished.page.read_text()
    for name in ("life", "recovery", "network", "health", "classes"):
        assert (finished.folder.figures / f"{name}.png").stat().st_size > 1000
        assert AGEING.figures[name].meaning.split(":")[0] in page
    assert finished.figure("patterns") is None, "there is only one"
    assert finished.figure("groups") is finished.figure("traffic") is None, "it has no groups"
