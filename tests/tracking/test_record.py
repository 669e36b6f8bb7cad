"""What trackers get: the run's own numbers, by names that tell conditions apart."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from karikomi.studies import STUDIES
from karikomi.studies.written import named_tables
from karikomi.tracking.record import Record


@pytest.mark.parametrize("name", STUDIES)
def test_every_study_has_lines_with_names_of_their_own(small_runs, name) -> None:
    result = small_runs(name)
    lines = Record(result).lines
    assert len({line.name for line in lines}) == len(lines) > 0
    assert set(result.study.compared) <= {line.measure for line in lines}
    for line in lines:
        steps = line.points["step"].to_numpy()
        assert (np.diff(steps) > 0).all()
        assert all("/" not in part for part in line.condition), "a / would be one more level"
        assert all(np.isfinite(value) for _, _, value in line.values())


def test_a_line_is_the_mean_and_interval_over_replicates(result) -> None:
    lines = {line.name: line for line in Record(result).lines}
    curves = result.tables["curves"].query("arm == 'ticket' and round == 2")
    line = lines["validation_accuracy/ticket/25 %"]
    assert line.unit == "iteration"
    for _, point in line.points.iterrows():
        values = curves.loc[curves["iteration"] == point["step"], "validation_accuracy"]
        assert len(values) == 3
        assert point["mean"] == pytest.approx(values.mean())
        expected = stats.t.interval(0.95, 2, values.mean(), stats.sem(values))
        assert (point["low"], point["high"]) == pytest.approx(expected)
    ends = lines["test_accuracy/ticket"].points.set_index("step")["mean"]
    table = result.table.query("arm == 'ticket'")
    pd.testing.assert_series_equal(ends, table.groupby("round")["test_accuracy"].mean(), check_names=False)


def test_reinitializations_of_a_ticket_count_once(small_runs) -> None:
    result = small_runs("lottery")
    again = result.tables["curves"].query("arm == 'reinit'").assign(reinit=1)
    again["validation_accuracy"] += 0.1
    record = Record(result)
    before = {line.name: line.points for line in record.lines}
    more = {**result.tables, "curves": pd.concat([result.tables["curves"], again])}
    doubled = Record(type(result)(result.study, result.folder))
    doubled.result.__dict__["tables"] = more
    after = {line.name: line.points for line in doubled.lines}
    name = "validation_accuracy/reinit/25 %"
    np.testing.assert_allclose(after[name]["mean"], before[name]["mean"] + 0.05)
    np.testing.assert_allclose(after[name]["high"], before[name]["high"] + 0.05)


def test_tables_are_those_of_the_run_in_any_language(result, tmp_path) -> None:
    folders = [tmp_path / language for language in ("en", "ja")]
    for folder in folders:
        folder.mkdir()
        Record(type(result)(result.study, result.folder, folder.name)).write_tables(folder)
    written = [{file.name: file.read_text() for file in folder.iterdir()} for folder in folders]
    assert written[0] == written[1]
    assert {*named_tables(result)} == {name.removesuffix(".csv") for name in written[0]}
    read = pd.read_csv(folders[0] / "table.csv")
    np.testing.assert_array_equal(read["test_accuracy"], result.table["test_accuracy"])


def test_the_note_is_the_answer_in_the_language_of_the_run(result) -> None:
    english = Record(result).note
    assert result.summary().headline in english
    assert result.command in english
    assert "くじ" in Record(type(result)(result.study, result.folder, "ja")).note
