"""What people give by mistake costs one line, and leaves the model as it was."""

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

import karikomi
from karikomi.errors import InputError

X, Y = torch.randn(30, 4), torch.arange(30) % 3


def model() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3)).eval()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (lambda: nn.Linear(4, 3), "no hidden units"),
        (lambda: lambda x: x, "must be an nn.Module; this is a function"),
        (lambda: nn.Linear, "must be an nn.Module; this is a type"),
        (lambda: model().to("meta"), "0.weight has no values"),
        (lambda: nn.Sequential(nn.LazyLinear(6), nn.ReLU(), nn.Linear(6, 3)), "0.weight has no shape yet"),
    ],
)
def test_what_is_no_model_is_refused(given, message):
    with pytest.raises(InputError, match=message):
        karikomi.knock_out(given(), X, Y)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"loss": "mse"}, "loss must be a function"),
        ({"metric": lambda outputs, y: y}, "metric goes with a loss"),
        ({"loss": lambda outputs: outputs}, "loss fails on outputs and labels: TypeError"),
        (
            {"loss": lambda outputs, y: outputs.sum(1), "metric": lambda outputs, y: 10.0 * y},
            "how right each example is, from 0 to 1",
        ),
        ({"y": torch.full((30, 3), float("nan"))}, "labels hold NaN"),
    ],
)
def test_scoring_that_means_nothing_is_refused(settings, message):
    y = settings.pop("y", Y)
    with pytest.raises(InputError, match=message):
        karikomi.knock_out(model(), X, y, **settings)


def test_orders_are_counted_in_whole_numbers():
    with pytest.raises(InputError, match=r"whole number from 1; asked for are 2\.5"):
        karikomi.shapley(model(), X, Y, permutations=2.5)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("norm", [parametrizations.weight_norm, parametrizations.spectral_norm])
def test_a_parametrized_model_is_as_it_was_after_it_was_shrunk(norm):
    whole = model()
    norm(whole[0])
    before = whole(X)
    for _ in range(2):
        smaller = karikomi.shrink(whole, [0, 2], X)
        assert sum(part.out_features for part in smaller.modules() if isinstance(part, nn.Linear)) == 4 + 3
    torch.testing.assert_close(whole(X), before, rtol=0, atol=0)


def test_defaults_of_training_fit_few_examples():
    trained = karikomi.train(model(), (X.numpy(), Y.numpy()), iterations=3)
    assert trained(X).shape == (30, 3)


class Convolved(nn.Module):
    """A graph convolution (Kipf & Welling 2017): the bias is behind the adjacency, a constant."""

    adjacency: torch.Tensor

    def __init__(self, left: bool):
        super().__init__()
        torch.manual_seed(1)
        self.first, self.bias, self.last = nn.Linear(3, 5, bias=False), nn.Parameter(torch.randn(5)), nn.Linear(5, 3)
        self.register_buffer("adjacency", torch.rand(7, 7))
        self.left = left

    def forward(self, x: torch.Tensor, gone: int | None = None) -> torch.Tensor:
        h = self.first(x)
        h = self.adjacency @ h if self.left else (h.mT @ self.adjacency).mT
        h = torch.relu(h + self.bias)
        if gone is not None:
            h = h * (torch.arange(5) != gone)
        return self.last(h.mean(1))


@pytest.mark.parametrize("left", [True, False])
def test_a_unit_goes_through_a_constant_matrix_over_its_places(left):
    whole, x, y = Convolved(left).eval(), torch.randn(40, 7, 3), torch.arange(40) % 3
    table = karikomi.knock_out(whole, x, y)
    assert table["layer"].unique().tolist() == ["first"]
    with torch.no_grad():
        losses = [float(nn.functional.cross_entropy(whole(x, gone), y)) for gone in (None, *range(5))]
    assert table["loss_rise"].to_numpy() == pytest.approx([loss - losses[0] for loss in losses[1:]], abs=1e-6)
