"""Operations of a replayed forward that give what PyTorch's give, in less time on a CPU.

PyTorch computes products of float32 by MKL, which uses half the width of some processors; oneDNN, which it computes
convolutions by, uses all of it.
"""

import inspect
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

LARGE = 2**20
"""Products of at least so many multiply-adds are worth what oneDNN does before it begins."""

ONEDNN = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``F.linear``."""
    plain = all(one is None or (one.device.type == "cpu" and one.dtype == torch.float32) for one in (x, weight, bias))
    if not (ONEDNN and plain and weight.ndim == 2 and x.ndim > 1 and x.numel() * len(weight) >= LARGE):
        return F.linear(x, weight, bias)
    return torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")


def attention(*args: Any, **kwargs: Any) -> tuple[Tensor, Tensor | None]:
    """``F.multi_head_attention_forward`` as the tape holds it, where the projection behind the heads is the identity.

    Self-attention without masks and weights to give is computed here; all else is left to PyTorch.
    """
    given = SIGNATURE.bind(*args, **kwargs).arguments
    query, weight, heads = given["query"], given["in_proj_weight"], given["num_heads"]
    alone = query is given["key"] is given["value"] and query.ndim == 3
    extra = given["add_zero_attn"] or any(given.get(name) is not None for name in EXTRAS)
    random = given["dropout_p"] > 0 and given.get("training", True)
    if weight is None or not alone or random or given.get("need_weights", True) or extra:
        return F.multi_head_attention_forward(*args, **kwargs)
    length, examples, width = query.shape
    projected = linear(query.transpose(0, 1), weight, given["in_proj_bias"]).view(examples, length, 3, heads, -1)
    q, k, v = projected.permute(2, 0, 3, 1, 4)
    signal = F.scaled_dot_product_attention(q, k, v)
    return signal.permute(2, 0, 1, 3).reshape(length, examples, width).contiguous(), None


SIGNATURE = inspect.signature(F.multi_head_attention_forward)
EXTRAS = ("key_padding_mask", "attn_mask", "bias_k", "bias_v", "static_k", "static_v")
QUICK = {F.linear: linear, F.multi_head_attention_forward: attention}
