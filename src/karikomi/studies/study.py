"""What a study is, and how any study is run, resumed and finished."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from karikomi.errors import InputError
from karikomi.runs.execution import executor
from karikomi.runs.folder import RunFolder, default_path, identity
from karikomi.studies.settings import SCHEMA, StudySettings

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd

    from karikomi.data.dataset import Dataset
    from karikomi.studies.result import Result
    from karikomi.studies.setup import Setup
    from karikomi.studies.show import Answer


def later(where: str) -> Callable[..., Any]:
    """The function at ``package.module:name``, imported at its first call: an answer need not wait for torch.

    >>> later("math:sqrt")(9)
    3.0
    """
    module, _, name = where.partition(":")
    return lambda *args, **kwargs: getattr(import_module(module), name)(*args, **kwargs)


class Play(Protocol):
    """Does whatever work the journal does not have yet, and appends it there."""

    def __call__(self, setup: Setup[Any], folder: RunFolder, quiet: bool, pool: Executor | None) -> None: ...


@dataclass(frozen=True)
class Picture:
    """A figure of a study: how to draw it from a result (None where it has no meaning), and what it shows."""

    draw: Callable[[Result], alt.TopLevelMixin | None]
    caption: str


@dataclass(frozen=True)
class Study:
    """One experiment: settings, protocol, tables, answer, pictures."""

    name: str
    settings: type[StudySettings]
    play: Play
    tables: Callable[[RunFolder], dict[str, pd.DataFrame]]
    summarize: Callable[..., Answer]
    pictures: Mapping[str, Picture]


def run(
    study: Study,
    settings: StudySettings,
    *,
    data: Dataset | None = None,
    out: Path | None = None,
    quiet: bool = False,
    cluster: str | None = None,
) -> Result:
    """Run a study, or go on with it, or return at once if it is finished.

    Args:
        study: which experiment.
        settings: its settings.
        data: your own data; without it the data that the settings name.
        out: the run folder; by default ``karikomi-runs/<study>-<identity>``.
        quiet: show no progress.
        cluster: a Dask scheduler, ``tcp://HOST:PORT``, or ``local:N`` to start one here with N processes.

    Raises:
        InputError: if something given is wrong; nothing is written then.
    """
    from karikomi.studies.result import Result

    if data is not None and cluster is not None:
        raise InputError("a cluster's workers cannot see your arrays; save them as an .npz file that they can read")
    settings = _with_fingerprint(settings, data)
    record = settings.model_dump()
    path = out or default_path(study.name, identity(study.name, record, SCHEMA))
    if not _is_finished(path, study, record):
        from karikomi.studies.setup import prepare  # loads torch, which a finished run does not need

        setup = prepare(settings, data)
        with executor(cluster) as pool, RunFolder.create_or_resume(path, study.name, record, SCHEMA) as folder:
            if not folder.finished:
                study.play(setup, folder, quiet, pool)
                for name, frame in study.tables(folder).items():
                    folder.write_table(name, frame)
                Result(study, folder).draw()
                folder.finish()
    return Result(study, RunFolder.open(path))


def _with_fingerprint(settings: StudySettings, data: Dataset | None) -> StudySettings:
    from karikomi.data import NAMES, fingerprint

    if data is None and settings.data in NAMES:
        return settings
    given = {**settings.model_dump(), "data_sha256": fingerprint(settings.data if data is None else data)}
    return type(settings).of(**(given if data is None else {**given, "data": data.name}))


def _is_finished(path: Path, study: Study, record: Mapping[str, Any]) -> bool:
    if not (path / "settings.toml").is_file():
        return False
    folder = RunFolder.open(path)
    return folder.identity == identity(study.name, record, SCHEMA) and folder.finished
