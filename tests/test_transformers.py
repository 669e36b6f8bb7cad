"""Models of the transformers library, from small configurations, against copies with weights of 0."""

import copy
import os
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import karikomi

os.environ["HF_HUB_OFFLINE"] = "1"
transformers = pytest.importorskip("transformers")
pytestmark = pytest.mark.filterwarnings("ignore")

TOKENS = torch.randint(0, 60, (16, 9), generator=torch.Generator().manual_seed(0))
CLASSES, NEXT = torch.arange(16) % 3, torch.roll(TOKENS, -1, 1)


def made(name: str, config: str, **settings: Any) -> Any:
    torch.manual_seed(0)
    model = getattr(transformers, name)(getattr(transformers, config)(**settings)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    return model


def distilbert() -> Any:
    small = {"vocab_size": 60, "max_position_embeddings": 16, "n_layers": 2, "n_heads": 2, "dim": 16, "hidden_dim": 24}
    return made("DistilBertForSequenceClassification", "DistilBertConfig", num_labels=3, **small)


def gpt2() -> Any:
    small = {"vocab_size": 60, "n_positions": 16, "n_embd": 16, "n_layer": 2, "n_head": 4}
    return made("GPT2LMHeadModel", "GPT2Config", bos_token_id=0, eos_token_id=0, **small)


def loss(model: Any, y: Tensor) -> float:
    logits = model(TOKENS).logits
    return float(F.cross_entropy(logits.flatten(0, -2), y.flatten()))


def zeroed(model: Any, weight: str, units: slice, axis: int, bias: str = "") -> Any:
    """A copy in which some rows or columns of a weight, and numbers of a bias, are 0."""
    lesioned = copy.deepcopy(model)
    parameter = lesioned.get_parameter(weight).data
    parameter[(slice(None),) * axis + (units,)] = 0
    if bias:
        lesioned.get_parameter(bias).data[units] = 0
    return lesioned


def check(model: Any, y: Tensor, table: Any, layer: str, weight: str, axis: int, each: int = 1, bias: str = "") -> None:
    """Every unit of a layer costs what a copy costs in which its ``each`` rows or columns of a weight are 0."""
    rises, whole = table[table["layer"] == layer].set_index("index")["loss_rise"], loss(model, y)
    assert len(rises) * each == model.get_parameter(weight).shape[axis]
    for unit, rise in rises.items():
        lesioned = zeroed(model, weight, slice(each * unit, each * (unit + 1)), axis, bias)
        assert rise == pytest.approx(loss(lesioned, y) - whole, abs=1e-5)


@torch.no_grad()
def test_distilbert() -> None:
    model, block = distilbert(), "distilbert.transformer.layer.1"
    table = karikomi.knock_out(model, TOKENS, CLASSES)
    check(model, CLASSES, table, f"{block}.attention", f"{block}.attention.out_lin.weight", 1, each=8)
    check(model, CLASSES, table, f"{block}.ffn.lin1", f"{block}.ffn.lin2.weight", 1)
    check(model, CLASSES, table, f"{block}.ffn.lin2", f"{block}.ffn.lin2.weight", 0, bias=f"{block}.ffn.lin2.bias")
    check(model, CLASSES, table, "pre_classifier", "classifier.weight", 1)
    left_out = {row[0]: row[1] for row in karikomi.describe(model, TOKENS).tables[1].rows}
    assert "a projection of attention" in left_out["distilbert.transformer.layer.0…1.attention.q_lin"]


@torch.no_grad()
def test_gpt2_predicts_tokens() -> None:
    model, block = gpt2(), "transformer.h.0"
    table = karikomi.knock_out(model, TOKENS, NEXT)
    assert table.attrs["task"] == "tokens (guessed)"
    projection = f"{block}.attn.c_proj"
    check(model, NEXT, table, f"{block}.attn", f"{projection}.weight", 0, each=4)
    check(model, NEXT, table, f"{block}.mlp.c_fc", f"{block}.mlp.c_proj.weight", 0)
    check(model, NEXT, table, projection, f"{projection}.weight", 1, bias=f"{projection}.bias")


@pytest.mark.parametrize("make", [distilbert, gpt2])
@torch.no_grad()
def test_heads_and_neurons_taken_out_of_a_transformer(make: Any) -> None:
    model = make()
    y = CLASSES if make is distilbert else NEXT
    heads = karikomi.knock_out(model, TOKENS, y, units="heads")
    assert set(heads["index"]) == set(range(2 if make is distilbert else 4))
    removed = heads["unit"].to_numpy()[[0, -1]]
    smaller = karikomi.shrink(model, removed, TOKENS)
    curve = karikomi.lesion_curve(model, TOKENS, y, order=removed)
    assert loss(smaller, y) == pytest.approx(curve["loss"].iloc[-1], abs=1e-5)
