"""The toolkit from Python."""

from pathlib import Path
from typing import Any

from karikomi.data.dataset import Dataset
from karikomi.runs.folder import RunFolder
from karikomi.studies import studies, study_of
from karikomi.studies.lottery.settings import LotterySettings
from karikomi.studies.result import Result
from karikomi.studies.run import run


def lottery(
    *,
    data: Dataset | str = "mnist",
    out: str | Path | None = None,
    quiet: bool = False,
    cluster: str | None = None,
    **settings: Any,
) -> Result:
    """Run the lottery study, or go on with it, or return at once if it is finished.

    Args:
        data: ``"mnist"``, the path of an ``.npz`` file, or a ``Dataset`` (``Dataset.from_arrays``).
        out: the run folder; by default one in ``karikomi-runs``, named by the settings.
        quiet: show no progress.
        cluster: a Dask scheduler, ``tcp://HOST:PORT``, or ``local:N`` to start one here with N processes.
        **settings: those of :class:`~karikomi.studies.lottery.settings.LotterySettings`, by name, for example
            ``preset="quick"``, ``rounds=5``, ``arms=["ticket", "reinit"]``; the flags of ``karikomi lottery``.

    Raises:
        InputError: if something given is wrong; nothing is written then.
    """
    named, own = (data, None) if isinstance(data, str) else (data.name, data)
    chosen = LotterySettings.of(**settings, data=named)
    return run(studies()["lottery"], chosen, data=own, out=Path(out) if out else None, quiet=quiet, cluster=cluster)


def load(path: str | Path) -> Result:
    """The result of an earlier run, from its folder; of an unfinished run, what is there so far.

    Raises:
        InputError: if it is no run folder, or damaged.
    """
    folder = RunFolder.open(Path(path))
    return Result(study_of(folder), folder)
