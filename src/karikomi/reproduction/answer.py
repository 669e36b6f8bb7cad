"""What became of claims, in words, in tables and as a page."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from karikomi.claims.claim import ClaimSet, Scale
from karikomi.language import Language
from karikomi.reproduction.verdict import FAILS, HOLDS, UNDECIDED, VERDICTS
from karikomi.studies.show import Answer, DisplayTable
from karikomi.studies.words import headline, listed, p_holm, plus_minus

EXPLANATION = (
    "A claim holds if the 95 % interval of our number (Student's t over replicates; ± is half of it) lies wholly where"
    " the claim says, and does not hold if it lies wholly elsewhere; where that is stands in its file, with the"
    " reason. Else it is not decided at this scale. Differences and ratios are paired by replicate. p is that of a"
    " t-test against the nearest end of where the claim holds, Holm-corrected over the claims of a set; a"
    " verdict needs p < 0.05."
)


CAPTION = (
    "Our number with its 95 % interval (blue), theirs (orange), and where the claim holds (green); each claim on its"
    " own scale."
)


def in_a_sentence(found: pd.DataFrame, scale: Scale) -> str:
    """How many claims hold, do not hold, and are not decided."""
    verbs = {HOLDS: ("holds", "hold"), FAILS: ("does not hold", "do not hold")}
    verbs |= {UNDECIDED: (f"is not decided at scale {scale}", f"are not decided at scale {scale}")}
    counts = found["verdict"].value_counts().to_dict()
    parts = [f"{counts[verdict]} {verbs[verdict][counts[verdict] > 1]}" for verdict in verbs if verdict in counts]
    return headline([f"of {len(found)} claims {listed(parts)}"])


def table(found: pd.DataFrame, claims: ClaimSet) -> DisplayTable:
    """Claim, theirs, ours, verdict, why."""
    rows = [
        (row["claim"], theirs(row), ours(row), VERDICTS[row["verdict"]], row["why"]) for row in found.to_dict("records")
    ]
    return DisplayTable(claims.title, ("claim", "theirs", "ours", "verdict", "why"), rows)


def details(found: pd.DataFrame, claims: ClaimSet) -> DisplayTable:
    """Where each claim stands, where it holds, and the test."""
    rows = []
    for row in found.to_dict("records"):
        claim = claims.claims[row["name"]]
        test = (p_holm(row), str(row["replicates"]), row["run"])
        rows.append((row["name"], claim.place, str(claim.holds), claim.margin, *test))
    columns = ("claim", "place", "holds if", "margin", "p", "replicates", "run")
    return DisplayTable(f"Thresholds and tests: {claims.title}", columns, rows)


def theirs(row: Mapping[str, Any]) -> str:
    """Their number with its unit; or what they say where there is none."""
    return row["theirs"] if np.isnan(row["published"]) else f"{row['theirs']} {row['unit']}".strip()


def ours(row: Mapping[str, Any]) -> str:
    """Our number with half its interval, to two digits of that, and its unit."""
    half = (row["high"] - row["low"]) / 2
    digits = int(np.clip(1 - np.floor(np.log10(half)), 0, 4)) if half > 0 else 2
    return f"{plus_minus(row, digits=digits)} {row['unit']}".strip()


def page(
    answer: Answer,
    sets: Mapping[str, ClaimSet],
    charts: Mapping[str, Mapping[str, Any]],
    runs: Mapping[str, Mapping[str, Any]],
    command: str,
    language: Language,
) -> str:
    """The page as HTML: a section per set with its table and its forest plot; the tests; folded away the settings."""
    from karikomi.report.build import Figure, Section, build

    sections = [
        Section(name, "\n\n".join(filter(None, (claims.source, claims.link))), [main], [Figure(charts[name], CAPTION)])
        for (name, claims), main in zip(sets.items(), answer.tables, strict=True)
    ]
    tests = Section("Tests", answer.explanation, answer.details)
    title, parts = f"Published claims: {', '.join(sets)}", [*sections, tests]
    return build(title, answer.headline, parts, runs, command, language=language)
