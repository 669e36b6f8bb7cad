"""What a lottery run leaves in its folder, as tables and as files."""

from pathlib import Path
from urllib.parse import quote

import pandas as pd

from karikomi.runs.folder import RunFolder
from karikomi.studies.lottery.anatomy_tables import anatomy_tables
from karikomi.studies.lottery.settings import LotterySettings
from karikomi.studies.snapshots import Snapshot, read_snapshots, snapshots_file
from karikomi.studies.stage import Saved, journaled, records

ROUNDS, SNAPSHOTS = "rounds", "snapshots"
"""The stages of a lottery: its rounds, and what its page shows of replicate 0's tickets."""

NETWORK = ("variant", "replicate", "arm", "reinit", "round", "density")


def ticket_file(folder: RunFolder, replicate: int, number: int, variant: str = "") -> Path:
    """Where the ticket of a replicate, a round (0: the dense network) and a variant (by its label) is."""
    which = f"-{quote(variant, safe=' ,')}" if variant else ""
    return folder.subnetworks / f"replicate-{replicate}-round-{number}{which}.safetensors"


def ticket_snapshots(
    folder: RunFolder, number: int, variant: str = ""
) -> tuple[dict[int, Snapshot], tuple[int, int] | None] | None:
    """As :func:`karikomi.studies.snapshots.read_snapshots`: that of a ticket; None if there is none."""
    path = snapshot_file(folder, number, variant)
    return read_snapshots(path) if path.exists() else None


def snapshot_file(folder: RunFolder, number: int, variant: str = "") -> Path:
    """Where the snapshot of a round's ticket is; that of round 0 is one for all variants."""
    return snapshots_file(folder, number, *([quote(variant, safe=" ,")] if number and variant else []))


def tables(folder: RunFolder) -> dict[str, pd.DataFrame]:
    """``table``: a row per trained network; ``curves``: a row per validation of each.

    ``links`` and ``density`` are those of the links that are trained, of a supermask those that it leaves.
    ``initial_test_accuracy`` is that before any weight is trained; runs of earlier versions have no such column.

    Of several variants both have the column ``variant``, "" for the dense networks, which they share. ``cut_off`` is
    a column where a network has layers without a path through them. The others are those of :func:`anatomy_tables`.
    """
    found = journaled(folder, ROUNDS)
    # A cluster finishes in any order; the tables have one.
    networks = sorted(
        ((row, curve) for record in found for row, curve in zip(record["rows"], record["curves"], strict=True)),
        key=lambda network: (network[0]["round"], network[0]["replicate"]),
    )
    curves = [pd.DataFrame({key: row[key] for key in NETWORK if key in row} | curve) for row, curve in networks]
    first = LotterySettings.of(**folder.settings).variants[0].label
    chain = (row for row, _ in networks if row["arm"] in ("dense", "ticket") and row.get("variant", "") in ("", first))
    densities = {row["round"]: row["density"] for row in chain}
    return {
        "table": pd.DataFrame([row for row, _ in networks]),
        "curves": pd.concat(curves, ignore_index=True) if curves else pd.DataFrame(),
        **anatomy_tables(folder, densities),
    }


def saved(folder: RunFolder) -> list[Saved]:
    """The tickets; that of round 0 is the dense network."""
    found = []
    for replicate, number in sorted(records(folder, ROUNDS)):
        for variant in LotterySettings.of(**folder.settings).variants if number else [None]:
            label = variant.label if variant else ""
            where = {"replicate": replicate, "round": number} | ({"variant": label} if label else {})
            found.append(Saved(where, ticket_file(folder, replicate, number, label)))
    return [saved for saved in found if saved.path.exists()]
