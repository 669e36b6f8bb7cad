// The life as it was packed, unpacked: networks (frames) as typed arrays, each when it is needed, all of them soon.
const life = data.life;
const TYPES = { int8: Int8Array, uint8: Uint8Array, int16: Int16Array, int32: Int32Array, float32: Float32Array };
const CRITICAL = 10;

async function unpacked(packed) {
  if (!packed) return null;
  const text = packed.z, bytes = Uint8Array.fromBase64?.(text) ?? Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new TYPES[packed.type](await new Response(stream).arrayBuffer());
}

// Hidden units are numbered through: where the first one of each hidden layer is, and a unit's layer and place in it.
const firstUnit = new Map();
const places = [];
for (const layer of life.hidden) {
  firstUnit.set(layer, places.length);
  for (let index = 0; index < life.layers[layer].units; index++) places.push({ layer, index });
}

function unitOf(layer, index) {
  return firstUnit.has(layer) ? firstUnit.get(layer) + index : -1;
}

async function unpackBlock(block, rows, columns) {
  const [bits, weights, strongest] = await Promise.all([block.mask, block.weights, block.strongest].map(unpacked));
  const mask = new Uint8Array(rows * columns), into = new Int32Array(rows), outOf = new Int32Array(columns);
  for (let row = 0, i = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++, i++) {
      if ((bits[i >> 3] >> (i & 7)) & 1) { mask[i] = 1; into[row]++; outOf[column]++; }
    }
  }
  return { rows, columns, mask, weights, scale: block.scale, strongest, into, outOf };
}

async function unpackFrame(frame) {
  const sizes = life.pairs.map(([from, to]) => [life.layers[to].units, life.layers[from].units]);
  const blocks = await Promise.all(frame.blocks.map((block, i) => unpackBlock(block, ...sizes[i])));
  const [alive, loss, drop] = await Promise.all([frame.alive, frame.loss, frame.drop].map(unpacked));
  const ranked = loss ? [...loss.keys()].sort((a, b) => loss[b] - loss[a]) : [];
  return { blocks, alive, loss, drop, ranked, critical: new Set(ranked.slice(0, CRITICAL).filter((unit) => loss[unit] > 0)) };
}

const waiting = [];
const frames = [];
function frameAt(number) {
  waiting[number] ??= unpackFrame(life.frames[number]).then((frame) => (frames[number] = frame));
  return waiting[number];
}

async function unpackStrand(strand) {
  const [classes, removed] = await Promise.all([unpacked(strand.classes), unpacked(strand.removed)]);
  return { ...strand, classes, removed };
}

// The place, among a strand's frames, of the network that a step shows.
function placeAt(strand, step) {
  let place = strand.frames.length - 1;
  while (place > 0 && strand.frames[place].at > step) place--;
  return place;
}

// Whether a unit was taken away, by its number, at a step.
function isRemoved(strand, unit, step) {
  const when = strand.removed?.[unit] ?? 0;
  return when > 0 && (strand.alone ? when === step : when <= step);
}

// From which step a unit is dead for good; 0 if it lives to the end. Only frames that are unpacked are looked at.
function diedAt(strand, unit) {
  if (strand.removed) return strand.removed[unit];
  let died = 0;
  for (const { at, frame } of [...strand.frames].reverse()) {
    if (!frames[frame] || frames[frame].alive[unit]) break;
    died = at;
  }
  return died;
}
