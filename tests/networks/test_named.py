"""The networks by name: their papers' sizes, the samples they take, their units against forwards written by hand."""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from rich.console import Console
from tests.zoo.oracle import Change
from torch import Tensor, nn

import karikomi
from karikomi.engines import population
from karikomi.engines.choice import choose
from karikomi.errors import InputError
from karikomi.networks import NETWORKS, build
from karikomi.networks.architecture import Architecture
from karikomi.networks.initialization import initialize
from karikomi.runs.settings import identity
from karikomi.studies.lottery.settings import LotterySettings
from karikomi.studies.settings import SCHEMA

IMAGES = [name for name, entry in NETWORKS.items() if not entry.example and name != "lenet-300-100"]
EXAMPLES = [entry.example or name for name, entry in NETWORKS.items()]


def links(name: str, shape: tuple[int, ...] = (3, 32, 32)) -> dict[str, int]:
    module = build(name, shape, 10)
    return {weight: module.get_parameter(weight).numel() for weight in Architecture(module).link_weights}


@pytest.mark.parametrize(("name", "kernels"), [("conv-2", 38_592), ("conv-4", 259_776), ("conv-6", 1_144_512)])
def test_conv_nets_have_the_lottery_papers_convolutions(name: str, kernels: int) -> None:
    """Which the paper gives as 38K, 260K and 1.1M; the small ones have 1/64 of those between hidden channels."""
    found, small = links(name), links(f"{name}-small")
    assert sum(many for weight, many in found.items() if weight.startswith("conv")) == kernels
    assert [found[f"{layer}.weight"] for layer in ("fc2", "output")] == [256 * 256, 256 * 10]
    assert list(small) == list(found)
    assert small["conv2.weight"] == found["conv2.weight"] / 64


@pytest.mark.parametrize(("name", "millions"), [("conv-2", 4.3), ("conv-4", 2.4)])
def test_conv_nets_have_the_lottery_papers_weights(name: str, millions: float) -> None:
    assert round(sum(links(name).values()) / 1e6, 1) == millions


@pytest.mark.parametrize(
    ("name", "shape", "parameters"),
    [("lenet-5", (28, 28), 61_706), ("resnet-20", (3, 32, 32), 269_722 + 2_752), ("gru", (28, 28), 18_698)],
)
def test_sizes_that_are_known(name: str, shape: tuple[int, ...], parameters: int) -> None:
    """LeNet-5's of the textbooks; He's 0.27 million and the two projections; 3 · 64 · (28 + 64 + 2) + 650."""
    assert sum(parameter.numel() for parameter in build(name, shape, 10).parameters()) == parameters


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("shape", [(28, 28), (3, 32, 32), (8, 8), (20, 12)], ids=str)
def test_every_network_takes_images_of_any_size(name: str, shape: tuple[int, ...]) -> None:
    if name == "lenet-5" and shape == (8, 8):
        with pytest.raises(InputError, match="lenet-5 needs images of 12 × 12 or more; these are 8 × 8"):
            build(name, shape, 10)
        return
    module, x = build(name, shape, 7).eval(), torch.rand(2, *shape)
    outputs = module(x)
    assert outputs.shape == (2, 7)
    assert Architecture(module, (x,)).units
    if len(shape) == 2:
        with_channel = build(name, (1, *shape), 7).eval()
        with_channel.load_state_dict(module.state_dict())
        torch.testing.assert_close(with_channel(x[:, None]), outputs, rtol=0, atol=0)


@pytest.mark.parametrize("name", IMAGES)
def test_what_is_no_image_is_refused_in_a_line(name: str) -> None:
    with pytest.raises(InputError, match=rf"{name} needs images, .*; these are \(784,\)"):
        build(name, (784,), 10)


@pytest.mark.parametrize("name", ["vit", "patch-gnn"])
@pytest.mark.parametrize("shape", [(17, 17), (9, 8), (4, 64)], ids=str)
def test_images_that_cannot_be_cut_into_patches_are_refused(name: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=rf"equal square patches.*{shape[0]} × {shape[1]}"):
        build(name, shape, 10)


@pytest.mark.parametrize("scheme", ["glorot", "kaiming", "pytorch"])
@pytest.mark.parametrize("name", EXAMPLES)
def test_all_initial_weights_come_from_the_stream(name: str, scheme: Any) -> None:
    """None is left from when the module was built, and replicates share none that is drawn."""
    a, b, c = (
        initialize(Architecture(build(name, (12, 12), 10)), scheme, np.random.default_rng(seed)).weights
        for seed in (0, 0, 1)
    )
    for key, value in a.items():
        assert (value == b[key]).all()
        assert (value != c[key]).any() or len(np.unique(value)) == 1


def chain(model: Any, x: Tensor, change: Change) -> Tensor:
    """Layers in a row: units act behind the activation."""
    layer = ""
    for name, part in model.named_children():
        x = part(x)
        layer = name if isinstance(part, nn.Linear | nn.Conv2d) else layer
        x = change(layer, x, 1) if isinstance(part, nn.ReLU) else x
    return x


def residual(model: Any, x: Tensor, change: Change) -> Tensor:
    x = change("conv", F.relu(model.bn(model.conv(x[:, None]))), 1)
    for number, block in enumerate(model.blocks):
        name = f"blocks.{number}"
        inner = change(f"{name}.conv1", F.relu(block.bn1(block.conv1(x))), 1)
        inner = change(f"{name}.conv2", block.bn2(block.conv2(inner)), 1)
        if len(block.shortcut):
            x = change(f"{name}.shortcut.0", block.shortcut[1](block.shortcut[0](x)), 1)
        x = F.relu(inner + x)
    return model.output(x.mean((2, 3)))


def transformer(model: Any, x: Tensor, change: Change) -> Tensor:
    patches = F.unfold(x[:, None], 2, stride=2).transpose(1, 2)
    x = change("embed", patches @ model.embed.weight.flatten(1).T + model.embed.bias + model.positions)
    for number, block in enumerate(model.blocks):
        name, attention, y = f"blocks.{number}", block.attention, block.norm1(x)
        query, key, value = (layer(y).chunk(4, 2) for layer in (attention.query, attention.key, attention.value))
        heads = [(q @ k.transpose(1, 2) / 8**0.5).softmax(2) @ v for q, k, v in zip(query, key, value, strict=True)]
        mixed = change(f"{name}.attention", torch.stack(heads, 1), 1).transpose(1, 2).flatten(2)
        x = x + change(f"{name}.attention.out", attention.out(mixed))
        inner = change(f"{name}.fc1", F.gelu(block.fc1(block.norm2(x))))
        x = x + change(f"{name}.fc2", block.fc2(inner))
    return model.output(model.norm(x).mean(1))


def messages(model: Any, x: Tensor, change: Change) -> Tensor:
    """Over a list of nodes and the matrix of who is beside whom."""
    side = x.shape[1] // 2
    place = torch.cartesian_prod(torch.arange(side), torch.arange(side))
    beside = ((place[:, None] - place).abs().amax(2) <= 1).float()
    h = F.unfold(x[:, None], 2, stride=2).transpose(1, 2) @ model.embed.weight.flatten(1).T + model.embed.bias
    h = change("embed", F.relu(h + model.positions.flatten(1).T))
    for number, passing in enumerate(model.passing):
        around = beside @ h / beside.sum(1, keepdim=True)
        h = F.linear(torch.cat([h, around], 2), passing.conv.weight.flatten(1), passing.conv.bias)
        h = change(f"passing.{number}.conv", F.relu(h))
    return model.output(h.amax(1))


def recurrent(model: Any, x: Tensor, change: Change) -> Tensor:
    h, gru = torch.zeros(len(x), 64), model.gru
    for row in x.unbind(1):
        into = F.linear(row, gru.weight_ih_l0, gru.bias_ih_l0).chunk(3, 1)
        own = F.linear(h, gru.weight_hh_l0, gru.bias_hh_l0).chunk(3, 1)
        reset, update = torch.sigmoid(into[0] + own[0]), torch.sigmoid(into[1] + own[1])
        h = change("gru", (1 - update) * torch.tanh(into[2] + reset * own[2]) + update * h)
    return model.output(h)


FORWARDS: dict[str, Callable[[Any, Tensor, Change], Tensor]] = {
    "resnet-8": residual,
    "resnet-20": residual,
    "vit": transformer,
    "patch-gnn": messages,
    "gru": recurrent,
}


@torch.no_grad()
@pytest.mark.parametrize("name", EXAMPLES)
def test_a_knock_out_is_the_network_without_the_unit(name: str) -> None:
    torch.manual_seed(0)
    model, x, y = build(name, (12, 12), 3), torch.rand(9, 12, 12), torch.arange(9) % 2
    for value in model.state_dict().values():  # signals that reach the end; numbers as of a trained network
        if value.ndim > 1:
            value *= 6**0.5
        elif value.ndim == 1:
            value += 0.3 * torch.rand_like(value)
    model.eval()
    forward, loudest = FORWARDS.get(name, chain), dict[str, int]()

    def listen(layer: str, signal: Tensor, axis: int = -1) -> Tensor:
        loudest[layer] = int(signal.movedim(axis, 0).flatten(1).sum(1).argmax())
        return signal

    whole = forward(model, x, listen)
    torch.testing.assert_close(whole, model(x), rtol=1e-4, atol=1e-5)
    units = Architecture(model, (x,)).hidden_units
    assert loudest.keys() == units.keys()
    firsts = dict(zip(units, np.cumsum([0, *units.values()]), strict=False))
    table = karikomi.knock_out(model, x, y, units=[int(firsts[layer]) + loudest[layer] for layer in units])
    for layer, rise in table.set_index("layer")["loss_rise"].items():

        def change(at: str, signal: Tensor, axis: int = -1, layer: Any = layer) -> Tensor:
            return signal.index_fill(axis, torch.tensor([loudest[layer]]), 0) if at == layer else signal

        expected = F.cross_entropy(forward(model, x, change), y) - F.cross_entropy(whole, y)
        assert rise == pytest.approx(float(expected), abs=1e-5)
        assert abs(rise) > 1e-4, "what is compared is not nothing"


@pytest.mark.parametrize("name", EXAMPLES)
def test_its_units_fit_a_screen(name: str) -> None:
    console = Console(width=100, file=io.StringIO(), record=True)
    console.print(karikomi.describe(build(name, (28, 28), 10), torch.rand(3, 28, 28)))
    assert console.export_text().count("\n") <= 40


FORMULAS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": lambda x: x.clamp(min=0),
    "tanh": lambda x: 2 / (1 + torch.exp(-2 * x)) - 1,
    "gelu": lambda x: x * (1 + torch.erf(x / 2**0.5)) / 2,
    "silu": lambda x: x / (1 + torch.exp(-x)),
    "sigmoid": lambda x: 1 / (1 + torch.exp(-x)),
}


@torch.no_grad()
@pytest.mark.parametrize("activation", FORMULAS)
@pytest.mark.parametrize("normalization", ["none", "batch", "layer"])
def test_a_perceptron_with_options_is_the_formula(activation: str, normalization: str) -> None:
    model: Any = build("mlp-7-5", (4, 3), 2, activation=activation, normalization=normalization, dropout=0.4)
    x = torch.randn(9, 4, 3)
    model.train()(x)
    model.eval()
    h = x.flatten(1)
    for number in (1, 2):
        h = h @ model.get_parameter(f"fc{number}.weight").T + model.get_parameter(f"fc{number}.bias")
        if normalization == "batch":
            norm = model.get_submodule(f"norm{number}")
            h = (h - norm.running_mean) / (norm.running_var + 1e-5).sqrt()
        if normalization == "layer":
            h = (h - h.mean(1, keepdim=True)) / (h.var(1, unbiased=False, keepdim=True) + 1e-5).sqrt()
        h = FORMULAS[activation](h)
    torch.testing.assert_close(model(x), h @ model.output.weight.T + model.output.bias, rtol=1e-4, atol=1e-5)
    dropped = model[: list(dict(model.named_children())).index("dropout1") + 1].train()(torch.randn(200, 4, 3))
    assert 0.3 < (dropped == 0).float().mean() < 0.5 or activation == "relu"


@pytest.mark.parametrize(
    ("options", "sparse"),
    [
        ({}, True),
        ({"activation": "relu", "dropout": 0.0, "normalization": "none"}, True),
        ({"activation": "tanh"}, True),
        ({"activation": "gelu"}, True),
        ({"dropout": 0.1}, True),
        ({"normalization": "batch"}, True),
        ({"normalization": "layer"}, True),
    ],
)
def test_the_sparse_engine_takes_what_it_can(options: dict[str, Any], sparse: bool) -> None:
    architecture = Architecture(build("lenet-300-100", (8, 8), 10, **options))
    assert (choose("auto", architecture) is not population) == sparse


@pytest.mark.parametrize("option", [{"activation": "relu"}, {"dropout": 0.5}, {"normalization": "batch"}])
@pytest.mark.parametrize("name", [*IMAGES, "modular-2-4-4-4"])
def test_options_are_refused_where_they_mean_nothing(name: str, option: dict[str, Any]) -> None:
    [key] = option
    with pytest.raises(InputError, match=f"{key} can be chosen for lenet-300-100, mlp-<h1>-<h2>-…; not for {name}"):
        LotterySettings.of(network=name, **option)
    with pytest.raises(InputError, match=f"not for {name}"):
        build(name, (28, 28), 10, **option)


def test_settings_without_options_are_the_same_run_as_before_there_were_any() -> None:
    now = LotterySettings().model_dump()
    before = {key: value for key, value in now.items() if key not in ("activation", "dropout", "normalization")}
    assert len(before) == len(now) - 3
    assert identity("lottery", now, SCHEMA) == identity("lottery", before, SCHEMA)
    chosen = LotterySettings.of(activation="tanh").model_dump()
    assert identity("lottery", chosen, SCHEMA) != identity("lottery", now, SCHEMA)
