"""A small finished run with a figure and a page."""

import shutil
from dataclasses import replace

import pytest
from PIL import Image
from tests.studies.small_runs import small_run

from karikomi.runs.folder import RunFolder
from karikomi.studies.result import Result


@pytest.fixture(scope="session")
def small_runs(tmp_path_factory):
    """Gives a small run of a study by name."""
    folder = tmp_path_factory.mktemp("runs")
    return lambda name: small_run(name, folder)


@pytest.fixture
def result(small_runs, tmp_path) -> Result:
    """A lottery of three replicates, in a folder of its own."""
    whole = small_runs("lottery")
    path = shutil.copytree(whole.folder.path, tmp_path / "tickets")
    Image.new("RGB", (6, 4), (0, 114, 178)).save(path / "figures/accuracy.png")
    (path / "report.html").write_text("<!doctype html><title>Lottery</title>")
    return replace(whole, folder=RunFolder.open(path))
