"""The links of a sparse layer, visited one after the other: sums over links, and dot products for each link."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils

from karikomi.engines.sparse.kernels.vector import (
    FLOAT,
    INT,
    LANES,
    REGISTER,
    Array,
    call,
    intrinsic,
    pick,
    read,
    spread,
    write,
)

# Links whose partners, and weights, are read at once: loads are what visiting links is short of.
TOGETHER = 4
# Rows of a sparse layer whose sums are in registers at once: the links of one alone would wait for each other.
GROUP = 4 if REGISTER == 16 else 1
# Those of a group, the one with the most links first, that have links left: first all of them, in the end one.
LISTS: list[range] = [range(many) for many in range(GROUP, 0, -1)]


def partners(builder: Any, index: Array, link: Any, many: int) -> list[Any]:
    """Where, counted from the first unit, the units at ``index[link]`` and the entries that follow start."""
    entries = index.address(link)
    if index.kind.dtype == types.uint8 and many > 1:
        word = builder.load(builder.bitcast(entries, ir.IntType(8 * many).as_pointer()))
        word.align = 1
        parts = [builder.trunc(builder.lshr(word, word.type(8 * number)), ir.IntType(8)) for number in range(many)]
    else:
        parts = [builder.load(builder.gep(entries, [INT(number)])) for number in range(many)]
    units = [index.taken(part) for part in parts]
    return [builder.mul(unit, unit.type(LANES)) for unit in units]


@contextmanager
def while_links(builder: Any, link: Any, last: Any, many: int) -> Iterator[Any]:
    """A loop that takes ``many`` links in each round, from where ``link`` points, as long as there are so many."""
    condition, body, after = (builder.append_basic_block() for _ in range(3))
    builder.branch(condition)
    builder.position_at_end(condition)
    here = builder.load(link)
    following = builder.add(here, here.type(many))
    builder.cbranch(builder.icmp_signed("<=", following, last), body, after)
    builder.position_at_end(body)
    yield here
    builder.store(following, link)
    builder.branch(condition)
    builder.position_at_end(after)


def _partial_sums(builder: Any, one: Sequence[Any], other: Sequence[Any]) -> Any:
    """Of a dot product: one register of them; a chain of more than four multiply-adds would wait for its links."""
    many = max(len(one) // 4, 1)
    chains = [builder.fmul(*pair) for pair in zip(one[:many], other[:many], strict=True)]
    for number, (part, partner) in enumerate(zip(one[many:], other[many:], strict=True)):
        chains[number % many] = call(builder, "fma", part, partner, chains[number % many])
    return builder.fadd(*chains) if many == 2 else chains[0]


def _registers(builder: Any, block: Any) -> list[Any]:
    return [pick(builder, block, block, range(start, start + REGISTER)) for start in range(0, LANES, REGISTER)]


def _halve(builder: Any, one: Any, other: Any) -> Any:
    """Sums of neighbours within 128 bits, which no processor has to move further: one's, other's, alternately."""
    lanes, even = one.type.count, []
    for start in range(0, lanes, 4):
        even += [start, start + 2, lanes + start, lanes + start + 2]
    return builder.fadd(pick(builder, one, other, even), pick(builder, one, other, [lane + 1 for lane in even]))


def lane_sums(builder: Any, vectors: Sequence[Any]) -> Any:
    """The sum of each vector's lanes, of one, two or four vectors."""
    many = len(vectors)
    while len(vectors) > 1:
        vectors = [_halve(builder, one, other) for one, other in zip(vectors[::2], vectors[1::2], strict=True)]
    left = vectors[0]
    while left.type.count > 4:
        half = left.type.count // 2
        low, high = pick(builder, left, left, range(half)), pick(builder, left, left, range(half, 2 * half))
        left = builder.fadd(low, high)
    while left.type.count > many:
        even = range(0, left.type.count, 2)
        left = builder.fadd(pick(builder, left, left, even), pick(builder, left, left, [lane + 1 for lane in even]))
    return left


def _rows(builder: Any, rows: Array, first: Any, values: Array, start: Any) -> list[Any]:
    """Where the values of the GROUP rows that ``rows`` lists from ``first`` on are."""
    numbers = [rows.at(builder.add(first, first.type(number))) for number in range(GROUP)]
    return [values.address(builder.add(start, builder.mul(row, row.type(LANES)))) for row in numbers]


def _lists(builder: Any, pointers: Array, first: Any, current: Any) -> Iterator[Any]:
    """Of each list, in each of its rounds: the rows of some links, and where the first of these is."""
    for number, rows in enumerate(LISTS, start=1):
        last = pointers.at(builder.add(first, first.type(number)))
        for many in dict.fromkeys((TOGETHER // len(rows) * len(rows), len(rows))):
            with while_links(builder, current, last, many) as link:
                yield [rows[number % len(rows)] for number in range(many)], link


def _add_multiples(
    builder: Any, sums: list[Any], units: Array, origin: Any, index: Array, pointers: Array, first: Any, weight_of: Any
) -> None:
    current = cgutils.alloca_once_value(builder, pointers.at(first))
    for rows, link in _lists(builder, pointers, first, current):
        for number, (row, unit) in enumerate(zip(rows, partners(builder, index, link, len(rows)), strict=True)):
            values = read(builder, units.address(builder.add(origin, unit)), LANES)
            factor = spread(builder, weight_of(link, number), LANES)
            builder.store(call(builder, "fma", factor, values, builder.load(sums[row])), sums[row])


@intrinsic()
def add_group(builder, units, place, rows, first, weights, shift, origin, index, pointers, bias, rectify):
    """To GROUP rows of units is added what the links in one of their tiles bring.

    The rows are those that ``rows`` lists from ``first`` on, of those that start at ``units[place]``. If ``bias`` is
    not negative, they start from the biases from ``weights[bias]`` on instead; in the end, to ``rectify`` them, what is
    negative becomes 0 (NaN stays). The links of the rows ``LISTS[k]``, one of each in turn, are those from
    ``pointers[first + k]`` to before ``pointers[first + k + 1]``; ``index`` says which of the units that start at
    ``units[origin]`` each one reads, and its weight is ``weights[shift + link]``.
    """
    targets = _rows(builder, rows, first, units, place)
    sums = [cgutils.alloca_once(builder, ir.VectorType(FLOAT, LANES)) for _ in targets]
    with builder.if_else(builder.icmp_signed("<", bias, bias.type(0))) as (then, otherwise):
        with then:
            for total, target in zip(sums, targets, strict=True):
                builder.store(read(builder, target, LANES), total)
        with otherwise:
            for number, total in enumerate(sums):
                row = rows.at(builder.add(first, first.type(number)))
                builder.store(spread(builder, weights.at(builder.add(bias, row)), LANES), total)

    def weight_of(link: Any, number: int) -> Any:
        return builder.load(builder.gep(weights.address(builder.add(shift, link)), [INT(number)]))

    _add_multiples(builder, sums, units, origin, index, pointers, first, weight_of)
    with builder.if_then(rectify):
        zero = ir.Constant(ir.VectorType(FLOAT, LANES), [0.0] * LANES)
        for total in sums:
            value = builder.load(total)
            builder.store(builder.select(builder.fcmp_ordered(">", zero, value), zero, value), total)
    for target, total in zip(targets, sums, strict=True):
        write(builder, target, builder.load(total))


@intrinsic()
def add_group_back(builder, units, place, rows, first, weights, places, origin, index, pointers, fresh):
    """The same for links whose weights are ``weights[places[link]]``; if ``fresh``, the rows start from 0."""
    targets = _rows(builder, rows, first, units, place)
    zero = ir.Constant(ir.VectorType(FLOAT, LANES), [0.0] * LANES)
    sums = [cgutils.alloca_once_value(builder, zero) for _ in targets]
    with builder.if_then(builder.not_(fresh)):
        for total, target in zip(sums, targets, strict=True):
            builder.store(read(builder, target, LANES), total)

    def weight_of(link: Any, number: int) -> Any:
        return weights.at(places.taken(builder.load(builder.gep(places.address(link), [INT(number)]))))

    _add_multiples(builder, sums, units, origin, index, pointers, first, weight_of)
    for target, total in zip(targets, sums, strict=True):
        write(builder, target, builder.load(total))


@intrinsic(types.intp)
def correlate_group(builder, values, start, rows, first, others, origin, index, pointers, sums, place):
    """The gradient of links: for each one the product of its row and its unit, summed over the lanes.

    They become ``sums`` from ``place`` on, and what lies behind them may change. The GROUP rows start at
    ``values[start]``, the units at ``others[origin]``; they are listed as for ``add_group``. Returns the place after
    the last.
    """
    blocks = [_registers(builder, read(builder, row, LANES)) for row in _rows(builder, rows, first, values, start)]
    begin = pointers.at(first)
    shift = builder.sub(place, begin)
    current = cgutils.alloca_once_value(builder, begin)
    for some, link in _lists(builder, pointers, first, current):
        dots = []
        for row, unit in zip(some, partners(builder, index, link, len(some)), strict=True):
            other = _registers(builder, read(builder, others.address(builder.add(origin, unit)), LANES))
            dots.append(_partial_sums(builder, blocks[row], other))
        # Fewer are written as four, of which the next ones overwrite the last: so all are summed in one order.
        dots += dots[-1:] * (4 - len(dots))
        write(builder, sums.address(builder.add(link, shift)), lane_sums(builder, dots))
    return builder.add(builder.load(current), shift)


@intrinsic()
def correlate_links(builder, values, start, others, origin, index, span, sums, fresh):
    """The gradient of the links in ``span``: of each, the row at ``values[start]`` times its unit, summed over lanes.

    The units are those that ``index`` lists, from ``others[origin]`` on. What comes out is added to ``sums`` at the
    links' numbers, or replaces what is there, if that is ``fresh``.
    """
    own = _registers(builder, read(builder, values.address(start), LANES))
    current = cgutils.alloca_once_value(builder, builder.extract_value(span, 0))
    for many in (4, 2, 1):
        with while_links(builder, current, builder.extract_value(span, 1), many) as link:
            dots = []
            for unit in partners(builder, index, link, many):
                other = read(builder, others.address(builder.add(origin, unit)), LANES)
                dots.append(_partial_sums(builder, own, _registers(builder, other)))
            target, found = sums.address(link), lane_sums(builder, dots)
            before = builder.select(fresh, ir.Constant(found.type, [0.0] * many), read(builder, target, many))
            write(builder, target, builder.fadd(before, found))
