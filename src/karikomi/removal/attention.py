"""Attention with any number of heads, in place of ``nn.MultiheadAttention``, which has heads for all of its width."""

import torch
from torch import Tensor, nn


class Attention(nn.Module):
    """What an ``nn.MultiheadAttention`` does, with a projection each for queries, keys and values.

    Heads can be cut out of it: the projections then have fewer outputs than ``embed_dim``.

    Args:
        of: the one in whose place it stands, without ``bias_k``, ``bias_v`` and ``add_zero_attn``.
    """

    # What encoder layers ask, to see whether a kernel takes all of them at once.
    in_proj_bias, _qkv_same_embed_dim = None, False

    def __init__(self, of: nn.MultiheadAttention) -> None:
        super().__init__()
        self.num_heads, self.dropout, self.batch_first = of.num_heads, of.dropout, of.batch_first
        weights = (
            (of.q_proj_weight, of.k_proj_weight, of.v_proj_weight)
            if of.in_proj_weight is None
            else of.in_proj_weight.chunk(3)
        )
        biases = (None,) * 3 if of.in_proj_bias is None else of.in_proj_bias.chunk(3)
        self.query, self.key, self.value = map(_projection, weights, biases)
        self.out_proj = _projection(of.out_proj.weight, of.out_proj.bias)
        self.train(of.training)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """As :meth:`torch.nn.MultiheadAttention.forward`, of batches."""
        if not self.batch_first:
            query, key, value = (given.transpose(0, 1) for given in (query, key, value))
        q, k, v = (
            project(given).unflatten(2, (self.num_heads, -1)).transpose(1, 2)
            for project, given in ((self.query, query), (self.key, key), (self.value, value))
        )
        scores = q @ k.transpose(2, 3) / q.shape[3] ** 0.5
        if attn_mask is not None:
            scores = _masked(scores, attn_mask if attn_mask.ndim == 2 else attn_mask.unflatten(0, (len(q), -1)))
        if key_padding_mask is not None:
            scores = _masked(scores, key_padding_mask[:, None, None])
        weights = nn.functional.dropout(scores.softmax(3), self.dropout, self.training)
        output = self.out_proj((weights @ v).transpose(1, 2).flatten(2))
        output = output if self.batch_first else output.transpose(0, 1)
        return output, (weights.mean(1) if average_attn_weights else weights) if need_weights else None


def in_parts(module: nn.Module, names: list[str]) -> bool:
    """Put an :class:`Attention` in the place of each submodule named; False if one does what that cannot."""
    for name in names:
        part = module.get_submodule(name)
        if not name or type(part) is not nn.MultiheadAttention or part.bias_k is not None or part.add_zero_attn:
            return False
        module.set_submodule(name, Attention(part))
    return True


def _projection(weight: Tensor, bias: Tensor | None) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], len(weight), bias is not None, device="meta")
    layer.weight = nn.Parameter(weight.detach().clone(), weight.requires_grad)
    if bias is not None:
        layer.bias = nn.Parameter(bias.detach().clone(), bias.requires_grad)
    return layer


def _masked(scores: Tensor, mask: Tensor) -> Tensor:
    return scores.masked_fill(mask, -torch.inf) if mask.dtype == torch.bool else scores + mask
