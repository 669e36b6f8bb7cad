"""What a run of the study of architectures leaves in its folder."""

from pathlib import Path

import numpy as np
import pandas as pd

from karikomi.runs.folder import RunFolder
from karikomi.studies.architectures.conditions import Condition
from karikomi.studies.stage import Saved, journaled

CONDITIONS = "conditions"
"""The stage."""


def tables(folder: RunFolder) -> dict[str, pd.DataFrame]:
    """``table``: a row per condition and replicate; ``curves``: the same at each share of the units removed."""
    done = journaled(folder, CONDITIONS)
    rows = [row for record in done for row in record["rows"]]
    curves = []
    for record in done:
        for row, curve in zip(record["rows"], record["curves"], strict=True):
            where = {name: row[name] for name in ("replicate", *Condition._fields)}
            removed = np.linspace(0, 1, len(curve))
            curves.append(pd.DataFrame({**where, "share_removed": removed, "accuracy": curve}))
    return {
        "table": pd.DataFrame(rows),
        "curves": pd.concat(curves, ignore_index=True) if curves else pd.DataFrame(),
    }


def network_file(folder: RunFolder, replicate: int, condition: Condition) -> Path:
    """Where the healthy network of a condition and replicate is."""
    return folder.subnetworks / f"{label(condition)}-replicate-{replicate}.safetensors"


def label(condition: Condition) -> str:
    """The network with what it was trained with: mlp-64-64-dropout-0.5-batch."""
    dropout = [f"dropout-{condition.dropout:g}"] if condition.dropout else []
    normalization = [condition.normalization] if condition.normalization != "none" else []
    return "-".join([condition.network, *dropout, *normalization])


def saved(folder: RunFolder) -> list[Saved]:
    """The healthy networks; ``arm`` is the condition."""
    found = []
    for row in (row for record in journaled(folder, CONDITIONS) for row in record["rows"]):
        condition = Condition(*(row[name] for name in Condition._fields))
        where = {"replicate": row["replicate"], "arm": label(condition)}
        found.append(Saved(where, network_file(folder, row["replicate"], condition)))
    return found
