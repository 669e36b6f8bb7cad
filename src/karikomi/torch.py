"""Layers for your own PyTorch modules whose cost falls with the number of their links."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from karikomi.engines.sparse.layer import Links
from karikomi.errors import InputError


class SparseLinear(nn.Module):
    """``nn.Linear`` that has only the links of a mask, and computes with no others.

    ``weight`` is a flat parameter ``[links]``, in the order of ``mask.nonzero()``: any optimizer updates and remembers
    the links that are there, and nothing else. ``bias`` is as in ``nn.Linear``, and so is the initialization, of which
    the links in the mask are taken.

    On a CPU in float32 the sparse engine's kernels compute it, on one core, at a cost that falls with density (they are
    compiled once per machine, in some seconds); on other devices, in other types and under ``torch.compile`` a dense
    product does. It can be differentiated once.

    Args:
        in_features: size of the last dimension of what comes in.
        out_features: and of what goes out.
        mask: which links there are, bool or 0 and 1, ``[out_features, in_features]``.
        bias: whether there are biases.

    Raises:
        InputError: if the mask has another shape or other values.

    >>> mask = torch.rand(300, 784) < 0.1
    >>> model = nn.Sequential(SparseLinear(784, 300, mask), nn.ReLU(), nn.Linear(300, 10))
    >>> optimizer = torch.optim.Adam(model.parameters(), fused=True)
    >>> model(torch.rand(60, 784)).shape
    torch.Size([60, 10])
    """

    in_features: int
    out_features: int
    weight: nn.Parameter
    bias: nn.Parameter | None
    links: Tensor
    """Flat positions of the links in the dense weight, int64 ``[links]``, ascending."""

    def __init__(
        self,
        in_features: int,
        out_features: int,
        mask: Tensor | np.ndarray,
        bias: bool = True,
        device: Any = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        self.register_buffer("links", self._links_of(mask).to(device))
        self.weight = nn.Parameter(torch.empty(len(self.links), device=device, dtype=dtype))
        biases = nn.Parameter(torch.empty(out_features, device=device, dtype=dtype)) if bias else None
        self.register_parameter("bias", biases)
        self._laid_out: Links | None = None
        self.reset_parameters()

    @classmethod
    def from_dense(cls, linear: nn.Linear, mask: Tensor | np.ndarray) -> "SparseLinear":
        """The links of ``linear`` that are in the ``mask``, and its biases."""
        # What the new layer draws is overwritten; those who draw after it shall not notice.
        with torch.random.fork_rng(devices=[]):
            layer = cls(linear.in_features, linear.out_features, mask, linear.bias is not None)
        layer.to(linear.weight).train(linear.training)
        layer._take(linear)
        return layer

    def to_dense(self) -> nn.Linear:
        """An ``nn.Linear`` whose removed links are 0."""
        sizes, dtype = (self.in_features, self.out_features, self.bias is not None), self.weight.dtype
        linear = nn.Linear(*sizes, device="meta", dtype=dtype).to_empty(device=self.weight.device)
        with torch.no_grad():
            linear.weight.copy_(self.dense_weight())
            if self.bias is not None:
                linear.bias.copy_(self.bias)
        return linear.train(self.training)

    def dense_weight(self) -> Tensor:
        """``[out_features, in_features]``, 0 where there is no link; derivatives pass through."""
        flat = self.weight.new_zeros(self.out_features * self.in_features).index_put((self.links,), self.weight)
        return flat.view(self.out_features, self.in_features)

    @property
    def mask(self) -> Tensor:
        """Which links there are, bool ``[out_features, in_features]``; a new one replaces it as in :meth:`remask`."""
        flat = torch.zeros(self.out_features * self.in_features, dtype=torch.bool, device=self.links.device)
        flat[self.links] = True
        return flat.view(self.out_features, self.in_features)

    @mask.setter
    def mask(self, mask: Tensor | np.ndarray) -> None:
        self.remask(mask)

    def remask(self, mask: Tensor | np.ndarray, *optimizers: torch.optim.Optimizer) -> None:
        """Other links: those that stay keep their weights, new ones begin at 0.

        So does what ``optimizers`` remember of each link, such as Adam's moments; one that remembers something and is
        not given would take it for that of other links. The gradient is forgotten. The parameter remains the same
        object, of another size, so call this between an optimizer's step and the next forward.
        """
        self._rewire(self._links_of(mask).to(self.links.device), optimizers)

    def reset_parameters(self) -> None:
        """Draw weights and biases as ``nn.Linear`` does; the links in the mask are taken."""
        self._take(nn.Linear(self.in_features, self.out_features, self.bias is not None))

    def forward(self, x: Tensor) -> Tensor:
        """``[…, out_features]`` from ``[…, in_features]``."""
        weight, bias = self.weight, self.bias
        if not (
            (x.is_cpu and weight.is_cpu and x.dtype is weight.dtype is torch.float32)
            and (x.shape[-1:] == (self.in_features,) and x.numel() > 0)
            and not torch.compiler.is_compiling()
        ):
            return functional.linear(x, self.dense_weight(), bias)
        if self._laid_out is None:
            self._laid_out = Links(self.mask.numpy())
        return _Product.apply(self._laid_out, x, weight, bias)

    def extra_repr(self) -> str:
        sizes = f"in_features={self.in_features}, out_features={self.out_features}"
        return f"{sizes}, links={len(self.links)}, bias={self.bias is not None}"

    @torch.no_grad()
    def _take(self, linear: nn.Linear) -> None:
        self.weight.copy_(linear.weight.flatten()[self.links.to(linear.weight.device)])
        if self.bias is not None:
            self.bias.copy_(linear.bias)

    def _links_of(self, mask: Tensor | np.ndarray) -> Tensor:
        mask, shape = torch.as_tensor(mask), (self.out_features, self.in_features)
        if mask.shape != shape or not ((mask == 0) | (mask == 1)).all():
            shapes = f"in the shape {list(shape)}, [out_features, in_features]; its shape is {list(mask.shape)}"
            raise InputError(f"the mask of a SparseLinear must hold 0 and 1, {shapes}")
        return mask.flatten().nonzero().flatten()

    def _rewire(self, links: Tensor, optimizers: tuple[torch.optim.Optimizer, ...] = ()) -> None:
        # Both are ascending, and so what they have in common is in the same order.
        stays, stayed = torch.isin(self.links, links), torch.isin(links, self.links)

        def moved(values: Tensor) -> Tensor:
            fresh = values.new_zeros(len(links))
            fresh[stayed] = values[stays]
            return fresh

        for optimizer in optimizers:
            known = optimizer.state.get(self.weight, {})
            for name, value in known.items():
                if isinstance(value, Tensor) and value.shape == self.weight.shape:
                    known[name] = moved(value)
        weights = moved(self.weight.data)
        self.weight.grad = None
        # A graph that is still there holds on to the node that takes in this parameter's gradient, of the old size;
        # when the type changes, PyTorch makes a new one.
        self.weight.data = weights.to(torch.float32 if weights.dtype is torch.float64 else torch.float64)
        self.weight.data = weights
        self.links, self._laid_out = links, None

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any) -> None:
        links, size = state_dict.get(f"{prefix}links"), self.in_features * self.out_features
        if links is not None:
            if not ((links >= 0) & (links < size)).all() or (links.diff() <= 0).any():
                shape = f"[{self.out_features}, {self.in_features}]"
                raise InputError(f"{prefix}links are not the ascending positions of links in a mask {shape}")
            self._rewire(links.to(self.links.device, copy=True))
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)

    def __getstate__(self) -> dict[str, Any]:
        # How links lie depends on the processor, and a copy may go to another one.
        return self.__dict__ | {"_laid_out": None}


class _Product(torch.autograd.Function):
    """What the kernels compute, for autograd."""

    @staticmethod
    def forward(ctx: Any, links: Links, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        x = x.contiguous()
        y = x.new_empty((*x.shape[:-1], links.outputs))
        links.forward(x.numel() // links.inputs, *map(_address, (x, weight, bias, y)))
        ctx.links = links
        ctx.save_for_backward(x, weight)
        return y

    @staticmethod
    def backward(ctx: Any, slopes: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        if torch.is_grad_enabled():
            raise RuntimeError("SparseLinear can be differentiated once (no create_graph); to_dense() more often")
        links, (x, weight), slopes = ctx.links, ctx.saved_tensors, slopes.contiguous()
        _, x_wanted, weight_wanted, bias_wanted = ctx.needs_input_grad
        by_x = torch.empty_like(x) if x_wanted else None
        by_weight = torch.empty_like(weight) if weight_wanted else None
        by_bias = weight.new_empty(links.outputs) if bias_wanted else None
        given = x, weight, slopes, by_x, by_weight, by_bias
        links.backward(x.numel() // links.inputs, *map(_address, given))
        return None, by_x, by_weight, by_bias


def _address(tensor: Tensor | None) -> int:
    return 0 if tensor is None else tensor.data_ptr()
