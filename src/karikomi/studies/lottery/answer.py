"""When a ticket is winning and when it is lost, and the answer of a lottery in words and tables."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pandas as pd

from karikomi.statistics import ALPHA
from karikomi.studies.lottery.conditions import MEANINGS
from karikomi.studies.lottery.settings import LotterySettings
from karikomi.studies.publications import LOTTERY_CONDITIONS, TMTK
from karikomi.studies.show import DisplayTable
from karikomi.studies.verdict import NOT_SHOWN, Verdict, by_text
from karikomi.studies.words import few, headline, p_holm, p_value, plus_minus

ACCURACY_MARGIN = 0.002
"""How much less accurate than the dense network still counts as no less accurate (0.002 is 0.2 points)."""

SLOWNESS_MARGIN = 0.05
"""How much later than the dense network's mean early stop, as a share of it, still counts as no slower."""

WINNING, LOST = Verdict("winning ticket", "good"), Verdict("lost", "bad")
VERDICTS = by_text((WINNING, LOST))

TRANSFER_CONTROLS = ("ticket", "transferred-reinit", "transferred-random")
"""What the tickets of another run are compared with, beside the dense network."""

UNTRAINED = ("constant", "supermask")
"""Arms that ask how accurate a network is before any weight is trained."""

BEFORE = "initial_test_accuracy"

MEASURED = "test_accuracy"  # any measure: every arm and round has a row for each

# What is compared in words: early stop in iterations, accuracy there in points; and with how many digits.
COMPARED = {"early_stop_iteration": (1, 0), "test_accuracy": (100, 2)}


def verdict(p_winning: float, p_lost: float) -> Verdict:
    """The verdict from the corrected p-values of both; a NaN shows nothing.

    >>> [str(verdict(*p)) for p in ((0.01, 1), (0.2, 1), (1, 0.01))]
    ['winning ticket', 'not shown', 'lost']
    """
    return WINNING if p_winning < ALPHA else LOST if p_lost < ALPHA else NOT_SHOWN


def in_a_sentence(verdicts: pd.DataFrame, differences: pd.DataFrame, arms: pd.DataFrame) -> str:
    """Whether transferred tickets owe something to their weights; which tickets are winning, lost and inconclusive.

    Before that, where the run asks for it, how accurate a network is of which no weight was trained.
    """
    first = _untrained_in_words(differences, arms) + _transfer_in_words(differences)
    if verdicts.empty:
        return headline(first or ["this run has no tickets"])
    parts = first + [
        f"tickets with {few(spans)} of the links {verb}"
        for found, verb in ((WINNING, "are winning"), (LOST, "are lost"), (NOT_SHOWN, "are inconclusive"))
        if (spans := _spans(verdicts, found))
    ]
    return headline(parts)


def _transfer_in_words(differences: pd.DataFrame) -> list[str]:
    about = differences.query("arm == 'transferred' and against == 'transferred-reinit' and measure == @MEASURED")
    if about.empty:
        return []
    shown = int(((about["p_holm"] < ALPHA) & (about["mean"] > 0)).sum())
    found = f"are more accurate than re-initialized at {shown} of {len(about)} densities"
    return [f"transferred tickets {found if shown else 'are not shown to be more accurate than re-initialized'}"]


def _untrained_in_words(differences: pd.DataFrame, arms: pd.DataFrame) -> list[str]:
    better = differences.query("arm in @UNTRAINED and against == 'dense' and measure == @BEFORE")
    better = better[(better["p_holm"] < ALPHA) & (better["mean"] > 0)]
    if better.empty:
        return []
    arm, number = better.loc[better["mean"].idxmax(), ["arm", "round"]]
    best = arms.set_index(["arm", "round", "measure"]).loc[(arm, number, BEFORE)]
    where = f"{arm} with {percent(best['density'])} of the links"
    return [f"untrained networks are at best {100 * best['mean']:.1f} % accurate, {where}"]


def explanation(accuracy_margin: float) -> str:
    """What the verdicts and intervals mean."""
    return (
        "Early stop: the iteration of minimum validation loss; accuracy: test accuracy there. Winning: no slower than"
        f" the dense network (within {SLOWNESS_MARGIN:.0%} of its early stop) and no less accurate (within"
        f" {100 * accuracy_margin:g} points). Lost: slower or less accurate by more than these margins. Else: not"
        " shown. Both are t-tests of the differences, paired by replicate, against the margins; p is the larger of the"
        " two for winning and the smaller for lost, two-sided, so that p < 0.05 says that a 95 % interval lies beyond"
        " the margin. Every p is Holm-corrected over the densities; beside it stands the uncorrected one where that"
        " alone would show something. ± is half a 95 % interval (Student's t over replicates)."
    )


def main_tables(
    arms: pd.DataFrame, differences: pd.DataFrame, verdicts: pd.DataFrame, settings: LotterySettings, margin: float
) -> list[DisplayTable]:
    """Published rows beside ours, if the run repeats their protocol, and the verdicts."""
    tickets = _tickets(arms, differences, verdicts, margin)
    transfer = [_against(arms, differences, "transferred", control) for control in TRANSFER_CONTROLS]
    shown = [*(table for table in (*transfer, _owed(arms, differences)) if table.rows), tickets]
    published = repeats_the_blog_post(settings) and settings.rounds in arms.index.unique("round")
    return [_published(arms, settings), *shown] if published else shown


def detail_tables(arms: pd.DataFrame, differences: pd.DataFrame, settings: LotterySettings) -> list[DisplayTable]:
    """Every arm's means (``arms`` is indexed by arm, round and measure), and all other paired differences."""
    controls = [arm for arm in settings.arms if arm not in ("dense", "ticket")]
    pairs = [*(("ticket", arm) for arm in controls), *((arm, "dense") for arm in controls)]
    compared = [_against(arms, differences, arm, other) for arm, other in pairs]
    return [table for table in (_arms(arms), *compared) if table.rows]


def titled(tables: Sequence[DisplayTable], label: str) -> list[DisplayTable]:
    """The tables of one variant, which say so where there are others."""
    return [replace(table, title=f"{table.title} ({label})" if label else table.title) for table in tables]


def repeats_the_blog_post(settings: LotterySettings) -> bool:
    """Whether the run repeats tmtk's experiment, whatever the number of replicates, seeds and arms."""
    free = {"replicates", "seed", "arms", "reinits", "engine"}
    return settings.model_dump(exclude=free) == LotterySettings().model_dump(exclude=free)


def _published(arms: pd.DataFrame, settings: LotterySettings) -> DisplayTable:
    last, rows = settings.rounds, []
    for condition in LOTTERY_CONDITIONS:
        if condition.arm in settings.arms:
            number = 0 if condition.arm == "dense" else last
            stop, accuracy = (_cell(arms, condition.arm, number, measure) for measure in COMPARED)
            rows.append((condition.name, stop, condition.early_stop, accuracy, condition.accuracy))
    density = percent(arms.xs((last, MEASURED), level=("round", "measure"))["density"].iloc[0])
    columns = ("", "early stop", TMTK, "test accuracy, %", TMTK)
    return DisplayTable(f"As published by {TMTK} (one trial), {density} of the links left", columns, rows)


def _arms(arms: pd.DataFrame) -> DisplayTable:
    measures = (BEFORE, "early_stop_iteration", MEASURED, "final_test_accuracy", "train_accuracy")
    order = arms.xs(MEASURED, level="measure")["density"].sort_index(level="round", kind="stable", sort_remaining=False)
    rows = [
        (percent(density), arm, *(_cell(arms, arm, number, measure) for measure in measures))
        for (arm, number), density in order.items()
    ]
    columns = ("links left", "arm", "before training, %", "early stop", "test accuracy, %", "at the end, %", "train, %")
    return DisplayTable("Every arm: means over replicates", columns, rows)


def _against(arms: pd.DataFrame, differences: pd.DataFrame, arm: str, against: str) -> DisplayTable:
    rows = [
        (density, *(cell for measure in COMPARED for cell in (_difference(by, measure), p_holm(by.loc[measure]))))
        for _, density, by in _by_density(arms, differences, arm, against)
    ]
    columns = ("links left", "early stop", "p of a difference", "accuracy, points", "p of a difference")
    return DisplayTable(f"{arm.capitalize()} minus {against}", columns, rows)


def _owed(arms: pd.DataFrame, differences: pd.DataFrame) -> DisplayTable:
    """At how many densities the ticket is ahead of each of its controls, where there are several; of one, no row."""
    rows, density = [], arms.xs(MEASURED, level="measure")["density"]
    about = differences.query("arm == 'ticket' and against != 'dense' and measure == @MEASURED")
    for control, by in sorted(about.groupby("against"), key=lambda each: [*MEANINGS].index(each[0])):
        shown, largest = by.loc[by["p_holm"] < ALPHA, "mean"], by.loc[by["mean"].abs().idxmax()]
        counts = [f"{int(found.sum())} of {len(by)}" for found in (shown > 0, shown < 0)]
        points = plus_minus(largest, *COMPARED[MEASURED], "+")
        rows.append((control, *counts, points, percent(density["ticket", largest["round"]])))
    columns = ("control", "ahead at", "behind at", "largest difference, points", "links left")
    title = "What a ticket owes to what: densities at which its accuracy is shown to be ahead of or behind a control's"
    return DisplayTable(title, columns, rows if len(rows) > 1 else ())


def _tickets(arms: pd.DataFrame, differences: pd.DataFrame, verdicts: pd.DataFrame, margin: float) -> DisplayTable:
    judged, rows = verdicts.set_index("round"), list[tuple[str, ...]]()
    for number, density, by in _by_density(arms, differences, "ticket", "dense"):
        own = judged.loc[number]
        tests = [p_value(own[f"{name}_holm"], own[name]) for name in ("p_winning", "p_lost")]
        rows.append((density, *(_difference(by, name) for name in COMPARED), *tests, VERDICTS[own["verdict"]]))
    title = f"Ticket minus dense (margins: early stop +{SLOWNESS_MARGIN:.0%}, accuracy −{100 * margin:g} points)"
    return DisplayTable(title, ("links left", "early stop", "accuracy, points", "p winning", "p lost", "verdict"), rows)


def _by_density(
    arms: pd.DataFrame, differences: pd.DataFrame, arm: str, against: str
) -> Iterator[tuple[int, str, pd.DataFrame]]:
    """Round, density and the differences by measure."""
    density = arms.xs(MEASURED, level="measure")["density"]
    for number, group in differences.query("arm == @arm and against == @against").groupby("round"):
        yield int(str(number)), percent(density[arm, number]), group.set_index("measure")


def _difference(by: pd.DataFrame, measure: str) -> str:
    return plus_minus(by.loc[measure], *COMPARED[measure], "+")


def percent(density: float) -> str:
    """A share in percent with as many digits as tell densities apart: 100 %, 51.2 %, 3.6 %, 0.94 %."""
    return f"{100 * density:.1f} %" if density >= 0.01 else f"{100 * density:.2g} %"


def _cell(arms: pd.DataFrame, arm: str, number: int, measure: str) -> str:
    if (arm, number, measure) not in arms.index:  # measured since a later version
        return "–"
    row = arms.loc[(arm, number, measure)]
    return plus_minus(row, 100, 2) if measure.endswith("accuracy") else plus_minus(row, 1, 0)


def _spans(verdicts: pd.DataFrame, name: str) -> list[str]:
    """The densities of one verdict, neighbours joined: 51.2 % to 10.7 %."""
    stretch = (verdicts["verdict"] != verdicts["verdict"].shift()).cumsum()
    ends = verdicts[verdicts["verdict"] == name].groupby(stretch)["density"].agg(["first", "last"])
    pairs = [(percent(first), percent(last)) for first, last in ends.itertuples(index=False)]
    return [first if first == last else f"{first} to {last}" for first, last in pairs]
