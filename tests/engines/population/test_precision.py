"""Products in less precision than float32."""

from dataclasses import replace

import numpy as np
import pytest

from karikomi.engines import population
from karikomi.engines.contract import Recipe
from karikomi.errors import InputError
from karikomi.networks import build

RECIPE = Recipe(12, 20, "sgd", 0.05, 0.9, 1e-4, 4)
CONVOLUTIONAL = build("conv-2-small", (28, 28), 10)
NORMALIZED = build("mlp-12", (28, 28), 10, normalization="batch")


@pytest.mark.parametrize("module", [CONVOLUTIONAL, NORMALIZED], ids=["convolutional", "normalized"])
def test_products_in_bfloat16_leave_weights_and_measures_in_float32(make, data, module):
    trials = [make.trial(module, 0.5, seed) for seed in range(2)]
    whole, reduced = (
        population.train(trials, data, replace(RECIPE, precision=precision), device="cpu")
        for precision in (None, "bf16")
    )
    for trial, exact, rough in zip(trials, whole, reduced, strict=True):
        assert all(weight.dtype == exact.final.weights[name].dtype for name, weight in rough.final.weights.items())
        # Eight bits of mantissa: close to float32, and not the same.
        np.testing.assert_allclose(rough.curve.train_loss, exact.curve.train_loss, rtol=0.05)
        assert (rough.curve.train_loss != exact.curve.train_loss).any()
        [measured] = population.evaluate([rough.final], data.train.take(trial.split.validation), device="cpu")
        assert measured.loss == pytest.approx(rough.curve.validation_loss[-1], rel=1e-6)


def test_tf32_is_refused_where_there_is_no_gpu(make, data):
    with pytest.raises(InputError, match="precision tf32 is a GPU's"):
        population.train([make.trial(CONVOLUTIONAL, 0.5, 0)], data, replace(RECIPE, precision="tf32"), device="cpu")
