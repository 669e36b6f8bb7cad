"""The notebooks run, with small settings in the cell that says how much is computed."""

import json
from unittest import mock

import pytest
from tests.documents import TOP, make_small, run_python, write_small_data

from karikomi.studies.result import Result

NOTEBOOKS = sorted((TOP / "docs/notebooks").glob("*.ipynb"))
SMALL_CELLS = {"your-own-model": "steps, examples, permutations = 5, 50, 2"}
"""What stands in place of the parameters where studies' settings are not all."""


def cells(notebook) -> list[dict]:
    return [cell for cell in json.loads(notebook.read_text())["cells"] if cell["cell_type"] == "code"]


@pytest.fixture(params=NOTEBOOKS, ids=lambda notebook: notebook.stem)
def notebook(request):
    return request.param


def test_notebooks_run(notebook, monkeypatch, tmp_path) -> None:
    monkeypatch.chdir(tmp_path)
    write_small_data(tmp_path)
    make_small(monkeypatch)
    parameters, *others = cells(notebook)
    assert parameters["metadata"] == {"tags": ["parameters"]}
    names, sources = {}, ["".join(cell["source"]) for cell in others]
    with mock.patch.object(Result, "draw"):
        for number, text in enumerate([SMALL_CELLS.get(notebook.stem, "".join(parameters["source"])), *sources]):
            run_python(text, f"cell-{number}.py", names)


def test_notebooks_are_short_and_without_outputs(notebook) -> None:
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells(notebook))
    code = "".join(line for cell in cells(notebook) for line in [*cell["source"], "\n"]).splitlines()
    assert 0 < len([line for line in code if line.strip()]) <= 40
