"""One conformance suite over every registry: what is added there is tested here by itself."""

import re
import subprocess
import sys
from contextlib import nullcontext
from itertools import chain
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch

import karikomi
from karikomi import data
from karikomi.data import DATASETS
from karikomi.engines import population
from karikomi.errors import InputError
from karikomi.graphs import NODE_MEASURES, WHOLE_MEASURES
from karikomi.networks import NETWORKS, build
from karikomi.networks.architecture import Architecture
from karikomi.networks.initialization import initialize
from karikomi.registry import Entry
from karikomi.removal.scores import LINK_CRITERIA, UNIT_CRITERIA
from karikomi.studies import STUDIES, find_study, help_of

REGISTRIES = {
    "networks": NETWORKS,
    "data sets": DATASETS,
    "link criteria": LINK_CRITERIA,
    "unit criteria": UNIT_CRITERIA,
    "node measures": NODE_MEASURES,
    "whole measures": WHOLE_MEASURES,
    "studies": STUDIES,
    **{f"figures of {name}": find_study(name).figures for name in STUDIES},
}
ENTRIES = {f"{kind}: {name}": entry for kind, entries in REGISTRIES.items() for name, entry in entries.items()}
PATHS = [name for name in DATASETS if name.startswith("*")]
NAMED = [getattr(entry, "example", "") or name for name, entry in DATASETS.items() if name not in PATHS]
EXAMPLES = [entry.example or name for name, entry in NETWORKS.items()]
SAMPLES = data.load("mnist").train.take(np.arange(40))


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=list(ENTRIES))
def test_every_entry_says_in_a_line_what_it_is(entry: Entry):
    assert entry.meaning
    assert "\n" not in entry.meaning
    assert callable(entry.function)
    assert all(entry.needs)


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_network_is_built_for_the_data_initialized_and_trained_on(name: str):
    architecture = Architecture(build(name, (28, 28), 10))
    network = initialize(architecture, "pytorch", np.random.default_rng(0))
    [evaluation] = population.evaluate([network], SAMPLES)
    assert np.isfinite(evaluation.loss)
    assert network.links == sum(network.weights[weight].size for weight in architecture.link_weights) > 0
    for scheme in ("glorot", "kaiming"):
        drawn = [initialize(architecture, scheme, np.random.default_rng(1)) for _ in range(2)]
        assert all((drawn[0].weights[key] == drawn[1].weights[key]).all() for key in network.weights)


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_name_can_be_checked_without_torch(name: str):
    code = (
        "import sys; from karikomi import networks; networks.check_network(sys.argv[1]); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, name], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("name", NAMED)
def test_every_named_data_set_is_whole_or_says_how_to_get_it(name: str):
    missing = data.missing(name)
    with pytest.raises(InputError, match=re.escape(missing)) if missing else nullcontext():
        check_whole(name)


def check_whole(name: str):
    found = data.load(name)
    assert found.name == name
    assert set(np.unique(found.train.y)) == set(range(found.classes))
    assert found.train.x.shape[1:] == found.test.x.shape[1:]
    assert data.fingerprint(name) == ""


@pytest.mark.parametrize("name", PATHS)
def test_every_kind_of_path_refuses_one_that_is_missing_or_broken(name: str, tmp_path):
    source = f"{tmp_path}/x{name.replace('*', '').replace('?', '3')}"
    broken = Path(source, "class", "image") if name.endswith("/") else Path(source)
    for message in ("cannot read", "."):
        with pytest.raises(InputError, match=message) as refused:
            data.load(source)
        assert "\n" not in str(refused.value)
        broken.parent.mkdir(parents=True, exist_ok=True)
        for file in (broken, *([] if name.endswith("/") else data.files(source))):
            file.write_bytes(b"\x00broken")
    assert len(data.fingerprint(source)) == 64


@pytest.mark.parametrize("name", STUDIES)
def test_every_study_has_its_settings_explained_and_its_figures_drawn_by_name(name: str):
    found = find_study(name)
    assert found.name == name
    assert help_of(name).startswith(STUDIES[name].meaning)
    assert all(field.description for field in found.settings.model_fields.values())
    assert next(iter(found.settings.PRESETS)) == found.settings.model_fields["preset"].default
    assert all(found.settings.of(preset=preset) for preset in found.settings.PRESETS)
    function = getattr(karikomi, name)
    shown = set(function.__signature__.parameters)
    assert (
        {"data", "out", "quiet", "cluster", "preset", "seed"}
        <= shown
        <= {*found.settings.model_fields}
        | {
            "model",
            "models",
            "out",
            "quiet",
            "cluster",
            "language",
            "track",
        }
    )
    assert all(f"\n    {parameter}: " in function.__doc__ for parameter in shown)
    assert name in dir(karikomi)


def test_gradients_are_autograd_s():
    module = build("mlp-9-7", (28, 28), 10)
    network = initialize(Architecture(module), "pytorch", np.random.default_rng(0))
    masks = {name: np.random.default_rng(1).random(mask.shape) < 0.5 for name, mask in network.masks.items()}
    network = network.masked(masks)
    module.load_state_dict({name: torch.from_numpy(array) for name, array in network.weights.items()})
    outputs = module(torch.from_numpy(SAMPLES.x).float() / 255)
    torch.nn.functional.cross_entropy(outputs, torch.from_numpy(SAMPLES.y)).backward()
    found = population.gradients(network, SAMPLES)
    for name, gradient in found.items():
        expected = module.get_parameter(name).grad
        assert expected is not None
        np.testing.assert_allclose(gradient, expected.numpy(), atol=1e-6)


MINE = """
import karikomi, numpy as np

@karikomi.register("link criterion", "mine", paper="nobody")
def mine(evidence):
    "The same for all, but for {version}."
    return {{name: np.abs(gradient) for name, gradient in evidence.gradients().items()}}

settings = dict(preset="quick", criterion="mine", iterations=5, rounds=1, replicates=1, quiet=True)
run = karikomi.lottery(**settings, network="mlp-8", validation=100, validate_every=5, engine="population")
print(run.folder.identity)
"""


def test_a_criterion_of_one_s_own_is_part_of_the_run_s_identity(tmp_path):
    told = []
    for number, version in enumerate(("this", "this", "that")):
        script = tmp_path / f"{number}.py"
        script.write_text(MINE.format(version=version))
        done = subprocess.run([sys.executable, script], capture_output=True, text=True, cwd=tmp_path, check=True)
        told.append(done.stdout)
    assert told[0] == told[1] != told[2]


@mock.patch.dict(NETWORKS._entries)
def test_a_network_of_one_s_own_is_built_by_its_name():
    @karikomi.register("network", "mine", meaning="one layer")
    def mine(name, sample_shape, classes):
        return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, classes))

    assert build("mine", (2, 2), 3)(torch.zeros(5, 2, 2)).shape == (5, 3)
    with pytest.raises(InputError, match=r"dropout can be chosen for lenet-300-100, .*; not for mine"):
        build("mine", (2, 2), 3, dropout=0.5)
    with pytest.raises(InputError, match="unknown network 'min'; did you mean 'mine'"):
        build("min", (2, 2), 3)


def test_what_cannot_be_registered_costs_one_line():
    kinds: Any = ("link criterion", "network", "criterion")
    names = ("magnitude", "lenet-300-100", "mine")
    messages = ("'magnitude' is built in", "'lenet-300-100' is built in", "unknown kind 'criterion'; did you mean")
    for kind, name, message in zip(kinds, names, messages, strict=True):
        with pytest.raises(InputError, match=message):
            karikomi.register(kind, name, meaning="x")(lambda *of: None)
    with pytest.raises(InputError, match="say in a line what 'mine' is"):
        karikomi.register("network", "mine")(lambda *of: None)


def test_no_name_stands_in_two_registries_of_one_kind():
    names = list(chain(NETWORKS, DATASETS))
    assert len(names) == len(set(names))
