"""What an ageing run leaves in its folder, as tables and as files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from karikomi.networks.modular import Layout
from karikomi.runs.files import read_arrays
from karikomi.runs.folder import RunFolder
from karikomi.studies.ageing.lives import HEALTHY, Life, lives
from karikomi.studies.ageing.protocol import AFTER, BEFORE
from karikomi.studies.ageing.regions import links
from karikomi.studies.ageing.schedule import UNITS
from karikomi.studies.ageing.settings import AgeingSettings
from karikomi.studies.healthy.tables import healthy_rows, network_file
from karikomi.studies.snapshots import snapshots_file
from karikomi.studies.stage import Saved, journaled, records

DEATHS, CYCLES = "deaths", "cycles"
"""The stage that draws who dies when, and the stage of the cycles."""


def deaths_file(folder: RunFolder, replicate: int) -> Path:
    """Where it is written who dies when in a replicate, an array ``<pattern>/<units, or a weight>`` each."""
    return folder.pieces / f"replicate-{replicate}-deaths.safetensors"


def aged_file(folder: RunFolder, replicate: int, number: int) -> Path:
    """Where the lives of a replicate are as cycle ``number`` left them."""
    return folder.subnetworks / f"replicate-{replicate}-cycle-{number}.safetensors"


def life_snapshot_file(folder: RunFolder, life: Life, number: int) -> Path:
    """Where it is kept what the page shows of a life after cycle ``number``."""
    return snapshots_file(folder, *filter(None, life), number)


def layout_file(folder: RunFolder) -> Path:
    """Where the groups and places of a modular network's units are, ``groups/<layer>`` and ``positions/<layer>``."""
    return folder.pieces / "layout.safetensors"


def read_schedule(folder: RunFolder, replicate: int) -> dict[str, dict[str, np.ndarray]]:
    """Who dies when in a replicate, by pattern."""
    schedule: dict[str, dict[str, np.ndarray]] = {}
    for path, array in read_arrays(deaths_file(folder, replicate))[0].items():
        pattern, name = path.split("/")
        schedule.setdefault(pattern, {})[name] = array
    return schedule


def drawn(folder: RunFolder) -> dict[str, Any] | None:
    """The journal's record of who dies when: cycles, replicates, hidden layers with their units; None before that."""
    return next(iter(records(folder, DEATHS).values()), None)


def read_layout(folder: RunFolder) -> Layout | None:
    """Groups and places of a modular network's units; None for any other network, and before it is drawn who dies."""
    record = drawn(folder)
    if record is None or not layout_file(folder).exists():
        return None
    arrays, layers = read_arrays(layout_file(folder))[0], ["inputs", *record["layers"], "output"]
    return Layout(*({name: arrays[f"{kind}/{name}"] for name in layers} for kind in ("groups", "positions")))


def tables(folder: RunFolder) -> dict[str, pd.DataFrame]:
    """What a run has so far.

    ``table``: a row per network and measurement; in cycle 0 it is the healthy network. ``layers``: the same by layer.
    ``classes``: by class and cycle the accuracy before and after, what was forgotten since the last cycle's end and
    what was recovered. ``deaths``: a row per unit, or per link that dies, with the cycle; 0 if it lives on.
    ``networks``: a row per healthy network.
    """
    rows = [row for record in journaled(folder, DEATHS, CYCLES) for row in record["rows"]]
    # A cluster finishes in any order; the tables have one.
    rows.sort(key=lambda row: (row["cycle"], row["replicate"]))
    layers = [{**_point(row), "layer": name, **seen} for row in rows for name, seen in row["layers"].items()]
    return {
        "table": pd.DataFrame(rows).drop(columns=["class_accuracy", "layers"], errors="ignore"),
        "layers": pd.DataFrame(layers),
        "classes": _classes(rows),
        "deaths": _deaths(folder),
        "networks": pd.DataFrame(healthy_rows(folder)),
    }


def saved(folder: RunFolder) -> list[Saved]:
    """The healthy networks, as cycle 0, and the lives of the cycles whose files are kept."""
    ages = {(row["replicate"], 0): network_file(folder, row["replicate"]) for row in healthy_rows(folder)}
    ages |= {at: path for at in sorted(records(folder, CYCLES)) if (path := aged_file(folder, *at)).exists()}
    every = lives(AgeingSettings.of(**folder.settings))
    return [
        Saved({"replicate": replicate, "cycle": cycle, **life._asdict()}, path, "/".join(life) if cycle else "")
        for (replicate, cycle), path in ages.items()
        for life in (every if cycle else [HEALTHY])
    ]


def _point(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: row[key] for key in ("replicate", "arm", "pattern", "cycle", "when")}


def _classes(rows: list[dict[str, Any]]) -> pd.DataFrame:
    each = pd.DataFrame(
        [{**_point(row), "class": label, "a": a} for row in rows for label, a in enumerate(row["class_accuracy"])],
        columns=["replicate", "arm", "pattern", "cycle", "when", "class", "a"],
    )
    keys = ["replicate", "arm", "pattern", "class", "cycle"]
    wide = each.pivot(index=keys, columns="when", values="a").reindex(columns=[BEFORE, AFTER]).reset_index()
    first = wide[wide["cycle"] == 0].set_index(["replicate", "class"])[AFTER]
    aged = wide[wide["cycle"] > 0]
    healthy = aged.join(first.rename("healthy"), on=["replicate", "class"])["healthy"]
    last = aged.groupby(keys[:-1])[AFTER].shift().fillna(healthy)
    found = aged.assign(forgotten=last - aged[BEFORE], recovered=aged[AFTER] - aged[BEFORE])
    return found.rename_axis(columns=None).reset_index(drop=True)


def _deaths(folder: RunFolder) -> pd.DataFrame:
    record, frames = drawn(folder), []
    if record is None:
        return pd.DataFrame()
    layout = read_layout(folder)
    for replicate in record["replicates"]:
        for pattern, when in read_schedule(folder, replicate).items():
            if UNITS in when:
                those = _units(record["layers"], when[UNITS], layout)
            else:
                assert layout is not None, "links die by pattern in networks with a space alone"
                those = _links(when, layout)
            frames.append(those.assign(replicate=replicate, pattern=pattern))
    return pd.concat(frames, ignore_index=True)


def _units(layers: Mapping[str, int], when: np.ndarray, layout: Layout | None) -> pd.DataFrame:
    names = [name for name, units in layers.items() for _ in range(units)]
    units = pd.DataFrame({"layer": names, "unit": np.arange(len(names)), "cycle": when})
    if layout is None:
        return units
    place = layout.unit_positions
    return units.assign(group=layout.unit_groups, x=place[:, 0], y=place[:, 1])


def _links(when: Mapping[str, np.ndarray], layout: Layout) -> pd.DataFrame:
    """Those that die, with their ends."""
    dying = links(layout, {weight: cycle > 0 for weight, cycle in when.items()})
    # As in the rows: layer after layer, and in each by unit and unit before it.
    cycles = [when[f"{layer}.weight"] for layer in list(layout.groups)[1:]]
    return dying.assign(cycle=np.concatenate([cycle[cycle > 0] for cycle in cycles]))
