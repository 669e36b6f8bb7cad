"""A subnetwork whose forward is a program, as the flat arrays that lesions are computed on."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from karikomi.engines.sparse.flow_layout import network_of_rows, operations_of, slots_of
from karikomi.engines.sparse.growth_layout import Growing, can_grow
from karikomi.engines.sparse.kernels.convolution_layout import collected, place_convolution
from karikomi.engines.sparse.kernels.cuts import (
    ADD_CONVOLVED,
    ADD_MULTIPLIED,
    BLOCKS,
    CHANNEL,
    CONVERT,
    GROW,
    LINEAR,
    MULTIPLY,
    SITE,
    STEP,
    THROUGH,
    TILE,
    Cuts,
)
from karikomi.engines.sparse.kernels.flow import Flow
from karikomi.engines.sparse.kernels.layout import aligned, pieces_of
from karikomi.engines.sparse.kernels.passing import nothing_passes
from karikomi.engines.sparse.kernels.placement import Pools
from karikomi.engines.sparse.kernels.planes import ROW, plane
from karikomi.engines.sparse.lesion_program import followers_of, lesionable
from karikomi.engines.sparse.lesion_signals import place_lesioned
from karikomi.engines.sparse.signal_layout import shape_of
from karikomi.engines.sparse.winograd_layout import Tilings, fit_tiles
from karikomi.networks.program import Part
from karikomi.networks.subnetwork import Subnetwork

Values = list[tuple[np.ndarray, np.ndarray]]
"""Positions in the parameters, and what they hold."""


def lay_out_lesions(subnetwork: Subnetwork) -> tuple[Flow, Cuts]:
    """The network's arrays for one block of examples, and what its lesions change.

    Raises:
        InputError: with the layer whose units are not the channels of one signal.
    """
    return _Layout(subnetwork).run()


class _Layout:
    def __init__(self, subnetwork: Subnetwork) -> None:
        masks = subnetwork.masks
        self.weights = {
            name: np.where(masks[name], weight, 0) if name in masks else weight
            for name, weight in subnetwork.weights.items()
        }
        self.masks, self.form = masks, lesionable(subnetwork.architecture)
        self.low = self.form.low
        self.pools, self.values = Pools(), Values()
        self.convolutions, self.linear, self.links = list[Any](), list[Any](), list[np.ndarray]()
        self.biases, self.tilings, self.growing = list[np.ndarray](), Tilings(), Growing()
        self.followers = followers_of(self.low, {site.signal for site in self.form.sites})
        self.joints = dict[tuple[int, int], int]()

    def run(self) -> tuple[Flow, Cuts]:
        low = self.low
        self.signals, self.changes, block = place_lesioned(self.form)
        operations, moments = operations_of(low), 0
        for kind, part, operation in zip(low.kinds, low.parts, operations, strict=True):
            if kind == "convolution" and self._fits_tiles(part):
                operation["number"] = self._tiled(part)
            elif kind == "convolution":
                operation["number"] = self._convolution(part)
            elif kind == "linear":
                operation["number"] = self._linear(part)
            elif kind == "normalization":
                operation["moments"], moments = moments, moments + 4 * low.signals[part.y].shape.channels
                for what in ("weight", "bias", "mean", "variance"):
                    operation[what] = self._row(getattr(part, what))
            elif kind == "layer_norm":
                operation["weight"], operation["bias"] = self._row(part.weight), self._row(part.bias)
        every = [self._step(operations, number, "whole") for number in range(len(operations))]
        sliced, steps, sites = list[Any](operations), list[Any](), np.zeros(len(self.form.sites), SITE)
        for record, site, some in zip(sites, self.form.sites, self.form.steps, strict=True):
            record["signal"], record["change"] = site.signal, self.changes[site.signal]
            each = [self._step(operations, number, how, sliced) for number, how in some]
            record["first"], record["last"] = len(steps), len(steps) + len(each)
            joined = self._joined([number for number, _ in some], each)
            record["joined"], record["end"] = record["last"], record["last"] + len(joined)
            steps += each + joined
        parameters = aligned(self.pools.parameters)
        for positions, values in self.values:
            parameters[positions] = values
        slots = slots_of(self.signals[0])
        flow = Flow(
            network_of_rows([], self.signals[low.output], 0, 1, parameters, self.pools, False),
            collected(self.convolutions, self.pools),
            np.array(sliced, operations.dtype),
            self.signals,
            self.signals.copy(),
            np.zeros((0, 3), np.int64),
            block=block,
            units=aligned(BLOCKS * block),
            slope_block=0,
            deltas=aligned(0),
            address=0,
            learned=0,
            gradient_block=0,
            gradient=aligned(0),
            moments=np.zeros(moments),
            block_moments=np.zeros(0),
            real=np.ones(ROW, np.float32),
            held=np.zeros(0, np.int64),
            drawn=np.zeros(2, np.int64),
            pieces=pieces_of(slots, -1),
            slots=slots,
            passing=nothing_passes(),
        )
        cuts = Cuts(
            np.array(every, STEP),
            np.array(steps, STEP),
            sites,
            site_of=np.repeat(np.arange(len(sites)), [len(site.of_unit) for site in self.form.sites]),
            channel_of=np.concatenate([np.empty(0, np.int64), *(site.of_unit for site in self.form.sites)]),
            linear=np.array(self.linear, LINEAR),
            links=_flat(self.links),
            biases=_flat(self.biases),
            winograd=self.tilings.all(),
            growths=self.growing.all(),
            output=low.output,
        )
        return flow, cuts

    def _step(self, operations: np.ndarray, number: int, how: str, sliced: list[Any] | None = None) -> Any:
        kind, part, step = self.low.kinds[number], self.low.parts[number], np.zeros(1, STEP)[0]
        acting = [site.signal for site in self.form.sites]
        step["operation"], step["x"], step["z"], step["y"] = number, part.x[0], part.x[-1], part.y
        step["source"], step["target"] = (self.changes.get(signal, -1) for signal in (part.x[0], part.y))
        step["site"] = acting.index(part.y) if part.y in acting else -1
        whole = {"linear": MULTIPLY, "to_planes": CONVERT}.get(kind, THROUGH)
        if kind == "convolution" and how == "whole" and self._fits_tiles(part):
            whole, step["layer"] = TILE, operations[number]["number"]
        added = ADD_MULTIPLIED if kind == "linear" else ADD_CONVOLVED
        step["what"] = {"whole": whole, "channel": CHANNEL, "added": added}[how]
        if how == "channel" and sliced is not None:
            step["operation"] = len(sliced)
            one = operations[number].copy()
            # Signals of one channel, wherever it is.
            one["x"], one["z"], one["y"] = (self.slices[part.x[0]], self.slices[part.x[-1]], self.slices[part.y])
            sliced.append(one)
        if how == "added" and kind == "convolution":
            step["layer"] = self._channel_by_channel(part)
        return step

    def _joined(self, numbers: Sequence[int], steps: Sequence[Any]) -> list[Any]:
        """The steps of these operations, layers joined with what follows them where that can be."""
        found, left_out = list[Any](), set[int]()
        for number, step in zip(numbers, steps, strict=True):
            part, behind = self.low.parts[number], self.followers.get(number)
            tiled = step["what"] == TILE and part.activation == "identity"
            if number in left_out:
                continue
            if behind is not None and (tiled or (step["what"] == ADD_CONVOLVED and self._can_grow(part))):
                step, target, left_out = step.copy(), self.low.parts[behind].y, {*left_out, behind}
                place = (number, int(step["what"]))
                if place not in self.joints:
                    self.joints[place] = self._into(step, part, target)
                step["what"], step["layer"] = TILE if tiled else GROW, self.joints[place]
                step["operation"], step["y"] = behind, target
            found.append(step)
        return found

    def _into(self, step: Any, part: Part, target: int) -> int:
        """A layer of which the sums go straight into another signal."""
        if step["what"] == TILE:
            return self.tilings.into(int(step["layer"]), self.signals, target)
        (weight, _), links, numbers = self._scaled(part), self._links(part), (self.changes[part.x[0]], part.y, target)
        return self.growing.place(shape_of(part), self.signals, numbers, weight.reshape(links.shape), links)

    def _can_grow(self, part: Part) -> bool:
        return can_grow(shape_of(part), self.signals[part.y])

    # Layers.

    def _scaled(self, part: Part) -> tuple[np.ndarray, np.ndarray | None]:
        """The weight and bias of a layer, with the normalization that is part of it."""
        assert part.weight
        weight = self.weights[part.weight].astype(np.float64)
        bias = None if part.bias is None else self.weights[part.bias].astype(np.float64)
        norm = self.form.normalizations.get(part.y)
        if norm is None:
            return weight, bias
        scale = 1 / np.sqrt(self.weights[norm.variance].astype(np.float64) + norm.epsilon)
        scale = scale if norm.weight is None else scale * self.weights[norm.weight]
        shift = (0 if bias is None else bias) - self.weights[norm.mean].astype(np.float64)
        shift = shift * scale + (0 if norm.bias is None else self.weights[norm.bias])
        return weight * scale.reshape(-1, *[1] * (weight.ndim - 1)), shift

    def _convolution(self, part: Part) -> int:
        weight, bias = self._scaled(part)
        layer, places = place_convolution(
            *(shape_of(part), self._links(part), self.signals[part.x[0]], self.signals[part.y], self.pools),
            bias=bias is not None,
            backward=False,
        )
        self._fill(places["weight"], weight)
        if bias is not None:
            self._fill(places["bias"], bias)
        self.convolutions.append(layer)
        return len(self.convolutions) - 1

    def _fits_tiles(self, part: Part) -> bool:
        plain = part.activation in ("identity", "relu")
        return plain and fit_tiles(shape_of(part), self._links(part), self.signals[part.y])

    def _tiled(self, part: Part) -> int:
        weight, bias = self._scaled(part)
        return self.tilings.place(self.signals, part.x[0], part.y, part.padding, weight, bias)

    def _channel_by_channel(self, part: Part) -> int:
        """Layers that read one channel's change each: the number of the first one."""
        first, (weight, _), links = len(self.convolutions), self._scaled(part), self._links(part)
        weight, shape = weight.reshape(links.shape), shape_of(part)._replace(groups=1)
        outputs, inputs = len(links) // part.groups, links.shape[1]
        for channel in range(inputs * part.groups):
            group, place = divmod(channel, inputs)
            own, target = slice(group * outputs, (group + 1) * outputs), self.signals[part.y].copy()
            target["start"] += group * outputs * plane.py_func(target)
            target["channels"] = outputs
            some, source = links[own, place : place + 1], self.signals[self.changes[part.x[0]]]
            layer, places = place_convolution(shape, some, source, target, self.pools, bias=False, backward=False)
            self._fill(places["weight"], weight[own, place : place + 1])
            self.convolutions.append(layer)
        return first

    def _links(self, part: Part) -> np.ndarray:
        assert part.weight
        mask = self.masks[part.weight]
        return mask.reshape(*mask.shape[:2], *part.kernel)

    def _linear(self, part: Part) -> int:
        weight, bias = self._scaled(part)
        outputs, record = len(weight), np.zeros(1, LINEAR)[0]
        record["x"], record["y"], record["outputs"] = part.x[0], part.y, outputs
        record["links"], record["bias"] = sum(map(np.size, self.links)), sum(map(np.size, self.biases))
        self.links.append(weight.T)
        self.biases.append(np.repeat(np.zeros(outputs) if bias is None else bias, ROW))
        self.linear.append(record)
        return len(self.linear) - 1

    def _row(self, name: str | None) -> int:
        if not name:
            return -1
        start = self.pools.reserve(self.weights[name].size)
        self.values.append((start + np.arange(self.weights[name].size), self.weights[name]))
        return start

    def _fill(self, place: Any, values: np.ndarray) -> None:
        self.values.append((place.positions, values.ravel()[place.elements]))

    @property
    def slices(self) -> dict[int, int]:
        """By signal the number of the record that is one of its channels."""
        return {signal: change + 1 for signal, change in self.changes.items()}


def _flat(pieces: Sequence[np.ndarray]) -> np.ndarray:
    """All pieces, one after the other, float32."""
    flat = aligned(sum(map(np.size, pieces)))
    if pieces:
        flat[:] = np.concatenate([piece.ravel() for piece in pieces])
    return flat
