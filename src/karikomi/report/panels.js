// Masks as images, accuracy curves with a moving line, accuracy by class.

// A colour for each weight: -127 … 127, from faint to full in the colours of both signs.
function palette({ more, less }) {
  const [plus, minus] = [more, less].map((colour) => colour.match(/\w\w/g).map((part) => parseInt(part, 16)));
  return Uint32Array.from({ length: 256 }, (_, i) => {
    const weight = i - 128, [r, g, b] = weight < 0 ? minus : plus, alpha = 70 + 185 * Math.sqrt(Math.min(1, Math.abs(weight) / 127));
    return ((alpha << 24) | (b << 16) | (g << 8) | r) >>> 0;
  });
}

class MaskImage {
  constructor(canvas, [from, to]) {
    Object.assign(this, { canvas, from, to, context: canvas.getContext("2d") });
    const columns = life.layers[from].units, rows = life.layers[to].units;
    Object.assign(canvas, { width: columns, height: rows });
    canvas.style.width = `${columns * Math.max(1, Math.floor(300 / Math.max(columns, rows)))}px`;
    this.image = this.context.createImageData(columns, rows);
    this.dots = new Uint32Array(this.image.data.buffer);
    this.hidden = new Uint8Array(columns);
  }

  draw({ mask, weights, rows, columns }, colour, isGone) {
    for (let column = 0; column < columns; column++) this.hidden[column] = isGone(unitOf(this.from, column)) ? 1 : 0;
    for (let row = 0, i = 0; row < rows; row++) {
      const gone = isGone(unitOf(this.to, row));
      for (let column = 0; column < columns; column++, i++) {
        this.dots[i] = mask[i] && !gone && !this.hidden[column] ? colour[weights[i] + 128] : 0;
      }
    }
    this.context.putImageData(this.image, 0, 0);
  }
}

// Links of each pixel: as dense in colour as there are many.
class PixelImage {
  constructor(canvas) {
    [canvas.height, canvas.width] = life.pixels;
    this.context = canvas.getContext("2d");
    this.image = this.context.createImageData(canvas.width, canvas.height);
    this.dots = new Uint32Array(this.image.data.buffer);
  }

  draw({ outOf }, colour) {
    const most = outOf.reduce((a, b) => Math.max(a, b), 1), full = colour[255] & 0xffffff;
    outOf.forEach((links, pixel) => { this.dots[pixel] = ((Math.round((255 * links) / most) << 24) | full) >>> 0; });
    this.context.putImageData(this.image, 0, 0);
  }
}

function svg(name, attributes, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

const percent = (share) => (share === null || Number.isNaN(share) ? "–" : `${(100 * share).toFixed(2)} %`);

// Accuracy by step of all arms of a group; the one that is played has a dot.
class Curves {
  constructor(parent, curves) {
    const [width, height, left, bottom] = [440, 210, 40, 24], last = Math.max(1, life.steps.length - 1);
    const known = curves.flatMap((curve) => curve.accuracy).filter((value) => value !== null);
    const low = Math.min(...known), high = Math.max(...known), span = Math.max(high - low, 1e-3);
    this.x = (step) => left + (step / last) * (width - left - 10);
    this.y = (value) => 10 + ((high - value) / span) * (height - bottom - 16);
    const ticks = [low, (low + high) / 2, high].map((value) =>
      svg("text", { x: left - 6, y: this.y(value) + 4, "text-anchor": "end" }, (100 * value).toFixed(1)));
    const lines = curves.map((curve) => this.line(curve));
    this.now = svg("line", { class: "now", y1: 4, y2: height - bottom });
    this.dot = svg("circle", { class: "dot", r: 4 });
    const ends = [[0, "start"], [last, "end"]].map(([step, anchor]) =>
      svg("text", { x: this.x(step), y: height - 6, "text-anchor": anchor }, life.steps[step] ?? ""));
    const label = `${life.measure}: ${curves.map((curve) => curve.name).join(", ")}`;
    parent.replaceChildren(
      svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label }, ...ticks, ...ends, ...lines, this.now, this.dot),
    );
  }

  line({ accuracy, colour, arm, name, dashed }) {
    let path = "", pen = "M";
    accuracy.forEach((value, step) => {
      if (value === null) { pen = "M"; return; }
      path += `${pen}${this.x(step).toFixed(1)},${this.y(value).toFixed(1)}`;
      // A point without neighbours is drawn too.
      if (pen === "M" && (accuracy[step + 1] ?? null) === null) path += "h.1";
      pen = "L";
    });
    const title = svg("title", {}, name);
    return svg("path", { d: path, stroke: colour, class: "curve", "data-arm": arm, ...(dashed && { "stroke-dasharray": "5 3" }) }, title);
  }

  show(step, accuracy) {
    for (const [key, value] of [["x1", this.x(step)], ["x2", this.x(step)]]) this.now.setAttribute(key, value);
    this.dot.style.display = accuracy === null ? "none" : "";
    if (accuracy !== null) { this.dot.setAttribute("cx", this.x(step)); this.dot.setAttribute("cy", this.y(accuracy)); }
  }
}

// A bar by class, with a mark where it was at the first step.
class Bars {
  constructor(parent, classes) {
    this.rows = Array.from({ length: classes }, (_, label) => {
      const row = document.createElement("li"), bar = document.createElement("i"), mark = document.createElement("b");
      const value = document.createElement("span"), name = document.createElement("span"), track = document.createElement("div");
      name.textContent = label;
      track.append(bar, mark);
      row.append(name, track, value);
      return { row, bar, mark, value };
    });
    parent.replaceChildren(...this.rows.map(({ row }) => row));
  }

  show(values, first) {
    this.rows.forEach(({ bar, mark, value }, label) => {
      bar.style.width = `${100 * Math.max(0, values[label]) || 0}%`;
      mark.style.left = `${100 * first[label] || 0}%`;
      value.textContent = percent(values[label]);
    });
  }
}
