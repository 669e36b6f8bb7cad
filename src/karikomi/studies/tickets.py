"""Tickets of earlier runs: found in a run, in a folder that ``karikomi.save_ticket`` wrote, or in a file."""

import hashlib
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from karikomi.errors import InputError
from karikomi.figures.theme import percent
from karikomi.runs.checkpoint import INITIAL, Checkpoint, load_network, read_networks
from karikomi.runs.files import read_whole
from karikomi.runs.folder import SETTINGS, RunFolder
from karikomi.studies import study_of
from karikomi.studies.result import Result

MODEL = "model.safetensors"
"""The file with a ticket in a folder of its own."""

TOLERANCE = 0.05
"""How far a density may be, as a share of it, from the one that is asked for."""


def find_ticket(
    source: Result | str | Path,
    replicate: int = 0,
    round: int | None = None,
    density: float | None = None,
    module: nn.Module | None = None,
    **where: Any,
) -> Checkpoint:
    """A network with the initial weights of its training; arguments and errors as in :func:`karikomi.load_ticket`."""
    run = as_run(source)
    if run is None:
        if round is not None or density is not None:
            raise InputError(f"{source} is one ticket; round and density choose one of a run")
        found = load_network(ticket_path(Path(str(source))), module)
    elif density is not None:
        found = _nearest(run, replicate, density, module, {**where, **({} if round is None else {"round": round})})
    else:
        found = run.network(replicate, round=round, module=module, **where)
    if INITIAL not in found.past:
        raise InputError(f"{source} holds no ticket: the weights that its training began with were not saved")
    return found


def as_run(source: Result | str | Path) -> Result | None:
    """The run that a source is; None: a ticket alone."""
    if isinstance(source, Result):
        return source
    if not (Path(source) / SETTINGS).exists():
        return None
    folder = RunFolder.open(Path(source))
    return Result(study_of(folder), folder)


def fingerprint(source: str) -> str:
    """The hash of the tickets in a run, or of one ticket."""
    return hashlib.sha256(
        b"".join(hashlib.sha256(read_whole(path)).digest() for path in ticket_files(source))
    ).hexdigest()


def ticket_files(source: str) -> list[Path]:
    """The files of the tickets in a run, or of one ticket."""
    run = as_run(source)
    return [ticket_path(Path(source))] if run is None else [saved.path for saved in run.study.saved(run.folder)]


def ticket_path(source: Path) -> Path:
    """The file of a ticket that is no run's.

    Raises:
        InputError: if there is none.
    """
    path = source / MODEL if source.is_dir() else source
    if not path.is_file():
        raise InputError(f"{source} is no run folder, no folder with a {MODEL} and no safetensors file")
    return path


def _nearest(
    run: Result, replicate: int, density: float, module: nn.Module | None, where: Mapping[str, Any]
) -> Checkpoint:
    """The network of the density, that of the dense network being 1."""
    saved = [one for one in run.study.saved(run.folder) if one.where["replicate"] == replicate]
    links = [read_networks(one.path, module)[one.name].trained.links for one in saved]
    # The dense network, which several variants share, counts whatever is asked for.
    fitting = {
        count / max(links): one.where.get("round")
        for one, count in zip(saved, links, strict=True)
        if count and where.items() <= one.where.items()
    }
    nearest = min(fitting, key=lambda one: abs(one - density), default=math.inf)
    if not abs(nearest - density) <= TOLERANCE * density:
        known = ", ".join(percent(one) for one in sorted(fitting, reverse=True)) or "none"
        raise InputError(f"{run.folder.path} has no network with {percent(density)} of the links; it has {known}")
    asked = {"replicate": replicate, **where, "round": fitting[nearest]}
    return run.network(module=module, **asked)  # which refuses what several networks fit
