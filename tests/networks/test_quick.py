"""Quick operations give what PyTorch's give."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from karikomi.networks.nested import filled
from karikomi.networks.quick import LARGE, attention, linear
from karikomi.networks.tape import record

pytestmark = pytest.mark.usefixtures("no_gradients")


@pytest.fixture
def no_gradients() -> Any:
    with torch.no_grad():
        yield


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(128,), (2048, 128), (64, 32, 128), (0, 128), (3, 128)])
def test_a_product_is_that_of_pytorch(shape: tuple[int, ...], bias: bool) -> None:
    layer, x = nn.Linear(128, 80, bias), torch.randn(shape)
    torch.testing.assert_close(linear(x, layer.weight, layer.bias), layer(x), rtol=1e-5, atol=1e-5)


def test_a_product_of_what_does_not_lie_in_a_row_is_that_of_pytorch() -> None:
    weight, x = torch.randn(96, 90).T, torch.randn(64, 32, 96).transpose(0, 1)
    assert x.numel() * len(weight) >= LARGE
    result = linear(x, weight)
    torch.testing.assert_close(result, F.linear(x, weight), rtol=1e-5, atol=1e-4)
    assert result.is_contiguous()


def test_numbers_of_other_kinds_are_left_to_pytorch() -> None:
    for kind in (torch.float64, torch.bfloat16):
        x, weight = torch.randn(2048, 64, dtype=kind), torch.randn(64, 64, dtype=kind)
        assert torch.equal(linear(x, weight), F.linear(x, weight))


class Attending(nn.Module):
    def __init__(self, given: dict[str, Any], called: dict[str, Any], crossed: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.attention, self.called, self.crossed = nn.MultiheadAttention(32, 4, **given), called, crossed

    def forward(self, x: Tensor) -> Tensor:
        return self.attention(x, x.flip(0) if self.crossed else x, x, **self.called)[0]


MASK = torch.triu(torch.ones(9, 9, dtype=torch.bool), 1)


@pytest.mark.parametrize(
    "model",
    [
        Attending({}, {"need_weights": False}),
        Attending({"batch_first": True}, {"need_weights": False}),
        Attending({"bias": False, "dropout": 0.5}, {"need_weights": False}),
        Attending({}, {}),
        Attending({}, {"need_weights": False, "attn_mask": MASK}),
        Attending({}, {"need_weights": False, "attn_mask": MASK, "is_causal": True}),
        Attending({"add_bias_kv": True}, {"need_weights": False}),
        Attending({"add_zero_attn": True}, {"need_weights": False}),
        Attending({"kdim": 32, "vdim": 32}, {"need_weights": False}),
        Attending({}, {"need_weights": False}, crossed=True),
    ],
)
def test_attention_is_that_of_pytorch(model: Attending) -> None:
    tape = record(model, [torch.randn(9, 9, 32)])
    op = next(op for op in tape.ops if op.name == "multi_head_attention")
    args, kwargs = filled((op.args, dict(op.kwargs)), tape.values.__getitem__)
    found, expected = attention(*args, **kwargs)[0], op.function(*args, **kwargs)[0]
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    assert found.stride() == expected.stride()
