"""Units removed from models of any kind: zeros of weights give what the lesion gives, and training leaves them 0."""

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from karikomi import seeds
from karikomi.data.dataset import Dataset, Examples
from karikomi.engines import population
from karikomi.engines.contract import Recipe, Trial
from karikomi.errors import InputError
from karikomi.networks.architecture import Architecture
from karikomi.networks.cuts import Cuts
from karikomi.networks.health import living_units, weight_norms
from karikomi.networks.initialization import initialize
from karikomi.networks.subnetwork import Subnetwork
from karikomi.networks.tape import record
from karikomi.removal.deaths import surviving_state
from karikomi.removal.homeostasis import scale_by_count
from karikomi.removal.regrowth import check_regrowth, regrow
from karikomi.removal.remaining import remaining
from karikomi.removal.units import check_removable, remove_units


class Residual(nn.Module):
    """The last normalization begins with a scale of 0, as in ResNets."""

    def __init__(self, act=F.relu):
        super().__init__()
        self.enter, self.bn0 = nn.Conv2d(1, 6, 3, 2), nn.BatchNorm2d(6)
        self.first, self.bn1 = nn.Conv2d(6, 5, 3, padding=1), nn.BatchNorm2d(5)
        self.second, self.bn2 = nn.Conv2d(5, 6, 3, padding=1), nn.BatchNorm2d(6)
        self.out, self.act = nn.Linear(6, 4), act
        nn.init.zeros_(self.bn2.weight)

    def forward(self, x):
        x = self.act(self.bn0(self.enter(x)))
        return self.out(self.act(x + self.bn2(self.second(self.act(self.bn1(self.first(x)))))).mean((2, 3)))


class Mobile(nn.Module):
    def __init__(self):
        super().__init__()
        self.enter, self.bn = nn.Conv2d(1, 6, 3), nn.BatchNorm2d(6)
        self.depthwise, self.point = nn.Conv2d(6, 6, 3, groups=6), nn.Conv2d(6, 4, 1)
        self.up, self.grouped = nn.ConvTranspose2d(4, 6, 2, groups=2), nn.Conv2d(6, 6, 3, groups=3, padding=1)
        self.out = nn.Linear(6, 4)

    def forward(self, x):
        x = F.relu(self.point(F.relu6(self.depthwise(F.relu6(self.bn(self.enter(x)))))))
        x = F.relu(self.up(x))
        return self.out((x + F.relu(self.grouped(x))).mean((2, 3)))


class Recurrent(nn.Module):
    def __init__(self, kind: Any, **more):
        super().__init__()
        self.rnn = kind(5, 6, 2, batch_first=True, **more)
        self.out = nn.Linear(12 if more else 6, 4)

    def forward(self, x):
        return self.out(self.rnn(x)[0][:, -1])


class Unrolled(nn.Module):
    def __init__(self, kind: Any):
        super().__init__()
        self.cell, self.out = kind(5, 6), nn.Linear(6, 4)

    def forward(self, x):
        state: Any = None
        for step in x.unbind(1):
            state = self.cell(step, state)
        return self.out(state[0] if isinstance(state, tuple) else state)


class Products(nn.Module):
    """Weights of its own, used in every way."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.c, self.d = (nn.Parameter(torch.randn(6, 6)) for _ in range(4))
        self.enter, self.leave = nn.Parameter(torch.randn(6, 5)), nn.Parameter(torch.randn(6, 4))
        self.bias, self.shift, self.more = (nn.Parameter(torch.randn(6)) for _ in range(3))

    def forward(self, x):
        x = F.relu(F.linear(x, self.enter, self.bias))
        x = F.relu(x @ self.a)
        x = F.relu(x @ self.b.T + self.shift)
        x = F.relu(torch.addmm(self.more, x, self.c))
        return F.relu(torch.matmul(x, self.d)) @ self.leave


class Attending(nn.Module):
    def __init__(self):
        super().__init__()
        self.enter, self.out = nn.Linear(5, 8), nn.Linear(8, 4)
        self.inner = nn.TransformerEncoderLayer(8, 2, 12, batch_first=True)

    def forward(self, x):
        return self.out(self.inner(self.enter(x)).mean(1))


IMAGES, SERIES, NUMBERS = (1, 10, 10), (3, 5), (5,)
MODELS: dict[str, tuple[Any, tuple[int, ...]]] = {
    "residual": (Residual, IMAGES),
    "depthwise, grouped, transposed": (Mobile, IMAGES),
    "rnn": (lambda: Recurrent(nn.RNN), SERIES),
    "gru": (lambda: Recurrent(nn.GRU), SERIES),
    "lstm": (lambda: Recurrent(nn.LSTM, bidirectional=True), SERIES),
    "gru cell": (lambda: Unrolled(nn.GRUCell), SERIES),
    "lstm cell": (lambda: Unrolled(nn.LSTMCell), SERIES),
    "products": (Products, NUMBERS),
    "attention": (Attending, SERIES),
}


def network(name, seed=0):
    torch.manual_seed(seed)
    build, sample = MODELS[name]
    module, x = build().eval(), torch.randn(8, *sample)
    with torch.no_grad():
        for value in module.parameters():
            value += 0.2 * torch.randn(value.shape)
    return Subnetwork.from_module(module, Architecture(module, (x,))), x


def some_units(subnetwork, seed=0):
    sizes = subnetwork.architecture.hidden_units
    rng = np.random.default_rng(seed)
    return subnetwork.architecture.unit_numbers({n: rng.permutation(k)[: max(1, k // 3)] for n, k in sizes.items()})


def outputs(subnetwork, x):
    weights = {name: torch.tensor(value) for name, value in subnetwork.weights.items()}
    with torch.no_grad():
        return torch.func.functional_call(subnetwork.module.eval(), weights, (x,))


@pytest.mark.parametrize("name", MODELS)
def test_zeros_of_weights_are_the_lesion(name):
    whole, x = network(name)
    units = some_units(whole)
    anatomy, gone = whole.architecture.anatomy, np.isin(np.arange(whole.architecture.units), units)
    with torch.no_grad():
        tape = record(whole.module, (x,))
        expected = Cuts(anatomy, anatomy.parts).without(tape, gone, {}, tape.result)
    torch.testing.assert_close(outputs(remove_units(whole, units), x), expected, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(expected, tape.values[tape.result], atol=1e-3)


@pytest.mark.filterwarnings("ignore:There is a performance drop")  # of cells under vmap
@pytest.mark.parametrize("name", MODELS)
def test_what_is_removed_stays_0_through_training_with_an_old_optimizer(name):
    whole, x = network(name)
    sample, rng = MODELS[name][1], np.random.default_rng(0)
    some = Examples(rng.standard_normal((60, *sample)).astype(np.float32), np.arange(60) % 4)
    data = Dataset("noise", some, some, 4)
    recipe = Recipe(8, 10, "adam", 0.01, 0.9, 0.01, 8)

    def trained(network, state=None):
        split = data.split(12, seeds.stream(0, "split", 0))
        [result] = population.train([Trial(network, split, np.random.SeedSequence(1), state)], data, recipe)
        return result

    first, units = trained(whole), some_units(whole)
    dead = remove_units(first.final, units)
    later = trained(dead, surviving_state(first.state, first.final, units)).final
    for key, mask in dead.masks.items():
        assert (later.weights[key][~mask] == 0).all()
    assert all(np.isfinite(value).all() for value in later.weights.values())
    again = remove_units(later, units)
    torch.testing.assert_close(outputs(later, x), outputs(again, x))
    assert any((later.weights[key] != dead.weights[key]).any() for key in dead.masks)


@pytest.mark.parametrize("name", MODELS)
def test_what_remains_is_counted_as_it_is_removed(name):
    whole, _ = network(name)
    order = np.random.default_rng(1).permutation(whole.architecture.units)[:7]
    left = remaining(whole, order)
    networks = [remove_units(whole, order[:step]) for step in range(len(order) + 1)]
    assert left.links.tolist() == [each.links for each in networks]
    last = networks[-1].masks
    there = sum(mask.size for mask in last.values())
    assert left.parameters[0] - left.parameters[-1] == there - sum(int(mask.sum()) for mask in last.values())


@pytest.mark.parametrize("name", MODELS)
def test_the_dead_do_not_live(name):
    whole, _ = network(name)
    for layer in whole.architecture.hidden:
        assert living_units(whole, layer).all()
        lesioned = remove_units(whole, whole.architecture.unit_numbers({layer.name: [1]}))
        assert np.flatnonzero(~living_units(lesioned, layer)).tolist() == [1]
    total = sum(float((whole.weights[key].astype(float) ** 2).sum()) for key in whole.architecture.link_weights)
    assert np.linalg.norm(list(weight_norms(whole).values())) == pytest.approx(total**0.5)


def test_links_are_all_that_multiplies_signals():
    for name, expected in {
        "products": ["enter", "a", "b", "c", "d", "leave"],
        "gru": ["rnn.weight_ih_l0", "rnn.weight_hh_l0", "rnn.weight_ih_l1", "rnn.weight_hh_l1", "out.weight"],
        "lstm cell": ["cell.weight_ih", "cell.weight_hh", "out.weight"],
    }.items():
        assert [*network(name)[0].architecture.link_weights] == expected
    axes = network("products")[0].architecture.input_axes
    assert axes == {"enter": 1, "a": 0, "b": 1, "c": 0, "d": 0, "leave": 0}


def test_survivors_make_up_for_the_inputs_that_they_lost():
    whole, _ = network("products")
    lesioned = remove_units(whole, whole.architecture.unit_numbers({"enter": [0, 3]}))
    scaled = scale_by_count(whole, lesioned)
    np.testing.assert_allclose(scaled.weights["a"], lesioned.weights["a"] * 6 / 4, rtol=1e-6)
    np.testing.assert_array_equal(scaled.weights["leave"], lesioned.weights["leave"])


def test_kaiming_counts_the_inputs_wherever_they_are():
    module = Products()
    module.leave = nn.Parameter(torch.zeros(6, 600))
    drawn = initialize(Architecture(module, (torch.randn(3, 5),)), "kaiming", np.random.default_rng(0))
    assert drawn.weights["leave"].var() == pytest.approx(2 / 6, rel=0.2)


def test_what_grows_anew_has_no_effect_at_first_or_is_refused():
    whole, x = network("gru cell")
    check_regrowth(whole.architecture)
    units = some_units(whole)
    grown = regrow(whole, units, "pytorch", np.random.default_rng(0))
    assert grown.links == whole.links
    torch.testing.assert_close(outputs(grown, x), outputs(remove_units(whole, units), x))
    with pytest.raises(InputError, match="those of enter do not act through weights alone"):
        check_regrowth(network("residual")[0].architecture)


def test_a_layer_that_zeros_cannot_silence_is_named_with_the_reason():
    module = Residual(torch.sigmoid)
    with pytest.raises(
        InputError, match=r"units of enter cannot be removed for good: their signal goes to add, conv2d"
    ):
        check_removable(Architecture(module, (torch.rand(3, 1, 10, 10),)))
