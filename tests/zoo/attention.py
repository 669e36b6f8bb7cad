"""Models that attend, in the ways that people write it; and a mixer."""

import math

import torch
import torch.nn.functional as F
from tests.zoo.oracle import Change, Oracle, keep
from torch import Tensor, nn


class ViT(Oracle):
    """Patches, a class token, one projection for query, key and value."""

    inputs = ((1, 8, 8),)

    def __init__(self, width: int = 8, heads: int = 2) -> None:
        super().__init__()
        self.heads = heads
        self.patch, self.token = nn.Conv2d(1, width, 4, 4), nn.Parameter(torch.randn(1, 1, width))
        self.position = nn.Parameter(torch.randn(1, 5, width))
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(width) for _ in range(3))
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.fc1, self.fc2, self.head = nn.Linear(width, 12), nn.Linear(12, width), nn.Linear(width, 3)

    def forward(self, x: Tensor, change: Change = keep) -> Tensor:
        patches = change("patch", self.patch(x), 1).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), patches], 1) + self.position
        n, t, width = x.shape
        q, k, v = self.qkv(self.norm1(x)).reshape(n, t, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        weights = (q @ k.transpose(-2, -1) / math.sqrt(width // self.heads)).softmax(-1)
        attended = change("attention", weights @ v, 1).transpose(1, 2).reshape(n, t, width)
        x = x + change("proj", self.proj(attended))
        x = x + change("fc2", self.fc2(change("fc1", F.gelu(self.fc1(self.norm2(x))))))
        return self.head(self.norm3(x)[:, 0])


class SeparateProjections(Oracle):
    """Query, key and value apart, PyTorch's own attention, fewer key heads than query heads; tokens."""

    inputs, tokens = ((7,),), 20

    def __init__(self, width: int = 8, heads: int = 4, key_heads: int = 2) -> None:
        super().__init__()
        self.heads, self.key_heads = heads, key_heads
        self.emb, self.pos = nn.Embedding(20, width), nn.Embedding(7, width)
        each = width // heads
        self.q, self.k, self.v = nn.Linear(width, width), nn.Linear(width, key_heads * each), nn.Linear(width, 4)
        self.o, self.head = nn.Linear(width, width), nn.Linear(width, 3)

    def forward(self, tokens: Tensor, change: Change = keep) -> Tensor:
        n, t = tokens.shape
        x = change("emb", self.emb(tokens) + self.pos(torch.arange(t)))
        q = self.q(x).view(n, t, self.heads, -1).transpose(1, 2)
        k, v = (layer(x).view(n, t, self.key_heads, -1).transpose(1, 2) for layer in (self.k, self.v))
        k, v = (part.repeat_interleave(self.heads // self.key_heads, 1) for part in (k, v))
        attended = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        attended = change("attention", attended, 1).transpose(1, 2).flatten(2)
        return self.head((x + change("o", self.o(attended))).mean(1))


class EinsumAttention(Oracle):
    inputs = ((5, 6),)

    def __init__(self) -> None:
        super().__init__()
        self.enter, self.q, self.k, self.v = (nn.Linear(6, 6) for _ in range(4))
        self.o, self.head = nn.Linear(6, 6), nn.Linear(6, 3)

    def forward(self, x: Tensor, change: Change = keep) -> Tensor:
        x = change("enter", torch.tanh(self.enter(x)))
        q, k, v = (layer(x).unflatten(2, (3, 2)) for layer in (self.q, self.k, self.v))
        weights = torch.einsum("bqhd,bkhd->bhqk", q, k).softmax(-1)
        attended = change("attention", torch.einsum("bhqk,bkhd->bqhd", weights, v), 2).flatten(2)
        return self.head(change("o", F.relu(self.o(attended))).mean(1))


class Encoder(Oracle):
    """PyTorch's own encoder layer; its heads and projections from the formula (Vaswani et al. 2017)."""

    inputs = ((5, 8),)

    def __init__(self, first: bool = True) -> None:
        super().__init__()
        self.first = first
        self.layer, self.head = nn.TransformerEncoderLayer(8, 2, 10, batch_first=first), nn.Linear(8, 3)

    def forward(self, x: Tensor, change: Change | None = None) -> Tensor:
        if change is None:
            return self.head(self.layer(x).mean(1) if self.first else self.layer(x.transpose(0, 1)).mean(0))
        attention, layer = self.layer.self_attn, self.layer
        parts = F.linear(x, attention.in_proj_weight, attention.in_proj_bias).chunk(3, 2)
        q, k, v = (part.unflatten(2, (2, 4)).transpose(1, 2) for part in parts)
        heads = change("layer.self_attn", (q @ k.transpose(2, 3) / 2).softmax(3) @ v, 1).transpose(1, 2).flatten(2)
        x = layer.norm1(x + change("layer.self_attn.out_proj", attention.out_proj(heads)))
        inner = change("layer.linear1", F.relu(layer.linear1(x)))
        return self.head(layer.norm2(x + change("layer.linear2", layer.linear2(inner))).mean(1))


class MultiheadBlock(nn.Module):
    """Attention between two sets, the heads put before the examples."""

    def __init__(self, name: str, width: int, heads: int) -> None:
        super().__init__()
        self.name, self.heads = name, heads
        self.q, self.k, self.v, self.o, self.ff = (nn.Linear(width, width) for _ in range(5))

    def forward(self, queries: Tensor, x: Tensor, constant: bool, change: Change) -> Tensor:
        q, k, v = (
            torch.cat(layer(given).chunk(self.heads, 2))
            for layer, given in ((self.q, queries), (self.k, x), (self.v, x))
        )
        attended = torch.softmax(q.bmm(k.transpose(1, 2)) / math.sqrt(q.shape[2]), 2).bmm(v)
        heads = self.o(change(self.name, torch.cat(attended.split(len(queries)), 2)))
        # To a constant a unit is added as to a bias; to another signal as it is.
        h = change(f"{self.name}.o", queries + heads) if constant else queries + change(f"{self.name}.o", heads)
        return h + change(f"{self.name}.ff", F.relu(self.ff(h)))


class SetTransformer(Oracle):
    """Induced points, attention to them, and pooling by a seed (Lee et al. 2019)."""

    inputs = ((5, 4),)

    def __init__(self) -> None:
        super().__init__()
        self.enter, self.out = nn.Linear(4, 6), nn.Linear(6, 3)
        self.points, self.seed = nn.Parameter(torch.randn(1, 3, 6)), nn.Parameter(torch.randn(1, 1, 6))
        self.induce, self.attend, self.pool = (MultiheadBlock(name, 6, 2) for name in ("induce", "attend", "pool"))

    def forward(self, x: Tensor, change: Change = keep) -> Tensor:
        x = change("enter", self.enter(x))
        points = self.induce(self.points.repeat(len(x), 1, 1), x, True, change)
        x = self.attend(x, points, False, change)
        return self.out(self.pool(self.seed.repeat(len(x), 1, 1), x, True, change).squeeze(1))


class Mixer(Oracle):
    """Perceptrons over patches and over channels in turn (Tolstikhin et al. 2021)."""

    inputs = ((4, 6),)

    def __init__(self) -> None:
        super().__init__()
        self.tokens1, self.tokens2 = nn.Linear(4, 5), nn.Linear(5, 4)
        self.channels1, self.channels2 = nn.Linear(6, 7), nn.Linear(7, 6)
        self.norm1, self.norm2, self.head = nn.LayerNorm(6), nn.LayerNorm(6), nn.Linear(6, 3)

    def forward(self, x: Tensor, change: Change = keep) -> Tensor:
        h = change("tokens1", F.gelu(self.tokens1(self.norm1(x).transpose(1, 2))))
        x = x + change("tokens2", self.tokens2(h)).transpose(1, 2)
        h = change("channels1", F.gelu(self.channels1(self.norm2(x))))
        return self.head((x + change("channels2", self.channels2(h))).mean(1))
