"""The notebooks run, with small settings in the cell that says how much is computed."""

import json
import re
from unittest import mock

import pytest
from tests.documents import TOP, make_small, run_python, write_small_data

from karikomi.studies.result import Result

NOTEBOOKS = sorted((TOP / "docs/notebooks").glob("*.ipynb"))
SMALL_CELLS = {"your-own-model": "steps, examples, permutations = 5, 50, 2"}
"""What stands in place of the parameters where studies' settings are not all."""


def cells(notebook) -> list[dict]:
    return [cell for cell in json.loads(notebook.read_text())["cells"] if cell["cell_type"] == "code"]


def source(cell: dict) -> str:
    """A cell as Python: a line magic is a call, as IPython makes it one."""
    return re.sub(r"%(\w+) (.*)", r'get_ipython().run_line_magic("\1", "\2")', "".join(cell["source"]))


@pytest.fixture(params=NOTEBOOKS, ids=lambda notebook: notebook.stem)
def notebook(request):
    return request.param


def test_notebooks_run(notebook, monkeypatch, tmp_path) -> None:
    monkeypatch.chdir(tmp_path)
    write_small_data(tmp_path)
    make_small(monkeypatch)
    install, parameters, *others = cells(notebook)
    assert parameters["metadata"] == {"tags": ["parameters"]}
    names, sources = {"get_ipython": mock.Mock(side_effect=AssertionError("it is here"))}, map(source, others)
    texts = [source(install), SMALL_CELLS.get(notebook.stem, source(parameters)), *sources]
    with mock.patch.object(Result, "draw"):
        for number, text in enumerate(texts):
            run_python(text, f"cell-{number}.py", names)


def test_notebooks_begin_by_installing_karikomi_where_it_is_missing(notebook, monkeypatch, tmp_path) -> None:
    monkeypatch.chdir(tmp_path)
    names = {"get_ipython": mock.Mock()}
    with mock.patch("importlib.util.find_spec", return_value=None) as asked:
        run_python(source(cells(notebook)[0]), "cell-0.py", names)
    asked.assert_called_once_with("karikomi")
    names["get_ipython"]().run_line_magic.assert_called_once_with("pip", "install --quiet karikomi-*.whl")


def test_notebooks_are_short_and_without_outputs(notebook) -> None:
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells(notebook))
    code = "".join(line for cell in cells(notebook) for line in [*cell["source"], "\n"]).splitlines()
    assert 0 < len([line for line in code if line.strip()]) <= 40
