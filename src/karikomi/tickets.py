"""Tickets that go out and come in: as modules, and as folders to share."""

import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn.utils import prune

from karikomi.errors import InputError, unknown
from karikomi.runs.checkpoint import INITIAL, MASK, Checkpoint
from karikomi.runs.files import read_arrays, write_arrays, write_whole
from karikomi.studies.model_card import card
from karikomi.studies.result import Result
from karikomi.studies.tickets import MODEL, as_run, find_ticket

Weights = Literal["initial", "trained"]
Form = Literal["pruned", "plain"]


class Ticket(NamedTuple):
    """A ticket as a module, with the masks that :func:`karikomi.train` takes: bool, by weight."""

    module: nn.Module
    masks: Mapping[str, np.ndarray]


def load_ticket(
    source: Result | str | Path,
    *,
    replicate: int = 0,
    round: int | None = None,
    density: float | None = None,
    weights: Weights = "initial",
    form: Form = "pruned",
    module: nn.Module | None = None,
    **where: Any,
) -> Ticket:
    """A ticket of a lottery, or of another run whose networks keep their initial weights, to train or to look at.

    Args:
        source: a result, a run folder, a folder that :func:`karikomi.save_ticket` wrote, or a file of
            ``karikomi export``.
        replicate: of a run, which replicate.
        round: of a run, after which pruning round; 0 is the dense network.
        density: of a run, in place of a round: links left, above 0 to 1, within a twentieth.
        weights: ``initial``: those that its training began with, rewound; ``trained``: of a lottery those at
            the minimum of the validation loss.
        form: ``pruned``: masks as the reparametrization of ``torch.nn.utils.prune``, which any training loop keeps;
            ``plain``: the module's own parameters, removed links 0.
        module: the architecture, where the run was one on modules of your own.
        where: of a run with more kinds of networks, what tells them apart, such as ``arm``.

    Returns:
        The module and its masks, by name: ``module, masks = karikomi.load_ticket(…)``.

    Raises:
        InputError: if there is no such ticket, saying which there are, or it does not fit the module.

    >>> module, masks = load_ticket("karikomi-runs/lottery-01234567", round=3)  # doctest: +SKIP
    >>> trained = karikomi.train(module, "fashion-mnist", masks=masks)  # doctest: +SKIP
    """
    for name, value, known in (("weights", weights, ("initial", "trained")), ("form", form, ("pruned", "plain"))):
        if value not in known:
            raise unknown(name, value, known)
    found = find_ticket(source, replicate, round, density, module, **where)
    made = found.initial_module() if weights == "initial" else found.module()
    if form == "pruned":
        for name, mask in found.masks.items():
            owner, _, parameter = name.rpartition(".")
            prune.custom_from_mask(made.get_submodule(owner), parameter, torch.from_numpy(np.array(mask)))
    return Ticket(made, dict(found.masks))


def save_ticket(
    source: Result | str | Path,
    to: str | Path,
    *,
    replicate: int = 0,
    round: int | None = None,
    density: float | None = None,
    **where: Any,
) -> Path:
    """Write a ticket of a run as a folder in the form of the Hugging Face Hub, which ``huggingface_hub`` can upload.

    ``model.safetensors``: the trained weights under the module's own names, ``mask/…`` and ``initial/…``;
    ``config.json``: what rebuilds the network, and every setting; ``README.md``: a model card with density, accuracy
    and the command it comes from. :func:`karikomi.load_ticket` reads the folder back, bit for bit.

    Args:
        source: a result or a run folder.
        to: the folder; older files of these names in it are replaced, each at once by the whole new one.
        replicate: as in :func:`karikomi.load_ticket`.
        round: as in :func:`karikomi.load_ticket`.
        density: as in :func:`karikomi.load_ticket`.
        where: as in :func:`karikomi.load_ticket`.

    Returns:
        The folder.

    Raises:
        InputError: if there is no such ticket, or the folder cannot be written.
    """
    run, folder = as_run(source), Path(to)
    if run is None:
        raise InputError(f"{source} is no run folder")
    ticket = find_ticket(run, replicate, round, density, **where)
    config = _config(run, ticket)
    groups = {MASK: ticket.masks, INITIAL: ticket.past[INITIAL]}
    arrays = {f"{group}/{name}": array for group, arrays in groups.items() for name, array in arrays.items()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_arrays(folder / MODEL, {**ticket.trained.weights, **arrays}, {"format": "pt", **ticket.provenance})
        write_whole(folder / "config.json", (json.dumps(config, indent=2) + "\n").encode())
        write_whole(
            folder / "README.md",
            card(config, run.command, _accuracies(run, ticket)).encode(),
        )
    except OSError as problem:
        raise InputError(f"cannot write {to}: {problem.strerror}") from problem
    return folder


def _config(run: Result, ticket: Checkpoint) -> dict[str, Any]:
    """What rebuilds the network, what is left of it, and where it comes from."""
    network, about = ticket.trained, ticket.provenance
    masks = {name: network.masks[name] for name in network.architecture.link_weights}
    return {
        "library_name": "karikomi",
        "karikomi_version": version("karikomi"),
        **{
            name: int(value) if value.isdigit() else value
            for name, value in sorted(about.items())
            if name != "settings"
        },
        "sample_shape": list(ticket.sample_shape),
        "test_accuracy": float(about["test_accuracy"]),
        "density": network.density,
        "links": {name: [int(mask.sum()), mask.size] for name, mask in masks.items()},
        "settings": run.folder.settings,
    }


def _accuracies(run: Result, ticket: Checkpoint) -> list[float]:
    """Test accuracies of the same ticket in all replicates."""
    like = [
        read_arrays(saved.path)[1]
        for saved in run.study.saved(run.folder)
        if all(ticket.provenance[name] == str(value) for name, value in saved.where.items() if name != "replicate")
    ]
    return [float(about["test_accuracy"]) for about in like]
