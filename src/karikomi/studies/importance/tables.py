"""What an importance run leaves in its folder, as tables."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from karikomi.runs.files import read_arrays
from karikomi.runs.folder import RunFolder
from karikomi.statistics import interaction
from karikomi.studies.healthy.tables import healthy_rows
from karikomi.studies.stage import records

KNOCK_OUTS = "knock-outs"
"""The stage that measures."""

SCORE = "score/"
"""What the names of arrays of scores begin with; the criterion's name follows."""


def tables(folder: RunFolder) -> dict[str, pd.DataFrame]:
    """What a run has so far, of the replicates that have been measured.

    ``table``: a row per unit: replicate, layer, unit (number through all layers), index (in its layer); alone, its
    loss_rise (nats) and accuracy_drop (0 … 1); shapley_value and shapley_error (accuracy), where they were measured;
    and a column per score. ``classes``: accuracy_drop for each class. ``pairs``: first and second unit with layer and
    index, loss_rise without both, interaction (nats). ``networks``: a row per healthy network, with the number of test
    examples.
    """
    healthy = {row["replicate"]: row for row in healthy_rows(folder)}
    found: dict[str, list[pd.DataFrame]] = {"table": [], "classes": [], "pairs": [], "networks": []}
    for replicate, record in measured(folder).items():
        arrays, _ = read_arrays(folder.path / record["file"])
        places = _places(replicate, record["layers"])
        found["table"].append(_units(places, arrays, record["scores"]))
        found["classes"].append(_classes(places, arrays))
        found["pairs"].append(_pairs(places, arrays))
        found["networks"].append(pd.DataFrame([{**healthy[replicate], "examples": int(arrays["present"].sum())}]))
    return {name: pd.concat(parts, ignore_index=True) if parts else pd.DataFrame() for name, parts in found.items()}


def measured(folder: RunFolder) -> dict[int, dict[str, Any]]:
    """The journal's records of networks that have been measured, by replicate."""
    found = records(folder, KNOCK_OUTS)
    return {task.replicate: found[task] for task in sorted(found)}


def wiring(folder: RunFolder) -> tuple[pd.DataFrame, pd.DataFrame, list[tuple[int, int] | None]] | None:
    """The first replicate as :func:`karikomi.figures.layers.network` draws it; None where it is no chain of layers.

    Its units with layer, index, value (loss_rise in 10⁻³ nats; NaN for inputs and outputs) and label; its strongest
    links with gap, source, target and weight; the rows and columns of each layer that has them.
    """
    replicate, record = next(iter(measured(folder).items()))
    arrays, _ = read_arrays(folder.path / record["file"])
    if "links" not in arrays:
        return None
    inputs, *_, outputs = arrays["sizes"].tolist()
    hidden = _places(replicate, record["layers"]).assign(value=1000 * _rises(arrays))
    ends = [pd.DataFrame({"layer": name, "index": range(n)}) for name, n in (("inputs", inputs), ("outputs", outputs))]
    units = pd.concat([ends[0], hidden[["layer", "index", "value"]], ends[1]], ignore_index=True)
    units["label"] = units["index"].astype(str).where(units["layer"] == "outputs", "")
    links = pd.DataFrame(arrays["links"], columns=["gap", "source", "target"]).assign(weight=arrays["link_weight"])
    pixels = tuple(arrays["pixels"].tolist()) if "pixels" in arrays else None
    return units, links, [pixels, *[None] * (len(record["layers"]) + 1)]


def _places(replicate: int, layers: Mapping[str, int]) -> pd.DataFrame:
    index = np.concatenate([np.arange(units) for units in layers.values()])
    names = np.repeat(np.array(list(layers), object), list(layers.values()))
    return pd.DataFrame({"replicate": replicate, "layer": names, "unit": np.arange(len(index)), "index": index})


def _units(places: pd.DataFrame, arrays: Mapping[str, np.ndarray], scores: Sequence[str]) -> pd.DataFrame:
    right, examples = arrays["correct"].sum(axis=1), arrays["present"].sum()
    alone = {"loss_rise": _rises(arrays), "accuracy_drop": (right[0] - right[1:]) / examples}
    together = {name: arrays[name] / examples for name in ("shapley_value", "shapley_error") if name in arrays}
    return places.assign(**alone, **together, **{name: arrays[f"{SCORE}{name}"] for name in scores})


def _classes(places: pd.DataFrame, arrays: Mapping[str, np.ndarray]) -> pd.DataFrame:
    correct, present = arrays["correct"], arrays["present"]
    with np.errstate(invalid="ignore"):
        drops = (correct[0] - correct[1:]) / present
    each = places.loc[places.index.repeat(len(present))].reset_index(drop=True)
    return each.assign(**{"class": np.tile(np.arange(len(present)), len(places)), "accuracy_drop": drops.ravel()})


def _pairs(places: pd.DataFrame, arrays: Mapping[str, np.ndarray]) -> pd.DataFrame:
    if "pairs" not in arrays:
        return pd.DataFrame()
    first, second = arrays["pairs"].T
    rises, together = _rises(arrays), arrays["pair_loss"] - arrays["loss"][0]
    ends = {
        f"{end}_{column}": places[column].to_numpy()[units]
        for end, units in (("first", first), ("second", second))
        for column in ("unit", "layer", "index")
    }
    found = {"loss_rise": together, "interaction": interaction(together, rises[first], rises[second])}
    return pd.DataFrame({"replicate": places["replicate"].iloc[0], **ends, **found})


def _rises(arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    return arrays["loss"][1:] - arrays["loss"][0]
