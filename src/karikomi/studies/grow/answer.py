"""The answer of the study in words and tables."""

from collections.abc import Iterator, Sequence

import pandas as pd

from karikomi.figures.theme import percent
from karikomi.studies.grow.settings import GROWTH, GrowSettings
from karikomi.studies.show import DisplayTable
from karikomi.studies.verdict import Verdict, by_text, signed
from karikomi.studies.words import headline, listed, p_holm, plus_minus

BETTER, WORSE = Verdict("better", "good"), Verdict("worse", "bad")
VERDICTS = by_text((BETTER, WORSE))
ASKED = ("static", "ticket")
"""What the question compares with; the other comparisons are details."""


def verdict(difference: float, p: float) -> Verdict:
    """The verdict on a difference in accuracy, from its corrected p.

    >>> str(verdict(0.01, 0.001)), str(verdict(-0.01, 0.2))
    ('better', 'not shown')
    """
    return signed(difference, p, WORSE, BETTER)


def in_a_sentence(differences: pd.DataFrame) -> str:
    """Which arms beat the static mask and which the ticket, and where."""
    found, parts = differences[differences["measure"] == "final_test_accuracy"], []
    for against in ASKED:
        asked = found[(found["against"] == against) & found["arm"].isin((*GROWTH, "static"))]
        better, every = asked[asked["verdict"] == BETTER], tuple(asked["density"].unique())
        alike: dict[tuple[float, ...], list[str]] = {}
        for arm, its in better.groupby("arm", sort=False)["density"]:
            alike.setdefault(tuple(its), []).append(str(arm))
        where = [
            f"{listed(arms)} at {'every density' if at == every else listed([*map(percent, at)])}"
            for at, arms in alike.items()
        ]
        if where:
            parts.append(f"{against} is beaten by {', '.join(where)}")
        elif len(asked):
            parts.append(f"nothing is shown to beat {against}")
    return headline(parts or ["nothing was compared"])


def explanation(settings: GrowSettings) -> str:
    """What the numbers mean."""
    s = settings
    falls = ", falling to 0 by a cosine," if s.decay == "cosine" else ""
    equal = "training steps" if s.budget == "steps" else "multiply-adds of the links, so in more steps the sparser"
    return (
        f"All arms of a replicate begin with the same weights and see the same minibatches; equal are the {equal}."
        f" Every {s.every} steps until {100 * s.end:g} % of the training {100 * s.share:g} %{falls} of each layer's"
        " links go, the smallest, and as many grow at weight 0: set at random (Mocanu et al. 2018), rigl where the"
        " gradient of the last minibatch is greatest (Evci et al. 2020), cht where CH3-L3p of the layer's bipartite"
        " graph is highest (Zhang et al. 2024). ticket: pruned by magnitude, rewound and trained again, round by"
        f" round, to as many links in every layer, at most {100 * s.ticket_rate:g} % a round. dense-matched: the dense"
        " network, for as few steps as make its multiply-adds equal. Multiply-adds are those of the links in training,"
        " over the dense network's; growth and the rounds on the way to the ticket come on top. Accuracy is test"
        " accuracy. Differences are paired by replicate; ± is half a 95 % interval (Student's t over replicates); p is"
        " Holm-corrected over all arms and densities of a comparison. Units are alive on a path from the inputs to the"
        " outputs; new are links that were not there at the start."
    )


def arms_table(means: pd.DataFrame, alive: pd.DataFrame) -> DisplayTable:
    """Every arm's means, and the units that are alive in the end, layer by layer."""
    rows = []
    for (density, arm), group in means.groupby(["density", "arm"], sort=False):
        cells = group.set_index("measure")
        units = alive[(alive["density"] == density) & (alive["arm"] == arm)]["mean"]
        rows.append(
            (
                percent(float(str(density))),
                str(arm),
                plus_minus(cells.loc["final_test_accuracy"], 100, 2),
                plus_minus(cells.loc["test_accuracy"], 100, 2),
                f"{100 * cells.loc['arithmetic', 'mean']:.3g}",
                plus_minus(cells.loc["new"], 100, 1) if arm in GROWTH else "–",
                "-".join(f"{count:.0f}" for count in units) or "–",
            )
        )
    columns = (
        "links",
        "arm",
        "at the end, %",
        "at the early stop, %",
        "multiply-adds, %",
        "new links, %",
        "units alive",
    )
    return DisplayTable("Every arm: means over replicates", columns, rows)


def comparisons(differences: pd.DataFrame, against: Sequence[str]) -> Iterator[DisplayTable]:
    """The differences from each arm in ``against``."""
    for other in against:
        rows = [
            (
                percent(row["density"]),
                row["arm"],
                plus_minus(row, 100, 2, "+"),
                p_holm(row),
                VERDICTS[row["verdict"]],
            )
            for row in differences.query("against == @other and measure == 'final_test_accuracy'").to_dict("records")
        ]
        if rows:
            yield DisplayTable(f"Minus {other}", ("links", "arm", "accuracy, points", "p", "verdict"), rows)
