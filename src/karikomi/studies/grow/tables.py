"""What a run of the study of growing networks leaves in its folder."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from karikomi.runs.folder import RunFolder
from karikomi.studies.snapshots import snapshots_file
from karikomi.studies.stage import Saved, journaled

DENSE, ROUNDS, ARMS = "dense", "tickets", "arms"
"""The stages."""

NETWORK = ("replicate", "arm", "density")


def round_file(folder: RunFolder, replicate: int, number: int) -> Path:
    """Where the network of a pruning round on the way to the tickets is, as it was at the end of its training."""
    return folder.pieces / f"replicate-{replicate}-round-{number}.safetensors"


def network_file(folder: RunFolder, replicate: int, arm: str, density: float) -> Path:
    """Where a network is, as it was at the end of its training."""
    return folder.subnetworks / f"replicate-{replicate}-{arm}-{density:.6g}.safetensors"


def growth_file(folder: RunFolder, arm: str, density: float) -> Path:
    """Where it is kept what the page shows of an arm on the way."""
    return snapshots_file(folder, arm, f"{density:.6g}")


def tables(folder: RunFolder) -> dict[str, pd.DataFrame]:
    """``table``: a row per network; ``curves``: one per validation of each; on the way ``graphs``, ``layers``."""
    found = list(_outcomes(folder))
    return {
        "table": pd.DataFrame([outcome["row"] for outcome in found]),
        "curves": _joined((outcome["row"], pd.DataFrame(outcome["curve"])) for outcome in found),
        **{
            name: _joined((outcome["row"], pd.DataFrame(outcome["wiring"][name])) for outcome in found)
            for name in ("graphs", "layers")
        },
    }


def pixels(folder: RunFolder) -> pd.DataFrame:
    """First-layer links of each pixel at the end, mean over replicates: density, arm, row, column, links.

    Empty where the samples are not images of one channel that enter a linear layer.
    """
    frames = []
    for outcome in _outcomes(folder):
        for seen in outcome["wiring"]["pixels"][-1:]:
            links = np.array(seen["links"])
            places = zip(("row", "column"), (place.ravel() for place in np.indices(links.shape)), strict=True)
            where = {name: outcome["row"][name] for name in NETWORK}
            frames.append(pd.DataFrame({**where, **dict(places), "links": links.ravel()}))
    by = ["density", "arm", "row", "column"]
    return pd.concat(frames).groupby(by, as_index=False, sort=False)["links"].mean() if frames else pd.DataFrame()


def saved(folder: RunFolder) -> list[Saved]:
    """All networks at the end of their training."""
    rows = [outcome["row"] for outcome in _outcomes(folder)]
    where = [{name: row[name] for name in NETWORK} for row in rows]
    return [Saved(one, network_file(folder, **one)) for one in where]


def _outcomes(folder: RunFolder) -> Iterator[dict[str, Any]]:
    """What the journal holds of the networks. A cluster finishes in any order; the tables have one."""
    found = [outcome for record in journaled(folder, DENSE, ARMS) for outcome in record["outcomes"]]
    yield from sorted(found, key=lambda outcome: (-outcome["row"]["density"], outcome["row"]["replicate"]))


def _joined(parts: Iterator[tuple[dict[str, Any], pd.DataFrame]]) -> pd.DataFrame:
    frames = [pd.DataFrame({name: row[name] for name in NETWORK} | dict(frame)) for row, frame in parts if len(frame)]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=list(NETWORK))
