"""What every study gives to a paper: its comparisons, figures of a column's width, tables, a plan of replicates."""

import csv
import io
import re

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from tests.studies.small_runs import small_run

from karikomi import plan
from karikomi.errors import InputError
from karikomi.statistics.power import power
from karikomi.studies import STUDIES, find_study
from karikomi.studies.comparisons import every_comparison
from karikomi.studies.result import Result
from karikomi.studies.written import named_tables

COMPARE = [name for name in STUDIES if find_study(name).comparisons]


@pytest.fixture(scope="session")
def runs_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(params=list(STUDIES))
def result(request, runs_folder) -> Result:
    return small_run(request.param, runs_folder)


@pytest.fixture(params=COMPARE)
def comparing(request, runs_folder) -> Result:
    return small_run(request.param, runs_folder)


def test_comparisons_are_paired_t_tests_each_in_one_family(comparing):
    found = every_comparison(comparing)
    assert set(found["measure"]) <= set(comparing.study.compared)
    assert not found.duplicated(["comparison", "at", "measure"]).any()
    assert (found["replicates"] == 3).all()
    half = (found["high"] - found["low"]) / 2
    error = half / stats.t(2).ppf(0.975)
    with np.errstate(divide="ignore", invalid="ignore"):
        p = 2 * stats.t(2).sf(found["mean"].abs() / error)
    known = found["p"].notna() & (error > 1e-12)
    np.testing.assert_allclose(found["p"][known], p[known], rtol=1e-6)
    for _, family in found.groupby(["family", "measure"]):
        # Holm's smallest p is its p times the number of tests, unless that is more than 1.
        smallest = family.loc[family["p"].idxmin()] if family["p"].notna().any() else None
        if smallest is not None:
            assert smallest["p_holm"] == pytest.approx(min(1, smallest["p"] * family["p"].count()), rel=1e-9)


def test_a_plan_has_the_power_that_it_says(comparing):
    found = plan(comparing)
    for row in found.comparisons.to_dict("records"):
        if np.isfinite(row["needed"]) and row["deviation"] > 0:
            measure = comparing.study.compared[row["measure"]]
            effect = 10 ** (1 - measure.digits) / measure.factor / row["deviation"]
            assert power(int(row["needed"]), effect) >= 0.8
            assert row["needed"] == 2 or power(int(row["needed"]) - 1, effect) < 0.8
            assert row["needed_low"] <= row["needed"] <= min(row["needed_high"], row["needed_holm"])
            assert power(3, row["shown"] / row["deviation"]) == pytest.approx(0.8, abs=1e-5)
            assert row["shown_holm"] >= row["shown"]
    assert len(found.headline.split()) <= 25
    assert "noncentral t" in str(found)


def test_the_spread_of_a_plan_is_that_of_the_pairs(runs_folder):
    result = small_run("lottery", runs_folder)
    wide = result.study.by_replicate(result.tables)["test_accuracy"].sort_index()
    rows = plan(result).comparisons.query("comparison == 'ticket minus dense'")
    for number, row in enumerate(rows.itertuples(), start=1):
        differences = wide["ticket", number] - wide["dense", 0]
        assert row.deviation == pytest.approx(differences.std(ddof=1), rel=1e-9)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"difference": 0.0}, "difference must be above 0, in points"),
        ({"power": 1.0}, "power must lie between 0.05 and 1"),
        ({"measure": "acuracy"}, "unknown measure 'acuracy'"),
    ],
)
def test_a_plan_refuses_what_means_nothing(runs_folder, given, message):
    with pytest.raises(InputError, match=message):
        plan(small_run("lottery", runs_folder), **given)


def test_a_study_without_comparisons_says_so(runs_folder):
    with pytest.raises(InputError, match="a stability run compares no two conditions"):
        plan(small_run("stability", runs_folder))


def test_every_figure_is_drawn_at_a_column_s_width(result, tmp_path):
    for name in result.figures:
        if result.figure(name) is None:
            with pytest.raises(InputError, match="no meaning for this run"):
                result.save_figure(name, tmp_path / "figure.svg")
            continue
        path, width = tmp_path / f"{name}.svg", 85
        try:
            result.save_figure(name, path, width=f"{width}mm")
        except InputError as problem:  # more panels than can be read
            width = int(str(problem).split()[-1].removesuffix("mm"))
            assert 85 < width < 120
            result.save_figure(name, path, width=f"{width}mm")
        assert re.findall(r'width="([\d.]+)pt"', path.read_text())[0] == f"{width * 72 / 25.4:.6g}"


def test_every_table_is_written_in_every_form(result, tmp_path):
    tables = named_tables(result)
    assert set(result.tables) <= set(tables)
    for name, entry in tables.items():
        assert re.fullmatch(r"[\w-]+", name), name
        assert entry.meaning
        for ending in ("tex", "md", "csv"):
            result.save_table(name, tmp_path / f"table.{ending}")
        content = entry.function()
        rows = len(content if isinstance(content, pd.DataFrame) else content.rows)
        assert len(list(csv.reader(io.StringIO((tmp_path / "table.csv").read_text())))) == rows + 1
        assert (tmp_path / "table.tex").read_text().count(r" \\") == rows + 1
        assert len((tmp_path / "table.md").read_text().splitlines()) == rows + 4


def test_a_csv_file_has_every_digit(runs_folder, tmp_path):
    result = small_run("lottery", runs_folder)
    result.save_table("differences", tmp_path / "differences.csv")
    again = pd.read_csv(tmp_path / "differences.csv")
    expected = result.summary().differences.reset_index(drop=True)
    pd.testing.assert_frame_equal(again, expected, check_dtype=False, check_exact=True)


def test_a_table_of_statistics_has_means_with_their_intervals(runs_folder, tmp_path):
    result = small_run("lottery", runs_folder)
    result.save_table("differences", tmp_path / "differences.md")
    _, _, head, _, *rows = (tmp_path / "differences.md").read_text().splitlines()
    columns = [name.strip().replace("\\", "") for name in head.strip("| ").split("|")]
    assert columns == ["arm", "against", "round", "measure", "mean", "p", "p_holm", "replicates"]
    for line, row in zip(rows, result.summary().differences.to_dict("records"), strict=True):
        mean, half = map(str.strip, line.strip("| ").split("|")[4].split("±"))
        last = 0.51 * 10 ** -len(half.partition(".")[2])
        assert float(mean) == pytest.approx(row["mean"], abs=last)
        assert float(half) == pytest.approx((row["high"] - row["low"]) / 2, abs=last)


def test_a_table_or_an_ending_that_there_is_not_is_refused(runs_folder, tmp_path):
    result = small_run("lottery", runs_folder)
    for name, file, message in (
        ("diferences", "a.csv", "did you mean 'differences'"),
        ("differences", "a.xlsx", "written as .tex, .md, .csv; the file is called a.xlsx"),
        ("differences", "absent/a.csv", "cannot write .*absent/a.csv"),
    ):
        with pytest.raises(InputError, match=message):
            result.save_table(name, tmp_path / file)
    assert list(tmp_path.iterdir()) == []
