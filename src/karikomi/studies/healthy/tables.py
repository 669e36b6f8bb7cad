"""What the first stage leaves in the run folder."""

from pathlib import Path
from typing import Any

from karikomi.runs.folder import RunFolder

STAGE = "healthy"
"""What the journal calls the pieces of this stage."""


def healthy_rows(folder: RunFolder) -> list[dict[str, Any]]:
    """Of every healthy network its row, by replicate: accuracy and loss on the test set; where it was trained, the
    iteration of minimum validation loss and the seconds."""
    records = [record for record in folder.journal.records() if record["stage"] == STAGE]
    return sorted((row for record in records for row in record["rows"]), key=lambda row: row["replicate"])


def network_file(folder: RunFolder, replicate: int) -> Path:
    """Where the healthy network of a replicate is."""
    return folder.subnetworks / f"replicate-{replicate}.safetensors"
