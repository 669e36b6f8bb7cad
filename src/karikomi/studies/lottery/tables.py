"""What a lottery run leaves in its folder, as tables and as files."""

from pathlib import Path

import pandas as pd

from karikomi.runs.folder import RunFolder
from karikomi.studies.stage import Saved, journaled, records

ROUNDS = "rounds"
"""The stage of a lottery."""

CURVE = ("iteration", "train_loss", "validation_loss", "validation_accuracy")
NETWORK = ("replicate", "arm", "reinit", "round", "density")


def ticket_file(folder: RunFolder, replicate: int, number: int) -> Path:
    """Where the ticket of a replicate and round is (round 0: the dense network)."""
    return folder.subnetworks / f"replicate-{replicate}-round-{number}.safetensors"


def tables(folder: RunFolder) -> dict[str, pd.DataFrame]:
    """``table``: a row per trained network; ``curves``: a row per validation of each."""
    found = journaled(folder, ROUNDS)
    # A cluster finishes in any order; the tables have one.
    networks = sorted(
        ((row, curve) for record in found for row, curve in zip(record["rows"], record["curves"], strict=True)),
        key=lambda network: (network[0]["round"], network[0]["replicate"]),
    )
    curves = [
        pd.DataFrame({key: row[key] for key in NETWORK} | {key: curve[key] for key in CURVE}) for row, curve in networks
    ]
    return {
        "table": pd.DataFrame([row for row, _ in networks]),
        "curves": pd.concat(curves, ignore_index=True) if curves else pd.DataFrame(),
    }


def saved(folder: RunFolder) -> list[Saved]:
    """The tickets; that of round 0 is the dense network."""
    return [
        Saved({"replicate": replicate, "round": number}, ticket_file(folder, replicate, number))
        for replicate, number in sorted(records(folder, ROUNDS))
        if ticket_file(folder, replicate, number).exists()
    ]
