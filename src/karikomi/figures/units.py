"""What figures of units share: the colours of layers and groups, the axis of a rise in loss."""

from typing import Any

import altair as alt
import pandas as pd

LAYER_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#333333")
MILLINATS = "rise in loss (millinats)"

# Ticks of an axis that is linear below 1 and logarithmic above.
DECADES = [0, *(sign * step * 10**power for power in range(5) for step in (1, 3) for sign in (-1, 1))]


def layer_colour(names: pd.Series) -> alt.Color:
    """The colour encoding by the field ``layer``, and the legend; layers are in the order of a signal."""
    return _colour("layer", list(dict.fromkeys(names)))


def group_colour(numbers: pd.Series) -> alt.Color:
    """The colour encoding by the field ``group``, without a legend; groups are in the order of their numbers."""
    return _colour("group", sorted(set(numbers))).legend(None)


def _colour(field: str, order: list[Any]) -> alt.Color:
    if len(order) > len(LAYER_COLOURS):
        return alt.Color(f"{field}:O", sort=order, title=None, scale=alt.Scale(scheme="viridis"))
    return alt.Color(f"{field}:N", title=None, scale=alt.Scale(domain=order, range=LAYER_COLOURS[: len(order)]))


def rise_axis(nats: pd.Series) -> dict[str, Any]:
    """Title, scale and axis of a rise in loss in millinats: linear near 0, logarithmic beyond."""
    low, high = 1000 * nats.min(), 1000 * nats.max()
    ticks = [tick for tick in DECADES if low <= tick <= high]
    scale = alt.Scale(type="symlog", constant=1, domain=[low, high], nice=False, padding=4)
    return {"title": MILLINATS, "scale": scale, "axis": alt.Axis(values=ticks, format="~g")}


def diverging(field: str, title: str, limit: float) -> alt.Color:
    """The colour of a number on both sides of 0, up to ``limit``."""
    scale = alt.Scale(scheme="blueorange", domain=[-limit, limit], domainMid=0, clamp=True)
    return alt.Color(field, title=title, scale=scale, legend=alt.Legend(orient="right", gradientLength=140))


def one_replicate(table: pd.DataFrame) -> pd.DataFrame:
    """Units of different replicates have nothing in common but their number."""
    return table[table["replicate"] == table["replicate"].min()]
