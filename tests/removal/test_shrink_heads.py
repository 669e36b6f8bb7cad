"""Attention heads cut out of memory, in the ways that people write attention."""

import copy
import os
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from tests.zoo.attention import ViT
from tests.zoo.oracle import Change, keep, trained
from torch import Tensor, nn

import karikomi

HEADS, EACH, WIDTH = 4, 3, 10
X = torch.randn(5, 6, WIDTH, generator=torch.Generator().manual_seed(0))


class Attention(nn.Module):
    """Tokens attended by four heads; a subclass says how. ``number`` is as large, and has nothing to do with them."""

    def __init__(self, key_heads: int = HEADS, fused: bool = False) -> None:
        super().__init__()
        self.n_head, self.key_heads, self.inner, self.number = HEADS, key_heads, HEADS * EACH, HEADS
        if fused:
            self.qkv = nn.Linear(WIDTH, 3 * self.inner)
        else:
            self.q, self.k, self.v = (nn.Linear(WIDTH, n * EACH) for n in (HEADS, key_heads, key_heads))
        self.o, self.out = nn.Linear(self.inner, WIDTH), nn.Linear(WIDTH, 3)

    def forward(self, x: Tensor, change: Change = keep) -> Tensor:
        attended = change("", self.attend(x, *x.shape[:2]), 1).transpose(1, 2)
        return self.out((x + self.o(self.joined(attended))).mean(1)) / 4 * min(self.number, 4)

    def attend(self, x: Tensor, n: int, t: int) -> Tensor:
        raise NotImplementedError

    def joined(self, attended: Tensor) -> Tensor:
        return attended.flatten(2)


class Separate(Attention):
    """Without any number of heads."""

    def attend(self, x: Tensor, n: int, t: int) -> Tensor:
        q, k, v = (layer(x).view(n, t, -1, EACH).transpose(1, 2) for layer in (self.q, self.k, self.v))
        return (q @ k.mT / EACH**0.5).softmax(-1) @ v


class ByNumber(Attention):
    """Heads and width are attributes; PyTorch's attention, a mask, and keys that heads may share."""

    def attend(self, x: Tensor, n: int, t: int) -> Tensor:
        q = self.q(x).view(n, t, self.n_head, EACH).transpose(1, 2)
        k, v = (layer(x).view(n, t, self.key_heads, EACH).transpose(1, 2) for layer in (self.k, self.v))
        mask = torch.ones(t, t, dtype=torch.bool).tril()
        return F.scaled_dot_product_attention(q, k, v, mask, enable_gqa=self.key_heads < HEADS)

    def joined(self, attended: Tensor) -> Tensor:
        return attended.reshape(*attended.shape[:2], self.inner)


class Fused(Attention):
    """One projection for query, key and value, split by a number; examples and heads on one axis."""

    def __init__(self) -> None:
        super().__init__(fused=True)

    def attend(self, x: Tensor, n: int, t: int) -> Tensor:
        parts = self.qkv(x).split(self.inner, 2)
        q, k, v = (part.unflatten(2, (-1, EACH)).transpose(1, 2).flatten(0, 1) for part in parts)
        return torch.bmm(torch.bmm(q, k.mT).softmax(-1), v).view(n, self.n_head, t, EACH)


class Summed(Attention):
    """In Einstein's notation, queries and keys normalized in each head, and a scale of each head."""

    def __init__(self) -> None:
        super().__init__()
        self.scale, self.norm = nn.Parameter(torch.randn(HEADS, 1, 1)), nn.LayerNorm(EACH)

    def attend(self, x: Tensor, n: int, t: int) -> Tensor:
        q, k, v = (layer(x).unflatten(2, (-1, EACH)) for layer in (self.q, self.k, self.v))
        weights = torch.einsum("bqhd,bkhd->bhqk", self.norm(q), self.norm(k)) * self.scale
        return torch.einsum("bhqk,bkhd->bqhd", weights.softmax(-1), v).transpose(1, 2)


def without(model: Attention, heads: list[int]) -> Tensor:
    return model(X, lambda name, signal, axis: signal.index_fill(axis, torch.tensor(heads), 0))


def shrunk(model: nn.Module, heads: list[int], x: Tensor = X, layer: str = "attention") -> Any:
    return karikomi.shrink(model, {layer: heads}, x)


@pytest.mark.parametrize("kind", [Separate, ByNumber, Fused, Summed])
@pytest.mark.parametrize("heads", [[1], [0, 3], [0, 1, 2]])
@torch.no_grad()
def test_a_head_takes_its_rows_and_columns_with_it(kind: type[Attention], heads: list[int]) -> None:
    torch.manual_seed(0)
    model = kind()
    smaller = shrunk(model, heads)
    torch.testing.assert_close(smaller(X), without(model, heads), rtol=1e-5, atol=1e-5)
    gone, queries = EACH * len(heads), "qkv" if kind is Fused else "q"
    assert smaller.o.in_features == HEADS * EACH - gone
    assert smaller.get_submodule(queries).out_features == (HEADS * EACH - gone) * (3 if kind is Fused else 1)
    assert smaller.shrunk.parameters[0] - smaller.shrunk.parameters[1] >= gone * (3 * (WIDTH + 1) + WIDTH)
    # Tokens times rows and columns, and scores and sums of each head.
    spared = gone * 4 * WIDTH * 6 + 2 * gone * 6 * 6
    assert smaller.shrunk.multiply_adds[0] - smaller.shrunk.multiply_adds[1] == spared
    assert len(smaller.shrunk.cut) == len(heads)
    assert not smaller.shrunk.why
    assert smaller.number == HEADS, "what a forward does not need changed stays"


@pytest.mark.parametrize(
    ("key_heads", "heads", "cut"), [(2, [0, 1], True), (2, [2, 3], True), (2, [0, 2], False), (1, [0, 2, 3], True)]
)
@torch.no_grad()
def test_query_heads_go_with_the_keys_that_they_alone_read(key_heads: int, heads: list[int], cut: bool) -> None:
    torch.manual_seed(0)
    model = ByNumber(key_heads)
    smaller = shrunk(model, heads)
    torch.testing.assert_close(smaller(X), without(model, heads), rtol=1e-5, atol=1e-5)
    assert smaller.q.out_features == EACH * (HEADS - len(heads) * cut)
    assert smaller.k.out_features == EACH * (1 if cut else 2)
    assert bool(smaller.shrunk.why) != cut


@torch.no_grad()
def test_what_would_not_run_is_zeroed_and_said() -> None:
    """Its forward takes the width of all heads from its input, which no attribute changes."""
    model: Any = trained(ViT)
    x = model.given(3)[0]
    smaller = shrunk(model, [1], x)
    expected = model(
        x, lambda name, signal, *axis: signal * torch.tensor([1, 0]).view(2, 1, 1) if name == "attention" else signal
    )
    torch.testing.assert_close(smaller(x), expected, rtol=1e-5, atol=1e-5)
    assert "does not run" in smaller.shrunk.why["attention"]
    assert smaller.shrunk.why["attention"] in str(smaller.shrunk)
    assert "1 with weights of 0" in str(smaller.shrunk)


@torch.no_grad()
def test_heads_of_multiheadattention_are_zeroed_and_its_neurons_cut() -> None:
    model = nn.Sequential(
        nn.TransformerEncoderLayer(WIDTH, 2, 8, batch_first=True), nn.Flatten(), nn.Linear(60, 3)
    ).eval()
    smaller: Any = karikomi.shrink(model, {"0.self_attn": [0], "0.linear1": [1, 2]}, X)
    lesioned = copy.deepcopy(model)
    lesioned.state_dict()["0.self_attn.out_proj.weight"][:, : WIDTH // 2] = 0
    lesioned.state_dict()["0.linear2.weight"][:, [1, 2]] = 0
    torch.testing.assert_close(smaller(X), lesioned(X), rtol=1e-5, atol=1e-5)
    assert smaller[0].linear1.out_features == 6
    assert list(smaller.shrunk.why) == ["0.self_attn"]
    assert "nn.MultiheadAttention" in smaller.shrunk.why["0.self_attn"]


LLAMA = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_key_value_heads": 2}
T5 = {"d_model": 16, "d_kv": 4, "d_ff": 8, "num_layers": 2, "num_heads": 4}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("name", "settings", "layers", "projection"),
    [
        ("GPT2", {"n_embd": 16, "n_layer": 2, "n_head": 4}, ["h.1.attn"], "h.1.attn.c_proj.nx"),
        ("Llama", {**LLAMA, "num_attention_heads": 4}, ["layers.0.self_attn"], "layers.0.self_attn.o_proj.in_features"),
        # A table of biases that both blocks read has a column for each head.
        (
            "T5Encoder",
            T5,
            [f"encoder.block.{k}.layer.0.SelfAttention" for k in (0, 1)],
            "encoder.block.1.layer.0.SelfAttention.o.in_features",
        ),
    ],
)
@torch.no_grad()
def test_heads_of_transformers(name: str, settings: dict[str, Any], layers: list[str], projection: str) -> None:
    os.environ["HF_HUB_OFFLINE"] = "1"
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = getattr(transformers, f"{name.removesuffix('Encoder')}Config")(vocab_size=20, **settings)
    model = getattr(transformers, f"{name}Model")(config).eval()
    tokens = torch.randint(0, 20, (4, 7))
    smaller: Any = karikomi.shrink(model, {layer: [0, 1] for layer in layers}, tokens)
    lesioned = copy.deepcopy(model)
    for layer in layers:
        weight = lesioned.get_parameter(f"{layer}.{projection.split('.')[-2]}.weight").data
        (weight.T if name != "GPT2" else weight)[:8] = 0
    torch.testing.assert_close(
        smaller(tokens).last_hidden_state, lesioned(tokens).last_hidden_state, rtol=1e-5, atol=1e-5
    )
    owner, _, width = projection.rpartition(".")
    assert getattr(smaller.get_submodule(owner), width) == 8
