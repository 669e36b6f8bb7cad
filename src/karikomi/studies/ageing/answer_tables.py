"""The display tables of the ageing study, the same on the terminal, in a notebook and on the page."""

from collections.abc import Mapping

import pandas as pd

from karikomi.studies.ageing.answer import VERDICTS, Frames, life_name, points, unnamed
from karikomi.studies.publications import SHIN_MIZ
from karikomi.studies.show import DisplayTable
from karikomi.studies.words import p_holm, plus_minus


def main_tables(found: Frames) -> list[DisplayTable]:
    """Published claims, if the run repeats their experiment; the lives; what retraining is worth; who dies."""
    differences = unnamed(found["differences"])
    shown = [
        _claims(found["claims"]),
        _lives(unnamed(found["lives"]), differences),
        _comparison(differences.query("question in ('arms', 'scratch')"), "Retraining against"),
        _comparison(differences.query("question == 'patterns'"), "Patterns of deaths"),
    ]
    return [table for table in shown if table.rows]


def detail_tables(found: Frames) -> list[DisplayTable]:
    """Accuracy over life, and the state of the networks at its end."""
    lives = unnamed(found["lives"])
    over = {"lowest": "lowest", "highest": "highest", "life": "mean"}
    state = {"loss": "loss, nats", "dormant": "dormant units", "cka": "CKA", "norm": "√Σ w²"}
    shown = [
        _measures(lives, "Accuracy over life, %", over, 100, 2),
        _measures(lives, "At the end", state, 1, 3),
    ]
    return [table for table in shown if table.rows]


def _claims(claims: pd.DataFrame) -> DisplayTable:
    rows = [(row["claim"], plus_minus(row, 100), VERDICTS[row["verdict"]]) for _, row in claims.iterrows()]
    title = f"As published by {SHIN_MIZ} (one run): accuracy, %"
    return DisplayTable(title, ("", "here", "verdict"), rows)


def _lives(means: pd.DataFrame, differences: pd.DataFrame) -> DisplayTable:
    judged = differences.query("question == 'healthy'").set_index(["arm", "pattern"])
    rows = []
    for life, group in means.groupby(["arm", "pattern"], sort=False):
        by = group.set_index("measure")
        cells = [plus_minus(by.loc["final"], 100), "", plus_minus(by.loc["recovered"], 100, sign="+"), ""]
        if life in judged.index:
            cells[1], cells[3] = points(judged.loc[life]), VERDICTS[judged.loc[life, "verdict"]]
        rows.append((life_name(*life), *cells))
    columns = ("life", "at the end", "minus healthy", "recovered in a cycle", "verdict")
    return DisplayTable("Accuracy, %", columns, rows)


def _comparison(differences: pd.DataFrame, title: str) -> DisplayTable:
    lives = ["arm", "pattern", "against_arm", "against_pattern"]
    rows = []
    for _, group in differences.groupby(lives, sort=False):
        by = group.set_index("measure")
        end = by.loc["final"]
        whole = (points(by.loc["life"]), p_holm(by.loc["life"])) if "life" in by.index else ("", "")
        rows.append((pair(end), points(end), p_holm(end), VERDICTS[end["verdict"]], *whole))
    columns = ("", "end, points", "p", "verdict", "over life", "p")
    return DisplayTable(title, columns, rows)


def _measures(lives: pd.DataFrame, title: str, measures: Mapping[str, str], factor: float, digits: int) -> DisplayTable:
    rows = []
    for life, group in lives.groupby(["arm", "pattern"], sort=False):
        by = group.set_index("measure")
        cells = [plus_minus(by.loc[measure], factor, digits) for measure in measures]
        rows.append((life_name(*life), *cells))
    return DisplayTable(title, ("life", *measures.values()), rows)


def pair(row: pd.Series) -> str:
    """A comparison of two lives in words: retrain, regional minus sham."""
    if row["arm"] == row["against_arm"]:
        return f"{row['arm']}: {row['pattern']} minus {row['against_pattern']}"
    return f"{life_name(row['arm'], row['pattern'])} minus {row['against_arm']}"
