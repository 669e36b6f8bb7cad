"""Lesions in the sparse engine against brute force in float64: each lesioned network by itself, in full."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from karikomi.data.dataset import Examples
from karikomi.engines import sparse
from karikomi.engines.contract import Ablation, Outcomes
from karikomi.engines.sparse import lesions as sparse_lesions
from karikomi.errors import InputError
from karikomi.networks.architecture import Architecture
from karikomi.networks.subnetwork import Subnetwork

FUNCTIONS = {nn.ReLU: lambda sums: np.maximum(sums, 0), nn.Tanh: np.tanh, nn.Identity: lambda sums: sums}


class Case(NamedTuple):
    subnetwork: Subnetwork
    examples: Examples
    # Of every layer, the output layer included.
    functions: list[type[nn.Module]]


def make_case(
    widths: Sequence[int],
    functions: Sequence[type[nn.Module]],
    *,
    density: float = 1.0,
    bias: bool = True,
    n: int = 50,
    classes: int | None = None,
    seed: int = 0,
) -> Case:
    """Random weights, examples of the first ``classes`` classes."""
    rng = np.random.default_rng(seed)
    parts: list[nn.Module] = [nn.Flatten()]
    for (before, after), function in zip(pairwise(widths), functions, strict=True):
        parts += [nn.Linear(before, after, bias=bias), function()]
    module = nn.Sequential(*parts)
    weights = {
        name: rng.normal(0, 0.3 if p.ndim == 1 else p.shape[1] ** -0.5, p.shape).astype(np.float32)
        for name, p in module.named_parameters()
    }
    whole = Subnetwork.full(Architecture(module), weights)
    thinned = whole.masked({name: rng.random(mask.shape) < density for name, mask in whole.masks.items()})
    x = rng.normal(size=(n, widths[0])).astype(np.float32)
    return Case(thinned, Examples(x, rng.integers(0, classes or widths[-1], n)), list(functions))


class Brute(NamedTuple):
    hidden: np.ndarray
    outputs: np.ndarray


def brute_force(case: Case, x: np.ndarray, gone: Sequence[int] = (), shown: np.ndarray | None = None) -> Brute:
    """In float64; units ``gone`` show ``shown`` ``[examples, units]``, or 0."""
    weights = {name: value.astype(np.float64) for name, value in case.subnetwork.weights.items()}
    signal, hidden, first = x.reshape(len(x), -1).astype(np.float64), [], 0
    names = [name for name in weights if name.endswith("weight")]
    for name, function in zip(names, case.functions, strict=True):
        signal = FUNCTIONS[function](signal @ weights[name].T + weights.get(name.replace("weight", "bias"), 0))
        if name != names[-1]:
            for unit in gone:
                if first <= unit < first + signal.shape[1]:
                    signal[:, unit - first] = 0 if shown is None else shown[:, unit]
            first += signal.shape[1]
            hidden.append(signal.copy())
    return Brute(np.concatenate(hidden, axis=1), signal)


def assert_is(found: Outcomes, where: tuple[int, ...], outputs: np.ndarray, y: np.ndarray) -> None:
    rows = np.arange(len(y))
    highest = outputs.max(axis=1)
    losses = np.log(np.exp(outputs - highest[:, None]).sum(axis=1)) + highest - outputs[rows, y]
    assert found.loss[where] == pytest.approx(losses.mean(), abs=1e-5)
    right = np.bincount(y[outputs.argmax(axis=1) == y], minlength=outputs.shape[1])
    np.testing.assert_array_equal(found.correct[where], right)


def shown_by(case: Case, ablation: Ablation) -> np.ndarray | None:
    if ablation.donors is not None:
        return brute_force(case, case.examples.x[ablation.donors]).hidden
    return None if ablation.means is None else np.tile(ablation.means, (len(case.examples), 1))


def assert_exact(case: Case, seed: int, ablation: Ablation, threads: int = 1) -> None:
    """Every knock-out, and every step of two orders of which one may stop early."""
    x, y, shown = case.examples.x, case.examples.y, shown_by(case, ablation)
    units = brute_force(case, x[:1]).hidden.shape[1]
    found = sparse.knock_out(case.subnetwork, case.examples, ablation, threads=threads)
    assert found.loss.shape == (units + 1,)
    for unit in range(-1, units):
        assert_is(found, (unit + 1,), brute_force(case, x, [unit], shown).outputs, y)
    rng = np.random.default_rng(seed)
    orders = np.stack([rng.permutation(units) for _ in range(2)])[:, : rng.integers(units + 1)]
    found = sparse.remove_in_order(case.subnetwork, orders, case.examples, ablation, threads=threads)
    assert found.correct.shape == (2, orders.shape[1] + 1, len(found.present))
    for row, order in enumerate(orders):
        for step in range(len(order) + 1):
            assert_is(found, (row, step), brute_force(case, x, order[:step].tolist(), shown).outputs, y)


def draw_ablation(kind: str, case: Case, seed: int) -> Ablation:
    rng = np.random.default_rng(seed)
    if kind == "mean":
        units = brute_force(case, case.examples.x[:1]).hidden.shape[1]
        return Ablation(means=rng.normal(size=units).astype(np.float32))
    return (
        Ablation(donors=rng.integers(0, len(case.examples), len(case.examples))) if kind == "resample" else Ablation()
    )


@settings(max_examples=60)
@given(
    widths=st.lists(st.integers(1, 19), min_size=3, max_size=6),
    functions=st.lists(st.sampled_from(list(FUNCTIONS)), min_size=5, max_size=5),
    density=st.sampled_from([1.0, 0.5, 0.1]),
    bias=st.booleans(),
    n=st.integers(1, 70),
    ablation=st.sampled_from(["zero", "mean", "resample"]),
    seed=st.integers(0, 1000),
)
def test_equals_brute_force_whatever_the_shape(widths, functions, density, bias, n, ablation, seed) -> None:
    case = make_case(widths, functions[: len(widths) - 1], density=density, bias=bias, n=n, seed=seed)
    assert_exact(case, seed, draw_ablation(ablation, case, seed))


CASES = {
    "wide": make_case([12, 70, 65, 10], [nn.ReLU, nn.ReLU, nn.Identity], n=150),
    "hundred classes": make_case([20, 33, 100], [nn.ReLU, nn.Identity], n=350),
    "two classes of seven": make_case([9, 14, 8, 7], [nn.Tanh, nn.ReLU, nn.Identity], n=67, classes=2),
    "sparse": make_case([30, 40, 40, 10], [nn.ReLU, nn.ReLU, nn.Identity], density=0.05, n=100),
    "five hidden layers": make_case([8, 21, 13, 17, 9, 12, 6], [nn.ReLU] * 5 + [nn.Identity], n=100),
    "no bias, so that all outputs are 0 at the end": make_case(
        [9, 30, 20, 4], [nn.ReLU, nn.ReLU, nn.Identity], bias=False, n=200
    ),
}


@pytest.mark.parametrize("ablation", ["zero", "mean", "resample"])
@pytest.mark.parametrize("name", CASES)
def test_equals_brute_force(name: str, ablation: str) -> None:
    assert_exact(CASES[name], 3, draw_ablation(ablation, CASES[name], 5))


@pytest.mark.parametrize("kind", ["zero", "mean", "resample"])
def test_the_number_of_threads_changes_no_bit(kind: str) -> None:
    case = make_case([12, 40, 30, 10], [nn.ReLU, nn.Tanh, nn.Identity], n=1500)
    ablation = draw_ablation(kind, case, 1)
    orders = np.stack([np.random.default_rng(seed).permutation(70) for seed in range(3)])
    for lesion in (
        lambda threads: sparse.knock_out(case.subnetwork, case.examples, ablation, threads=threads),
        lambda threads: sparse.remove_in_order(case.subnetwork, orders, case.examples, ablation, threads=threads),
    ):
        one, many = lesion(1), lesion(5)
        np.testing.assert_array_equal(one.loss, many.loss)
        np.testing.assert_array_equal(one.correct, many.correct)
    one, many = (sparse.activations(case.subnetwork, case.examples, threads=threads) for threads in (1, 5))
    np.testing.assert_array_equal(one.preactivation, many.preactivation)
    np.testing.assert_array_equal(one.activation, many.activation)


def nearly_tied(n: int = 400) -> Case:
    """A network whose two outputs differ by less than float32 can tell, now this way, now that."""
    case = make_case([20, 16, 2], [nn.ReLU, nn.Identity], n=n)
    weights = {name: value.copy() for name, value in case.subnetwork.weights.items()}
    output, bias = (name for name in weights if name.startswith("3."))
    weights[output][1] = np.nextafter(
        weights[output][0], np.random.default_rng(0).choice([-9, 9], 16), dtype=np.float32
    )
    weights[bias][1] = weights[bias][0]
    return case._replace(subnetwork=Subnetwork.full(case.subnetwork.architecture, weights))


def test_answers_are_right_where_float32_cannot_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    assert_exact(nearly_tied(), 0, Ablation())
    assert_exact(nearly_tied(), 0, draw_ablation("resample", nearly_tied(), 0))
    decided: list[int] = []

    def decide(subnetwork, examples, chosen, gone, ablation):
        decided.append(len(chosen))
        return np.full(len(chosen), -1)

    monkeypatch.setattr(sparse_lesions, "decide", decide)
    case = nearly_tied()
    found = sparse.knock_out(case.subnetwork, case.examples)
    assert sum(decided) == 17 * 400
    assert not found.correct.any()


def test_outputs_that_are_all_0_need_no_second_look(monkeypatch: pytest.MonkeyPatch) -> None:
    case = CASES["no bias, so that all outputs are 0 at the end"]
    monkeypatch.setattr(sparse_lesions, "decide", lambda *call: pytest.fail(f"{len(call[2])} close calls"))
    found = sparse.remove_in_order(case.subnetwork, np.arange(50)[None], case.examples)
    assert found.correct[0, -1].tolist() == [found.present[0], 0, 0, 0]
    assert found.loss[0, -1] == pytest.approx(np.log(4), abs=1e-7)


def test_outcomes_tell_shares_by_class() -> None:
    case = CASES["two classes of seven"]
    found = sparse.knock_out(case.subnetwork, case.examples, units=np.array([3]))
    outputs = brute_force(case, case.examples.x, [3]).outputs
    right = outputs.argmax(axis=1) == case.examples.y
    assert found.accuracy[1] == pytest.approx(right.mean())
    np.testing.assert_allclose(found.class_accuracy[1, :2], [right[case.examples.y == c].mean() for c in (0, 1)])
    assert np.isnan(found.class_accuracy[:, 2:]).all()


def test_pixels_are_read_as_shares_of_255() -> None:
    case = make_case([40, 11, 13, 5], [nn.ReLU, nn.ReLU, nn.Identity], n=90)
    pixels = np.random.default_rng(0).integers(0, 256, (90, 5, 8)).astype(np.uint8)
    found = sparse.knock_out(case.subnetwork, Examples(pixels, case.examples.y))
    x = pixels.astype(np.float32) * np.float32(1 / 255)
    for unit in range(-1, 24):
        assert_is(found, (unit + 1,), brute_force(case, x, [unit]).outputs, case.examples.y)


def test_nothing_to_remove_is_the_whole_network() -> None:
    case = CASES["wide"]
    whole = brute_force(case, case.examples.x).outputs
    assert_is(sparse.knock_out(case.subnetwork, case.examples, units=np.array([], int)), (0,), whole, case.examples.y)
    found = sparse.remove_in_order(case.subnetwork, np.empty((3, 0), int), case.examples)
    assert found.loss.shape == (3, 1)
    assert_is(found, (2, 0), whole, case.examples.y)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"orders": np.empty((0, 4), int)}, "there are no orders"),
        ({"module": nn.Sequential(nn.Flatten(), nn.Linear(12, 10))}, "no hidden units"),
        (
            {"module": nn.Sequential(nn.Linear(12, 9), nn.Sigmoid(), nn.Linear(9, 10))},
            "these are the lesions of perceptrons",
        ),
        ({"threads": 0}, "threads must be at least 1"),
    ],
)
def test_refuses_with_one_line(change: dict, line: str) -> None:
    case = CASES["wide"]
    orders, subnetwork = change.get("orders", np.arange(4)[None]), case.subnetwork
    if module := change.get("module"):
        subnetwork = Subnetwork.full(
            Architecture(module), {k: p.detach().numpy() for k, p in module.named_parameters()}
        )
    with pytest.raises(InputError, match=rf"^[^\n]*{line}[^\n]*$"):
        sparse.remove_in_order(subnetwork, orders, case.examples, threads=change.get("threads"))
