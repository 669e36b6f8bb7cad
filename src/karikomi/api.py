"""The toolkit from Python."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from karikomi.data.dataset import Dataset
from karikomi.errors import InputError
from karikomi.runs.folder import RunFolder
from karikomi.studies import studies, study_of
from karikomi.studies.comparison import Comparison
from karikomi.studies.comparison import compare as compare_results
from karikomi.studies.healthy.settings import OWN
from karikomi.studies.result import Result
from karikomi.studies.run import run

if TYPE_CHECKING:
    from torch import nn


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
    return _run("lottery", data, (), out, quiet, cluster, settings)


def lesion(
    *,
    models: "Sequence[nn.Module | str | Path]" = (),
    data: Dataset | str = "mnist",
    out: str | Path | None = None,
    quiet: bool = False,
    cluster: str | None = None,
    **settings: Any,
) -> Result:
    """Run the lesion study, or go on with it, or return at once if it is finished.

    Args:
        models: your own trained networks, one per replicate: modules of one architecture, or safetensors files with
            the weights of the setting ``network``. Nothing is trained then.
        data: as in :func:`lottery`.
        out: as in :func:`lottery`.
        quiet: show no progress.
        cluster: as in :func:`lottery`.
        **settings: those of :class:`~karikomi.studies.lesion.settings.LesionSettings`, by name, for example
            ``preset="quick"``, ``criteria=["taylor", "out-strength"]``, ``timing=["adaptive"]``; the flags of
            ``karikomi lesion``.

    Raises:
        InputError: if something given is wrong; nothing is written then.
    """
    return _run("lesion", data, models, out, quiet, cluster, settings)


def importance(
    *,
    models: "Sequence[nn.Module | str | Path]" = (),
    data: Dataset | str = "mnist",
    out: str | Path | None = None,
    quiet: bool = False,
    cluster: str | None = None,
    **settings: Any,
) -> Result:
    """Run the knock-out study, or go on with it, or return at once if it is finished.

    Args:
        models: your own trained networks, one per replicate: modules of one architecture, or safetensors files with
            the weights of the setting ``network``. Nothing is trained then.
        data: as in :func:`lottery`.
        out: as in :func:`lottery`.
        quiet: show no progress.
        cluster: as in :func:`lottery`.
        **settings: those of :class:`~karikomi.studies.importance.settings.ImportanceSettings`, by name, for example
            ``preset="quick"``, ``criteria=["taylor", "out-strength"]``, ``shapley=100``; the flags of ``karikomi
            importance``.

    Raises:
        InputError: if something given is wrong; nothing is written then.
    """
    return _run("importance", data, models, out, quiet, cluster, settings)


def ageing(
    *,
    models: "Sequence[nn.Module | str | Path]" = (),
    data: Dataset | str = "mnist",
    out: str | Path | None = None,
    quiet: bool = False,
    cluster: str | None = None,
    **settings: Any,
) -> Result:
    """Run the ageing study, or go on with it, or return at once if it is finished.

    Args:
        models: your own trained networks, one per replicate: modules of one architecture, or safetensors files with
            the weights of the setting ``network``. They are where life begins.
        data: as in :func:`lottery`.
        out: as in :func:`lottery`.
        quiet: show no progress.
        cluster: as in :func:`lottery`.
        **settings: those of :class:`~karikomi.studies.ageing.settings.AgeingSettings`, by name, for example
            ``preset="quick"``, ``deaths=0.05``, ``arms=["none", "retrain", "regrowth"]``; the flags of ``karikomi
            ageing``.

    Raises:
        InputError: if something given is wrong; nothing is written then.
    """
    return _run("ageing", data, models, out, quiet, cluster, settings)


def _run(
    name: str,
    data: Dataset | str,
    models: "Sequence[nn.Module | str | Path]",
    out: str | Path | None,
    quiet: bool,
    cluster: str | None,
    settings: dict[str, Any],
) -> Result:
    study = studies()[name]
    named, own = (data, None) if isinstance(data, str) else (data.name, data)
    files = [str(model) for model in models if isinstance(model, str | Path)]
    modules = [model for model in models if not isinstance(model, str | Path)]
    if files and modules:
        raise InputError("models are modules or files, not both")
    given = {"models": files} if files else {"network": OWN} if modules else {}
    many = {"replicates": len(modules)} if modules else {}
    chosen = study.settings.of(**{**many, **settings, **given, "data": named})
    where = Path(out) if out else None
    return run(study, chosen, data=own, models=modules, out=where, quiet=quiet, cluster=cluster)


def compare(run: Result | str | Path, against: Result | str | Path) -> Comparison:
    """What differs between two runs of one study: the first minus the second, paired by replicate.

    Shows itself in a notebook; ``differences`` is a pandas DataFrame with intervals and corrected p-values.

    Args:
        run: a result, or the folder of a run.
        against: another one of the same study, whose settings differ.

    Raises:
        InputError: if there is nothing to compare, or a folder is no run folder.
    """
    return compare_results(*(each if isinstance(each, Result) else load(each) for each in (run, against)))


def load(path: str | Path) -> Result:
    """The result of an earlier run, from its folder; of an unfinished run, what is there so far.

    Raises:
        InputError: if it is no run folder, or damaged.
    """
    folder = RunFolder.open(Path(path))
    return Result(study_of(folder), folder)
