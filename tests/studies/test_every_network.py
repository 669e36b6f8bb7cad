"""Every network by name in every study that takes it: trained, pruned, lesioned, stopped and taken up again."""

from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest

from karikomi import data
from karikomi.data.dataset import Dataset
from karikomi.errors import InputError
from karikomi.networks import NETWORKS
from karikomi.runs.checkpoint import read_networks
from karikomi.runs.journal import Journal
from karikomi.studies import find_study
from karikomi.studies.overview import Overview, overview
from karikomi.studies.result import Result
from karikomi.studies.run import run
from karikomi.studies.settings import StudySettings
from karikomi.studies.study import Study

SMALL = {"mlp-<h1>-<h2>-…": "mlp-8-6", "modular-<groups>-<h1>-<h2>-<h3>-…": "modular-2-9-12-9"}
SETTINGS = {"replicates": 1, "iterations": 2, "batch": 20, "validation": 30, "validate_every": 1, "scoring": 10}
SETTINGS |= {"criteria": ("random",), "given": (), "directions": ("low",), "orders": 2, "shapley": 1, "pairs": 2}
SETTINGS |= {"rounds": 1, "after": (1,), "deaths": 2, "cycles": 1, "retraining": 1}
SETTINGS |= {"densities": (0.5,), "ticket_rate": 0.5, "every": 1, "end": 1.0, "observations": 1}
MANY = 450
"""Hidden units above which lesions of each of them take too long here."""


@pytest.fixture(scope="module")
def digits() -> Dataset:
    """A few of MNIST's digits, 12 × 12."""
    mnist = data.load("mnist")
    x, y = mnist.train.x[:110, 2:26:2, 2:26:2], mnist.train.y[:110]
    return Dataset.from_arrays(x[:100], y[:100], x[100:], y[100:], name="digits")


@pytest.fixture(scope="module")
def listed() -> dict[str, Overview]:
    """What ``karikomi networks`` says, by network."""
    return {row.name: row for row in overview()}


def brief(study: Study, network: str, **more: Any) -> StudySettings:
    known = {key: value for key, value in SETTINGS.items() if key in study.settings.model_fields}
    return study.settings.of(network=network, **known, **more)


def by_default(study: Study, network: str) -> Any:
    """Brief, with the criteria of the study's defaults."""
    fields = study.settings.model_fields
    return brief(study, network).changed(
        **{name: fields[name].default for name in ("criteria", "given") if name in fields}
    )


@pytest.fixture
def play(request, digits, listed):
    """Runs a study on a network, if it says that it takes it; gives the result, None if it refuses."""
    name: str = request.node.callspec.params["name"]
    study = find_study(request.node.callspec.params["study"])
    settings = brief(study, SMALL.get(name, name), **({"long_range": 0.5} if name.startswith("modular-") else {}))

    def started(folder: Path) -> Result | None:
        with mock.patch.object(Result, "draw"):
            if study.name in listed[name].studies:
                return run(study, settings, data=digits, out=folder, quiet=True)
            with pytest.raises(InputError):
                run(study, settings, data=digits, out=folder, quiet=True)
        return None

    return started


def check_networks(result: Result) -> None:
    for saved in result.study.saved(result.folder):
        network = read_networks(saved.path)[saved.name].trained
        assert all((network.weights[weight][~mask] == 0).all() for weight, mask in network.masks.items())
        assert all(np.isfinite(value).all() for value in network.weights.values())


def check_ticket(result: Result) -> None:
    dense, ticket = (result.network(0, round=number) for number in (0, 1))
    for weight, mask in ticket.masks.items():
        assert mask.sum() == pytest.approx(0.8 * dense.masks[weight].sum(), abs=1)
        assert (ticket.past["initial"][weight][mask] == dense.past["initial"][weight][mask]).all()
        assert (ticket.trained.weights[weight][mask] != dense.past["initial"][weight][mask]).any()


@pytest.mark.parametrize("study", ["lottery", "ageing", "stability", "grow"])
@pytest.mark.parametrize("name", NETWORKS)
def test_stopped_it_goes_on_to_the_same_bits(name, study, play, assert_same_run, tmp_path):
    whole = play(tmp_path / "whole")
    if whole is None:
        return
    check_networks(whole)
    if study == "lottery":
        check_ticket(whole)
    append = Journal.append

    def stop(journal, record):
        append(journal, record)
        raise KeyboardInterrupt

    with mock.patch.object(Journal, "append", stop), pytest.raises(KeyboardInterrupt):
        play(tmp_path / "stopped")
    assert_same_run(play(tmp_path / "stopped").folder, whole.folder)


@pytest.mark.parametrize("study", ["lesion", "importance"])
@pytest.mark.parametrize("name", NETWORKS)
def test_all_its_units_are_lesioned(name, study, play, listed, tmp_path):
    if name not in SMALL and listed[name].units > MANY:
        pytest.skip("a smaller network is built by the same function")
    result = play(tmp_path / "run")
    units = result.network(0).trained.architecture.units
    if study == "importance":
        assert len(result.table) == units
        assert np.isfinite(result.table["loss_rise"]).all()
    else:
        order = result.tables["curves"].query("criterion == 'random' and control == 'targeted'")
        assert order["units_left"].tolist() == list(range(units, -1, -1))
        assert np.isfinite(order["loss"]).all()


@pytest.mark.parametrize("study", ["lesion", "importance"])
@pytest.mark.parametrize("name", NETWORKS)
def test_defaults_that_do_not_suit_are_left_out_and_what_is_asked_for_is_refused(name: str, study: str, digits, listed):
    if name not in SMALL and listed[name].units > MANY:
        pytest.skip("a smaller network is built by the same function")
    chosen = find_study(study)
    settings = by_default(chosen, SMALL.get(name, name))
    setup = chosen.prepare(settings, digits)
    assert {*setup.settings.scored_by, *setup.left_out} == {*settings.scored_by}
    assert not {*setup.settings.scored_by} & {*setup.left_out}
    assert not setup.left_out or not name.startswith(("mlp", "lenet"))
    for criterion in list(setup.left_out)[:1]:
        with pytest.raises(InputError, match=f"^criterion {criterion}: "):
            chosen.prepare(settings.changed(criteria=(criterion,)), digits)


@pytest.mark.parametrize(
    ("study", "name", "gone"), [("importance", "resnet-8", "class-selectivity"), ("lesion", "vit", "in-strength")]
)
def test_what_was_left_out_is_said_at_the_start_and_in_the_answer(study, name, gone, digits, capsys, tmp_path):
    chosen = find_study(study)
    known = {key: value for key, value in SETTINGS.items() if key not in ("criteria", "given")}
    settings: Any = chosen.settings.of(
        network=name, **{k: v for k, v in known.items() if k in chosen.settings.model_fields}
    )
    with mock.patch.object(Result, "draw"):
        result = run(chosen, settings, data=digits, out=tmp_path / "run")
    [line] = [line for line in capsys.readouterr().err.splitlines() if line.startswith("Left out")]
    assert gone in line
    assert result.summary().explanation.endswith(line)
    assert gone not in result.settings.criteria
    assert gone in settings.criteria
    assert result.folder.settings["criteria"] == list(settings.criteria)
    for figure in result.figures:
        result.figure(figure)


@pytest.mark.parametrize("study", ["lottery", "lesion", "importance", "ageing", "grow"])
@pytest.mark.parametrize(
    "options",
    [{"activation": "sigmoid"}, {"activation": "tanh", "dropout": 0.3}, {"normalization": "batch"}],
    ids=["sigmoid", "tanh and dropout", "batch normalization"],
)
def test_perceptrons_with_options_in_every_study(study, options, digits, tmp_path):
    found = find_study(study)
    with mock.patch.object(Result, "draw"):
        result = run(found, brief(found, "mlp-8-6", **options), data=digits, out=tmp_path / "run", quiet=True)
    check_networks(result)
    for saved in result.study.saved(result.folder):
        module = read_networks(saved.path)[saved.name].module()
        assert [name for name, _ in module.named_children()][2] in ("sigmoid1", "tanh1", "norm1")
