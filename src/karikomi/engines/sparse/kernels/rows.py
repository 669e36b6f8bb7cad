"""Products in registers: some rows of 16 sums each, kept there while many weights are multiplied in."""

from typing import Any

import numba
from llvmlite import ir
from numba import types
from numba.core import cgutils

from karikomi.engines.sparse.kernels.vector import INT, REGISTER, VECTORS, address, call, intrinsic, read, spread, write

PACK = 16
"""Lanes of one row."""
# Ten registers of sums: enough to hide how long a multiply-add takes, and AVX2 has only sixteen.
ROWS = 10 * REGISTER // PACK

# For parts of kernels that are called so often that handing over the arguments would take as long as they do.
_OPTIONS: dict[str, Any] = {"forceinline": True, "nogil": True, "boundscheck": False, "_nrt": False}
inlined: Any = numba.njit(error_model="numpy", fastmath={"contract"}, **_OPTIONS)

_Rows = types.UniTuple(VECTORS[PACK], ROWS)


@intrinsic
def load_rows(typing_context, array, offset):
    """ROWS rows that lie one after the other."""

    def generate(context, builder, signature, arguments):
        start = address(context, builder, signature.args[0], *arguments)
        rows = [read(builder, builder.gep(start, [ir.Constant(INT, r * PACK)]), PACK) for r in range(ROWS)]
        return context.make_tuple(builder, _Rows, rows)

    return _Rows(array, types.intp), generate


@intrinsic
def store_rows(typing_context, array, offset, rows):
    def generate(context, builder, signature, arguments):
        array, offset, rows = arguments
        start = address(context, builder, signature.args[0], array, offset)
        for r, row in enumerate(cgutils.unpack_tuple(builder, rows)):
            write(builder, builder.gep(start, [ir.Constant(INT, r * PACK)]), row)
        return context.get_dummy_value()

    return types.void(array, types.intp, rows), generate


@intrinsic
def add_multiples(typing_context, weights, link, value, rows):
    """Row r plus ``weights[link + r]`` times ``value``."""

    def generate(context, builder, signature, arguments):
        weights, link, value, rows = arguments
        first = address(context, builder, signature.args[0], weights, link)
        sums = []
        for r, row in enumerate(cgutils.unpack_tuple(builder, rows)):
            weight = spread(builder, builder.load(builder.gep(first, [ir.Constant(INT, r)])), PACK)
            sums.append(call(builder, "fma", weight, value, row))
        return context.make_tuple(builder, _Rows, sums)

    return _Rows(weights, types.intp, value, _Rows), generate
