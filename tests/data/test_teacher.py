"""A random teacher's data: against a network with the same weights, and what is promised of them."""

import numpy as np
import pytest
import torch

from karikomi import data, seeds
from karikomi.errors import InputError


def test_the_labels_are_those_of_a_relu_network_whose_outputs_are_centred():
    found = data.load("teacher-7-12-4")
    rng = seeds.stream(0, "teacher", 7, 12, 4)
    first, second = torch.nn.Linear(7, 12, bias=False).double(), torch.nn.Linear(12, 4, bias=False).double()
    with torch.no_grad():
        for layer in (first, second):
            layer.weight.copy_(torch.from_numpy(rng.standard_normal(layer.weight.shape)))
        x = np.concatenate([found.train.x, found.test.x])
        outputs = second(first(torch.from_numpy(x).double()).relu())
        expected = second(first.weight.norm(dim=1) / np.sqrt(2 * np.pi))
        answers = (outputs - expected).argmax(dim=1).numpy()
    np.testing.assert_array_equal(answers, np.concatenate([found.train.y, found.test.y]))
    spread = outputs.std(dim=0) / np.sqrt(len(outputs))
    assert ((outputs.mean(dim=0) - expected).abs() < 5 * spread).all(), "the expectation is that of relu"


def test_the_same_name_gives_the_same_data_and_others_give_others():
    one, again, other = (data.load(name) for name in ("teacher-6-9-3", "teacher-6-9-3", "teacher-6-10-3"))
    assert data.fingerprint(one) == data.fingerprint(again) != data.fingerprint(other)
    assert abs(one.train.x.mean()) < 0.01
    assert abs(one.train.x.std() - 1) < 0.01
    assert data.load("teacher").sample_shape == (20,)


def test_names_that_mean_nothing_cost_one_line():
    for name in ("teacher-5", "teacher-5-0-3", "teacher-5-6-7-8", "teacher-5-6-"):
        with pytest.raises(InputError, match="unknown data set"):
            data.load(name)
    with pytest.raises(InputError, match="never answers with some of its classes"):
        data.load("teacher-2-1-9")
    with pytest.raises(InputError, match="C at least 2"):
        data.load("teacher-2-2-1")
