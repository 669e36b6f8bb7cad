"""When a life holds and when a difference is shown, and the answer of the ageing study in words."""

from collections.abc import Mapping

import pandas as pd

from karikomi.statistics import ALPHA, Difference, Interval, mean_interval
from karikomi.studies.ageing.settings import RANDOM, SCATTERED, SCRATCH, SHAM, AgeingSettings
from karikomi.studies.publications import AGEING_CLAIMS, RangeClaim
from karikomi.studies.verdict import NOT_SHOWN, Verdict, by_text
from karikomi.studies.words import few, headline, listed, plus_minus

Frames = Mapping[str, pd.DataFrame]

MARGIN = 0.002
"""How much accuracy may go while it still holds: 0.2 points."""

ROUNDING = 0.0005
"""Publications write three decimals."""

HOLDS, FALLS = Verdict("holds", "good"), Verdict("falls", "bad")
HIGHER, LOWER, FAILS = Verdict("higher", "good"), Verdict("lower", "bad"), Verdict("does not hold", "bad")
VERDICTS = by_text((HOLDS, FALLS, HIGHER, LOWER, FAILS))

AGAINST = {
    SHAM: "the same training without deaths",
    SCRATCH: "networks of its size trained from scratch for as many steps in all",
}


def held(found: Difference, margin: float = MARGIN) -> Verdict:
    """Whether accuracy holds, from its difference from the healthy network's: by the interval, within ``margin``.

    >>> str(held(Difference(0.001, -0.001, 0.003, 0.2))), str(held(Difference(-0.02, -0.03, -0.01, 0.0)))
    ('holds', 'falls')
    >>> str(held(Difference(-0.001, -0.004, 0.002, 0.3)))
    'not shown'
    """
    if found.low > -margin:
        return HOLDS
    return FALLS if found.high < -margin else NOT_SHOWN


def judge(claim: RangeClaim, found: Interval) -> Verdict:
    """Whether the claim holds: the whole interval is where it says, or none of it.

    >>> [str(judge(AGEING_CLAIMS[0], Interval(mean, mean - 0.001, mean + 0.001))) for mean in (0.979, 0.977)]
    ['holds', 'not shown']
    """
    low, high = claim.low - ROUNDING, claim.high + ROUNDING
    if low <= found.low and found.high <= high:
        return HOLDS
    return FAILS if found.high < low or found.low > high else NOT_SHOWN


def judge_claims(each: pd.DataFrame, settings: AgeingSettings) -> pd.DataFrame:
    """Every published claim with what it is about (mean, low, high) and the verdict; none if it is another experiment.

    Args:
        each: by arm, pattern and replicate the measures of a life.
        settings: those of the run.
    """
    free = {"replicates", "seed", "arms", "engine", "patterns", "scratch_at", "homeostasis", "optimizer_state"}
    repeated = settings.model_dump(exclude=free) == AgeingSettings().model_dump(exclude=free)
    rows = []
    for claim in AGEING_CLAIMS if repeated else ():
        if (claim.arm, RANDOM) in each.index:
            found = mean_interval(each.loc[(claim.arm, RANDOM), claim.measure])
            rows.append({"claim": claim.text, **found._asdict(), "verdict": judge(claim, found)})
    return pd.DataFrame(rows, columns=["claim", *Interval._fields, "verdict"])


def in_a_sentence(found: Frames, last: int) -> str:
    """What accuracy comes to by the last cycle, against the healthy network."""
    if last == 0:
        return "No cycle has passed yet."
    judged = _own(found).query("question == 'healthy'")
    cycles = "1 cycle" if last == 1 else f"{last} cycles"
    parts = []
    for verdict, verb in ((FALLS, "falls"), (HOLDS, "holds"), (NOT_SHOWN, "is inconclusive")):
        named = [
            f"{life_name(row['arm'], row['pattern'])} ({points(row)})"
            for _, row in judged[judged["verdict"] == verdict].iterrows()
        ]
        start = f"after {cycles} accuracy" if not parts else "it"
        if named:
            arms = "arms" if len(named) > 1 else "arm"
            parts.append(f"{start} {verb} in {arms} {few(named)}{' points' if not parts else ''}")
    return headline(parts)


def _in_detail(found: Frames) -> str:
    """Every life against the healthy network, what retraining is worth, and what patterns of deaths differ."""
    own = _own(found)
    judged = own.query("question == 'healthy'")
    lives = [
        f"{life_name(row['arm'], row['pattern'])} {points(row)} ({row['verdict']})" for _, row in judged.iterrows()
    ]
    start = [f"Accuracy minus the healthy network's, points: {'; '.join(lives)}."] if lives else []
    return " ".join([*start, *_retraining(own), *_patterns(unnamed(found["differences"]))])


def _own(found: Frames) -> pd.DataFrame:
    """The differences without those of controls, which speak in comparisons."""
    differences = unnamed(found["differences"])
    return differences[~differences["pattern"].str.startswith(SCATTERED)]


def unnamed(frame: pd.DataFrame) -> pd.DataFrame:
    """A pattern need not be named if it is the only one."""
    named = [column for column in ("pattern", "against_pattern") if column in frame]
    several = frame.loc[frame["pattern"] != "", "pattern"].nunique() > 1
    return frame if several else frame.assign(**dict.fromkeys(named, ""))


def _retraining(differences: pd.DataFrame) -> list[str]:
    """Of every pattern a sentence: retraining against the same training without deaths, and against new networks."""
    rows = differences.query("question in ('arms', 'scratch') and measure == 'final' and against_arm in @AGAINST")
    sentences = []
    for pattern, group in rows.groupby("pattern", sort=False):
        parts = [
            f"{points(row)} points against {AGAINST[row['against_arm']]} ({row['verdict']})"
            for _, row in group.iterrows()
        ]
        sentences.append(f"Retraining{f' in {pattern} deaths' if pattern else ''} ends {listed(parts)}.")
    return sentences


def _patterns(differences: pd.DataFrame) -> list[str]:
    rows = differences.query("question == 'patterns' and measure == 'final'")
    return [
        f"{first.capitalize()} deaths against {second}: "
        + listed([f"{row['arm']} {points(row)} points ({row['verdict']})" for _, row in group.iterrows()], last=", ")
        + "."
        for (first, second), group in rows.groupby(["pattern", "against_pattern"], sort=False)
    ]


def explanation(found: Frames, settings: AgeingSettings, margin: float) -> str:
    """The findings in full, and what the numbers mean."""
    s = settings
    dying = "links" if s.takes_links else "units"
    many = f"{s.deaths:.0%} of the {dying} left" if s.deaths < 1 else f"{s.deaths:.0f} {dying}"
    state = "their slice of Adam's state" if s.optimizer_state == "sliced" else "nothing of the optimizer's state"
    return f"{_in_detail(found)}\n\n" + (
        f"In every cycle {many} die, the same in all arms, and the arms that train do so for the same number of steps"
        f" on the same minibatches; survivors keep {state}. Accuracy is that of the test set. It holds if the 95 %"
        " interval of its difference from the healthy network, paired by replicate, lies above"
        f" −{100 * margin:g} points, and falls if it lies below. Higher and lower need p < {ALPHA} (paired t-test,"
        " Holm-corrected over the comparisons of a table). ± is half a 95 % interval (Student's t over replicates)."
        " Over life: the mean of all cycles, the area under the curve."
    )


def life_name(arm: str, pattern: str) -> str:
    """A life in words: retrain, regional."""
    return f"{arm}, {pattern}" if pattern else arm


def points(row: pd.Series) -> str:
    """A difference of accuracy in percentage points, with half its interval."""
    return plus_minus(row, 100, sign="+")
