// The network in layers: the inputs as an image if they are one, units as dots, the strongest links as lines.
const MARGIN = 14;
const LARGEST_CELL = 20;

function colours() {
  const style = getComputedStyle(document.documentElement);
  const get = (name) => style.getPropertyValue(name).trim();
  return {
    ink: get("--ink"), soft: get("--soft"), line: get("--line"), ground: get("--ground"), mark: get("--mark"),
    more: get("--more"), less: get("--less"), critical: get("--critical"),
  };
}

// Rows and columns of a layer's dots, as large as the room allows.
function grid(units, width, height) {
  let best = { columns: 1, cell: 0 };
  for (let columns = 1; columns <= units; columns++) {
    const cell = Math.min(LARGEST_CELL, width / columns, height / Math.ceil(units / columns));
    if (cell > best.cell + 1e-9) best = { columns, cell };
  }
  return best;
}

function layout(width, height) {
  const room = (width - 2 * MARGIN) / life.layers.length, tall = height - 2 * MARGIN - 16;
  return life.layers.map(({ units }, layer) => {
    const image = layer === 0 && life.pixels;
    const { columns, cell } = image
      ? { columns: life.pixels[1], cell: Math.min((room * 0.75) / life.pixels[1], tall / life.pixels[0]) }
      : grid(units, room * 0.5, tall);
    const rows = Math.ceil(units / columns);
    const left = MARGIN + room * (layer + 0.5) - (columns * cell) / 2, top = MARGIN + 16 + (tall - rows * cell) / 2;
    return { units, columns, cell, left, top, rows, image: Boolean(image), middle: MARGIN + room * (layer + 0.5) };
  });
}

function centre(box, index) {
  return [
    box.left + ((index % box.columns) + 0.5) * box.cell,
    box.top + (Math.floor(index / box.columns) + 0.5) * box.cell,
  ];
}

class Network {
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.resize();
  }

  resize() {
    const { clientWidth, clientHeight } = this.canvas, ratio = window.devicePixelRatio || 1;
    Object.assign(this.canvas, { width: clientWidth * ratio, height: clientHeight * ratio });
    this.context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.boxes = layout(clientWidth, clientHeight);
    this.colours = colours();
  }

  // The unit of a hidden layer at a point of the canvas; -1 where there is none.
  unitAt(x, y) {
    for (const layer of life.hidden) {
      const box = this.boxes[layer], column = Math.floor((x - box.left) / box.cell), row = Math.floor((y - box.top) / box.cell);
      const index = row * box.columns + column;
      if (column >= 0 && column < box.columns && row >= 0 && index < box.units) return unitOf(layer, index);
    }
    return -1;
  }

  draw(frame, isGone, chosen) {
    const { context, canvas } = this;
    context.clearRect(0, 0, canvas.clientWidth, canvas.clientHeight);
    life.pairs.forEach(([from, to], i) => this.links(frame.blocks[i], from, to, isGone, chosen));
    this.boxes.forEach((box, layer) => {
      context.globalAlpha = 1;
      context.fillStyle = this.colours.soft;
      context.font = "12px system-ui, sans-serif";
      context.textAlign = "center";
      context.fillText(`${life.layers[layer].name} · ${box.units}`, box.middle, 14);
      if (box.image) this.pixels(frame.blocks[0], box);
      else this.dots(frame, box, layer, isGone, chosen);
    });
  }

  links(block, from, to, isGone, chosen) {
    const { context } = this, { weights, columns, strongest } = block, [source, target] = [this.boxes[from], this.boxes[to]];
    let shown = strongest;
    if (chosen >= 0) {
      const { layer, index } = places[chosen];
      if (layer === to) shown = strongestOf(block, index * columns, 1, columns);
      else if (layer === from) shown = strongestOf(block, index, columns, block.rows);
    }
    const own = shown !== strongest;
    for (const link of shown) {
      const row = Math.floor(link / columns), column = link % columns;
      if (isGone(unitOf(to, row)) || isGone(unitOf(from, column))) continue;
      context.globalAlpha = (chosen >= 0 && !own ? 0.1 : 0.75) * (0.15 + Math.abs(weights[link]) / 150);
      context.strokeStyle = weights[link] < 0 ? this.colours.less : this.colours.more;
      context.lineWidth = own ? 1.4 : 1;
      context.beginPath();
      context.moveTo(...centre(source, column));
      context.lineTo(...centre(target, row));
      context.stroke();
    }
  }

  // Links of each pixel, as dark as there are many.
  pixels(block, box) {
    const { context } = this, most = block.outOf.reduce((a, b) => Math.max(a, b), 1);
    context.fillStyle = this.colours.mark;
    for (let pixel = 0; pixel < block.outOf.length; pixel++) {
      context.globalAlpha = block.outOf[pixel] / most;
      context.fillRect(
        box.left + (pixel % box.columns) * box.cell, box.top + Math.floor(pixel / box.columns) * box.cell, box.cell, box.cell,
      );
    }
    context.globalAlpha = 1;
    context.strokeStyle = this.colours.line;
    context.strokeRect(box.left, box.top, box.columns * box.cell, box.rows * box.cell);
  }

  dots(frame, box, layer, isGone, chosen) {
    const { context } = this, radius = Math.max(1.2, box.cell * 0.36);
    for (let index = 0; index < box.units; index++) {
      const unit = unitOf(layer, index), [x, y] = centre(box, index), dead = isGone(unit);
      context.globalAlpha = 1;
      context.beginPath();
      context.arc(x, y, radius, 0, 7);
      context.fillStyle = dead ? this.colours.ground : frame.critical.has(unit) ? this.colours.critical : this.colours.ink;
      context.fill();
      if (dead) {
        context.strokeStyle = this.colours.soft;
        context.globalAlpha = 0.6;
        context.lineWidth = 1;
        context.stroke();
      }
      if (unit >= 0 && unit === chosen) {
        context.globalAlpha = 1;
        context.strokeStyle = this.colours.mark;
        context.lineWidth = 2.5;
        context.beginPath();
        context.arc(x, y, radius + 3, 0, 7);
        context.stroke();
      }
    }
  }
}

// The strongest links of one row or column of a block, by their places in it.
function strongestOf({ mask, weights }, start, stride, count, most = 60) {
  const found = [];
  for (let i = 0, place = start; i < count; i++, place += stride) if (mask[place]) found.push(place);
  return found.sort((a, b) => Math.abs(weights[b]) - Math.abs(weights[a])).slice(0, most);
}
