"""Links of a network that is laid out, changed in place."""

from collections.abc import Callable
from functools import partial

import numpy as np

from karikomi.engines.contract import Links, Rewiring
from karikomi.engines.sparse.kernels.changing import PART, Changing, Orders, change_links, lay_links, order_of
from karikomi.engines.sparse.kernels.choosing import Room
from karikomi.engines.sparse.kernels.everywhere import Everywhere
from karikomi.engines.sparse.kernels.layout import Network, aligned
from karikomi.engines.sparse.kernels.links import GROUP
from karikomi.engines.sparse.kernels.memory import addresses
from karikomi.engines.sparse.kernels.optimizer import Optimizer
from karikomi.engines.sparse.kernels.placement import Place, padded
from karikomi.engines.sparse.kernels.rewiring import choose_links, mark_changes
from karikomi.engines.sparse.kernels.sorting import TILE, room_for
from karikomi.networks.subnetwork import Subnetwork

Places = Callable[[], dict[str, Place]]
"""Where the parameters are, by name."""


class Rewired:
    """A network whose links change: they are chosen where the step that was taken last is at hand, and change later."""

    def __init__(
        self,
        rewiring: Rewiring,
        subnetwork: Subnetwork,
        network: Network,
        optimizer: Optimizer,
        places: dict[str, Place],
        batch: int,
    ) -> None:
        linear = subnetwork.architecture.perceptron
        assert linear, "checked before"
        self.rewiring, self.places = rewiring, places
        self.shapes = {layer.weight: subnetwork.weights[layer.weight].shape for layer in linear}  # [outputs, inputs]
        elements = [places[name].elements for name in self.shapes]
        # SGD has one moment: in place of the second one what nobody reads is moved.
        second = optimizer.second if optimizer.adam else np.zeros_like(optimizer.first)
        self.changing, self.orders = _laid_out(network, elements, optimizer.first, second)
        parts = self.changing.parts
        room = Room.of(int(parts["links"].max()), int((parts["inputs"] * parts["outputs"]).max()))
        everywhere = Everywhere.of(network, batch if rewiring.growth == "gradient" else 0)
        self.rooms = self.changing, room, everywhere  # as long as their addresses are in use
        self.memory = addresses(self.changing), addresses(room), addresses(everywhere)

    def choose(self, step: int) -> None:
        """What goes and grows, after that step."""
        if self.rewiring.growth == "structure":
            self._choose_by_structure(step)
        else:
            share, draws = float(self.rewiring.share_at(step)), self.rewiring.draws_at(step)
            choose_links(self.memory, self.orders, share, draws)

    def change(self) -> Places:
        """It goes and grows."""
        before, self.orders = self.orders, Orders(*map(np.empty_like, self.orders))
        change_links(self.memory[0], before, self.orders)
        return partial(self._places, self.orders)

    def _choose_by_structure(self, step: int) -> None:
        places, changing = self._places(self.orders), self.changing
        weights = {name: changing.parameters[places[name].positions] for name in self.shapes}
        links = {name: Links(shape, places[name].elements, weights[name], None) for name, shape in self.shapes.items()}
        changes = self.rewiring.change(step, links)
        changing.counts[:] = 0
        for number, name in enumerate(self.shapes):
            if name in changes:
                kept, grown = changes[name]
                here = slice(changing.parts["change"][number], changing.parts["change"][number] + len(grown))
                changing.counts[number] = len(grown)
                changing.gone[here], changing.grown[here] = np.flatnonzero(~kept), grown
                changing.left[here] = links[name].places[~kept]
        mark_changes(self.memory[0])

    def _places(self, orders: Orders) -> dict[str, Place]:
        found = {}
        for name, part in zip(self.shapes, self.changing.parts.view(np.recarray), strict=True):
            if part.stride:
                elements = orders.elements[part.element : part.element + part.links].astype(np.int64)
                row, column = np.divmod(elements, part.inputs)
                found[name] = Place(part.link + row * part.stride + column, elements)
            else:
                row, column, positions = order_of.py_func(self.changing.groups, orders, part).places()
                found[name] = Place(positions, row * part.inputs + column)
        return {**self.places, **found}


def _laid_out(
    network: Network, elements: list[np.ndarray], first: np.ndarray, second: np.ndarray
) -> tuple[Changing, Orders]:
    parts, room = _parts(network, [len(some) for some in elements])
    flat = np.concatenate(elements, dtype=np.int32, casting="same_kind")
    dense = np.repeat(parts["stride"] > 0, parts["links"])
    orders = Orders(
        *(np.empty(room["cell"], np.uint16), np.empty(room["block"], np.int64), np.empty(room["start"], np.int64)),
        flat[dense],
    )
    gone, left = np.empty((2, room["change"]), np.int32)
    changing = Changing(
        *(parts, network.parameters, first, second, network.parameters.view(np.int32), network.keep),
        *(network.partner, network.pointers, network.rows, network.shifts),
        *(network.back_partner, network.back_link, network.back_pointers, network.back_rows),
        _groups(network.rows, parts["pointer"], parts["groups"] * parts["tiles"]),
        _groups(network.back_rows, parts["back_pointer"], parts["back_groups"]),
        *room_for(*(int(parts[name].max()) for name in ("outputs", "inputs", "links"))),
        free=np.full(room["word"], 2**64 - 1, np.uint64),
        counts=parts["links"].copy(),
        gone=gone,
        left=left,
        grown=np.append(flat, flat[:1]),
        moved=aligned(3 * int((padded(parts["links"], 16) + 16 * parts["tiles"]).max())),
        cells=aligned(4 * GROUP * TILE),
    )
    lay_links(addresses(changing), orders)
    return changing, orders


def _groups(rows: np.ndarray, starts: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """The rows of each layer's groups, ascending."""
    sorted_rows = rows.copy()
    for start, many in zip(starts, groups, strict=True):
        sorted_rows[start : start + GROUP * many].reshape(-1, GROUP).sort(axis=1)
    return sorted_rows


def _parts(network: Network, links: list[int]) -> tuple[np.ndarray, dict[str, int]]:
    """The layers, and how much room they need in the arrays in which they lie one after the other."""
    layers, parts = network.layers, np.zeros(len(network.layers), PART)
    for name in ("inputs", "outputs", "x", "y", "stride", "keep", "tiles", "pointer", "tile_link", "back_pointer"):
        parts[name] = layers[name]
    parts["layer"], parts["links"], parts["link"] = np.arange(len(layers)), links, layers["links"]
    parts["back_groups"] = layers["back_tiles"] * (padded(layers["inputs"], GROUP) // GROUP)
    sparse, back = layers["stride"] == 0, layers["back_tiles"] > 0
    parts["groups"] = sparse * padded(layers["outputs"], GROUP) // GROUP
    parts["entry"][sparse] = network.pointers[layers["pointer"][sparse]]
    parts["link"][sparse] = parts["entry"][sparse] + network.shifts[layers["tile_link"][sparse]]
    parts["back_entry"][back] = network.back_pointers[layers["back_pointer"][back]]
    room = {
        "element": parts["links"] * ~sparse,
        "cell": parts["links"] * sparse,
        "block": parts["tiles"] * parts["groups"] + 1,
        "start": parts["tiles"],
        "word": -(-parts["inputs"] * parts["outputs"] // 64) + 1,
        "change": parts["links"],
    }
    for name, sizes in room.items():
        parts[name] = np.cumsum(sizes) - sizes
    return parts, {name: int(sizes.sum()) for name, sizes in room.items()}
