"""Lesions of convolutions, attention and modules with branches; perceptrons are in the conformance suite."""

import copy
from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, max_pool2d, relu

from karikomi.data.dataset import Examples
from karikomi.engines import population
from karikomi.engines.contract import Ablation, Outcomes
from karikomi.engines.population import subject
from karikomi.errors import InputError
from karikomi.networks.architecture import Architecture
from karikomi.networks.subnetwork import Subnetwork

N = 24


Change = Callable[[str, Tensor], Tensor]
"""What is done to the signal in which a layer's units act, by the layer's name."""


def keep(name: str, signal: Tensor) -> Tensor:
    return signal


class Convolutional(nn.Module):
    """A chain as people write it, its parts in another order than the signal's."""

    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(6, 4)
        self.first, self.second = nn.Conv2d(1, 4, 3), nn.Conv2d(4, 6, 3, padding=1, groups=2)
        self.norm, self.late_norm = nn.BatchNorm2d(4), nn.BatchNorm2d(6)
        self.hidden = nn.Linear(6 * 4, 6)

    def forward(self, x: Tensor, change: Change = keep) -> Tensor:
        x = change("first", max_pool2d(relu(self.norm(self.first(x)), inplace=True), 2, stride=1))
        x = change("second", max_pool2d(self.late_norm(torch.tanh(self.second(x))), 2, ceil_mode=True))
        return self.out(change("hidden", self.hidden(x.view(x.size(0), -1)).relu_()))


class Residual(nn.Module):
    """Branches: a unit acts until its signal is joined with another one."""

    def __init__(self) -> None:
        super().__init__()
        self.enter, self.inner = nn.Conv2d(1, 4, 3), nn.Conv2d(4, 4, 3, padding=1)
        self.norm, self.out = nn.BatchNorm2d(4), nn.Linear(4, 4)

    def forward(self, x: Tensor, change: Change = keep) -> Tensor:
        x = change("enter", relu(self.norm(self.enter(x)), inplace=True))
        return self.out((x + change("inner", torch.tanh_(self.inner(x)))).mean((2, 3)))


class Attending(nn.Module):
    """Six tokens of six numbers each; ``first`` says which axis examples have inside, as ``batch_first`` does."""

    def __init__(self, first: bool) -> None:
        super().__init__()
        self.first = first
        self.embed = nn.Linear(6, 8)
        self.encoder = nn.TransformerEncoderLayer(8, 4, 5, batch_first=first)
        self.out = nn.Linear(8, 4)

    def forward(self, x: Tensor, change: Change | None = None) -> Tensor:
        x = self.embed(x.squeeze(1) if self.first else x.squeeze(1).transpose(0, 1))
        return self.out((self.encoder(x) if change is None else self.by_hand(x, change)).mean(1 if self.first else 0))

    def by_hand(self, x: Tensor, change: Change) -> Tensor:
        """The encoder layer from the formula (Vaswani et al. 2017)."""
        layer, attention = self.encoder, self.encoder.self_attn
        x = change("embed", x)
        attended = change("encoder.self_attn", heads(attention, x))
        x = layer.norm1(x + change("encoder.self_attn.out_proj", attention.out_proj(attended)))
        inner = change("encoder.linear1", relu(layer.linear1(x)))
        return layer.norm2(x + change("encoder.linear2", layer.linear2(inner)))


MODULES: dict[str, Callable[[], nn.Module]] = {
    "convolutional": Convolutional,
    "residual": Residual,
    "attending": lambda: Attending(True),
    "attending, tokens first": lambda: Attending(False),
}


def subnetwork(module: nn.Module) -> Subnetwork:
    """With running statistics, scales and biases like those of a trained network."""
    torch.manual_seed(3)
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.5)
    module.train()(torch.randn(64, 1, 6, 6))
    return Subnetwork.full(
        Architecture(module), {name: value.numpy().copy() for name, value in module.state_dict().items()}
    )


@pytest.fixture(params=MODULES)
def network(request: pytest.FixtureRequest) -> Subnetwork:
    return subnetwork(MODULES[request.param]())


@pytest.fixture(scope="module")
def examples() -> Examples:
    rng = np.random.default_rng(0)
    return Examples(rng.normal(size=(N, 1, 6, 6)).astype(np.float32), rng.integers(0, 4, N))


def units(network: Subnetwork) -> list[tuple[str, int]]:
    return [(name, i) for name, count in network.architecture.hidden_units.items() for i in range(count)]


def loaded(network: Subnetwork) -> nn.Module:
    module = copy.deepcopy(network.module).eval()
    module.load_state_dict({name: torch.tensor(value) for name, value in network.weights.items()})
    return module


def removed(network: Subnetwork, gone: Iterable[int], examples: Examples) -> Tensor:
    """Outputs with the signals of the units ``gone`` 0."""
    return shown(network, gone, examples, Ablation(means=np.zeros(len(units(network)))))


def split(name: str, signal: Tensor, i: int) -> Tensor:
    """The part of a signal that is unit i's, as a view."""
    if name.endswith("self_attn"):
        return signal[..., 2 * i : 2 * i + 2]
    return signal[:, i] if signal.ndim == 4 else signal[..., i]


def heads(attention: nn.MultiheadAttention, x: Tensor) -> Tensor:
    """What the heads give, side by side, from the formula (Vaswani et al. 2017)."""
    x = x if attention.batch_first else x.transpose(0, 1)
    projected = nn.functional.linear(x, attention.in_proj_weight, attention.in_proj_bias)
    query, key, value = (part.unflatten(2, (4, 2)).transpose(1, 2) for part in projected.chunk(3, dim=2))
    found = ((query @ key.transpose(2, 3) / 2**0.5).softmax(3) @ value).transpose(1, 2).flatten(2)
    return found if attention.batch_first else found.transpose(0, 1)


@torch.no_grad()
def shown(network: Subnetwork, gone: Iterable[int], examples: Examples, ablation: Ablation) -> Tensor:
    """Outputs with the signals of the units ``gone`` overwritten."""
    x, names = torch.tensor(examples.x), units(network)
    donated: dict[str, Tensor] = {}

    def record(name: str, signal: Tensor) -> Tensor:
        donated[name] = signal.clone()
        return signal

    if ablation.donors is not None:
        loaded(network)(x[ablation.donors], record)

    def overwrite(name: str, signal: Tensor) -> Tensor:
        for unit in gone:
            layer, i = names[unit]
            if layer == name:
                instead = (
                    donated[name] if ablation.means is None else torch.full_like(signal, float(ablation.means[unit]))
                )
                split(name, signal, i).copy_(split(name, instead, i))
        return signal

    return loaded(network)(x, overwrite)


def assert_outcomes(found: Outcomes, where: tuple[int, ...], outputs: Tensor, examples: Examples) -> None:
    labels = torch.tensor(examples.y)
    assert found.loss[where] == pytest.approx(cross_entropy(outputs.double(), labels).item(), abs=1e-5)
    right = labels[outputs.argmax(1) == labels]
    np.testing.assert_array_equal(found.correct[where], np.bincount(right, minlength=4))


def observed(network: Subnetwork, examples: Examples, gate: Tensor | None = None) -> tuple[np.ndarray, Tensor]:
    """Mean signals ``[units, n]``, and outputs, with every unit's signal times its ``gate`` ``[units, n]``."""
    tokens_first = isinstance(network.module, Attending) and not network.module.first
    names = units(network)
    means = torch.zeros(len(names), len(examples))

    def record(name: str, signal: Tensor) -> Tensor:
        scaled = torch.ones_like(signal)
        for unit, (layer, i) in enumerate(names):
            if layer == name:
                own = split(name, signal.transpose(0, 1) if tokens_first else signal, i)
                means[unit] = own.detach().reshape(len(examples), -1).mean(1)
                if gate is not None:
                    mine = split(name, scaled.transpose(0, 1) if tokens_first else scaled, i)
                    mine.copy_(gate[unit].view(-1, *[1] * (mine.ndim - 1)).expand_as(mine))
        return signal * scaled

    outputs = loaded(network)(torch.tensor(examples.x), record)
    return means.numpy(), outputs


def test_activations_are_what_units_show_where_they_act(network, examples):
    found = population.activations(network, examples, device="cpu")
    np.testing.assert_allclose(found.activation, observed(network, examples)[0], rtol=0, atol=1e-5)


@torch.no_grad()
def test_before_is_what_enters_the_non_linearity(examples):
    network = subnetwork(Convolutional())
    found, module, x = (
        population.activations(network, examples, device="cpu"),
        loaded(network),
        torch.tensor(examples.x),
    )
    assert isinstance(module, Convolutional)
    normed = module.norm(module.first(x))
    second = module.second(max_pool2d(relu(normed), 2, stride=1))
    hidden = module.hidden(max_pool2d(module.late_norm(torch.tanh(second)), 2, ceil_mode=True).flatten(1))
    expected = torch.cat([normed.mean((2, 3)), second.mean((2, 3)), hidden], 1).T
    np.testing.assert_allclose(found.preactivation, expected, rtol=0, atol=1e-5)


def test_attributions_are_the_slopes_of_the_loss_in_a_gate_on_the_unit(network, examples):
    gate = torch.ones(len(units(network)), N, requires_grad=True)
    _, outputs = observed(network, examples, gate)
    [slopes] = torch.autograd.grad(cross_entropy(outputs, torch.tensor(examples.y), reduction="sum"), gate)
    found = population.attributions(network, examples, device="cpu")
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, slopes, rtol=1e-4, atol=1e-5)


def test_a_knock_out_is_the_network_without_the_unit(network, examples):
    found = population.knock_out(network, examples, device="cpu")
    for entry in range(len(units(network)) + 1):
        assert_outcomes(found, (entry,), removed(network, range(entry - 1, entry) if entry else [], examples), examples)


def test_every_step_of_every_order_is_the_network_without_the_units_so_far(network, examples):
    rng = np.random.default_rng(0)
    orders = np.stack([rng.permutation(len(units(network))) for _ in range(2)])
    found = population.remove_in_order(network, orders, examples, device="cpu")
    for row, order in enumerate(orders):
        for step in range(len(order) + 1):
            assert_outcomes(found, (row, step), removed(network, order[:step], examples), examples)


@pytest.mark.parametrize("kind", ["mean", "resample"])
def test_removed_units_can_show_something_else(network, examples, kind):
    rng, total = np.random.default_rng(1), len(units(network))
    means, donors = rng.normal(size=total).astype(np.float32), rng.permutation(N)
    ablation = Ablation(means=means) if kind == "mean" else Ablation(donors=donors)
    single = population.knock_out(network, examples, ablation, device="cpu")
    for unit in range(0, total, 2):
        assert_outcomes(single, (1 + unit,), shown(network, [unit], examples, ablation), examples)
    order = rng.permutation(total)
    found = population.remove_in_order(network, order[None], examples, ablation, device="cpu")
    for step in range(0, total + 1, 5):
        assert_outcomes(found, (0, step), shown(network, order[:step], examples, ablation), examples)


@pytest.mark.parametrize("room", [1, 2**13])
def test_the_room_in_memory_does_not_matter(network, examples, monkeypatch, room):
    order = np.random.default_rng(0).permutation(len(units(network)))
    ablation = Ablation(donors=np.arange(N)[::-1])

    def everything() -> list[np.ndarray]:
        single = population.knock_out(network, examples, device="cpu")
        all_way = population.remove_in_order(network, order[None], examples, ablation, device="cpu")
        seen = population.activations(network, examples, device="cpu").activation
        return [single.loss, all_way.loss, single.correct, all_way.correct, seen]

    whole = everything()
    monkeypatch.setattr(subject, "BLOCK_BYTES", room)
    for one, found in zip(whole, everything(), strict=True):
        np.testing.assert_allclose(found, one, rtol=0, atol=1e-5)


def test_removed_links_stay_removed(examples):
    network = subnetwork(Convolutional())
    masks = {name: np.random.default_rng(0).random(mask.shape) < 0.5 for name, mask in network.masks.items()}
    sparse = replace(network, masks=masks)
    found = population.knock_out(sparse, examples, device="cpu")
    assert_outcomes(found, (3,), removed(network.masked(masks), [2], examples), examples)


def test_the_module_and_pytorch_are_left_as_they_were(network, examples):
    module = network.module.train()
    before, random = copy.deepcopy(module.state_dict()), torch.random.get_rng_state()
    for lesion in (population.knock_out, population.activations, population.attributions):
        lesion(network, examples, device="cpu")
    assert torch.is_grad_enabled()
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert all(part.training and not part._forward_hooks for part in module.modules())
    assert all(parameter.grad is None for parameter in module.parameters())
    assert torch.equal(torch.random.get_rng_state(), random)


class Mixing(nn.Module):
    """Examples and tokens on one axis, tokens first."""

    def __init__(self) -> None:
        super().__init__()
        self.token, self.out = nn.Linear(6, 5), nn.Linear(5, 4)

    def forward(self, x: Tensor, change: Change = keep) -> Tensor:
        tokens = change("token", self.token(x.squeeze(1).transpose(0, 1).reshape(-1, 6)).relu())
        return self.out(tokens.view(6, -1, 5).mean(0))


def test_units_that_are_removed_from_all_examples_alike_need_no_axis_of_examples(examples):
    network = Subnetwork.full(
        Architecture(module := Mixing()), {name: value.numpy() for name, value in module.state_dict().items()}
    )
    found = population.knock_out(network, examples, device="cpu")
    for unit in range(5):
        assert_outcomes(found, (1 + unit,), removed(network, [unit], examples), examples)
    with pytest.raises(InputError, match="signal of token has no axis of examples"):
        population.activations(network, examples, device="cpu")


def test_refuses_a_device_that_is_not_there(examples, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="CUDA"):
        population.knock_out(subnetwork(Residual()), examples, device="cuda")
