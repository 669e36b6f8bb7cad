"""The answer in words and display tables, the same on the terminal, in a notebook and on the page."""

from collections.abc import Mapping

import pandas as pd

from karikomi.studies.lottery.settings import LotterySettings
from karikomi.studies.lottery.verdict import LOST, NOT_SHOWN, SLOWNESS_MARGIN, WINNING
from karikomi.studies.show import DisplayTable
from karikomi.studies.words import listed, p_value, plus_minus

MEASURED = "test_accuracy"  # any measure: every arm and round has a row for each

# What is compared in words: early stop in iterations, accuracy there in points; and with how many digits.
COMPARED = {"early_stop_iteration": (1, 0), "test_accuracy": (100, 2)}

# The blog post's own results: (condition, arm, early stop, test accuracy); one trial each.
POST = (
    ("dense network", "dense", "4300", "97.9"),
    ("ticket", "ticket", "3600", "98.2"),
    ("ticket, re-initialized", "reinit", "5000 or more", "97.4"),
)


def headline(verdicts: pd.DataFrame) -> str:
    """The answer in a sentence or two."""
    if verdicts.empty:
        return "No tickets were drawn in this run."
    parts = []
    for name, verb in ((WINNING, "are shown to be winning"), (LOST, "are lost"), (NOT_SHOWN, "are open: not shown")):
        if spans := _spans(verdicts, name):
            parts.append(f"tickets with {listed(spans)} of the links {verb}")
    sentence = "; ".join(parts) + "."
    return sentence[0].upper() + sentence[1:]


def explanation(accuracy_margin: float) -> str:
    """What the verdicts and intervals mean."""
    return (
        "The early stop is the iteration of minimum validation loss; accuracy is test accuracy there."
        f" Winning: no slower (within {SLOWNESS_MARGIN:.0%} of the dense network's early stop) and no less accurate"
        f" (within {100 * accuracy_margin:g} points) than the dense network, by the 95 % intervals of the"
        " differences paired by replicate. Lost: slower or less accurate by more than that. Else: not shown."
        " ± is half a 95 % interval (Student's t over replicates); p is Holm-corrected over the densities."
    )


def main_tables(
    arms: pd.DataFrame, differences: pd.DataFrame, verdicts: pd.DataFrame, settings: LotterySettings
) -> list[DisplayTable]:
    """The post's rows beside ours, if it is the post's experiment, and the verdicts."""
    judged = _against(
        arms, differences, "ticket", "dense", dict(zip(verdicts["round"], verdicts["verdict"], strict=True))
    )
    return [_post(arms, settings), judged] if same_protocol_as_post(settings) else [judged]


def detail_tables(arms: pd.DataFrame, differences: pd.DataFrame, settings: LotterySettings) -> list[DisplayTable]:
    """Every arm's means (``arms`` is indexed by arm, round and measure), and all other paired differences."""
    pairs = [("ticket", "reinit"), *((arm, "dense") for arm in settings.arms if arm not in ("dense", "ticket"))]
    tables = [_arms(arms), *(_against(arms, differences, arm, against) for arm, against in pairs)]
    return [table for table in tables if table.rows]


def same_protocol_as_post(settings: LotterySettings) -> bool:
    """Whether the run repeats the post's experiment, whatever the number of replicates, seeds and arms."""
    free = {"replicates", "seed", "arms", "reinits", "engine"}
    return settings.model_dump(exclude=free) == LotterySettings().model_dump(exclude=free)


def _post(arms: pd.DataFrame, settings: LotterySettings) -> DisplayTable:
    last = settings.rounds
    rows = []
    for condition, arm, stop, accuracy in POST:
        if arm not in settings.arms:
            continue
        number = 0 if arm == "dense" else last
        ours = [_cell(arms, arm, number, measure) for measure in ("early_stop_iteration", "test_accuracy")]
        rows.append((condition, ours[0], stop, ours[1], accuracy))
    density = percent(arms.xs((last, MEASURED), level=("round", "measure"))["density"].iloc[0])
    columns = ("", "early stop", "the post's", "test accuracy, %", "the post's")
    return DisplayTable(f"The post's three rows, {density} of the links left", columns, rows)


def _arms(arms: pd.DataFrame) -> DisplayTable:
    measures = ("early_stop_iteration", "test_accuracy", "final_test_accuracy", "train_accuracy")
    order = arms.xs(MEASURED, level="measure")["density"].sort_index(level="round", kind="stable", sort_remaining=False)
    rows = [
        (percent(density), arm, *(_cell(arms, arm, number, measure) for measure in measures))
        for (arm, number), density in order.items()
    ]
    columns = ("links left", "arm", "early stop", "test accuracy, %", "at the end, %", "train, %")
    return DisplayTable("Every arm: means over replicates", columns, rows)


def _against(
    arms: pd.DataFrame, differences: pd.DataFrame, arm: str, against: str, verdicts: Mapping[int, str] | None = None
) -> DisplayTable:
    chosen = differences.query("arm == @arm and against == @against")
    density = arms.xs(MEASURED, level="measure")["density"]
    rows = []
    for number, group in chosen.groupby("round"):
        by = group.set_index("measure")
        row = [percent(density[arm, number])]
        for measure, (factor, digits) in COMPARED.items():
            row += [plus_minus(by.loc[measure], factor, digits, "+"), p_value(by.loc[measure, "p_holm"])]
        rows.append((*row, verdicts[number]) if verdicts else tuple(row))
    columns = ("links left", "early stop", "p", "accuracy, points", "p")
    title = f"{arm.capitalize()} minus {against}"
    return DisplayTable(title, (*columns, "verdict") if verdicts else columns, rows)


def percent(density: float) -> str:
    """A share in percent with as many digits as tell densities apart: 100 %, 51.2 %, 3.6 %, 0.94 %."""
    return f"{100 * density:.1f} %" if density >= 0.01 else f"{100 * density:.2g} %"


def _cell(arms: pd.DataFrame, arm: str, number: int, measure: str) -> str:
    row = arms.loc[(arm, number, measure)]
    return plus_minus(row, 100, 2) if measure.endswith("accuracy") else plus_minus(row, 1, 0)


def _spans(verdicts: pd.DataFrame, name: str) -> list[str]:
    """The densities of one verdict, neighbours joined: 51.2 % to 10.7 %."""
    stretch = (verdicts["verdict"] != verdicts["verdict"].shift()).cumsum()
    ends = verdicts[verdicts["verdict"] == name].groupby(stretch)["density"].agg(["first", "last"])
    pairs = [(percent(first), percent(last)) for first, last in ends.itertuples(index=False)]
    return [first if first == last else f"{first} to {last}" for first, last in pairs]
