"""Learning-rate schedules against PyTorch's own."""

import math

import numpy as np
import pytest
import torch
from torch.optim import lr_scheduler as schedulers

from karikomi.engines.recipe import Recipe, learning_rates

T, WARM_UP = 41, 7


def _of_pytorch(schedule: str, warm_up: int) -> list[float]:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.3)
    if schedule == "cosine":
        whole = schedulers.CosineAnnealingLR(optimizer, T - warm_up)
    else:
        drops = [] if schedule == "constant" else [math.ceil(T / 2) - warm_up, math.ceil(3 * T / 4) - warm_up]
        whole = schedulers.MultiStepLR(optimizer, drops)
    if warm_up:
        rising = schedulers.LambdaLR(optimizer, lambda step: (step + 1) / warm_up)
        whole = schedulers.SequentialLR(optimizer, [rising, whole], [warm_up])
    rates = []
    for _ in range(T):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        whole.step()
    return rates


@pytest.mark.parametrize("warm_up", [0, WARM_UP])
@pytest.mark.parametrize("schedule", ["constant", "step", "cosine"])
def test_schedules_are_pytorch_s(schedule, warm_up):
    found = learning_rates(0.3, schedule, warm_up, T)
    np.testing.assert_allclose(found, _of_pytorch(schedule, warm_up), rtol=1e-12)


@pytest.mark.parametrize("schedule", ["constant", "step", "cosine"])
def test_a_schedule_that_starts_later_is_the_rest_and_then_stays(schedule):
    whole = learning_rates(0.3, schedule, WARM_UP, T)
    later = learning_rates(0.3, schedule, WARM_UP, T, start=10)
    np.testing.assert_array_equal(later[:-10], whole[10:])
    np.testing.assert_array_equal(later[-10:], whole[-1])


def test_one_rate_is_that_of_every_iteration():
    assert Recipe(3, 1, "adam", 0.5, 0.0, 0.0, 1).rates.tolist() == [0.5, 0.5, 0.5]
