"""What a lesion run leaves in its folder, as tables and as files."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from karikomi.runs.files import read_arrays
from karikomi.runs.folder import RunFolder
from karikomi.studies.healthy.tables import healthy_rows
from karikomi.studies.lesion.arms import Arm, all_arms
from karikomi.studies.lesion.settings import LesionSettings
from karikomi.studies.stage import Task, records

SCORES, LESIONS = "scoring", "lesions"
"""The stages that score units, and that remove them."""


def tables(folder: RunFolder) -> dict[str, pd.DataFrame]:
    """What a run has so far.

    ``table``: a row per order; ``curves``: a row per replicate, arm, control and step, mean over orders; ``scores``: a
    row per unit of each replicate; ``networks``: a row per healthy network.
    """
    settings, done = LesionSettings.of(**folder.settings), records(folder, LESIONS)
    # A cluster finishes in any order; the tables have one.
    tasks = [Task(replicate, arm) for replicate in range(settings.replicates) for arm in all_arms(settings)]
    ordered = [task for task in tasks if task in done]
    curves = [frame for task in ordered for frame in _curves(folder, task)]
    return {
        "table": pd.DataFrame([row for task in ordered for row in done[task]["rows"]]),
        "curves": pd.concat(curves, ignore_index=True) if curves else pd.DataFrame(),
        "scores": _scores(folder),
        "networks": pd.DataFrame(healthy_rows(folder)),
    }


def read_scores(folder: RunFolder, replicate: int) -> dict[str, np.ndarray]:
    """The scores of a replicate's units by every criterion, float64 ``[units]``."""
    return read_arrays(scores_file(folder, replicate))[0]


def scores_file(folder: RunFolder, replicate: int) -> Path:
    """Where the scores of a replicate's units are."""
    return folder.pieces / f"replicate-{replicate}-scores.safetensors"


def curves_file(folder: RunFolder, replicate: int, arm: Arm) -> Path:
    """Where the orders of an arm are in a replicate, and what they leave."""
    return folder.pieces / f"replicate-{replicate}-{'-'.join(filter(None, arm)) or 'random'}.safetensors"


def _curves(folder: RunFolder, task: Task) -> Iterator[pd.DataFrame]:
    arrays, _ = read_arrays(curves_file(folder, task.replicate, task.step))
    for control in dict.fromkeys(name.partition("/")[0] for name in arrays):
        its = {name.removeprefix(f"{control}/"): array for name, array in arrays.items() if name.startswith(control)}
        steps = np.arange(len(its["accuracy"]))
        by_class = dict(enumerate(its["class_accuracy"].T))
        yield pd.DataFrame(
            {"replicate": task.replicate, **Arm(*task.step)._asdict(), "control": control, "step": steps}
            | {"units_left": steps[-1] - steps, "share_removed": steps / steps[-1]}
            | {name: its[name] for name in ("links_left", "parameters_left", "accuracy", "loss")}
            | {f"accuracy_{label}": accuracy for label, accuracy in by_class.items()}
        )


def _scores(folder: RunFolder) -> pd.DataFrame:
    frames = []
    for (replicate, _), record in sorted(records(folder, SCORES).items()):
        layers = [name for name, units in record["layers"].items() for _ in range(units)]
        arrays = read_scores(folder, replicate)
        where = {"replicate": replicate, "layer": layers, "unit": np.arange(len(layers))}
        frames.append(pd.DataFrame({**where, **{name: arrays[name] for name in record["criteria"]}}))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()
