"""One thread for torch in all tests and their children: OpenMP's threads stall each other on busy cores."""

import os
from unittest import mock

import pytest
from hypothesis import settings

os.environ["OMP_NUM_THREADS"] = "1"
# How long an example takes says how busy the machine is.
settings.register_profile("karikomi", deadline=None)
settings.load_profile("karikomi")


@pytest.fixture
def command(capsys, monkeypatch, tmp_path, tmp_path_factory):
    """Runs ``karikomi ARGUMENTS`` in an empty folder, with an empty cache; gives the status, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))

    from karikomi.cli import main  # after the number of threads is set
    from karikomi.studies.result import Result

    def call(*arguments):
        with mock.patch.object(Result, "draw"):
            try:
                main(arguments)
                status = 0
            except SystemExit as left:
                status = left.code or 0
        out, err = capsys.readouterr()
        return status, out, err

    return call
