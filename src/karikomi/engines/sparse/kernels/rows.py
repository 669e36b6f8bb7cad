"""Products in registers: some rows of 16 sums each, kept there while many weights are multiplied in."""

from typing import Any

import numba
from numba import types
from numba.core import cgutils

from karikomi.engines.sparse.kernels.vector import INT, REGISTER, VECTORS, call, intrinsic, read, spread, write

PACK = 16
"""Lanes of one row."""
# Ten registers of sums: enough to hide how long a multiply-add takes, and AVX2 has only sixteen.
ROWS = 10 * REGISTER // PACK

# For parts of kernels that are called so often that handing over the arguments would take as long as they do.
_OPTIONS: dict[str, Any] = {"forceinline": True, "nogil": True, "boundscheck": False, "_nrt": False}
inlined: Any = numba.njit(error_model="numpy", fastmath={"contract"}, **_OPTIONS)

_Rows = types.UniTuple(VECTORS[PACK], ROWS)


@intrinsic(_Rows)
def load_rows(builder, array, offset):
    """ROWS rows that lie one after the other."""
    start = array.address(offset)
    rows = [read(builder, builder.gep(start, [INT(r * PACK)]), PACK) for r in range(ROWS)]
    return cgutils.pack_array(builder, rows)


@intrinsic()
def store_rows(builder, array, offset, rows):
    start = array.address(offset)
    for r, row in enumerate(cgutils.unpack_tuple(builder, rows)):
        write(builder, builder.gep(start, [INT(r * PACK)]), row)


@intrinsic(_Rows)
def add_multiples(builder, weights, link, value, rows):
    """Row r plus ``weights[link + r]`` times ``value``."""
    first, sums = weights.address(link), []
    for r, row in enumerate(cgutils.unpack_tuple(builder, rows)):
        weight = spread(builder, builder.load(builder.gep(first, [INT(r)])), PACK)
        sums.append(call(builder, "fma", weight, value, row))
    return cgutils.pack_array(builder, sums)
