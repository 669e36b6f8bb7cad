"""Whole numbers of 64 bits as sets: of elements of an array, of places."""

from llvmlite import ir
from numba import types
from numba.core import cgutils

from karikomi.engines.sparse.kernels.vector import FLOAT, INT, LANES, intrinsic, read, spread, write


@intrinsic(types.uint64)
def numbers_above(builder, array, offset, bound):
    """A bit for each of 64 whole numbers of 32 bits, set where it is above ``bound``."""
    some = read(builder, array.address(offset), LANES)
    above = builder.icmp_signed(">", some, spread(builder, builder.trunc(bound, INT), LANES))
    return builder.bitcast(above, ir.IntType(LANES))


@intrinsic(types.intp)
def bits_in(builder, bits):
    """How many of 64 bits are set."""
    return builder.ctpop(bits)


@intrinsic(types.intp)
def nth_bit(builder, bits, rank):
    """The number of that one of the bits that are set before which ``rank`` lower ones are."""
    place = rank.type(0)
    for half in (32, 16, 8, 4, 2, 1):
        low = builder.ctpop(builder.and_(bits, bits.type(2**half - 1)))
        above = builder.icmp_unsigned(">=", rank, low)
        rank = builder.select(above, builder.sub(rank, low), rank)
        bits = builder.select(above, builder.lshr(bits, bits.type(half)), bits)
        place = builder.select(above, builder.add(place, place.type(half)), place)
    return place


@intrinsic(types.intp)
def put_some(builder, target, place, source, start, bits, shift):
    """Of 64 elements of ``source``, those whose bit is set go to ``target``, one after the other, from ``place`` on.

    ``shift`` is added to whole numbers. Returns the place after the last; the sixteen behind it may change.
    """
    element = source.kind.dtype
    kind, flags = ir.VectorType(FLOAT if element == types.float32 else INT, 16), ir.VectorType(ir.IntType(1), 16)
    name = f"llvm.experimental.vector.compress.v16{'f' if element == types.float32 else 'i'}32"
    compress = cgutils.get_or_insert_function(builder.module, ir.FunctionType(kind, [kind, flags, kind]), name)
    for first in range(0, LANES, 16):
        some = read(builder, source.address(builder.add(start, start.type(first))), 16)
        if element != types.float32:
            some = builder.add(some, spread(builder, builder.trunc(shift, INT), 16))
        chosen = builder.trunc(builder.lshr(bits, bits.type(first)), ir.IntType(16))
        packed = builder.call(compress, [some, builder.bitcast(chosen, flags), ir.Constant(kind, ir.Undefined)])
        write(builder, target.address(place), packed)
        place = builder.add(place, builder.zext(builder.ctpop(chosen), place.type))
    return place
