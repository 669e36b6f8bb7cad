"""Tickets of another run, trained on this run's data."""

import numpy as np
import pytest

import karikomi
from karikomi import data
from karikomi.errors import InputError


def test_on_its_own_data_a_transferred_ticket_is_the_ticket(run, lottery):
    """The same data, split, order and initial weights: to the bit."""
    again = lottery(start=str(run.folder.path)).table
    measures = ["density", "links", "early_stop_iteration", "test_accuracy", "test_loss", "train_accuracy"]
    key = ["round", "replicate"]
    ours = again[again["arm"] == "transferred"].set_index(key)[measures]
    theirs = run.table[run.table["arm"] == "ticket"].set_index(key)[measures]
    assert len(ours) == 6
    assert ours.equals(theirs.loc[ours.index])
    controls = again[again["arm"].str.startswith("transferred-")].set_index(key)
    assert (controls["links"] == theirs["links"].loc[controls.index]).all()
    assert not controls["test_loss"].isin(theirs["test_loss"]).any()


@pytest.mark.parametrize("engine", ["sparse", "population"])
def test_transfer_to_other_data(run, lottery, tmp_path, engine):
    mnist = data.load("mnist")
    other = tmp_path / "other.npz"
    x = 255 - mnist.train.x[2000:3500, ::2, ::2]
    np.savez(
        other, x_train=x[:1200], y_train=mnist.train.y[2000:3200], x_test=x[1200:], y_test=mnist.train.y[3200:3500]
    )
    result = lottery(data=str(other), start=str(run.folder.path), engine=engine)
    counts = result.table.groupby(["round", "arm"]).size().unstack()
    assert (counts.loc[[1, 2]].drop(columns="dense") == 3).all(axis=None)
    differences = result.summary().differences.query("arm == 'transferred'")
    assert set(differences["against"]) == {"dense", "reinit", "ticket", "transferred-reinit", "transferred-random"}
    assert "ransferred tickets" in result.summary().headline
    assert [name for name in result.figures if result.figure(name) is None] == ["variants", "initial_accuracy"]
    stays = lottery(data=str(other), start=str(run.folder.path), engine=engine, arms=["ticket", "transferred"])
    same = ["round", "replicate", "test_loss"]
    assert (
        stays.table.query("arm == 'transferred'")[same].to_numpy()
        == result.table.query("arm == 'transferred'")[same].to_numpy()
    ).all()


def test_one_ticket_belongs_to_the_last_round(run, lottery, tmp_path):
    folder = karikomi.save_ticket(run, tmp_path / "ticket", replicate=1, round=2)
    table = lottery(start=str(folder)).table
    given_ones = table[table["arm"].str.startswith("transferred")]
    assert len(given_ones) == 3 * 3
    assert set(given_ones["round"]) == {2}
    assert set(given_ones["links"]) == {run.network(1, round=2).trained.links}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"start": "nowhere"}, "nowhere is no run folder"),
        ({"rounds": 3}, "no network of replicate 0, round 3"),
        ({"replicates": 4}, "no network of replicate 3"),
        ({"network": "mlp-12"}, "are for the network mlp-12-8; here it is mlp-12"),
        ({"data": "mnist"}, "are for samples of shape 14,14; here it is 28,28"),
        ({"arms": ["ticket"]}, "go together"),
        ({"start": None, "arms": ["transferred"]}, "go together"),
    ],
)
def test_a_start_that_does_not_fit_costs_a_line(run, lottery, tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        lottery(**{"start": str(run.folder.path), "out": tmp_path / "never", **changes})
    assert not (tmp_path / "never").exists()


def test_other_classes_cost_a_line(run, lottery, tmp_path):
    rng = np.random.default_rng(0)
    few = karikomi.Dataset.from_arrays(
        rng.random((600, 14, 14)), np.arange(600) % 4, rng.random((40, 14, 14)), np.arange(40) % 4, name="few"
    )
    with pytest.raises(InputError, match="are for a number of classes of 10; here it is 4"):
        lottery(data=few, start=str(run.folder.path))


def test_a_killed_transfer_goes_on_to_the_same_bits(run, lottery, tmp_path, monkeypatch):
    from karikomi.runs.journal import Journal

    whole, append = lottery(start=str(run.folder.path)), Journal.append

    def stop(journal, record):
        append(journal, record)
        raise KeyboardInterrupt

    for _ in range(2):
        monkeypatch.setattr(Journal, "append", stop)
        with pytest.raises(KeyboardInterrupt):
            lottery(start=str(run.folder.path), out=tmp_path / "killed")
    monkeypatch.setattr(Journal, "append", append)
    resumed = lottery(start=str(run.folder.path), out=tmp_path / "killed")
    assert resumed.table.drop(columns="seconds").equals(whole.table.drop(columns="seconds"))
