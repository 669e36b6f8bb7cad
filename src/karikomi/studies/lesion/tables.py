"""What a lesion run leaves in its folder, as tables and as files."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from karikomi.runs.files import read_arrays
from karikomi.runs.folder import RunFolder
from karikomi.studies.healthy.tables import healthy_rows
from karikomi.studies.lesion.arms import Arm, Piece, pieces
from karikomi.studies.lesion.settings import LesionSettings

SCORES, LESIONS = "scores", "lesions"
"""What the journal calls the pieces that score units, and those that remove them."""


def tables(folder: RunFolder) -> dict[str, pd.DataFrame]:
    """What a run has so far.

    ``table``: a row per order; ``curves``: a row per replicate, arm, control and step, mean over orders; ``scores``: a
    row per unit of each replicate; ``networks``: a row per healthy network.
    """
    done = lesioned(folder)
    # A cluster finishes in any order; the tables have one.
    ordered = [piece for piece in pieces(LesionSettings.of(**folder.settings)) if piece in done]
    curves = [frame for piece in ordered for frame in _curves(folder, piece)]
    return {
        "table": pd.DataFrame([row for piece in ordered for row in done[piece]["rows"]]),
        "curves": pd.concat(curves, ignore_index=True) if curves else pd.DataFrame(),
        "scores": _scores(folder),
        "networks": pd.DataFrame(healthy_rows(folder)),
    }


def lesioned(folder: RunFolder) -> dict[Piece, dict[str, Any]]:
    """The journal's records of units that were removed, by piece."""
    records = [record for record in folder.journal.records() if record["stage"] == LESIONS]
    return {Piece(record["replicate"], Arm(*record["arm"])): record for record in records}


def scored(folder: RunFolder) -> dict[int, dict[str, Any]]:
    """The journal's records of units that were scored, by replicate."""
    return {record["replicate"]: record for record in folder.journal.records() if record["stage"] == SCORES}


def read_scores(folder: RunFolder, replicate: int) -> dict[str, np.ndarray]:
    """The scores of a replicate's units by every criterion, float64 ``[units]``."""
    return read_arrays(scores_file(folder, replicate))[0]


def scores_file(folder: RunFolder, replicate: int) -> Path:
    """Where the scores of a replicate's units are."""
    return folder.pieces / f"replicate-{replicate}-scores.safetensors"


def curves_file(folder: RunFolder, piece: Piece) -> Path:
    """Where the orders of a piece are, and what they leave."""
    arm = "-".join(piece.arm) if piece.arm.is_targeted else "random"
    return folder.pieces / f"replicate-{piece.replicate}-{arm}.safetensors"


def _curves(folder: RunFolder, piece: Piece) -> Iterator[pd.DataFrame]:
    arrays, _ = read_arrays(curves_file(folder, piece))
    for control in dict.fromkeys(name.partition("/")[0] for name in arrays):
        its = {name.removeprefix(f"{control}/"): array for name, array in arrays.items() if name.startswith(control)}
        steps = np.arange(len(its["accuracy"]))
        by_class = dict(enumerate(its["class_accuracy"].T))
        yield pd.DataFrame(
            {"replicate": piece.replicate, **piece.arm._asdict(), "control": control, "step": steps}
            | {"units_left": steps[-1] - steps, "share_removed": steps / steps[-1]}
            | {name: its[name] for name in ("links_left", "parameters_left", "accuracy", "loss")}
            | {f"accuracy_{label}": accuracy for label, accuracy in by_class.items()}
        )


def _scores(folder: RunFolder) -> pd.DataFrame:
    frames = []
    for replicate, record in sorted(scored(folder).items()):
        layers = [name for name, units in record["layers"].items() for _ in range(units)]
        arrays = read_scores(folder, replicate)
        where = {"replicate": replicate, "layer": layers, "unit": np.arange(len(layers))}
        frames.append(pd.DataFrame({**where, **{name: arrays[name] for name in record["criteria"]}}))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()
