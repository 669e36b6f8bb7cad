"""Claims of one's own from the file to the page; killed and gone on with, the same."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from unittest import mock

import pandas as pd
import pytest

import karikomi
from karikomi.errors import InputError
from karikomi.studies.result import Result


@pytest.fixture(scope="module")
def found(own, tmp_path_factory):
    with mock.patch.object(Result, "draw"):
        return karikomi.reproduce(own, scale="quick", out=tmp_path_factory.mktemp("out") / "done", quiet=True)


def test_the_numbers_are_those_of_the_run(found):
    claims = found.claims.set_index("name")
    [path] = (found.folder / "runs").iterdir()
    table = pd.read_parquet(path / "table.parquet").set_index("replicate")
    dense, ticket = (
        100 * table[(table["arm"] == arm) & (table["round"] == number)]["test_accuracy"]
        for arm, number in (("dense", 0), ("ticket", 2))
    )
    assert claims.loc["learns", "mean"] == pytest.approx(dense.mean())
    assert claims.loc["ticket-lower", "mean"] == pytest.approx((ticket - dense).mean())
    assert claims["replicates"].tolist() == [3, 3, 3]
    assert claims["published"].fillna(0).tolist() == [90, -50, 0]
    assert claims.loc["learns", "verdict"] == "holds"
    assert claims.loc["ticket-lower", "verdict"] == "does not hold"
    assert claims.loc["longer", "verdict"] == "not decided at this scale"
    assert claims.loc["longer", "why"] == "Decided at scale full: iterations 80, here 60."


def test_it_leaves_tables_a_figure_and_a_page(found):
    written = pd.read_parquet(found.folder / "claims.parquet")
    pd.testing.assert_frame_equal(written, found.claims.astype({"verdict": str}), check_dtype=False)
    assert len(pd.read_csv(found.folder / "claims.csv")) == 3
    assert {path.name for path in (found.folder / "figures").iterdir()} == {"own.png", "own.svg"}
    page = found.page.read_text()
    assert "own.toml --scale quick" in page
    for text in (
        "Of 3 claims 1 holds, 1 does not hold and 1 is not decided at scale quick.",
        "The dense network learns.",
        "My claims",
    ):
        assert text in page
        assert text in found._repr_html_()
    assert len(found.headline.split()) <= 25


def test_in_japanese_all_but_the_claims_of_ones_own_is_said(found, own, tmp_path):
    with mock.patch.object(Result, "draw"), mock.patch("karikomi.figures.save.save"):
        ours = karikomi.reproduce(own, scale="quick", out=tmp_path, quiet=True, language="ja")
    assert '<html lang="ja">' in ours.page.read_text()
    pd.testing.assert_frame_equal(ours.claims, found.claims)
    theirs, rows = ("My claims", *found.claims["claim"]), (*ours.tables[0].rows, *ours.details[0].rows)
    shown = "\n".join([ours.headline, ours.explanation, *(str(cell) for row in rows for cell in row)])
    for text in theirs:
        shown = shown.replace(text, "")
    assert not re.search(r"[A-Za-z]+ [a-z]+ [a-z]+", shown)


def test_killed_and_gone_on_with_it_is_the_same(found, own, tmp_path):
    out = tmp_path / "killed"
    command = [sys.executable, "-m", "karikomi.cli", "reproduce", str(own), "--scale", "quick", "--out", str(out)]
    child = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    until = time.monotonic() + 120
    while time.monotonic() < until and not any(out.glob("runs/*/journal.jsonl")):
        time.sleep(0.005)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    assert not (out / "claims.parquet").exists()
    with mock.patch.object(Result, "draw"):
        karikomi.reproduce(own, scale="quick", out=out, quiet=True)
    for name in ("claims.parquet", "claims.csv", "report.html", "figures/own.svg"):
        assert (out / name).read_bytes() == (found.folder / name).read_bytes(), name


def test_the_command_prints_the_table_and_where_the_page_is(command, own, found):
    status, out, err = command("reproduce", str(own), "--scale", "quick", "--out", str(found.folder))
    assert status == 0
    for text in ("The ticket loses more than half.", "does not hold", "below −50 points", "report.html"):
        assert text in out
    assert "own: small, run 1 of 1" in err


WRONG = [
    ("title = ", "own.toml is no TOML"),
    (("[claims.learns]", "[claim.learns]"), "claim: there is no such key"),
    (('study = "lottery"', 'study = "lotery"'), "own, run small: unknown study 'lotery'; did you mean 'lottery'?"),
    (("rate = 0.5", "rate = 1.5"), "run small: rate should be less than 1; it is 1.5"),
    (("iterations = 80", "iteration = 80"), "run small: there is no setting iteration"),
    (('run = "small"', 'run = "smal"'), "claim learns: unknown run 'smal'; did you mean 'small'?"),
    (('column = "test_accuracy"', 'column = "accuracy"'), "claim learns: unknown column of the table table 'accuracy'"),
    (('unit = "points"', 'units = "points"'), "own.toml: claims.ticket-lower.units: there is no such key"),
    (('source = "A test"', ""), "own.toml: source: is missing"),
    (("above = 10 ", ""), "claims.learns.holds: it needs above, below or both"),
    (("above = 10", "above = 10, below = 5"), "claims.learns.holds: nothing lies above 10 and below 5"),
    (("above = 10", 'above = "much"'), "claims.learns.holds.above: should be a valid number"),
    (('theirs = "90 or more"', "theirs = 90"), "claims.learns.theirs: should be a valid string"),
    (('scale = "full"', 'scale = "large"'), "claims.longer.scale: should be 'quick', 'default' or 'full'"),
    (('arm = "dense" ', 'arm = "dence" '), "claim learns: no row of the table table has arm 'dence'; there are: dense"),
]


@pytest.mark.parametrize(("change", "message"), WRONG)
def test_a_mistake_costs_one_line(command, own, change, message):
    text = change if isinstance(change, str) else own.read_text().replace(*change, 1)
    Path("own.toml").write_text(text)
    status, out, err = command("reproduce", "own.toml", "--scale", "quick", "--quiet")
    assert (status, out) == (2, "")
    assert message in err
    assert err.startswith("karikomi: own")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("reproduce", "which claims? There are: post, notebooks"),
        ("reproduce pots", "unknown set of claims 'pots'; did you mean 'post'?"),
        ("reproduce absent.toml", "cannot read absent.toml"),
        ("reproduce post --scale large", "Choose from"),
    ],
)
def test_what_there_is_not_costs_one_line(command, tmp_path, line, message):
    status, out, err = command(*line.split())
    assert (status, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_run_folder_is_not_written_over(found, own):
    [run] = (found.folder / "runs").iterdir()
    with pytest.raises(InputError, match="is a run folder"):
        karikomi.reproduce(own, scale="quick", out=run)


def test_two_files_of_one_name_are_refused(own, tmp_path):
    (tmp_path / own.name).write_bytes(own.read_bytes())
    with pytest.raises(InputError, match="two sets of claims are called own"):
        karikomi.reproduce(own, tmp_path / own.name, scale="quick", out=tmp_path / "out")
