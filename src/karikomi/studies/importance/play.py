"""Training, then measuring, replicate by replicate, here or on a cluster; what is journaled is not done again."""

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
from karikomi.studies.importance.protocol import measure
from karikomi.studies.importance.settings import ImportanceSettings
from karikomi.studies.importance.tables import STAGE, measured
from karikomi.studies.pieces import play_pieces
from karikomi.studies.setup import Setup


def prepare(
    settings: ImportanceSettings, data: Dataset | None = None, models: Sequence[nn.Module] = ()
) -> Setup[ImportanceSettings]:
    """As :func:`karikomi.studies.healthy.networks.prepare`, and the criteria tried.

    Raises:
        InputError: also for a criterion that means nothing for this network.
    """
    setup = networks.prepare(settings, data, models)
    try_criteria(setup, settings.scores)
    return setup


def play(setup: Setup[ImportanceSettings], folder: RunFolder, quiet: bool, pool: Executor | None) -> None:
    """Train and measure every replicate that the journal does not have.

    What was measured is on disk before its line is in the journal: whenever it is killed, the next start finds a piece
    of work whole or not at all, and repeats the same work with the same streams.
    """
    if pool is None:
        warm_up(setup.engine, lambda text: None if quiet else print(text, file=sys.stderr, flush=True), lesions=True)
    train_healthy(setup, folder, quiet, pool)
    s, layers, done = setup.settings, setup.architecture.hidden_units, measured(folder)
    steps = sum(layers.values()) * (1 + s.shapley)
    missing = dict.fromkeys((replicate for replicate in range(s.replicates) if replicate not in done), steps)

    def arguments(replicate: int) -> tuple:
        return replicate, load_healthy(setup, folder, replicate)

    total = s.replicates * steps
    for replicate, arrays in play_pieces("knocking out", measure, arguments, setup, missing, total, quiet, pool):
        file = folder.pieces / f"replicate-{replicate}-knock-outs.safetensors"
        write_arrays(file, arrays, {})
        record = {"stage": STAGE, "replicate": replicate, "file": f"{folder.pieces.name}/{file.name}"}
        folder.journal.append({**record, "layers": layers, "scores": s.scores})
