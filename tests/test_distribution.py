"""The wheel and the sdist run without the repository, and ask for all that they import."""

import ast
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from importlib.metadata import packages_distributions
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


def test_a_wheel_asks_for_every_package_that_it_imports(distributions: Path) -> None:
    [wheel] = distributions.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        [metadata] = [archive.read(name).decode() for name in names if name.endswith("METADATA")]
        sources = [archive.read(name).decode() for name in names if name.endswith(".py")]
    asked = {re.findall(r"^[\w-]+", line)[0] for line in Parser().parsestr(metadata).get_all("Requires-Dist", [])}
    known = {_name(package) for package in asked}
    from_where = packages_distributions()
    others = set().union(*map(imported, sources)) - {*sys.stdlib_module_names, "karikomi"}
    assert {"torch", "numba", "uvicorn"} <= others
    missing = {module for module in others if not known & {_name(package) for package in from_where[module]}}
    assert missing == set()


def imported(source: str) -> set[str]:
    """The packages of the import statements of a module, wherever they stand."""
    nodes = list(ast.walk(ast.parse(source)))
    whole = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    parts = {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module and not node.level}
    return {name.split(".")[0] for name in whole | parts}


def _name(package: str) -> str:
    return re.sub(r"[-_.]+", "-", package).lower()
