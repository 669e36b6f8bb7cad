"""The answer in words and display tables, the same on the terminal, in a notebook and on the page."""

from collections.abc import Mapping

import pandas as pd

from karikomi.studies.ageing.lives import HEALTHY
from karikomi.studies.ageing.settings import RETRAIN, SCRATCH, SHAM, AgeingSettings
from karikomi.studies.ageing.verdict import ALPHA, FALLS, HOLDS, MARGIN, NOT_SHOWN
from karikomi.studies.show import DisplayTable
from karikomi.studies.words import listed, p_value, plus_minus

Frames = Mapping[str, pd.DataFrame]

AGAINST = {SHAM: "the same training without deaths", SCRATCH: "new networks of the same size, as many steps in all,"}


def headline(found: Frames, settings: AgeingSettings, last: int) -> str:
    """The answer in a few sentences."""
    if last == 0:
        return "No cycle has passed yet."
    differences = found["differences"]
    return " ".join([_held(differences, last), *_retraining(differences), *_patterns(differences)])


def _held(differences: pd.DataFrame, last: int) -> str:
    judged, parts = differences.query("question == 'healthy'"), []
    for verdict, verb in ((HOLDS, "holds with"), (FALLS, "falls with"), (NOT_SHOWN, "may do either with")):
        named = [f"{_life(row)} ({_points(row)})" for _, row in judged[judged["verdict"] == verdict].iterrows()]
        if named:
            parts.append(f"{verb} {listed(named)}")
    cycles = f"{last} cycles" if last > 1 else "1 cycle"
    return f"After {cycles} accuracy {'; '.join(parts)}: points against the healthy network."


def _retraining(differences: pd.DataFrame) -> list[str]:
    rows = differences.query("question in ('arms', 'scratch') and measure == 'final' and against_arm in @AGAINST")
    if rows.empty:
        return []
    parts = [
        f"{_points(row)} points against {AGAINST[row['against_arm']]}{_in_pattern(row)} ({row['verdict']})"
        for _, row in rows.iterrows()
    ]
    return [f"Retraining ends {listed(parts)}."]


def _patterns(differences: pd.DataFrame) -> list[str]:
    rows = differences.query("question == 'patterns' and measure == 'final'")
    return [
        f"{first} against {second}: "
        + listed([f"{row['arm']} {_points(row)} points ({row['verdict']})" for _, row in group.iterrows()], last=", ")
        + "."
        for (first, second), group in rows.groupby(["pattern", "against_pattern"], sort=False)
    ]


def explanation(settings: AgeingSettings) -> str:
    """What the numbers mean."""
    s = settings
    dying = "links" if s.takes_links else "units"
    many = f"{s.deaths:.0%} of the {dying} left" if s.deaths < 1 else f"{s.deaths:.0f} {dying}"
    state = "their slice of Adam's state" if s.optimizer_state == "sliced" else "nothing of the optimizer's state"
    return (
        f"In every cycle {many} die, the same in all arms, and the arms that train do so for the same number of steps"
        f" on the same minibatches; survivors keep {state}. Accuracy is that of the test set. It holds if the 95 %"
        f" interval of its difference to the healthy network, paired by replicate, ends above −{100 * MARGIN:g} points,"
        f" and falls if it ends below; else: not shown. Other verdicts need p < {ALPHA} (paired t-test, Holm-corrected)."
        " ± is half a 95 % interval (Student's t over replicates). A life's mean is the area under its curve."
    )


def main_tables(found: Frames) -> list[DisplayTable]:
    """The post's claims, if it is the post's experiment; the lives; what retraining is worth; who dies."""
    differences = found["differences"]
    shown = [
        _claims(found["claims"]),
        _lives(found),
        _comparison(differences.query("question in ('arms', 'scratch')"), "Retraining against"),
        _comparison(differences.query("question == 'patterns'"), "Who dies"),
    ]
    return [table for table in shown if table.rows]


def detail_tables(found: Frames) -> list[DisplayTable]:
    """Accuracy over life, and the state of the networks at its end."""
    shown = [
        _measures(found["lives"], "Accuracy over life, %", 100, 2, lowest="lowest", highest="highest", life="mean"),
        _measures(found["lives"], "At the end", 1, 3, loss="loss, nats", dormant="dormant units", cka="CKA", norm="√Σ w²"),
    ]
    return [table for table in shown if table.rows]


def _claims(claims: pd.DataFrame) -> DisplayTable:
    rows = [(row["claim"], plus_minus(row, 100), row["verdict"]) for _, row in claims.iterrows()]
    return DisplayTable("What the post saw once: accuracy, %", ("", "ours", "verdict"), rows)


def _lives(found: Frames) -> DisplayTable:
    lives = found["lives"].set_index(["arm", "pattern", "measure"])
    rows = [("healthy", plus_minus(lives.loc[(*HEALTHY, "final")], 100), "", "", "")]
    for _, row in found["differences"].query("question == 'healthy'").iterrows():
        final, recovered = (lives.loc[(row["arm"], row["pattern"], measure)] for measure in ("final", "recovered"))
        cells = (plus_minus(final, 100), _points(row), plus_minus(recovered, 100, sign="+"), row["verdict"])
        rows.append((_life(row), *cells))
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
    columns = ("", "end, points", "p", "verdict", "life's mean, points", "p")
    return DisplayTable(title, columns, rows)


def _measures(lives: pd.DataFrame, title: str, factor: float, digits: int, **measures: str) -> DisplayTable:
    wide = lives.set_index(["arm", "pattern", "measure"])
    rows = [
        (_life({"arm": arm, "pattern": pattern}),)
        + tuple(plus_minus(wide.loc[(arm, pattern, measure)], factor, digits) for measure in measures)
        for arm, pattern in lives[["arm", "pattern"]].drop_duplicates().itertuples(index=False)
    ]
    return DisplayTable(title, ("life", *measures.values()), rows)


def _pair(row: pd.Series) -> str:
    if row["arm"] == row["against_arm"]:
        return f"{row['arm']}: {row['pattern']} minus {row['against_pattern']}"
    return f"{_life(row)} minus {row['against_arm']}"


def _life(row: Mapping[str, str]) -> str:
    return f"{row['arm']}, {row['pattern']}" if row["pattern"] else row["arm"]


def _in_pattern(row: pd.Series) -> str:
    return f" in {row['pattern']} deaths"


def _points(row: pd.Series) -> str:
    return plus_minus(row, 100, sign="+")
