"""Playing the stages, here or on a cluster; what is journaled is not done again."""

import sys
from collections.abc import Sequence
from concurrent.futures import Executor

from torch import nn

from karikomi.data.dataset import Dataset
from karikomi.engines.choice import warm_up
from karikomi.runs.files import write_arrays
from karikomi.runs.folder import RunFolder
from karikomi.studies.healthy import networks
from karikomi.studies.healthy.networks import load_healthy, train_healthy
from karikomi.studies.healthy.scoring import try_criteria
from karikomi.studies.lesion.arms import Piece, controls_of, pieces
from karikomi.studies.lesion.protocol import LesionSetup, lesion, score
from karikomi.studies.lesion.settings import LesionSettings
from karikomi.studies.lesion.tables import LESIONS, SCORES, curves_file, lesioned, read_scores, scored, scores_file
from karikomi.studies.pieces import play_pieces


def prepare(settings: LesionSettings, data: Dataset | None = None, models: Sequence[nn.Module] = ()) -> LesionSetup:
    """As :func:`karikomi.studies.healthy.networks.prepare`, and the criteria tried.

    Raises:
        InputError: also for a criterion or a timing that means nothing for this network.
    """
    setup = networks.prepare(settings, data, models)
    try_criteria(setup, settings.criteria)
    if "adaptive" in settings.timing:
        setup.architecture.require_chain()  # units can be removed for good in a chain of layers only
    return setup


def play(setup: LesionSetup, folder: RunFolder, quiet: bool, pool: Executor | None) -> None:
    """Train, score, remove.

    A piece's arrays are on disk before its line is in the journal: whenever it is killed, the next start finds
    a piece of work whole or not at all, and repeats the same work with the same streams.
    """
    if pool is None:
        warm_up(setup.engine, lambda text: None if quiet else print(text, file=sys.stderr, flush=True), lesions=True)
    train_healthy(setup, folder, quiet, pool)
    _score(setup, folder, quiet, pool)
    _lesion(setup, folder, quiet, pool)


def _score(setup: LesionSetup, folder: RunFolder, quiet: bool, pool: Executor | None) -> None:
    s, done = setup.settings, scored(folder)
    missing = dict.fromkeys((number for number in range(s.replicates) if number not in done), len(s.criteria))

    def arguments(replicate: int) -> tuple:
        return replicate, load_healthy(setup, folder, replicate)

    total, layers = s.replicates * len(s.criteria), setup.architecture.hidden_units
    for replicate, scores in play_pieces("scoring", score, arguments, setup, missing, total, quiet, pool):
        file = scores_file(folder, replicate)
        write_arrays(file, scores, {})
        record = {"stage": SCORES, "replicate": replicate, "layers": layers, "criteria": list(scores)}
        folder.journal.append({**record, "file": f"{folder.pieces.name}/{file.name}"})


def _lesion(setup: LesionSetup, folder: RunFolder, quiet: bool, pool: Executor | None) -> None:
    units = setup.architecture.units
    steps = {piece: units * sum(controls_of(piece.arm, setup.settings).values()) for piece in pieces(setup.settings)}
    done = lesioned(folder)
    missing = {piece: steps[piece] for piece in steps if piece not in done}

    def arguments(piece: Piece) -> tuple:
        return *piece, load_healthy(setup, folder, piece.replicate), read_scores(folder, piece.replicate)

    total = sum(steps.values())
    for piece, result in play_pieces("lesions", lesion, arguments, setup, missing, total, quiet, pool):
        file = curves_file(folder, piece)
        write_arrays(file, result.curves, {})
        record = {"stage": LESIONS, "replicate": piece.replicate, "arm": list(piece.arm)}
        folder.journal.append({**record, "file": f"{folder.pieces.name}/{file.name}", "rows": result.rows})
