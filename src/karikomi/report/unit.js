// One unit: whether it lives, what its loss costs, its scores, its incoming weights as an image.
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function nameOf(unit) {
  const { layer, index } = places[unit];
  return `${life.layers[layer].name}, ${words.unit} ${index}`;
}

const millinats = (nats) => `${(1000 * nats).toPrecision(3)} ${words.millinats}`;

function facts(strand, frame, unit, step, gone) {
  const { layer, index } = places[unit], died = diedAt(strand, unit), rows = [];
  const state = gone ? words.dead : frame.critical.has(unit) ? words.critical : words.alive;
  rows.push([words.state, state]);
  rows.push([strand.alone ? words.removed_at : words.died, died ? life.steps[died] : words.lives_on]);
  const count = (end, side) => life.pairs.reduce((sum, pair, i) => sum + (pair[end] === layer ? frame.blocks[i][side][index] : 0), 0);
  rows.push([words.links_in, gone ? 0 : count(1, "into")], [words.links_out, gone ? 0 : count(0, "outOf")]);
  if (frame.loss) rows.push([words.cost, millinats(frame.loss[unit])], [words.rank, `${frame.ranked.indexOf(unit) + 1} / ${places.length}`]);
  return element("dl", {}, ...rows.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, String(value))]));
}

function table(caption, heads, rows) {
  const head = element("tr", {}, ...heads.map((text, i) => element("th", { scope: "col", ...(i && { class: "number" }) }, text)));
  const body = rows.map((cells) => element("tr", {}, ...cells.map((text, i) => element("td", i ? { class: "number" } : {}, String(text)))));
  return element("table", {}, element("caption", {}, caption), element("thead", {}, head), element("tbody", {}, ...body));
}

function costs(frame, unit) {
  if (!frame.drop) return [];
  const classes = frame.drop.length / places.length;
  const rows = Array.from({ length: classes }, (_, label) => [label, (frame.drop[unit * classes + label] / 100).toFixed(2)]);
  return [table(words.cost_by_class, [words.class, words.points], rows)];
}

function scoresOf(scores, unit) {
  const rows = Object.entries(scores).map(([name, values]) => {
    const above = values.reduce((sum, value) => sum + (value > values[unit] ? 1 : 0), 0);
    return [name, values[unit].toPrecision(4), above + 1];
  });
  return rows.length ? [table(words.scores, [words.criterion, words.score, words.rank], rows)] : [];
}

// The weights into a unit: of the pixels as they lie, else in the order of the units that they come from.
function incoming(frame, unit, colour) {
  const { layer, index } = places[unit];
  return life.pairs.flatMap(([from, to], i) => {
    if (to !== layer) return [];
    const { columns, mask, weights } = frame.blocks[i];
    const wide = from === 0 && life.pixels ? life.pixels[1] : Math.ceil(Math.sqrt(columns * 2));
    const canvas = element("canvas", { width: wide, height: Math.ceil(columns / wide), role: "img" });
    const context = canvas.getContext("2d"), image = context.createImageData(canvas.width, canvas.height);
    const dots = new Uint32Array(image.data.buffer);
    for (let column = 0, at = index * columns; column < columns; column++, at++) dots[column] = mask[at] ? colour[weights[at] + 128] : 0;
    context.putImageData(image, 0, 0);
    const text = `${words.incoming} ${life.layers[from].name}`;
    canvas.setAttribute("aria-label", text);
    return [element("figure", {}, canvas, element("figcaption", {}, text))];
  });
}

function showUnit(parent, strand, frame, unit, step, gone, scores, colour) {
  if (unit < 0) {
    parent.replaceChildren(element("p", { class: "hint" }, words.choose_unit));
    return;
  }
  const title = element("h3", {}, nameOf(unit));
  const left = element("div", {}, title, facts(strand, frame, unit, step, gone), ...incoming(frame, unit, colour));
  parent.replaceChildren(left, ...costs(frame, unit), ...scoresOf(scores, unit));
}
