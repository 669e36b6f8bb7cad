"""Modules followed as one chain of layers."""

import copy
from collections import OrderedDict
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from karikomi.errors import InputError
from karikomi.networks.architecture import Architecture
from karikomi.networks.mlp import mlp
from karikomi.networks.tracing import Step, follow


def passed(signal: Tensor, steps: Sequence[Step], module: nn.Module) -> Tensor:
    for step in steps:
        signal = step.apply(signal, module)
    return signal


class Written(nn.Module):
    """A model as people write it, its parts in another order than the signal's."""

    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(6, 2)
        self.conv = nn.Conv2d(1, 3, 3)
        self.hidden = nn.Linear(3 * 4, 6)
        self.norm = nn.BatchNorm1d(6)

    def forward(self, x: Tensor) -> Tensor:
        batch = x.size(0)
        x = functional.max_pool2d(functional.relu(self.conv(x.view(-1, 1, 6, 6))), 2)
        x = x.view(batch, -1)
        x = functional.dropout(torch.relu_(self.norm(self.hidden(x))), 0.5, self.training)
        return functional.log_softmax(self.out(x.sigmoid()), dim=1)


class Pooled(nn.Module):
    """Channels averaged over a field whose size the forward asks for."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.out = nn.Conv2d(2, 5, 3), nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        return self.out(torch.flatten(functional.avg_pool2d(x, x.shape[2:]), start_dim=1))


@pytest.mark.parametrize(
    ("module", "shape"),
    [
        (mlp((3, 2), (5, 4), 2), (3, 2)),
        (Written(), (36,)),
        (Pooled(), (2, 7, 7)),
        (nn.Sequential(nn.Flatten(), nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Tanh())), (2, 2)),
        (nn.Linear(3, 2), (3,)),
    ],
    ids=["mlp", "written", "pooled", "nested", "linear"],
)
def test_the_steps_of_the_chain_are_the_module_s_forward(module: nn.Module, shape: tuple[int, ...]) -> None:
    module.eval()
    chain = follow(module)
    x = torch.rand(5, *shape)
    other = copy.deepcopy(module)
    nn.init.ones_(next(other.parameters()))
    for whose in (module, other):
        signal = passed(x.clone(), chain.entrance, whose)
        for stage in chain.stages:
            signal = passed(signal, (stage.layer, *stage.after), whose)
        torch.testing.assert_close(signal, whose(x), rtol=0, atol=0)


def test_layers_come_in_the_order_of_the_signal_with_what_each_unit_gives() -> None:
    stages = follow(Written()).stages
    assert [(stage.name, len(stage.part.weight), stage.places) for stage in stages] == [
        ("conv", 3, 1),
        ("hidden", 6, 4),
        ("out", 2, 1),
    ]
    assert [step.name for step in stages[1].after if step.nonlinear] == ["relu_", "sigmoid"]
    assert [step.name for step in stages[0].after if step.flattens] == ["view"]


def test_it_is_the_forward_of_evaluation_whatever_the_mode_of_the_module() -> None:
    x = torch.rand(4, 36)
    module = Written().train()
    module.norm.eval()
    [dropout] = [step for step in follow(module).stages[1].after if step.name == "dropout"]
    assert torch.equal(dropout.apply(x, module), x)
    assert (module.training, module.norm.training) == (True, False)


class Skip(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.inner(x)


class Choosing(Skip):
    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x) if x.sum() > 0 else x


class Twice(Skip):
    def forward(self, x: Tensor) -> Tensor:
        return self.inner(self.inner(x))


class LookingBack(Pooled):
    def forward(self, x: Tensor) -> Tensor:
        return self.out(torch.flatten(functional.avg_pool2d(self.conv(x), x.shape[2:]), 1))


def repeated() -> nn.Module:
    layer = nn.Linear(3, 3)
    return nn.Sequential(OrderedDict(first=layer, relu=nn.ReLU(), second=layer))


def tied() -> nn.Module:
    first, second = nn.Linear(3, 3), nn.Linear(3, 3)
    second.weight = first.weight
    return nn.Sequential(OrderedDict(first=first, second=second))


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (Twice(), "inner is used more than once"),
        (Skip(), "branches or joins at add"),
        (nn.Sequential(nn.Linear(3, 3), Skip()), "branches or joins at add"),
        (LookingBack(), "branches or joins at avg_pool2d"),
        (Choosing(), "cannot follow the model's forward"),
        (nn.LSTM(3, 3), "through a LSTM"),
        (nn.Sequential(nn.RNN(3, 3)), "through 0, a RNN"),
        (nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4)), "through 1, a LayerNorm"),
        (nn.Sequential(nn.ConvTranspose1d(2, 2, 3)), "through 0, a ConvTranspose1d"),
        (nn.Sequential(nn.Linear(4, 4), nn.Softmax(1), nn.Linear(4, 4)), "1 mixes the units before 2"),
        (nn.Sequential(nn.Conv1d(2, 2, 3), nn.Linear(4, 4)), "put nn.Flatten between"),
        (nn.Sequential(nn.Linear(4, 2), nn.Conv1d(2, 2, 3)), "1 is a convolution, but 0 before it"),
        (nn.Sequential(nn.Conv1d(2, 3, 3), nn.Flatten(), nn.Linear(7, 4)), "3 flattened channels cannot give"),
        (nn.Sequential(nn.Linear(2, 3), nn.Linear(4, 4)), "1 takes 4 units, but the layer before it has 3"),
        (nn.Sequential(nn.Conv1d(2, 3, 3), nn.Conv1d(4, 3, 3)), "1 takes 4 units, but the layer before it has 3"),
        (nn.Sequential(nn.ReLU()), "no linear or convolutional layer"),
    ],
)
def test_what_is_no_chain_is_refused_in_one_line(module: nn.Module, message: str) -> None:
    with pytest.raises(InputError, match=message) as refused:
        follow(module)
    assert "\n" not in str(refused.value)


def test_what_is_no_chain_may_be_another_kind_of_module() -> None:
    assert Architecture(Skip()).chain is None
    assert Architecture(mlp((3,), (2,), 2)).chain is not None
    for module in (tied(), repeated()):
        assert Architecture(module).chain is None
        with pytest.raises(InputError, match="second uses the weights of first again"):
            Architecture(module).require_chain()


def test_the_module_stays_as_it_was() -> None:
    module = Written().train()
    before = copy.deepcopy(module.state_dict())
    follow(module)
    assert module.training
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
