"""The stage behind the rounds: every ticket of the first variant, and the dense networks, taken apart."""

from typing import Any, NamedTuple

import numpy as np

from karikomi.data.dataset import Examples
from karikomi.engines import population
from karikomi.networks.subnetwork import Arrays, Subnetwork
from karikomi.runs.checkpoint import Checkpoint, read_network
from karikomi.runs.files import write_arrays
from karikomi.runs.folder import RunFolder
from karikomi.runs.progress import Advance
from karikomi.studies.lottery.anatomy import EDGES, Row, degrees, histograms, movement, shared_links, units_of
from karikomi.studies.lottery.anatomy_tables import (
    ANATOMY,
    EXEMPLARS,
    differing_images,
    exemplars_file,
    predictions_file,
)
from karikomi.studies.lottery.settings import LotterySettings
from karikomi.studies.lottery.tables import ticket_file
from karikomi.studies.setup import Setup
from karikomi.studies.stage import Stage, Task

SHOWN = 24
"""Images at most whose pixels are kept for the figure."""

LotterySetup = Setup[LotterySettings]


class Given(NamedTuple):
    """A network, the dense one it came from, and the masks of the later replicates' tickets of its round."""

    network: Checkpoint
    dense: Checkpoint
    others: dict[int, Arrays]


class Found(NamedTuple):
    """Rows by table, and what the network answers on the test set."""

    rows: dict[str, list[Row]]
    answers: Arrays


def anatomy() -> Stage:
    return Stage(ANATOMY, _tasks, _compute, _write, _given, here=True)


def exemplars() -> Stage:
    """The pixels of images that most tickets of the last round answer differently from most dense networks."""
    return Stage(EXEMPLARS, lambda setup, folder: {Task(0): 1}, _pixels, _write_pixels, _differing, here=True)


def _tasks(setup: LotterySetup, folder: RunFolder) -> dict[Task, int]:
    s = setup.settings
    numbers = range(s.rounds + 1 if "ticket" in s.arms else 1)
    return {Task(replicate, number): 1 for number in numbers for replicate in range(s.replicates)}


def _given(setup: LotterySetup, folder: RunFolder, task: Task) -> Given:
    def read(replicate: int, number: int) -> Checkpoint:
        label = setup.settings.variants[0].label if number else ""
        return read_network(ticket_file(folder, replicate, number, label), setup.architecture)

    later = range(task.replicate + 1, setup.settings.replicates) if task.step else ()
    others = {replicate: read(replicate, task.step).masks for replicate in later}
    return Given(read(task.replicate, task.step), read(task.replicate, 0), others)


def _compute(setup: LotterySetup, advance: Advance, task: Task, given: Given) -> Found:
    advance(1)
    network, dense, sigma = given.network, given.dense, units_of(given.dense)
    rows = {"histograms": list(histograms(network, sigma))}
    if task.step:
        possible = dense.masks
        rows["movement"] = list(movement(network, dense, sigma))
        rows["degrees"] = list(degrees(network, possible))
        rows["shared_links"] = [
            {"other": other, **row}
            for other, masks in given.others.items()
            for row in shared_links(network, possible, masks, _possible(setup, other, possible))
        ]
    shares = _probabilities(network.trained, setup.data.test)
    answers = {
        "label": setup.data.test.y.astype(np.uint16),
        "answer": shares.argmax(axis=1).astype(np.uint16),
        "confidence": shares.max(axis=1),
    }
    return Found(rows, answers)


def _probabilities(network: Subnetwork, examples: Examples) -> np.ndarray:
    if not all(np.isfinite(weight).all() for weight in network.weights.values()):  # its training diverged
        return np.full((len(examples), 1), np.nan, np.float32)
    return population.probabilities([network], examples)[0]


def _possible(setup: LotterySetup, replicate: int, full: Arrays) -> Arrays:
    """The links that a replicate's dense network has."""
    wiring = setup.wirings[replicate]
    return {name: np.ones_like(mask) for name, mask in full.items()} if wiring is None else wiring


def _write(setup: LotterySetup, folder: RunFolder, task: Task, found: Found) -> dict[str, Any]:
    write_arrays(predictions_file(folder, task.replicate, task.step), found.answers, {})
    return {**found.rows, "bins": EDGES[:-1]}


def _differing(setup: LotterySetup, folder: RunFolder, task: Task) -> np.ndarray:
    return differing_images(folder)[:SHOWN]


def _pixels(setup: LotterySetup, advance: Advance, task: Task, chosen: np.ndarray) -> Arrays:
    advance(1)
    return {"image": chosen, "pixels": setup.data.test.x[chosen]}


def _write_pixels(setup: LotterySetup, folder: RunFolder, task: Task, found: Arrays) -> dict[str, Any]:
    write_arrays(exemplars_file(folder), found, {})
    return {}
