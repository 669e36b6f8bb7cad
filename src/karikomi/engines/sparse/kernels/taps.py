"""The code that visits taps: one loop for every number of channels, columns and rows whose sums stay in registers."""

from collections.abc import Callable
from typing import Any

from numba.core import cgutils

from karikomi.engines.sparse.kernels.convolution_layout import FORMS, HELD, WIDTHS
from karikomi.engines.sparse.kernels.fused import rolled_range


def each_form(builder: Any, form: Any, width: Any, rows: Any, visit: Callable[..., None]) -> None:
    """``visit`` all rows in every one of the FORMS: code by channels, step, columns and rows at once, and first row."""
    after = builder.append_basic_block()
    choice = builder.switch(builder.add(builder.mul(form, form.type(WIDTHS[-1] + 1)), width), after)
    for number, (channels, step, widest) in enumerate(FORMS):
        for many in (many for many in WIDTHS if many <= widest):
            block = builder.append_basic_block()
            choice.add_case(form.type(number * (WIDTHS[-1] + 1) + many), block)
            builder.position_at_end(block)
            done = rows.type(0)
            for tall in (tall for tall in (2, 1) if channels * many * tall <= HELD):
                times = builder.sdiv(builder.sub(rows, done), rows.type(tall))
                with rolled_range(builder, rows.type(0), times) as time:
                    visit(channels, step, many, tall, builder.add(done, builder.mul(time, rows.type(tall))))
                done = builder.add(done, builder.mul(times, rows.type(tall)))
            builder.branch(after)
    builder.position_at_end(after)


def each_tap(builder: Any, offsets: Any, span: Any, work: Callable[[Any, Any], None]) -> None:
    """``work`` for the taps in ``span``: for the number of each from the first one on, and its offset."""
    begin, last = cgutils.unpack_tuple(builder, span)
    with rolled_range(builder, begin, last) as tap:
        work(builder.sub(tap, begin), offsets.at(tap))


def further(builder: Any, start: Any, *steps: tuple[Any, int]) -> Any:
    """The address that lies behind another one by some times each of the ``steps``."""
    for step, times in steps:
        start = builder.gep(start, [builder.mul(step, step.type(times))])
    return start
