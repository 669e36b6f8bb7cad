"""What the first stage leaves in the run folder."""

from pathlib import Path
from typing import Any

from karikomi.runs.folder import RunFolder
from karikomi.studies.stage import Saved, journaled

TRAINING = "training"
"""The stage of the healthy networks."""


def healthy_rows(folder: RunFolder) -> list[dict[str, Any]]:
    """Of every healthy network its row, by replicate: accuracy and loss on the test set; where it was trained, the
    iteration of minimum validation loss and the seconds."""
    rows = [row for record in journaled(folder, TRAINING) for row in record["rows"]]
    return sorted(rows, key=lambda row: row["replicate"])


def network_file(folder: RunFolder, replicate: int) -> Path:
    """Where the healthy network of a replicate is."""
    return folder.subnetworks / f"replicate-{replicate}.safetensors"


def saved(folder: RunFolder) -> list[Saved]:
    """The healthy networks."""
    replicates = [row["replicate"] for row in healthy_rows(folder)]
    return [Saved({"replicate": replicate}, network_file(folder, replicate)) for replicate in replicates]
