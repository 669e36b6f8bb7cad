"""Targeted orders beside the random orders of the same replicates."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from karikomi.studies.lesion.arms import TARGETED, Arm

Orders = Mapping[tuple[Arm, str], pd.DataFrame]
"""By arm and kind the rows of the orders, indexed by replicate and order."""


def by_kind(table: pd.DataFrame) -> Orders:
    """The rows of a lesion table."""
    groups = table.groupby([*Arm._fields, "control"], sort=False)
    return {(Arm(*arm), control): rows.set_index(["replicate", "order"]) for (*arm, control), rows in groups}


def measured(orders: Orders, arm: Arm, control: str, measure: str) -> pd.DataFrame:
    """A measure, a row per replicate and a column per order; empty if there is none yet.

    Where the arm has no such orders of its own, of those that serve all arms.
    """
    rows = orders.get((arm, control), orders.get((Arm(), control)))
    return pd.DataFrame() if rows is None else rows[measure].unstack("order")


def paired(orders: Orders, arm: Arm, against: str, measure: str) -> tuple[np.ndarray, np.ndarray]:
    """A measure of an arm's targeted orders, ``[replicates]``, and of its random ones, ``[replicates, orders]``."""
    targeted, random = (measured(orders, arm, control, measure) for control in (TARGETED, against))
    both = targeted.index.intersection(random.index)
    return targeted.loc[both].mean(axis=1).to_numpy(), random.loc[both].to_numpy()
