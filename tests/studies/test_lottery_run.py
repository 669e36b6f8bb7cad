"""A run as a whole: its folder, resuming after kills, refusing what does not fit."""

import json
import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd
import pytest

import karikomi
from karikomi import api
from karikomi.data.dataset import Dataset
from karikomi.errors import InputError
from karikomi.runs.folder import RunFolder
from karikomi.studies import find_study
from karikomi.studies.result import Result
from karikomi.studies.run import run
from karikomi.studies.settings import SCHEMA

COLUMNS = ["replicate", "arm", "reinit", "round", "density", "links", "early_stop_iteration", "validation_loss"]
COLUMNS += ["initial_test_accuracy", "test_accuracy", "test_loss", "final_test_accuracy", "final_test_loss"]
COLUMNS += ["train_accuracy", "iterations", "seconds"]


def run_study(settings, out, draw=False):
    """Run a lottery; most tests have no use for its pictures, which take longer than the run."""
    with nullcontext() if draw else mock.patch.object(Result, "draw"):
        return run(find_study("lottery"), settings, out=out, quiet=True)


def content(folder):
    """Everything that must be the same in every run of the same settings, to the bit."""
    tickets = {path.name: path.read_bytes() for path in sorted((folder / "subnetworks").iterdir())}
    return (
        pd.read_parquet(folder / "table.parquet").drop(columns="seconds"),
        pd.read_parquet(folder / "curves.parquet"),
        tickets,
    )


def assert_same(a, b):
    pd.testing.assert_frame_equal(a[0], b[0], check_exact=True)
    pd.testing.assert_frame_equal(a[1], b[1], check_exact=True)
    assert a[2] == b[2]


@pytest.fixture(scope="module")
def finished(small, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "finished"
    return run_study(small(), out, draw=True)


def test_the_folder_has_what_it_promises(finished):
    folder = finished.folder.path
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert {"settings.toml", "environment.json", "journal.jsonl", "table.parquet", "report.html"} <= names
    for figure in (
        "accuracy",
        "early_stop",
        "learning_curves",
        "first_layer_mask",
        "links_per_pixel",
        "links_per_unit",
    ):
        assert {f"figures/{figure}.png", f"figures/{figure}.svg"} <= names
    table = pd.read_parquet(folder / "table.parquet")
    assert list(table.columns) == COLUMNS
    # 2 replicates × (1 dense + 3 rounds × (ticket and one reinit))
    assert len(table) == 14
    assert not any(name.startswith(".partial") for name in names)


def test_a_finished_run_returns_without_loading_torch_or_touching_a_file(finished, small):
    folder = finished.folder.path
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    again = run_study(small(), folder)
    pd.testing.assert_frame_equal(again.table, finished.table, check_exact=True)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_the_seed_changes_everything_and_the_same_seed_nothing(finished, small, tmp_path):
    again, other = run_study(small(), tmp_path / "again"), run_study(small(seed=1), tmp_path / "other")
    assert_same(content(finished.folder.path), content(again.folder.path))
    a, b = finished.table, other.table
    for column in ("validation_loss", "test_loss", "final_test_loss"):
        assert not set(a[column]) & set(b[column])


def test_own_arrays_are_the_same_experiment_as_the_file_they_came_from(small, tiny, tmp_path):
    with np.load(tiny) as file:
        own = Dataset.from_arrays(file["x_train"], file["y_train"], file["x_test"], file["y_test"], name="own")
    given = small(rounds=1, replicates=1).model_dump(exclude={"data", "data_sha256"})
    with mock.patch.object(Result, "draw"):
        from_arrays = karikomi.lottery(data=own, out=tmp_path / "arrays", quiet=True, **given)
        from_file = karikomi.lottery(data=tiny, out=tmp_path / "file", quiet=True, **given)
    for other in (from_arrays, from_file):
        assert len(other.settings.data_sha256) == 64
    drop = "seconds"
    pd.testing.assert_frame_equal(
        from_arrays.table.drop(columns=drop), from_file.table.drop(columns=drop), check_exact=True
    )


def test_data_that_changed_are_another_run(small, tiny, tmp_path):
    with np.load(tiny) as file:
        arrays = dict(file)
    path = tmp_path / "data.npz"
    np.savez(path, **arrays)
    settings = small(data=str(path), rounds=1, replicates=1, iterations=5)
    run_study(settings, tmp_path / "run")
    arrays["x_train"] = arrays["x_train"].copy()
    arrays["x_train"][0] += 1
    np.savez(path, **arrays)
    with pytest.raises(InputError, match="data_sha256"):
        run_study(settings, tmp_path / "run")


def test_refusals_are_one_line_and_leave_nothing(finished, small, tmp_path):
    file = tmp_path / "file"
    file.write_text("mine")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("mine")
    before = content(finished.folder.path)
    for out, message in (
        (finished.folder.path, "rate"),
        (file, "file"),
        (file / "below", "cannot write|not a"),
        (tmp_path / "full", "not"),
    ):
        with pytest.raises(InputError, match=message) as refused:
            run_study(small(rate=0.3), out)
        assert "\n" not in str(refused.value)
    assert_same(before, content(finished.folder.path))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "full"]
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["thesis.tex"]
    assert file.read_text() == "mine"


def test_what_cannot_work_is_refused_before_anything_is_written(small, tmp_path):
    for changes, message in (
        ({"validation": 1195}, "validation must lie between"),
        ({"data": str(tmp_path / "absent.npz")}, "cannot read"),
    ):
        with pytest.raises(InputError, match=message):
            run_study(small(**changes), tmp_path / "run")
        assert not (tmp_path / "run").exists()


def test_an_unfinished_run_shows_what_it_has(small, tmp_path, monkeypatch):
    from karikomi.studies.lottery import stages

    real = stages.run_round

    def stop_after_one(setup, number, *rest):
        if number == 2:
            raise KeyboardInterrupt
        return real(setup, number, *rest)

    monkeypatch.setattr(stages, "run_round", stop_after_one)
    with pytest.raises(KeyboardInterrupt):
        run_study(small(), tmp_path / "run")
    result = api.load(tmp_path / "run")
    assert not result.folder.finished
    assert sorted(set(result.table["round"])) == [0, 1]
    assert result.summary().verdicts["round"].tolist() == [1]


def test_results_show_themselves(finished):
    assert "verdict" in finished._repr_html_()
    assert finished.summary().arms["measure"].nunique() == 7
    chart = finished.figure("accuracy").to_dict()
    assert chart["$schema"].startswith("https://vega")
    with pytest.raises(InputError, match="did you mean 'early_stop'"):
        finished.figure("early-stop")
    assert "<script" in finished.page.read_text()


def test_killed_at_twenty_random_moments_it_ends_in_the_same_table(finished, small, tmp_path):
    """Wherever it is killed, and however often, the last run's table, curves and tickets are the undisturbed ones'."""
    killer = Path(__file__).with_name("killer.py")
    told = subprocess.run(
        [sys.executable, killer, tmp_path, small().model_dump_json()], capture_output=True, text=True, timeout=500
    )
    assert told.returncode == 0, told.stderr
    report = json.loads(told.stdout)
    assert report["kills"] == 20
    assert len(set(report["rounds finished when killed"])) >= 3
    for folder in sorted(tmp_path.iterdir()):
        assert RunFolder.open(folder).finished
        assert_same(content(finished.folder.path), content(folder))


def test_the_lock_refuses_a_second_writer(small, tmp_path):
    settings = small()
    with (
        RunFolder.create_or_resume(tmp_path / "run", "lottery", settings_with_data(settings), SCHEMA),
        pytest.raises(InputError, match=f"being written by another karikomi process .*{os.getpid()}"),
    ):
        run_study(settings, tmp_path / "run")


def settings_with_data(settings):
    from karikomi.data import fingerprint

    return {**settings.model_dump(), "data_sha256": fingerprint(settings.data)}


def test_the_journal_says_what_the_table_says(finished):
    lines = (finished.folder.path / "journal.jsonl").read_text().splitlines()
    rows = [row for line in lines for row in json.loads(line).get("rows", [])]
    assert pd.DataFrame(rows)["test_loss"].tolist() == finished.table["test_loss"].tolist()
