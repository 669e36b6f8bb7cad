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
from karikomi.removal import attention

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
def test_heads_of_multiheadattention_are_cut_beside_neurons() -> None:
    model = nn.Sequential(
        nn.TransformerEncoderLayer(WIDTH, 2, 8, batch_first=True), nn.Flatten(), nn.Linear(60, 3)
    ).eval()
    smaller: Any = karikomi.shrink(model, {"0.self_attn": [0], "0.linear1": [1, 2]}, X)
    lesioned = copy.deepcopy(model)
    lesioned.state_dict()["0.self_attn.out_proj.weight"][:, : WIDTH // 2] = 0
    lesioned.state_dict()["0.linear2.weight"][:, [1, 2]] = 0
    torch.testing.assert_close(smaller(X), lesioned(X), rtol=1e-5, atol=1e-5)
    assert smaller[0].linear1.out_features == 6
    assert smaller[0].self_attn.num_heads == 1
    assert smaller[0].self_attn.query.out_features == smaller[0].self_attn.out_proj.in_features == WIDTH // 2
    assert not smaller.shrunk.why


class Crossed(nn.Module):
    """Attention from one signal to another, of whose weights something is made."""

    def __init__(self, read: bool, **options: Any) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(WIDTH, 2, kdim=3, vdim=5, batch_first=True, **options)
        self.read, self.out = read, nn.Linear(WIDTH, 3)

    def forward(self, x: Tensor, key: Tensor, value: Tensor) -> Tensor:
        heads, weights = self.attention(x, key, value, key_padding_mask=key[..., 0] > 1)
        return self.out(heads.mean(1)) + (weights[:, 0, :3] if self.read else 0)


@pytest.mark.parametrize(
    ("read", "options", "cut"),
    [(False, {}, 1), (False, {"bias": False}, 1), (True, {}, 0), (False, {"add_bias_kv": True}, 0)],
)
@torch.no_grad()
def test_heads_of_multiheadattention_between_two_signals(read: bool, options: dict[str, Any], cut: int) -> None:
    torch.manual_seed(0)
    model, given = Crossed(read, **options).eval(), (X, torch.randn(len(X), 4, 3), torch.randn(len(X), 4, 5))
    smaller: Any = karikomi.shrink(model, {"attention": [1]}, given)
    lesioned = copy.deepcopy(model)
    lesioned.attention.out_proj.weight[:, WIDTH // 2 :] = 0
    torch.testing.assert_close(smaller(*given), lesioned(*given), rtol=1e-5, atol=1e-5)
    assert len(smaller.shrunk.cut) == cut
    assert bool(smaller.shrunk.why) != bool(cut)


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("mask", ["none", "bool", "float", "each head", "padding"])
@torch.no_grad()
def test_attention_in_parts_is_multiheadattention(first: bool, mask: str) -> None:
    torch.manual_seed(0)
    whole = nn.MultiheadAttention(8, 2, batch_first=first).eval()
    x = torch.randn(3, 4, 8) if first else torch.randn(4, 3, 8)
    upper = torch.ones(4, 4).triu(1).bool()
    masks: dict[str, dict[str, Any]] = {
        "none": {"average_attn_weights": False},
        "bool": {"attn_mask": upper},
        "float": {"attn_mask": torch.randn(4, 4)},
        "each head": {"attn_mask": torch.randn(6, 4, 4)},
        "padding": {"key_padding_mask": torch.tensor([[0, 0, 0, 1], [0, 1, 1, 1], [0, 0, 0, 0]]).bool()},
    }
    for found, expected in zip(
        attention.Attention(whole)(x, x, x, **masks[mask]), whole(x, x, x, **masks[mask]), strict=True
    ):
        torch.testing.assert_close(found, expected)
    assert attention.Attention(whole)(x, x, x, need_weights=False)[1] is None


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
