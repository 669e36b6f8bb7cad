"""How any study is run, resumed and finished."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from karikomi.errors import InputError
from karikomi.language import DEFAULT, Language, check_language
from karikomi.runs.execution import executor
from karikomi.runs.folder import RunFolder, default_path, identity
from karikomi.studies.result import Result
from karikomi.studies.settings import SCHEMA, StudySettings
from karikomi.studies.study import Study
from karikomi.studies.words import left_out_in_words

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from torch import nn

    from karikomi.data.dataset import Dataset
    from karikomi.studies.setup import Setup


def run(
    study: Study,
    settings: StudySettings,
    *,
    data: Dataset | None = None,
    models: Sequence[nn.Module] = (),
    out: Path | None = None,
    quiet: bool = False,
    cluster: str | None = None,
    language: Language = DEFAULT,
) -> Result:
    """Run a study, or go on with it, or return at once if it is finished.

    Args:
        study: which experiment.
        settings: its settings.
        data: your own data; without it the data that the settings name.
        models: your own trained modules of one architecture, one per replicate, for a study that takes them.
        out: the run folder; by default ``karikomi-runs/<study>-<identity>``.
        quiet: show no progress.
        cluster: a Dask scheduler, ``tcp://HOST:PORT``, or ``local:N`` to start one here with N processes.
        language: of the summary and of the page, which is written when the run ends.

    Raises:
        InputError: if something given is wrong; nothing is written then.
    """
    check_language(language)
    if data is not None and cluster is not None:
        raise InputError("a cluster's workers cannot see your arrays; save them as an .npz file that they can read")
    if models and cluster is not None:
        raise InputError("a cluster's workers cannot see your modules; save their weights as safetensors files")
    settings = settings.fingerprinted(data, models)
    if cluster is not None and any(
        entry.code and not getattr(entry, "file", "") for entry in settings.registered(settings.data)
    ):
        raise InputError(
            "a cluster's workers cannot see what you registered or gave from Python; run it here, add it to the"
            " package, or name a network FILE.py:FUNCTION"
        )
    record = settings.model_dump()
    path = out or default_path(study.name, identity(study.name, record, SCHEMA))
    if not _is_finished(path, study, record):
        from karikomi.engines.population.source import computing_on  # loads torch, which a finished run does not need

        with computing_on(settings.device):
            setup = study.prepare(settings, data, models)
            if setup.left_out and not quiet:
                print(left_out_in_words(setup.left_out), file=sys.stderr, flush=True)
            with executor(cluster) as pool, RunFolder.create_or_resume(path, study.name, record, SCHEMA) as folder:
                if not folder.finished:
                    _finish(Result(study, folder, language), setup, quiet, pool)
    return Result(study, RunFolder.open(path), language)


def _finish(result: Result, setup: Setup[Any], quiet: bool, pool: Executor | None) -> None:
    from karikomi.studies.work import run_stages

    run_stages(result.study.stages(setup), setup, result.folder, quiet, pool)
    for name, frame in result.tables.items():
        result.folder.write_table(name, frame)
    result.draw()
    result.folder.finish()


def _is_finished(path: Path, study: Study, record: Mapping[str, Any]) -> bool:
    if not (path / "settings.toml").is_file():
        return False
    folder = RunFolder.open(path)
    return folder.identity == identity(study.name, record, SCHEMA) and folder.finished
