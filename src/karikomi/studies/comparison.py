"""Two runs of one study side by side: what differs, paired by replicate."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from karikomi.errors import InputError
from karikomi.language import DEFAULT, Language
from karikomi.statistics import ALPHA
from karikomi.statistics.frames import REPLICATE, Question, differences
from karikomi.studies.result import Result
from karikomi.studies.show import Answer, DisplayTable, answer_in
from karikomi.studies.study import MeasureFormat
from karikomi.studies.words import listed, p_holm, plus_minus, worded


@dataclass(frozen=True, repr=False)
class Comparison(Answer):
    """What differs between two runs. Intervals are 95 % (Student's t over replicates).

    Attributes:
        settings: a row per setting that differs, with columns setting, run, against.
        differences: a row per measure and condition (arm, round …, which are columns too) that both runs have:
            run and against (means), mean, low, high (of their difference, paired by replicate), p (paired t-test,
            two-sided), p_holm (Holm over the conditions of a measure), replicates.
    """

    settings: pd.DataFrame
    differences: pd.DataFrame


def compare(result: Result, against: Result, language: Language = DEFAULT) -> Comparison:
    """Compare two runs of one study: the first minus the second, replicate by replicate.

    Replicates of one number are pairs. Where both runs have the same seed and data they also have the same split and
    minibatches, and the same initial weights if the network is the same.

    Raises:
        InputError: if they are of two studies, are the same run, or share no condition with two replicates.
    """
    study = result.study
    if study.name != against.study.name:
        raise InputError(f"only runs of one study compare; these are {study.name} and {against.study.name}")
    settings = _settings(result.folder.settings, against.folder.settings)
    if settings.empty:
        raise InputError("both runs have the same settings, so there is nothing to compare")
    found = _differences(study.by_replicate(result.tables), study.by_replicate(against.tables), study.compared)
    if found.empty:
        raise InputError("the runs share no condition that both have two replicates of")
    comparison = Comparison(
        headline=_headline(found, study.compared),
        explanation=_explanation(result, against, settings),
        tables=list(_tables(found, study.compared)),
        details=[DisplayTable("Settings", ("setting", "run", "against"), _rows(settings))],
        settings=settings,
        differences=found,
    )
    return answer_in(language, comparison)


def _settings(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> pd.DataFrame:
    names = [name for name in {**ours, **theirs} if ours.get(name) != theirs.get(name)]
    rows = [(name, ours.get(name), theirs.get(name)) for name in names]
    return pd.DataFrame(rows, columns=["setting", "run", "against"], dtype=object)


def _differences(ours: pd.DataFrame, theirs: pd.DataFrame, compared: Mapping[str, MeasureFormat]) -> pd.DataFrame:
    both = ours.merge(theirs, left_index=True, right_index=True, suffixes=(" run", " against"))
    names, questions = [name for name in both.index.names if name != REPLICATE], []
    for measure in compared:
        run, against = f"{measure} run", f"{measure} against"
        pairs = both[[run, against]].dropna().reset_index()
        for key, group in pairs.groupby(names, sort=False) if names else [((), pairs)]:
            if len(group) > 1:
                where = {"measure": measure, **dict(zip(names, key, strict=True))}
                means = {"run": group[run].mean(), "against": group[against].mean()}
                questions.append(Question({**where, **means}, group[run], group[against]))
    return differences(questions, ["measure", *names, "run", "against"], family=["measure"])


def _headline(differences: pd.DataFrame, compared: Mapping[str, MeasureFormat]) -> str:
    parts = []
    for measure, shown in compared.items():
        rows = differences[differences["measure"] == measure]
        if rows.empty:
            continue
        less, more = ((rows["p_holm"] < ALPHA) & side for side in (rows["mean"] < 0, rows["mean"] > 0))
        counts = [f"{word} in {many.sum()}" for word, many in (("lower", less), ("higher", more)) if many.any()]
        found = " and ".join(counts) if counts else "not shown to differ in any"
        parts.append(f"{shown.title} is {found} of {len(rows)}")
    sentence = "; ".join(parts) + " compared."
    return sentence[0].upper() + sentence[1:]


def _explanation(result: Result, against: Result, settings: pd.DataFrame) -> str:
    changed = [f"{setting} ({run} minus {against})" for setting, run, against in _rows(settings)]
    return (
        f"{result.folder.path.name} minus {against.folder.path.name}, which differ in {listed(changed)}. Replicates of"
        f" one number are pairs. ± is half a 95 % interval (Student's t over replicates); p is a paired t-test,"
        " Holm-corrected over the rows of a table."
    )


def _tables(differences: pd.DataFrame, compared: Mapping[str, MeasureFormat]) -> Iterator[DisplayTable]:
    keys = list(differences.columns[1 : differences.columns.get_loc("run")])
    for measure, shown in compared.items():
        rows = [
            (
                *(str(row[key]) for key in keys),
                *(f"{shown.factor * row[side]:.{shown.digits}f}" for side in ("run", "against")),
                plus_minus(row, shown.factor, shown.digits, "+"),
                p_holm(row),
            )
            for row in differences[differences["measure"] == measure].to_dict("records")
        ]
        if rows:
            columns = (*map(str, keys), "run", "against", "difference", "p")
            yield DisplayTable(f"{shown.title}, {shown.unit}", columns, rows)


def _rows(settings: pd.DataFrame) -> list[tuple[str, ...]]:
    return [tuple(map(worded, row)) for row in settings.itertuples(index=False)]
