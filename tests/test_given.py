"""Whatever form models, inputs and labels come in: the same numbers, or one line that says what would be right."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrizations, prune
from torch.utils.data import DataLoader, TensorDataset

import karikomi
from karikomi.errors import InputError

X, Y = torch.randn(40, 5, generator=torch.Generator().manual_seed(0)), torch.arange(40) % 3


def perceptron(last: int = 3, *end: nn.Module) -> Any:
    torch.manual_seed(0)
    model: Any = nn.Sequential(nn.Linear(5, 8), nn.GELU(), nn.Linear(8, last), *end)
    with torch.no_grad():
        model[2].weight *= 3
    return model


@torch.no_grad()
def rises(model: Any, loss: Callable[[Tensor], Tensor], x: Tensor = X) -> list[float]:
    """What each of the eight units costs, by a copy whose column is 0."""
    found = []
    for unit in range(8):
        lesioned = copy.deepcopy(model)
        lesioned[2].weight[:, unit] = 0
        found.append(float(loss(lesioned(x)) - loss(model(x))))
    return found


EXPECTED = rises(perceptron(), lambda outputs: F.cross_entropy(outputs, Y))


class Named(nn.Module):
    def __init__(self, give: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.inner, self.give = perceptron(), give

    def forward(self, x: Tensor) -> Any:
        return self.give(self.inner(x))


class ByName(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = perceptron()

    def forward(self, *, rows: Tensor, scale: Tensor) -> Tensor:
        return self.inner(rows * scale)


MODELS: dict[str, Callable[[], nn.Module]] = {
    "plain": perceptron,
    "softmax at the end": lambda: perceptron(3, nn.Softmax(1)),
    "log-softmax at the end": lambda: perceptron(3, nn.LogSoftmax(1)),
    "compiled": lambda: torch.compile(perceptron()),  # type: ignore[return-value]
    "in DataParallel": lambda: nn.DataParallel(perceptron()),
    "frozen": lambda: perceptron().requires_grad_(False),
    "in training mode": lambda: perceptron(3, nn.Dropout(0.5)).train(),
    "a mapping": lambda: Named(lambda logits: {"hidden": logits.sum(), "logits": logits}),
    "a tuple": lambda: Named(lambda logits: (logits, logits.sum())),
    "float64": lambda: perceptron().double(),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of what torch.compile loads
def test_one_model_in_any_form_costs_the_same(name: str) -> None:
    model = MODELS[name]()
    modes = [part.training for part in model.modules()]
    table = karikomi.knock_out(model, X, Y)
    np.testing.assert_allclose(table["loss_rise"], EXPECTED, atol=2e-6)
    assert [part.training for part in model.modules()] == modes
    assert not any(part._forward_hooks for part in model.modules())


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
def test_half_precision(kind: torch.dtype) -> None:
    table = karikomi.knock_out(perceptron().to(kind), X, Y)
    np.testing.assert_allclose(table["loss_rise"], EXPECTED, atol=0.05)


ROWS = TensorDataset(X, Y)
INPUTS: dict[str, Callable[[], tuple[Any, Any]]] = {
    "arrays": lambda: (X.numpy(), Y.numpy()),
    "float64 array": lambda: (X.double().numpy(), Y),
    "Dataset": lambda: (ROWS, None),
    "DataLoader": lambda: (DataLoader(ROWS, 7), None),
    "mappings with labels": lambda: ([{"input": x, "labels": y} for x, y in ROWS], None),
    "column of labels": lambda: (X, Y[:, None]),
    "float labels": lambda: (X, Y.float()),
    "one-hot labels": lambda: (X, F.one_hot(Y, 3)),
    "list of labels": lambda: (X, Y.tolist()),
}


@pytest.mark.parametrize("name", INPUTS)
def test_inputs_and_labels_in_any_form_cost_the_same(name: str) -> None:
    x, y = INPUTS[name]()
    if name == "mappings with labels":
        x = DataLoader(x, 11)
    np.testing.assert_allclose(karikomi.knock_out(perceptron(), x, y)["loss_rise"], EXPECTED, atol=2e-6)


def test_inputs_by_name() -> None:
    table = karikomi.knock_out(ByName(), {"rows": X, "scale": torch.ones(40, 1)}, Y)
    np.testing.assert_allclose(table["loss_rise"], EXPECTED, atol=2e-6)


def test_pruned_and_parametrized_weights_are_what_they_come_to() -> None:
    pruned, permanent = perceptron(), perceptron()
    for model in (pruned, permanent):
        prune.l1_unstructured(model[0], "weight", 0.5)
    prune.remove(permanent[0], "weight")
    found = karikomi.knock_out(pruned, X, Y)
    expected = rises(permanent, lambda outputs: F.cross_entropy(outputs, Y))
    np.testing.assert_allclose(found["loss_rise"], expected, atol=2e-6)
    normed = perceptron()
    parametrizations.weight_norm(normed[0])
    table = karikomi.knock_out(normed, X, Y)
    assert list(table["layer"].unique()) == ["0"]
    np.testing.assert_allclose(table["loss_rise"], EXPECTED, atol=2e-6)


def test_images_without_channels_get_an_axis_of_them() -> None:
    model = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(3 * 16, 3))
    x = torch.randn(40, 6, 6)
    a, b = (karikomi.knock_out(model, images, Y)["loss_rise"] for images in (x, x[:, None]))
    np.testing.assert_allclose(a, b, atol=1e-6)


REAL, BITS = torch.randn(40, generator=torch.Generator().manual_seed(1)), (torch.arange(40) % 2)
PAIRS = torch.stack([REAL, -REAL], 1)
MANY = torch.stack([BITS, 1 - BITS, torch.arange(40) % 3 == 0], 1).long()
TASKS: dict[str, tuple[int, Any, Callable[[Tensor], Tensor], str]] = {
    "regression": (1, REAL, lambda o: F.mse_loss(o[:, 0], REAL), "regression"),
    "several numbers": (2, PAIRS, lambda o: F.mse_loss(o, PAIRS), "regression"),
    "binary": (1, BITS, lambda o: F.binary_cross_entropy_with_logits(o[:, 0], BITS.float()), "binary"),
    "multilabel": (3, MANY, lambda o: F.binary_cross_entropy_with_logits(o, MANY.float()), "multilabel"),
}  # fmt: skip


@pytest.mark.parametrize("name", TASKS)
def test_tasks_are_guessed_and_told(name: str) -> None:
    outputs, y, loss, task = TASKS[name]
    model = perceptron(outputs)
    table = karikomi.knock_out(model, X, y)
    assert table.attrs["task"] == f"{task} (guessed)"
    np.testing.assert_allclose(table["loss_rise"], rises(model, loss), atol=1e-5)
    assert ("accuracy_drop" in table) == (task != "regression")
    told = karikomi.knock_out(model, X, y, task=task)  # type: ignore[arg-type]
    assert told.attrs["task"] == task
    assert karikomi.shapley(model, X, y, permutations=3)["value"].notna().all()


def test_a_sigmoid_at_the_end_is_scored_as_a_probability() -> None:
    plain, ended = (karikomi.knock_out(perceptron(1, *end), X, BITS) for end in ((), (nn.Sigmoid(),)))
    np.testing.assert_allclose(plain["loss_rise"], ended["loss_rise"], atol=1e-6)


def test_a_loss_and_a_metric_of_your_own() -> None:
    def absolute(outputs: Tensor, y: Tensor) -> Tensor:
        return (outputs[:, 0] - y).abs()

    def close(outputs: Tensor, y: Tensor) -> Tensor:
        return (outputs[:, 0] - y).abs() < 1

    model = perceptron(1)
    table = karikomi.knock_out(model, X, REAL, loss=absolute, metric=close)
    np.testing.assert_allclose(table["loss_rise"], rises(model, lambda o: absolute(o, REAL).mean()), atol=1e-5)
    drops = rises(model, lambda o: -close(o, REAL).float().mean())
    np.testing.assert_allclose(table["accuracy_drop"], drops, atol=1e-6)


def test_kinds_layers_and_branches() -> None:
    class Skip(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.enter, self.inner, self.out = nn.Linear(5, 4), nn.Linear(4, 4), nn.Linear(4, 3)

        def forward(self, x: Tensor) -> Tensor:
            x = F.relu(self.enter(x))
            return self.out(x + self.inner(x))

    torch.manual_seed(0)
    model = Skip()
    assert len(karikomi.knock_out(model, X, Y, units="neurons")) == 8
    layers = karikomi.knock_out(model, X, Y, units="layers")
    branches = karikomi.knock_out(model, X, Y, units="branches")
    assert (layers["layer"].tolist(), branches["layer"].tolist()) == (["enter", "inner"], ["inner"])
    with torch.no_grad():
        whole = F.cross_entropy(model(X), Y)
        without = F.cross_entropy(model.out(F.relu(model.enter(X))), Y)
    assert branches["loss_rise"].item() == pytest.approx(float(without - whole), abs=1e-6)
    with pytest.raises(InputError, match="the model has no heads; it has neurons"):
        karikomi.knock_out(model, X, Y, units="heads")


def test_pixels_have_labels_too() -> None:
    torch.manual_seed(0)
    model: Any = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 3, 1))
    x, y = torch.randn(6, 1, 5, 5), torch.arange(150).view(6, 5, 5) % 3
    y[0] = -100
    table = karikomi.knock_out(model, x, y)
    lesioned = copy.deepcopy(model)
    with torch.no_grad():
        lesioned[2].weight[:, 1] = 0
        rise = F.cross_entropy(lesioned(x), y) - F.cross_entropy(model(x), y)
    assert table["loss_rise"][1] == pytest.approx(float(rise), abs=1e-6)


def test_what_only_attention_reads_may_be_a_layer_of_its_own() -> None:
    class Reading(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.enter, self.attention = nn.Linear(5, 8), nn.MultiheadAttention(8, 2, batch_first=True)
            self.out = nn.Linear(8, 3)

        def forward(self, x: Tensor) -> Tensor:
            x = self.enter(x)[:, None].expand(-1, 4, -1)
            return self.out(self.attention(x, x, x)[0].mean(1))

    layers = karikomi.knock_out(Reading(), X, Y).groupby("layer", sort=False).size()
    assert layers.to_dict() == {"enter": 8, "attention": 2, "attention.out_proj": 8}


def test_what_a_loader_brings_is_streamed() -> None:
    """A batch is drawn when the one before it is done with."""
    log: list[str] = []

    class Drawn(torch.utils.data.IterableDataset):
        def __iter__(self):
            for start in range(0, 40, 8):
                log.append("drawn")
                yield X[start : start + 8], Y[start : start + 8]

    class Logging(Named):
        def forward(self, x: Tensor) -> Any:
            log.append("passed")
            return super().forward(x)

    table = karikomi.knock_out(Logging(lambda logits: logits), DataLoader(Drawn(), batch_size=None), None)
    np.testing.assert_allclose(table["loss_rise"], EXPECTED, atol=2e-6)
    assert log[-10:] == 5 * ["drawn", "passed"]


def text(y: Tensor) -> np.ndarray:
    return np.array(["a", "b", "c"])[y.numpy()]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: karikomi.knock_out(perceptron(), X, text(Y)), "labels are text.*names.index"),
        (lambda: karikomi.knock_out(perceptron(), X, Y + 1), "labels must be whole numbers 0 … 2"),
        (lambda: karikomi.knock_out(perceptron(), X, Y + 0.5), "labels hold fractions, but there are 3 outputs"),
        (lambda: karikomi.knock_out(perceptron(), X), "labels are missing"),
        (lambda: karikomi.knock_out(perceptron(), X, Y[:7]), "as many examples; they hold .40. and 7"),
        (lambda: karikomi.knock_out(perceptron(), ROWS, Y), "brings its labels along"),
        (lambda: karikomi.knock_out(perceptron(), X, Y, units="head"), "did you mean 'heads'"),  # pyright: ignore
        (lambda: karikomi.knock_out(perceptron(), X, Y, task="multi"), "unknown task 'multi'"),  # pyright: ignore
        (lambda: karikomi.knock_out(perceptron(), X, Y, loss=lambda o, y: o.sum()), "a number per example"),
        (lambda: karikomi.knock_out(torch.jit.script(nn.Sequential(nn.Linear(5, 3))), X, Y), "TorchScript"),
    ],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_what_does_not_fit_costs_one_line(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as problem:
        call()
    assert "\n" not in str(problem.value)
