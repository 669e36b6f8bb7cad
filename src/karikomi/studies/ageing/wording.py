"""The answer in words and display tables, the same on the terminal, in a notebook and on the page."""

from collections.abc import Mapping

import pandas as pd

from karikomi.statistics import ALPHA
from karikomi.studies.ageing.settings import SCATTERED, SCRATCH, SHAM, AgeingSettings
from karikomi.studies.ageing.verdict import FALLS, HOLDS, NOT_SHOWN
from karikomi.studies.show import DisplayTable
from karikomi.studies.words import listed, p_value, plus_minus

Frames = Mapping[str, pd.DataFrame]

AGAINST = {
    SHAM: "the same training without deaths",
    SCRATCH: "networks of its size trained from scratch for as many steps in all",
}


def headline(found: Frames, last: int) -> str:
    """The answer in a few sentences, ``last`` being the last cycle."""
    if last == 0:
        return "No cycle has passed yet."
    differences = _unnamed(found["differences"])
    own = differences[~differences["pattern"].str.startswith(SCATTERED)]  # controls speak in comparisons
    return " ".join([_held(own, last), *_retraining(own), *_patterns(differences)])


def _unnamed(frame: pd.DataFrame) -> pd.DataFrame:
    """A pattern need not be named if it is the only one."""
    named = [column for column in ("pattern", "against_pattern") if column in frame]
    several = frame.loc[frame["pattern"] != "", "pattern"].nunique() > 1
    return frame if several else frame.assign(**dict.fromkeys(named, ""))


def _held(differences: pd.DataFrame, last: int) -> str:
    judged, parts = differences.query("question == 'healthy'"), []
    for verdict, verb in ((HOLDS, "it holds with"), (FALLS, "falls with"), (NOT_SHOWN, "neither is shown with")):
        named = [
            f"{_life(row['arm'], row['pattern'])} ({_points(row)})"
            for _, row in judged[judged["verdict"] == verdict].iterrows()
        ]
        if named:
            parts.append(f"{verb} {listed(named)}")
    cycles = "1 cycle" if last == 1 else f"{last} cycles"
    return f"Accuracy after {cycles}, in points against the healthy network: {'; '.join(parts)}."


def _retraining(differences: pd.DataFrame) -> list[str]:
    """Of every pattern a sentence: retraining against the same training without deaths, and against new networks."""
    rows = differences.query("question in ('arms', 'scratch') and measure == 'final' and against_arm in @AGAINST")
    sentences = []
    for pattern, group in rows.groupby("pattern", sort=False):
        parts = [
            f"{_points(row)} points against {AGAINST[row['against_arm']]} ({row['verdict']})"
            for _, row in group.iterrows()
        ]
        sentences.append(f"Retraining{f' in {pattern} deaths' if pattern else ''} ends {listed(parts)}.")
    return sentences


def _patterns(differences: pd.DataFrame) -> list[str]:
    rows = differences.query("question == 'patterns' and measure == 'final'")
    return [
        f"{first.capitalize()} deaths against {second}: "
        + listed([f"{row['arm']} {_points(row)} points ({row['verdict']})" for _, row in group.iterrows()], last=", ")
        + "."
        for (first, second), group in rows.groupby(["pattern", "against_pattern"], sort=False)
    ]


def explanation(settings: AgeingSettings, margin: float) -> str:
    """What the numbers mean."""
    s = settings
    dying = "links" if s.takes_links else "units"
    many = f"{s.deaths:.0%} of the {dying} left" if s.deaths < 1 else f"{s.deaths:.0f} {dying}"
    state = "their slice of Adam's state" if s.optimizer_state == "sliced" else "nothing of the optimizer's state"
    return (
        f"In every cycle {many} die, the same in all arms, and the arms that train do so for the same number of steps"
        f" on the same minibatches; survivors keep {state}. Accuracy is that of the test set. It holds if the 95 %"
        " interval of its difference from the healthy network, paired by replicate, lies above"
        f" −{100 * margin:g} points, and falls if it lies below. Higher and lower need p < {ALPHA} (paired t-test,"
        " Holm-corrected over the comparisons of a table). ± is half a 95 % interval (Student's t over replicates)."
        " Over life: the mean of all cycles, the area under the curve."
    )


def main_tables(found: Frames) -> list[DisplayTable]:
    """The post's claims, if it is the post's experiment; the lives; what retraining is worth; who dies."""
    differences = _unnamed(found["differences"])
    shown = [
        _claims(found["claims"]),
        _lives(_unnamed(found["lives"]), differences),
        _comparison(differences.query("question in ('arms', 'scratch')"), "Retraining against"),
        _comparison(differences.query("question == 'patterns'"), "Who dies"),
    ]
    return [table for table in shown if table.rows]


def detail_tables(found: Frames) -> list[DisplayTable]:
    """Accuracy over life, and the state of the networks at its end."""
    lives = _unnamed(found["lives"])
    over = {"lowest": "lowest", "highest": "highest", "life": "mean"}
    state = {"loss": "loss, nats", "dormant": "dormant units", "cka": "CKA", "norm": "√Σ w²"}
    shown = [
        _measures(lives, "Accuracy over life, %", over, 100, 2),
        _measures(lives, "At the end", state, 1, 3),
    ]
    return [table for table in shown if table.rows]


def _claims(claims: pd.DataFrame) -> DisplayTable:
    rows = [(row["claim"], plus_minus(row, 100), row["verdict"]) for _, row in claims.iterrows()]
    return DisplayTable("What the post saw once: accuracy, %", ("", "ours", "verdict"), rows)


def _lives(means: pd.DataFrame, differences: pd.DataFrame) -> DisplayTable:
    judged = differences.query("question == 'healthy'").set_index(["arm", "pattern"])
    rows = []
    for life, group in means.groupby(["arm", "pattern"], sort=False):
        by = group.set_index("measure")
        cells = [plus_minus(by.loc["final"], 100), "", plus_minus(by.loc["recovered"], 100, sign="+"), ""]
        if life in judged.index:
            cells[1], cells[3] = _points(judged.loc[life]), judged.loc[life, "verdict"]
        rows.append((_life(*life), *cells))
    columns = ("life", "at the end", "minus healthy", "recovered in a cycle", "verdict")
    return DisplayTable("Accuracy, %", columns, rows)


def _comparison(differences: pd.DataFrame, title: str) -> DisplayTable:
    pair = ["arm", "pattern", "against_arm", "against_pattern"]
    rows = []
    for _, group in differences.groupby(pair, sort=False):
        by = group.set_index("measure")
        end = by.loc["final"]
        whole = (_points(by.loc["life"]), p_value(by.loc["life", "p_holm"])) if "life" in by.index else ("", "")
        rows.append((_pair(end), _points(end), p_value(end["p_holm"]), end["verdict"], *whole))
    columns = ("", "end, points", "p", "verdict", "over life", "p")
    return DisplayTable(title, columns, rows)


def _measures(lives: pd.DataFrame, title: str, measures: Mapping[str, str], factor: float, digits: int) -> DisplayTable:
    rows = []
    for life, group in lives.groupby(["arm", "pattern"], sort=False):
        by = group.set_index("measure")
        cells = [plus_minus(by.loc[measure], factor, digits) for measure in measures]
        rows.append((_life(*life), *cells))
    return DisplayTable(title, ("life", *measures.values()), rows)


def _pair(row: pd.Series) -> str:
    if row["arm"] == row["against_arm"]:
        return f"{row['arm']}: {row['pattern']} minus {row['against_pattern']}"
    return f"{_life(row['arm'], row['pattern'])} minus {row['against_arm']}"


def _life(arm: str, pattern: str) -> str:
    return f"{arm}, {pattern}" if pattern else arm


def _points(row: pd.Series) -> str:
    return plus_minus(row, 100, sign="+")
