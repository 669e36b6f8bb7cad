"""The links of a sparse layer, visited one after the other: sums over links, and dot products for each link."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils

from karikomi.engines.kernels.vector import (
    INT,
    LANES,
    REGISTER,
    address,
    call,
    intrinsic,
    pick,
    read,
    spread,
    write,
)

# Links whose partners, and weights, are read at once: loads are what visiting links is short of.
TOGETHER = 4


def _partners(context: Any, builder: Any, kind: Any, index: Any, link: Any, many: int) -> list[Any]:
    """Where, counted from the first unit, the units at ``index[link]`` and the entries that follow start."""
    entries = address(context, builder, kind, index, link)
    if kind.dtype == types.uint8 and many > 1:
        word = builder.load(builder.bitcast(entries, ir.IntType(8 * many).as_pointer()))
        word.align = 1
        parts = [builder.trunc(builder.lshr(word, word.type(8 * number)), ir.IntType(8)) for number in range(many)]
    else:
        parts = [builder.load(builder.gep(entries, [INT(number)])) for number in range(many)]
    units = [context.cast(builder, part, kind.dtype, types.intp) for part in parts]
    return [builder.mul(unit, unit.type(LANES)) for unit in units]


@contextmanager
def _while_links(builder: Any, link: Any, last: Any, many: int) -> Iterator[Any]:
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


def _partial_sums(builder: Any, parts: Sequence[Any], pointers: Sequence[Any]) -> list[Any]:
    """Of several dot products at once, two chains each: a chain of multiply-adds alone would wait for its links."""
    chains: list[list[Any]] = [[], []]
    for number, part in enumerate(parts):
        start, chain = ir.Constant(INT, number * REGISTER), number % 2
        others = [read(builder, builder.gep(pointer, [start]), REGISTER) for pointer in pointers]
        if chains[chain]:
            sums = zip(others, chains[chain], strict=True)
            chains[chain] = [call(builder, "fma", part, other, total) for other, total in sums]
        else:
            chains[chain] = [builder.fmul(part, other) for other in others]
    return [builder.fadd(one, other) for one, other in zip(*chains, strict=True)]


def _registers(builder: Any, block: Any) -> list[Any]:
    return [pick(builder, block, block, range(start, start + REGISTER)) for start in range(0, LANES, REGISTER)]


def _halve(builder: Any, one: Any, other: Any) -> Any:
    """Sums of neighbours within 128 bits, which no processor has to move further: one's, other's, alternately."""
    lanes, even = one.type.count, []
    for start in range(0, lanes, 4):
        even += [start, start + 2, lanes + start, lanes + start + 2]
    return builder.fadd(pick(builder, one, other, even), pick(builder, one, other, [lane + 1 for lane in even]))


def _lane_sums(builder: Any, vectors: Sequence[Any]) -> Any:
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


def _dot_adder(many: int) -> Any:
    @intrinsic
    def add_dots(typing_context, block, others, origin, index, link, sums, place):
        def generate(context, builder, signature, arguments):
            block, others, origin, index, link, sums, place = arguments
            kinds = signature.args
            offsets = [builder.add(origin, unit) for unit in _partners(context, builder, kinds[3], index, link, many)]
            pointers = [address(context, builder, kinds[1], others, offset) for offset in offsets]
            dots = _lane_sums(builder, _partial_sums(builder, _registers(builder, block), pointers))
            target = address(context, builder, kinds[5], sums, place)
            write(builder, target, builder.fadd(read(builder, target, many), dots))
            return context.get_dummy_value()

        whole = types.intp
        return types.void(block, others, whole, index, whole, sums, whole), generate

    return add_dots


add_dot, add_2_dots, add_4_dots = _dot_adder(1), _dot_adder(2), _dot_adder(4)
"""The product of ``block`` with the 64 values of the unit ``index[link]``, of those that start at ``others[origin]``,
summed, is added to ``sums[place]``; the same for the links that follow. The reductions of four cost little more than
one."""


@intrinsic
def add_links(typing_context, sums, weights, places, units, origin, index, span):
    """``sums`` plus, for the links in ``span``, the weight of each times the values of the unit that it reads.

    That is the unit ``index[link]`` of those that start at ``units[origin]``. Its weight is ``weights[link]`` or,
    where ``places`` is an array and not None, ``weights[places[link]]``.
    """

    def generate(context, builder, signature, arguments):
        sums, weights, places, units, origin, index, span = arguments
        kinds = signature.args

        def weights_of(link: Any, many: int) -> list[Any]:
            if kinds[2] == types.none:
                several = read(builder, address(context, builder, kinds[1], weights, link), many)
                return [pick(builder, several, several, [number] * LANES) for number in range(many)]
            start = address(context, builder, kinds[2], places, link)
            entries = [builder.load(builder.gep(start, [INT(number)])) for number in range(many)]
            found = [context.cast(builder, entry, kinds[2].dtype, types.intp) for entry in entries]
            found = [builder.load(address(context, builder, kinds[1], weights, place)) for place in found]
            return [spread(builder, weight, LANES) for weight in found]

        # One chain of multiply-adds alone would wait for its links, where it has no more than four registers.
        chains = [cgutils.alloca_once_value(builder, sums)]
        if LANES // REGISTER < 8:
            chains.append(cgutils.alloca_once_value(builder, ir.Constant(sums.type, [0.0] * LANES)))
        current = cgutils.alloca_once_value(builder, builder.extract_value(span, 0))
        for many in (TOGETHER, 1):
            with _while_links(builder, current, builder.extract_value(span, 1), many) as link:
                partners = _partners(context, builder, kinds[5], index, link, many)
                for number, (weight, unit) in enumerate(zip(weights_of(link, many), partners, strict=True)):
                    values = read(builder, address(context, builder, kinds[3], units, builder.add(origin, unit)), LANES)
                    chain = chains[number % len(chains)]
                    builder.store(call(builder, "fma", weight, values, builder.load(chain)), chain)
        total, *others = (builder.load(chain) for chain in chains)
        for other in others:
            total = builder.fadd(total, other)
        return total

    whole = types.intp
    return sums(sums, weights, places, units, whole, index, types.UniTuple(whole, 2)), generate
