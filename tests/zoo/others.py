"""Perceptrons with branches, gates, shared and tied weights, several inputs, and recurrent cells."""

import torch
import torch.nn.functional as F
from tests.zoo.oracle import Change, Oracle, keep
from torch import Tensor, nn


class HeadFirst(Oracle):
    def __init__(self) -> None:
        super().__init__()
        self.head, self.a, self.b = nn.Linear(8, 3), nn.Linear(6, 8), nn.Linear(8, 3)

    def forward(self, x: Tensor, change: Change = keep) -> Tensor:
        h = change("a", F.relu(self.a(x)))
        return self.head(h) + 0 * self.b(h)


class Cells(Oracle):
    """A recurrent cell in a loop: one layer, called at every step."""

    inputs = ((4, 5),)

    def __init__(self) -> None:
        super().__init__()
        self.cell, self.head = nn.GRUCell(5, 6), nn.Linear(6, 3)

    def forward(self, x: Tensor, change: Change = keep) -> Tensor:
        h = torch.zeros(len(x), 6)
        for step in range(4):
            h = change("cell", self.cell(x[:, step], h))
        return self.head(h)


class Repeated(Oracle):
    """One layer twice, so that its units act in two places."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.head = nn.Linear(6, 6), nn.Linear(6, 3)

    def forward(self, x: Tensor, change: Change = keep) -> Tensor:
        h = change("inner", torch.tanh(self.inner(x)))
        return self.head(h + change("inner", torch.tanh(self.inner(h))))


class TiedAutoencoder(Oracle):
    """The decoder's weights are the encoder's, turned round."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.bias = nn.Linear(6, 4), nn.Parameter(torch.randn(6))

    def forward(self, x: Tensor, change: Change = keep) -> Tensor:
        h = change("encoder", F.relu(self.encoder(x)))
        return F.linear(h, self.encoder.weight.t(), self.bias)


class TwoInputs(Oracle):
    inputs = ((4,), (3,))

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Linear(4, 5), nn.Linear(3, 6), nn.Linear(11, 3)

    def forward(self, x: Tensor, z: Tensor, change: Change = keep) -> Tensor:
        return self.c(torch.cat([change("a", F.relu(self.a(x))), change("b", F.relu(self.b(z)))], 1))


class Gated(Oracle):
    """SiLU written out, and a gate from another layer (Dauphin et al. 2017)."""

    def __init__(self) -> None:
        super().__init__()
        self.value, self.gate, self.head = nn.Linear(6, 5), nn.Linear(6, 5), nn.Linear(5, 3)

    def forward(self, x: Tensor, change: Change = keep) -> Tensor:
        h = self.value(x)
        return self.head(change("value", h * torch.sigmoid(h)) * change("gate", torch.sigmoid(self.gate(x))))


class OwnWeights(Oracle):
    """Layers written as products with parameters, on either side."""

    def __init__(self) -> None:
        super().__init__()
        self.w1, self.w2 = nn.Parameter(torch.randn(6, 5)), nn.Parameter(torch.randn(4, 5))
        self.b1, self.head = nn.Parameter(torch.randn(5)), nn.Linear(4, 3)

    def forward(self, x: Tensor, change: Change = keep) -> Tensor:
        h = change("w1", F.relu(x @ self.w1 + self.b1))
        return self.head(change("w2", torch.tanh(self.w2 @ h.T), 0).T)


class GraphConvolutions(Oracle):
    """An adjacency that comes with each example (Kipf & Welling 2017), as a product and as an ``einsum``."""

    inputs = ((5, 4), (5, 5))

    def __init__(self) -> None:
        super().__init__()
        self.w1, self.w2, self.head = nn.Linear(4, 6, bias=False), nn.Linear(6, 5, bias=False), nn.Linear(5, 3)
        self.b1, self.b2 = nn.Parameter(torch.randn(6)), nn.Parameter(torch.randn(5))

    def forward(self, x: Tensor, links: Tensor, change: Change = keep) -> Tensor:
        links = links.abs() / links.abs().sum(2, keepdim=True)
        h = change("w1", F.relu(links @ self.w1(x) + self.b1))
        h = change("w2", F.relu(torch.einsum("nij,njf->nif", links, self.w2(h)) + self.b2))
        return self.head(h.mean(1))


class Einsums(Oracle):
    """Layers written as an ``einsum`` with a parameter."""

    inputs = ((5, 6),)

    def __init__(self) -> None:
        super().__init__()
        self.w1, self.w2 = nn.Parameter(torch.randn(6, 7)), nn.Parameter(torch.randn(4, 7))
        self.bias, self.head = nn.Parameter(torch.randn(7)), nn.Linear(4, 3)

    def forward(self, x: Tensor, change: Change = keep) -> Tensor:
        h = change("w1", F.relu(torch.einsum("bti, io -> bto", x, self.w1) + self.bias))
        return self.head(change("w2", torch.tanh(torch.einsum("oi,bti->bto", self.w2, h))).mean(1))


class Bag(Oracle):
    inputs, tokens = ((6,),), 20

    def __init__(self) -> None:
        super().__init__()
        self.bag, self.inner, self.head = nn.EmbeddingBag(20, 5, mode="max"), nn.Linear(5, 4), nn.Linear(4, 3)

    def forward(self, tokens: Tensor, change: Change = keep) -> Tensor:
        return self.head(change("inner", F.relu(self.inner(change("bag", self.bag(tokens))))))


class Patches(Oracle):
    """A perceptron on all patches at once, examples and patches on one axis (GPT-2's way to write a layer)."""

    inputs = ((5, 6),)

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.randn(6, 7)), nn.Parameter(torch.randn(7))
        self.head = nn.Linear(7, 3)

    def forward(self, x: Tensor, change: Change = keep) -> Tensor:
        h = torch.addmm(self.bias, x.reshape(-1, 6), self.weight).view(*x.shape[:2], 7)
        return self.head(change("weight", F.gelu(h)).mean(1))
