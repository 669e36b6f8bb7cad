"""What a stability run leaves in its folder."""

from pathlib import Path

import pandas as pd

from karikomi.runs.folder import RunFolder
from karikomi.studies.stability.line import POINTS
from karikomi.studies.stage import Saved, journaled, records

STARTS, ROUNDS = "starts", "rounds"
"""The stages."""

PAIR = ("replicate", "after", "round", "density", "pair")


def start_file(folder: RunFolder, replicate: int, after: int) -> Path:
    """Where the network of a replicate after K iterations is."""
    return folder.subnetworks / f"replicate-{replicate}-after-{after}.safetensors"


def ticket_file(folder: RunFolder, replicate: int, after: int, number: int) -> Path:
    """Where the ticket of a replicate and round is that was rewound to iteration K (round 0: the dense network)."""
    return folder.subnetworks / f"replicate-{replicate}-after-{after}-round-{number}.safetensors"


def tables(folder: RunFolder) -> dict[str, pd.DataFrame]:
    """``table``: a row per pair of networks; ``lines``: a row per point on the line between them."""
    # A cluster finishes in any order; the tables have one.
    pairs = sorted(
        (
            (row, line)
            for record in journaled(folder, ROUNDS)
            for row, line in zip(record["rows"], record["lines"], strict=True)
        ),
        key=lambda pair: (pair[0]["after"], pair[0]["round"], pair[0]["pair"] != "twins", pair[0]["replicate"]),
    )
    lines = [pd.DataFrame({key: row[key] for key in PAIR} | {"position": POINTS, **line}) for row, line in pairs]
    return {
        "table": pd.DataFrame([row for row, _ in pairs]),
        "lines": pd.concat(lines, ignore_index=True) if lines else pd.DataFrame(),
    }


def saved(folder: RunFolder) -> list[Saved]:
    """The tickets; those of round 0 are dense networks. ``arm`` says what they are rewound to."""
    return [
        Saved({"replicate": task.replicate, "arm": f"after-{after}", "round": number}, path)
        for task in sorted(records(folder, ROUNDS))
        for after, number in [task.step]
        if (path := ticket_file(folder, task.replicate, after, number)).exists()
    ]
