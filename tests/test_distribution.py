"""The wheel and the sdist run without the repository."""

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    return folder


def ran(package: Path, work: Path) -> str:
    """What a quick lottery says, from a folder that holds the package and in another one."""
    place = "import karikomi; print(karikomi.__file__, karikomi.__version__)"
    small = ("--engine", "population", "--network", "mlp-8-4", "--iterations", "20", "--replicates", "2")
    said = ""
    for command in (
        ("-c", place),
        ("-m", "karikomi", "lottery", "--preset", "quick", *small, "--out", str(work / "run")),
    ):
        done = subprocess.run(
            [sys.executable, *command],
            cwd=work,
            env={**os.environ, "PYTHONPATH": str(package), "HOME": str(work)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        said += done.stdout
    return said


def test_a_wheel_holds_all_that_a_run_needs(distributions: Path, tmp_path: Path) -> None:
    [wheel] = distributions.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path / "wheel")
    assert str(tmp_path / "wheel") in ran(tmp_path / "wheel", tmp_path)
    assert (tmp_path / "run" / "report.html").is_file()


def test_an_sdist_holds_all_that_a_run_needs(distributions: Path, tmp_path: Path) -> None:
    [sdist] = distributions.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    [unpacked] = tmp_path.glob("karikomi-*")
    assert str(unpacked) in ran(unpacked / "src", tmp_path)
    assert (tmp_path / "run" / "report.html").is_file()
    assert {"README.md", "CHANGELOG.md", "LICENSE", "PKG-INFO"} <= {path.name for path in unpacked.iterdir()}
