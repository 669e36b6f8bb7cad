"""Tables of the surviving links, read from the tickets of a run; of several variants from those of the first."""

import math

import numpy as np
import pandas as pd

from karikomi.runs.checkpoint import Checkpoint, read_network
from karikomi.runs.folder import RunFolder
from karikomi.studies.lottery.settings import LotterySettings
from karikomi.studies.lottery.tables import ticket_file


def first_layer(folder: RunFolder) -> dict[int, np.ndarray]:
    """Replicate 0's mask of the first layer per pruning round: bool ``[units, inputs]``; empty if it is not linear."""
    masks = {number: _first_mask(ticket) for number, ticket, _ in _tickets(folder, replicate=0) if number > 0}
    return {number: mask for number, mask in masks.items() if mask.ndim == 2}


def pixels(folder: RunFolder) -> pd.DataFrame:
    """Surviving first-layer links of each pixel, mean over replicates: round, density, row, column, links.

    Empty where the samples are not images of one channel that enter a linear layer.
    """
    frames = []
    for replicate in range(LotterySettings.of(**folder.settings).replicates):
        for number, ticket, density in _tickets(folder, replicate):
            shape, first = ticket.sample_shape, _first_mask(ticket)
            if len(shape) != 2 or first.shape[1:] != (math.prod(shape),):
                return pd.DataFrame()
            row, column = (place.ravel() for place in np.indices(shape))
            links = {"row": row, "column": column, "links": first.sum(axis=0)}
            frames.append(pd.DataFrame({"round": number, "density": density, **links}))
    by = ["round", "row", "column"]
    return pd.concat(frames).groupby(by, as_index=False)[["density", "links"]].mean()


def units(folder: RunFolder) -> pd.DataFrame:
    """Replicate 0's surviving links into and out of each unit: round, density, layer, side, unit, links."""
    frames = []
    for number, ticket, density in _tickets(folder, replicate=0):
        axes = ticket.trained.architecture.input_axes
        for name, axis in axes.items():
            for side, links in by_unit(ticket.masks[name], axis).items():
                where = {"round": number, "density": density, "layer": name.removesuffix(".weight")}
                frames.append(pd.DataFrame({**where, "side": side, "unit": np.arange(len(links)), "links": links}))
    return pd.concat(frames, ignore_index=True)


def by_unit(mask: np.ndarray, inputs: int = 1) -> dict[str, np.ndarray]:
    """Links ``into`` each unit of a layer, and ``out of`` each unit before it; ``inputs`` is their axis in the mask."""
    links = grid(mask, inputs).sum(axis=2)
    return {"into": links.sum(axis=1), "out of": links.sum(axis=0)}


def grid(mask: np.ndarray, inputs: int = 1) -> np.ndarray:
    """A mask as ``[units, units before, positions]``."""
    turned = mask.swapaxes(0, 1) if inputs == 0 else mask
    return turned.reshape(*turned.shape[:2], -1)


def _tickets(folder: RunFolder, replicate: int) -> list[tuple[int, Checkpoint, float]]:
    """The tickets of one replicate with their rounds and densities, as far as there are any."""
    settings = LotterySettings.of(**folder.settings)
    label = settings.variants[0].label
    files = {n: ticket_file(folder, replicate, n, label if n else "") for n in range(settings.rounds + 1)}
    tickets = {number: read_network(path) for number, path in files.items() if path.exists()}
    links = {number: ticket.trained.links for number, ticket in tickets.items()}
    return [(number, ticket, links[number] / links[0]) for number, ticket in tickets.items()]


def _first_mask(ticket: Checkpoint) -> np.ndarray:
    return next(iter(ticket.trained.masks.values()))
