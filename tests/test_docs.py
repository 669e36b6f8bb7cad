"""What README and pages show works: every command is parsed as it stands, and run with small settings, as is Python.

Not run: ``pip install .``, and what ``make`` does, of which the targets and their commands are checked; commands on a
cluster, which are in a page of their own.
"""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from unittest import mock

import numpy as np
import pytest
import torch
from tests.documents import TOP, Block, blocks, make_small, run_python, smaller, write_small_data
from torch.utils.data import DataLoader, TensorDataset

import karikomi
from karikomi.cli import app
from karikomi.networks import build
from karikomi.studies import STUDIES, find_study
from karikomi.studies.result import Result

STUDY_PAGES = [f"docs/studies/{name}.md" for name in STUDIES]
PAGES = ["README.md", "docs/index.md", "docs/own-model.md", "docs/from-notebook.md", "docs/networks.md", "docs/runs.md"]
PAGES += ["docs/papers.md", "docs/tracking.md", *STUDY_PAGES]


@pytest.fixture
def small(monkeypatch, tmp_path):
    """A folder with small data, in which all studies take small settings and draw no figures."""
    monkeypatch.chdir(tmp_path)
    write_small_data(tmp_path)
    make_small(monkeypatch)
    with mock.patch.object(Result, "draw"):
        yield


@pytest.mark.parametrize("page", PAGES)
def test_commands_and_python_run_in_the_order_of_the_page(page: str, small: None) -> None:
    names = _reader()
    for number, block in enumerate(blocks(page)):
        if block.language == "python":
            run_python(block.text, f"block-{number}.py", names)
        for words in commands(block):
            run_command(words)


def commands(block: Block) -> Iterator[list[str]]:
    """The words of every command of a shell block."""
    if block.language == "sh":
        lines = block.text.replace("\\\n", " ").splitlines()
        yield from filter(None, (shlex.split(line, comments=True) for line in lines))


def run_command(words: list[str]) -> None:
    match words:
        case ["make", target]:
            for recipe in make_recipe(target):
                parsed(recipe)
        case ["pip", *_]:
            assert words == ["pip", "install", "."]
        case ["karikomi", name, *_] if name in STUDIES and "--help" not in words:
            command, given = parsed(words[1:])
            assert set(given) <= {"settings", "out", "track"}
            settings = given.get("settings") or find_study(name).settings()
            given = {"out": given.get("out"), "track": given.get("track")}
            command(settings=settings.changed(**smaller(settings)), quiet=True, **given)
        case ["karikomi", *rest]:
            app(rest, exit_on_error=False, print_error=False, result_action="return_value")
        case _:
            pytest.fail(f"what is {shlex.join(words)}?")


def parsed(words: list[str]):
    """The command and its arguments, as the command line takes them: settings are checked."""
    command, bound, _ = app.parse_args(words, exit_on_error=False, print_error=False)
    return command, bound.arguments


def make_recipe(target: str) -> list[list[str]]:
    """The arguments of ``karikomi`` in what make does for a target."""
    rule = re.search(rf"^{target}:.*\n((?:\t.*\n)*)", (TOP / "Makefile").read_text(), re.MULTILINE)
    assert rule, f"the Makefile has no target {target}"
    return [shlex.split(line) for line in re.findall(r"^\t\$\(BIN\)/karikomi (.*)$", rule[1], re.MULTILINE)]


def _reader() -> dict[str, object]:
    """What pages take a reader to have: a model, inputs and labels, others of its kind, data."""
    generator = torch.Generator().manual_seed(0)
    x, y = torch.rand(60, 28, 28, generator=generator), torch.arange(60) % 10
    several = [build("mlp-20-12", (28, 28), 10) for _ in range(3)]
    model = build("mlp-300-20", (28, 28), 10)
    inputs, labels = x.numpy().repeat(5, axis=0), y.numpy().repeat(5)
    return {
        "karikomi": karikomi,
        "model": model,
        "x": x,
        "y": y,
        "loader": DataLoader(TensorDataset(x, y), batch_size=20),
        "groups": {name: np.arange(units) % 2 for name, units in _layers(model).items()},
        **dict(zip(("first", "second", "third"), several, strict=True)),
        "build": lambda: build("mlp-20-12", (28, 28), 10),
        "data": karikomi.Dataset.from_arrays(inputs, labels, inputs[:50], labels[:50], name="mine"),
    }


def _layers(model: torch.nn.Module) -> dict[str, int]:
    graph = karikomi.graph(model)
    return dict(zip(graph.layers, graph.sizes, strict=True))


def test_commands_within_sentences_are_right() -> None:
    """Those of all pages, but for what is said in general (RUN) or in part (…), and what test_contributing.py does."""
    added = [TOP / "docs/extending.md", TOP / "docs/a-study.md"]
    pages = [page.read_text() for page in (*(TOP / "docs").rglob("*.md"), *TOP.glob("*.md")) if page not in added]
    said = {" ".join(command.split()) for page in pages for command in re.findall(r"`((?:karikomi|make) [^`]+)`", page)}
    whole = [shlex.split(command) for command in said if not re.search(r"…|[A-Z]{3,}|path/to", command)]
    for first, *words in whole:
        for given in make_recipe(*words) if first == "make" else [words] if words[1:] else []:
            parsed(given)
    assert len(whole) > 20


@pytest.mark.parametrize("page", ["README.md", "README.ja.md", "CONTRIBUTING.md"])
def test_links_from_outside_the_site_lead_to_files(page: str) -> None:
    text = (TOP / page).read_text()
    links = re.findall(r"\]\(([^)#]+)\)|src=\"([^\"]+)\"", text)
    missing = [link for found in links if not (TOP / (link := "".join(found))).exists() and "://" not in link]
    assert links
    assert not missing


def test_every_study_has_a_page_with_a_figure_that_says_what_is_in_it() -> None:
    for page in STUDY_PAGES:
        [described, figure], *_ = re.findall(r"!\[([^]]+)\]\(([^)]+)\)", (TOP / page).read_text())
        assert len(described.split()) > 5
        assert 0 < ((TOP / page).parent / figure).stat().st_size < 200_000


def test_figures_are_small_and_shown() -> None:
    pages = [*(TOP / "docs").rglob("*.md"), TOP / "README.md"]
    shown = "\n".join(page.read_text() for page in pages)
    for figure in (*(TOP / "docs/figures").iterdir(), *(TOP / "docs/ja/figures").iterdir()):
        assert figure.stat().st_size < 200_000
        assert f"figures/{figure.name}" in shown


def test_the_site_is_built_and_all_of_its_links_lead_somewhere(tmp_path) -> None:
    pytest.importorskip("mkdocs")
    build_site = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    done = subprocess.run(build_site, cwd=TOP, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    assert {"index.html", "ja", "studies", "python"} <= {path.name for path in tmp_path.iterdir()}
