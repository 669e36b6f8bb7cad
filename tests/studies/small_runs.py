"""A small run of every study, as its own answer, figures and tables are tested on."""

from functools import cache
from pathlib import Path
from unittest import mock

from tests.documents import DATA, smaller, write_small_data

from karikomi.studies import find_study
from karikomi.studies.result import Result
from karikomi.studies.run import run


@cache
def small_run(name: str, folder: Path) -> Result:
    """The run of a study with small settings, in a folder."""
    if not (folder / DATA).exists():
        write_small_data(folder)
    study = find_study(name)
    settings = study.settings.of(preset="quick")
    changed = settings.changed(**{**smaller(settings), "data": str(folder / DATA), "replicates": 3})
    with mock.patch.object(Result, "draw"):
        return run(study, changed, out=folder / name, quiet=True)
