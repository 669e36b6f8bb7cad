"""ONNX files of small models, run by another program."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import karikomi
from karikomi.errors import InputError
from karikomi.networks.mlp import mlp


class TwoInputs(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.out = nn.Linear(4, 6), nn.Conv1d(2, 3, 2), nn.Linear(9, 2)

    def forward(self, x: Tensor, z: Tensor) -> dict[str, Any]:
        h = torch.cat([self.a(x).relu(), self.b(z).relu().mean(2)], 1)
        return {"hidden": h, "logits": self.out(h), "name": "two"}


@pytest.fixture
def written(tmp_path: Path):
    pytest.importorskip("onnx", reason="karikomi[onnx] is not installed")
    pytest.importorskip("onnxscript", reason="karikomi[onnx] is not installed")
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime, which runs the files, is not installed")

    def run(model: nn.Module, x: Any, *others: Tensor) -> list[np.ndarray]:
        path = karikomi.export(model, x, tmp_path / "small.onnx")
        assert [file.name for file in tmp_path.iterdir()] == ["small.onnx"]
        session = runtime.InferenceSession(path)
        names = [one.name for one in session.get_inputs()]
        return session.run(None, {name: one.numpy() for name, one in zip(names, others, strict=True)})

    return run


@torch.no_grad()
def test_the_file_gives_what_the_small_model_gives_for_any_number_of_examples(written) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 5, 3), nn.BatchNorm2d(5), nn.ReLU(), nn.Flatten(), nn.Dropout(), nn.Linear(80, 3)
    )
    smaller: Any = karikomi.shrink(model.train(), {"0": [1, 2]})
    many = torch.randn(7, 1, 6, 6)
    [found] = written(smaller, many[:1], many)
    assert smaller.training
    np.testing.assert_allclose(found, smaller.eval()(many), rtol=1e-5, atol=1e-5)
    assert found.shape == (7, 3)


@torch.no_grad()
def test_several_inputs_and_a_mapping_with_logits(written) -> None:
    torch.manual_seed(0)
    x, z = torch.randn(5, 4), torch.randn(5, 2, 6)
    smaller: Any = karikomi.shrink(TwoInputs(), {"a": [0], "b": [1]}, (x, z))
    [found] = written(smaller, (x, z), x, z)
    np.testing.assert_allclose(found, smaller(x, z)["logits"], rtol=1e-5, atol=1e-5)


class ReadsIntoPython(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(x) if float(x.sum()) > 0 else self.out(-x)


def test_a_model_that_no_file_can_hold_costs_one_line_and_leaves_the_old_file(written, tmp_path: Path) -> None:
    path = tmp_path / "small.onnx"
    path.write_bytes(b"old")
    with pytest.raises(InputError, match="the model cannot be written as ONNX: ") as refused:
        karikomi.export(ReadsIntoPython(), torch.randn(3, 4), path)
    assert "\n" not in str(refused.value)
    assert path.read_bytes() == b"old"
    with pytest.raises(InputError, match="cannot write"):
        karikomi.export(mlp((4,), (5,), 2), torch.randn(3, 4), tmp_path / "nowhere" / "small.onnx")


def test_without_the_extra_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("karikomi.onnx.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'karikomi\[onnx\]'"):
        karikomi.export(mlp((4,), (5,), 2), torch.randn(3, 4), tmp_path / "small.onnx")
    assert not list(tmp_path.iterdir())
