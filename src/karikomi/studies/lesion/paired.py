"""Targeted orders beside the random orders of the same replicates."""

import numpy as np
import pandas as pd

from karikomi.studies.lesion.arms import TARGETED, Arm


def measured(table: pd.DataFrame, arm: Arm, control: str, measure: str) -> pd.DataFrame:
    """A measure of the orders of one kind, a row per replicate and a column per order.

    Where the arm has none of its own, those that serve all arms.
    """
    its = (table[list(arm._asdict())] == list(arm)).all(axis=1)
    shared = table["criterion"] == ""
    rows = table[its & (table["control"] == control)]
    if rows.empty:
        rows = table[shared & (table["control"] == control)]
    return rows.pivot(index="replicate", columns="order", values=measure)


def paired(table: pd.DataFrame, arm: Arm, against: str, measure: str) -> tuple[np.ndarray, np.ndarray]:
    """A measure of an arm's targeted orders, ``[replicates]``, and of its random ones, ``[replicates, orders]``."""
    targeted, random = (measured(table, arm, control, measure) for control in (TARGETED, against))
    both = targeted.index.intersection(random.index)
    return targeted.loc[both].to_numpy()[:, 0], random.loc[both].to_numpy()
