"""Sums of vectors times numbers: of the units that links read, or of whole rows of links."""

from collections.abc import Callable, Iterator
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils

from karikomi.engines.sparse.kernels.links import TOGETHER, partners, while_links
from karikomi.engines.sparse.kernels.vector import INT, LANES, REGISTER, address, call, intrinsic, read, spread


def _sum_of_multiples(builder: Any, sums: Any, span: Any, multiples: Callable[[Any, int], Iterator[Any]]) -> Any:
    """``sums`` plus the products of the pairs, factor and vector, that ``multiples`` reads for entries in ``span``."""
    # One chain of multiply-adds alone would wait for its links, where it has no more than four registers.
    chains = [cgutils.alloca_once_value(builder, sums)]
    if LANES // REGISTER < 8:
        chains.append(cgutils.alloca_once_value(builder, ir.Constant(sums.type, [0.0] * LANES)))
    current = cgutils.alloca_once_value(builder, builder.extract_value(span, 0))
    for many in (TOGETHER, 1):
        with while_links(builder, current, builder.extract_value(span, 1), many) as entry:
            for number, (factor, values) in enumerate(multiples(entry, many)):
                chain = chains[number % len(chains)]
                builder.store(call(builder, "fma", spread(builder, factor, LANES), values, builder.load(chain)), chain)
    total, *others = (builder.load(chain) for chain in chains)
    for other in others:
        total = builder.fadd(total, other)
    return total


@intrinsic
def add_links(typing_context, sums, weights, places, units, origin, index, span):
    """``sums`` plus, for the links in ``span``, the weight of each times the values of the unit that it reads.

    That is the unit ``index[link]`` of those that start at ``units[origin]``; its weight is ``weights[places[link]]``.
    """

    def generate(context, builder, signature, arguments):
        sums, weights, places, units, origin, index, span = arguments
        kinds = signature.args

        def multiples(link: Any, many: int) -> Iterator[Any]:
            entries = address(context, builder, kinds[2], places, link)
            for number, unit in enumerate(partners(context, builder, kinds[5], index, link, many)):
                place = builder.load(builder.gep(entries, [INT(number)]))
                place = context.cast(builder, place, kinds[2].dtype, types.intp)
                weight = builder.load(address(context, builder, kinds[1], weights, place))
                values = read(builder, address(context, builder, kinds[3], units, builder.add(origin, unit)), LANES)
                yield weight, values

        return _sum_of_multiples(builder, sums, span, multiples)

    whole = types.intp
    return sums(sums, weights, places, units, whole, index, types.UniTuple(whole, 2)), generate


@intrinsic
def add_multiples(typing_context, sums, factors, vectors, origin, index, span):
    """``sums`` plus, for the entries in ``span``, ``factors[entry]`` times a vector.

    That is the vector ``index[entry]`` of those that start at ``vectors[origin]``.
    """

    def generate(context, builder, signature, arguments):
        sums, factors, vectors, origin, index, span = arguments
        kinds = signature.args

        def multiples(entry: Any, many: int) -> Iterator[Any]:
            first = address(context, builder, kinds[1], factors, entry)
            for number, vector in enumerate(partners(context, builder, kinds[4], index, entry, many)):
                start = address(context, builder, kinds[2], vectors, builder.add(origin, vector))
                yield builder.load(builder.gep(first, [INT(number)])), read(builder, start, LANES)

        return _sum_of_multiples(builder, sums, span, multiples)

    whole = types.intp
    return sums(sums, factors, vectors, whole, index, types.UniTuple(whole, 2)), generate
