"""A small piece of MNIST, and a file of claims about a small lottery on it."""

from pathlib import Path

import numpy as np
import pytest

from karikomi import data

OWN = """
title = "My claims"
source = "A test"

[runs.small]
study = "lottery"
full = {{ iterations = 80 }}

[runs.small.settings]
data = {data}
network = "mlp-12-8"
rounds = 2
rate = 0.5
iterations = 60
batch = 20
validation = 200
validate_every = 20
replicates = 3
engine = "population"

[claims.learns]
claim = "The dense network learns."
place = "here"
theirs = "90 or more"
unit = "%"
measure = {{ run = "small", column = "test_accuracy", where = {{ arm = "dense" }}, times = 100 }}
holds = {{ above = 10 }}
margin = "chance"

[claims.ticket-lower]
claim = "The ticket loses more than half."
place = "here"
theirs = "below −50"
unit = "points"
holds = {{ below = -50 }}
margin = "none"

[claims.ticket-lower.measure]
run = "small"
column = "test_accuracy"
where = {{ arm = "ticket", round = 2 }}
minus = {{ where = {{ arm = "dense", round = 0 }} }}
times = 100

[claims.longer]
claim = "It learns more when trained longer."
place = "there"
theirs = "more"
holds = {{ above = 0.5, below = 2 }}
scale = "full"

[claims.longer.measure]
run = "small"
table = "measures"
column = "test_accuracy"
where = {{ arm = "ticket" }}
over = {{ where = {{ arm = "reinit" }} }}
"""


@pytest.fixture(scope="session")
def tiny(tmp_path_factory) -> str:
    """Path of 1,200 training and 300 test digits of MNIST, 14 × 14."""
    mnist, path = data.load("mnist"), tmp_path_factory.mktemp("data") / "tiny.npz"
    x, x_test = mnist.train.x[:1200, ::2, ::2], mnist.test.x[:300, ::2, ::2]
    np.savez(path, x_train=x, y_train=mnist.train.y[:1200], x_test=x_test, y_test=mnist.test.y[:300])
    return str(path)


@pytest.fixture(scope="session")
def own(tiny, tmp_path_factory) -> Path:
    """A file of claims of one's own."""
    path = tmp_path_factory.mktemp("claims") / "own.toml"
    path.write_text(OWN.format(data=f'"{tiny}"'))
    return path
