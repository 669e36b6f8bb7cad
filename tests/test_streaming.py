"""Examples that are streamed take no more memory the more they are."""

import resource
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

import karikomi
from karikomi.engines.lesion_input import AblationKind
from karikomi.engines.population.given import subject_of
from karikomi.engines.population.labels import Scoring

UNIT = 1 if sys.platform == "darwin" else 1024
SIGNALS = 4 * (16 + 2 * 8) * 8 * 8
"""Bytes of an example and what is recorded of it, about."""


class Noise(Dataset[tuple[Tensor, int]]):
    def __init__(self, many: int) -> None:
        self.many = many

    def __len__(self) -> int:
        return self.many

    def __getitem__(self, number: int) -> tuple[Tensor, int]:
        if number >= self.many:
            raise IndexError
        return torch.full((16, 8, 8), number % 7 - 3.0), number % 3


def grown(few: int, many: int, ablation: AblationKind) -> int:
    """By how many bytes the process's peak grows from few examples to many."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    model = nn.Sequential(nn.Conv2d(16, 8, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3))
    peaks = []
    for count in (few, many):
        karikomi.knock_out(model, DataLoader(Noise(count), batch_size=500), None, units=[0], ablation=ablation)
        peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * UNIT)
    return peaks[1] - peaks[0]


@pytest.mark.skipif(sys.platform == "win32", reason="it tells no peak")
@pytest.mark.parametrize("ablation", ["zero", "resample"])
def test_memory_does_not_grow_with_streamed_examples(ablation: str) -> None:
    few, many = 2000, 12000
    call = f"from test_streaming import grown; print(grown({few}, {many}, {ablation!r}))"
    done = subprocess.run([sys.executable, "-c", call], cwd="tests", capture_output=True, text=True, check=True)
    assert int(done.stdout) < (many - few) * SIGNALS / 3


def test_means_are_those_of_all_examples() -> None:
    model = nn.Sequential(nn.Conv2d(16, 8, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3))
    subject = subject_of(model, DataLoader(Noise(37), batch_size=10), None, Scoring())
    np.testing.assert_allclose(subject.means(), subject.activations().activation.mean(axis=1), rtol=1e-5, atol=1e-6)
