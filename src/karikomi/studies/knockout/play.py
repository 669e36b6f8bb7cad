"""Training, then measuring, replicate by replicate, here or on a cluster; what is journaled is not done again."""

from concurrent.futures import Executor

from karikomi.networks.units import hidden_units
from karikomi.runs.files import write_arrays
from karikomi.runs.folder import RunFolder
from karikomi.studies.healthy.networks import load_healthy, train_healthy
from karikomi.studies.knockout.protocol import measure
from karikomi.studies.knockout.settings import KnockoutSettings
from karikomi.studies.knockout.tables import STAGE, measured, piece_file
from karikomi.studies.pieces import play_pieces
from karikomi.studies.setup import Setup


def play(setup: Setup[KnockoutSettings], folder: RunFolder, quiet: bool, pool: Executor | None) -> None:
    """Train and measure every replicate that the journal does not have.

    What was measured is on disk before its line is in the journal.
    """
    train_healthy(setup, folder, quiet, pool)
    s, layers = setup.settings, hidden_units(setup.module)
    steps = sum(layers.values()) * (1 + s.shapley)
    missing = dict.fromkeys(sorted(set(range(s.replicates)) - set(measured(folder))), steps)

    def arguments(replicate: int) -> tuple:
        return replicate, load_healthy(setup, folder, replicate)

    total = s.replicates * steps
    for replicate, arrays in play_pieces("knock-outs", measure, arguments, setup, missing, total, quiet, pool):
        write_arrays(piece_file(folder, replicate), arrays, {})
        folder.journal.append({"stage": STAGE, "replicate": replicate, "layers": layers})
