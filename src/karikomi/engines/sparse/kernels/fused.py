"""Vectors to scalars and back: sums across lanes, matrix products, transposition."""

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils

from karikomi.engines.sparse.kernels.vector import (
    FLOAT,
    INT,
    REGISTER,
    VECTORS,
    call,
    intrinsic,
    pick,
    read,
    spread,
    write,
)


@intrinsic(types.float32)
def total(builder, vector):
    """The sum of all lanes."""
    signature = ir.FunctionType(FLOAT, [FLOAT, vector.type])
    name = f"llvm.vector.reduce.fadd.v{vector.type.count}f32"
    function = cgutils.get_or_insert_function(builder.module, signature, name)
    return builder.call(function, [ir.Constant(FLOAT, -0.0), vector], fastmath=["reassoc"])


@intrinsic(VECTORS[16])
def folded(builder, vector):
    """The sums of 64 lanes, sixteen by sixteen."""
    one, two, three, four = (pick(builder, vector, vector, range(first, first + 16)) for first in range(0, 64, 16))
    return builder.fadd(builder.fadd(one, two), builder.fadd(three, four))


@intrinsic(types.boolean)
def any_bit(builder, vector):
    """Whether some lane is not (positive) zero."""
    integers = ir.VectorType(INT, vector.type.count)
    reduction = f"llvm.vector.reduce.or.v{vector.type.count}i32"
    function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(INT, [integers]), reduction)
    return builder.icmp_unsigned("!=", builder.call(function, [builder.bitcast(vector, integers)]), INT(0))


@intrinsic(types.uint64)
def lanes_not_zero(builder, vector):
    """A bit for each of 64 lanes, set where the lane is not 0."""
    zero = ir.Constant(vector.type, [0.0] * vector.type.count)
    return builder.bitcast(builder.fcmp_unordered("!=", vector, zero), ir.IntType(vector.type.count))


@intrinsic(types.uint64)
def lanes_at_least(builder, vector, bound):
    """A bit for each of 64 lanes, set where the lane is not below ``bound``: also where it is NaN."""
    reached = builder.fcmp_unordered(">=", vector, spread(builder, bound, vector.type.count))
    return builder.bitcast(reached, ir.IntType(vector.type.count))


@intrinsic(types.uint64)
def bytes_not_zero(builder, array, offset):
    """A bit for each of 32 bytes, set where it is not 0."""
    some = read(builder, array.address(offset), 32)
    bits = builder.icmp_unsigned("!=", some, ir.Constant(some.type, [0] * 32))
    return builder.zext(builder.bitcast(bits, INT), ir.IntType(64))


@intrinsic(types.intp)
def lowest_bit(builder, bits):
    """The number of the lowest bit that is set; some bit must be."""
    return builder.cttz(bits, ir.IntType(1)(1))


# Rows, and columns, of a dense product held in registers at once, beside what they are multiplied with. Rows that lie
# far apart need an address each: no more of them than there are registers for addresses.
DENSE_ROWS, DENSE_COLUMNS = (12, 32) if REGISTER == 16 else (6, 16)
WIDE_ROWS, WIDE_COLUMNS = 6, 64 if REGISTER == 16 else 16


@contextmanager
def rolled_range(builder: Any, begin: Any, end: Any) -> Iterator[Any]:
    """A loop that LLVM must not unroll: it would interleave two rounds and run out of registers."""
    before, body, after = builder.block, builder.append_basic_block(), builder.append_basic_block()
    builder.cbranch(builder.icmp_signed("<", begin, end), body, after)
    builder.position_at_end(body)
    index = builder.phi(begin.type)
    yield index
    following = builder.add(index, ir.Constant(begin.type, 1))
    index.add_incoming(begin, before)
    index.add_incoming(following, builder.block)
    branch = builder.cbranch(builder.icmp_signed("<", following, end), body, after)
    hint = builder.module.add_metadata([ir.MetaDataString(builder.module, "llvm.loop.unroll.disable")])
    loop = ir.MDValue(builder.module, [hint], name=str(len(builder.module.metadata)))
    # LLVM knows a loop's hints by a node that names itself.
    loop.operands = (loop, hint)
    branch.set_metadata("llvm.loop", loop)
    builder.position_at_end(after)


def barrier(builder: Any) -> None:
    """Nothing, but no load may pass it: else LLVM would load all rows first, and run out of registers."""
    builder.asm(ir.FunctionType(ir.VoidType(), []), "", "~{memory}", [], True)


def _product_adder(many: int, columns: int) -> Any:
    @intrinsic()
    def add_products(builder, left, start, rows, steps, right, origin, strides, span, sums, place, width):
        begin, end = builder.extract_value(span, 0), builder.extract_value(span, 1)

        def row(base: Any, stride: Any, number: int) -> Any:
            return builder.add(base, builder.mul(stride, ir.Constant(stride.type, number)))

        targets = [sums.address(row(place, width, r)) for r in range(many)]
        starts = [row(start, rows, r) for r in range(many)]
        totals = [cgutils.alloca_once_value(builder, read(builder, target, columns)) for target in targets]
        with rolled_range(builder, begin, end) as number:
            place = builder.add(origin, builder.mul(number, strides))
            values = read(builder, right.address(place), columns)
            step = builder.mul(number, steps)
            for total, first in zip(totals, starts, strict=True):
                scalar = left.at(builder.add(first, step))
                product = call(builder, "fma", spread(builder, scalar, columns), values, builder.load(total))
                builder.store(product, total)
                barrier(builder)
        for total, target in zip(totals, targets, strict=True):
            write(builder, target, builder.load(total))

    return add_products


add_products, add_wide_products = _product_adder(DENSE_ROWS, DENSE_COLUMNS), _product_adder(WIDE_ROWS, WIDE_COLUMNS)
"""A piece of a matrix product, DENSE_ROWS by DENSE_COLUMNS, or WIDE_ROWS by WIDE_COLUMNS.

``sums[place + r * width + c] += Σ left[start + r * rows + n * steps] * right[origin + n * strides + c]`` over the
numbers n from the first in ``span`` to before the last.
"""


def _turn_fours(builder: Any, rows: Sequence[Any]) -> list[Any]:
    """The columns of four rows' squares of four lanes, one for each 128 bits; every step is one instruction on x86."""
    a, b, c, d = rows
    side = a.type.count

    def within(one: Any, other: Any, lanes: Sequence[int]) -> Any:
        """The same in each 128 bits: lanes 0 to 3 are one's, 4 to 7 other's."""
        return pick(builder, one, other, [i + lane % 4 + lane // 4 * side for i in range(0, side, 4) for lane in lanes])

    halves = [(within(a, b, lanes), within(c, d, lanes)) for lanes in ((0, 4, 1, 5), (2, 6, 3, 7))]
    return [within(*half, lanes) for half in halves for lanes in ((0, 1, 4, 5), (2, 3, 6, 7))]


def _turned(builder: Any, rows: Sequence[Any]) -> list[Any]:
    """The columns of a square of 8 or 16 floats."""
    side = len(rows)

    def every_second(one: Any, other: Any, first: int) -> Any:
        """Of the 128 bits of one, then of other, every second."""
        return pick(builder, one, other, [i + k for i in range(4 * first, 2 * side, 8) for k in range(4)])

    def across(rows: list[Any]) -> list[Any]:
        if len(rows) == 1:
            return rows
        pairs = list(zip(rows[::2], rows[1::2], strict=True))
        halves = (across([every_second(*pair, first) for pair in pairs]) for first in (0, 1))
        return [column for both in zip(*halves, strict=True) for column in both]

    squares = [_turn_fours(builder, fours) for fours in zip(*(rows[number::4] for number in range(4)), strict=True)]
    columns = [across(list(column)) for column in zip(*squares, strict=True)]
    return [column for columns_here in zip(*columns, strict=True) for column in columns_here]


def _turned_bytes(builder: Any, rows: Sequence[Any]) -> list[Any]:
    """The columns, as floats, of a square of 16 bytes: four of a row at a time, as one number."""
    words = [builder.bitcast(row, ir.VectorType(INT, 4)) for row in rows]
    pairs = [pick(builder, words[n], words[n + 4], range(8)) for n in (0, 1, 2, 3, 8, 9, 10, 11)]
    quads = [pick(builder, pairs[n], pairs[n + 4], range(16)) for n in range(4)]
    columns = []
    for numbers in _turn_fours(builder, quads):
        kind = numbers.type
        for byte in range(4):
            value = builder.lshr(numbers, ir.Constant(kind, [8 * byte] * 16)) if byte else numbers
            value = builder.and_(value, ir.Constant(kind, [255] * 16)) if byte < 3 else value
            columns.append(builder.sitofp(value, ir.VectorType(FLOAT, 16)))
    return columns


@intrinsic()
def transpose16(builder, source, starts, first, offset, target, places, place, shift, scale):
    """A square of 16 rows of 16 values, read by rows, written by columns as float32 times ``scale``.

    Row r is read at ``starts[first + r] + offset``; column c is written at ``places[place + c] + shift``.
    """

    def entry(table: Any, start: Any, number: int) -> Any:
        return table.at(builder.add(start, start.type(number)))

    def row(number: int, column: int) -> Any:
        start = builder.add(entry(starts, first, number), builder.add(offset, offset.type(column)))
        return read(builder, source.address(start), side)

    # What is as wide as a register is turned without leaving the registers.
    side, turned = (REGISTER, _turned) if source.kind.dtype == types.float32 else (16, _turned_bytes)
    factor = spread(builder, scale, side)
    for r, c in itertools.product(range(0, 16, side), repeat=2):
        for number, column in enumerate(turned(builder, [row(r + number, c) for number in range(side)])):
            start = builder.add(entry(places, place, c + number), builder.add(shift, shift.type(r)))
            write(builder, target.address(start), builder.fmul(column, factor))
