"""The machine's own peak rate, as two more contestants: a 'step' of theirs is ``UNIT`` floating-point operations."""

from typing import Any

import numpy as np
from contestants import Run
from problem import Problem

SIDE = 256
UNIT = 2 * SIDE**3


def multiply_adds(problem: Problem, networks: int, threads: int) -> Run:
    """Chains of fused multiply-adds on 64 lanes that stay in registers, enough of them to hide their latency."""
    from numba import njit

    from karikomi.engines.sparse.kernels.vector import REGISTER, load64, multiply_add, splat64, store

    @njit(nogil=True)
    def one(values: Any, count: int) -> None:
        factor, addend = splat64(np.float32(0.999)), splat64(np.float32(0.001))
        total = load64(values, 0)
        for _ in range(count):
            total = multiply_add(total, factor, addend)
        store(values, 0, total)

    @njit(nogil=True)
    def two(values: Any, count: int) -> None:
        factor, addend = splat64(np.float32(0.999)), splat64(np.float32(0.001))
        total, other = load64(values, 0), load64(values, 64)
        for _ in range(count // 2):
            total, other = multiply_add(total, factor, addend), multiply_add(other, factor, addend)
        store(values, 0, total)
        store(values, 64, other)

    # 64 lanes are eight registers of AVX2, or four of AVX-512: too few for two units with a latency of four.
    chain = two if REGISTER == 16 else one

    def run(steps: int) -> tuple[float, dict[str, np.ndarray]]:
        chain(np.arange(128, dtype=np.float32), steps * UNIT // 128)
        return np.nan, {}

    return run


def matrix_product(problem: Problem, networks: int, threads: int) -> Run:
    """Single-precision matrix products by PyTorch's library."""
    import torch

    torch.set_num_threads(1)
    a, b, c = (torch.rand(SIDE, SIDE) for _ in range(3))

    def run(steps: int) -> tuple[float, dict[str, np.ndarray]]:
        for _ in range(steps):
            torch.mm(a, b, out=c)
        return np.nan, {}

    return run
