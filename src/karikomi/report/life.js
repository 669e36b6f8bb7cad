// The viewer: one slider drives the network, the masks, the curves and the classes; a click chooses a unit.
const $ = (id) => document.getElementById(id);

async function play() {
  const strands = await Promise.all(life.strands.map(unpackStrand));
  const scores = {};
  for (const [name, packed] of Object.entries(life.scores)) scores[name] = await unpacked(packed);
  const state = { strand: strands[0], step: 0, unit: -1, asked: false, timer: 0 };
  const slider = $("step"), drawn = life.pairs.length > 0;
  const network = drawn ? new Network($("network")) : null;
  const masks = drawn ? life.pairs.map((pair, i) => new MaskImage($(`mask-${i}`), pair)) : [];
  const pixels = drawn && life.pixels ? new PixelImage($("pixels")) : null;
  let colour = drawn ? palette(network.colours) : null, curves, bars, shownUnit = "";

  const shown = () => strandFrame(state.strand, state.step);
  const isGone = (unit) => unit >= 0 && (isRemoved(state.strand, unit, state.step) || !shown().alive[unit]);

  function accuracy() { return state.strand.accuracy[state.step] ?? null; }

  function draw() {
    state.asked = false;
    const { strand, step, unit } = state, name = life.steps[step], share = percent(accuracy());
    $("step-name").textContent = name;
    $("accuracy").textContent = share;
    slider.setAttribute("aria-valuetext", `${name}, ${life.measure} ${share}`);
    curves.show(step, accuracy());
    if (strand.classes) {
      const many = strand.classes.length / life.steps.length;
      bars.show(strand.classes.subarray(step * many, (step + 1) * many), strand.classes.subarray(0, many));
    }
    if (!drawn) return;
    const frame = shown();
    if (!frame) return;
    network.draw(frame, isGone, unit);
    pixels?.draw(frame.blocks[0], colour);
    masks.forEach((mask, i) => mask.draw(frame.blocks[i], colour, isGone));
    const at = strand.frames[placeAt(strand, step)].at;
    $("network-at").textContent = at === step || strand.removed ? "" : `${words.weights_of} ${life.steps[at]}`;
    const which = [strands.indexOf(strand), step, unit].join();
    if (which !== shownUnit) showUnit($("unit"), strand, frame, unit, step, unit >= 0 && isGone(unit), scores, colour);
    shownUnit = which;
  }

  function ask() {
    if (state.asked) return;
    state.asked = true;
    requestAnimationFrame(draw);
  }

  async function goTo(step) {
    state.step = step;
    slider.value = step;
    if (drawn && !shown()) await frameAt(state.strand.frames[placeAt(state.strand, step)].frame);
    ask();
    clearTimeout(state.timer);
    state.timer = setTimeout(() => say(slider.getAttribute("aria-valuetext")), 400);
  }

  async function choose(number) {
    state.strand = strands[number];
    const { group, classes } = state.strand;
    curves = new Curves($("curves"), life.curves.filter((curve) => curve.group === group));
    $("classes").parentElement.hidden = !classes;
    if (classes) bars = new Bars($("classes"), classes.length / life.steps.length);
    await goTo(state.step);
    for (const { frame } of drawn ? state.strand.frames : []) await frameAt(frame);
    document.querySelector(".life").dataset.ready = "";
  }

  function select(unit) {
    state.unit = unit;
    if (unit >= 0) say(nameOf(unit));
    ask();
  }

  options(strands);
  $("strand").addEventListener("change", (event) => choose(Number(event.target.value)));
  slider.max = life.steps.length - 1;
  slider.addEventListener("input", () => goTo(Number(slider.value)));
  player(state, goTo);
  if (drawn) {
    pointing(network, state, select);
    // At once: a canvas that gets another size is empty.
    const again = () => { network.resize(); colour = palette(network.colours); draw(); };
    new ResizeObserver(again).observe($("network"));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
  }
  document.addEventListener("arms", ({ detail }) => {
    for (const line of document.querySelectorAll("#curves .curve")) line.style.display = detail.includes(line.dataset.arm) ? "none" : "";
  });
  await choose(0);
}

// The network that a step shows; undefined until it is unpacked.
function strandFrame(strand, step) {
  return frames[strand.frames[placeAt(strand, step)]?.frame];
}

function options(strands) {
  const groups = new Map();
  strands.forEach(({ name, group }, number) => {
    const option = element("option", { value: number }, name);
    if (!groups.has(group)) groups.set(group, group ? element("optgroup", { label: group }) : $("strand"));
    groups.get(group).append(option);
    if (group) $("strand").append(groups.get(group));
  });
}

function player(state, goTo) {
  let running = 0;
  const label = (text) => { $("play").textContent = text; };
  $("play").addEventListener("click", () => {
    if (running) { clearInterval(running); running = 0; label(words.play); return; }
    const last = life.steps.length - 1, pause = Math.max(40, Math.min(700, 8000 / last));
    if (state.step === last) goTo(0);
    label(words.pause);
    running = setInterval(() => {
      goTo(state.step + 1);
      if (state.step >= last) $("play").click();
    }, pause);
  });
}

// A click chooses a unit; arrows walk through the units and layers, Enter chooses, Escape lets go.
function pointing(network, state, select) {
  const canvas = network.canvas;
  let cursor = 0;
  canvas.addEventListener("click", (event) => {
    const unit = network.unitAt(event.offsetX, event.offsetY);
    if (unit >= 0) cursor = unit;
    select(unit === state.unit ? -1 : unit);
  });
  const moves = { ArrowDown: [0, 1], ArrowUp: [0, -1], ArrowRight: [1, 0], ArrowLeft: [-1, 0] };
  canvas.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { select(-1); return; }
    const move = moves[event.key];
    if (!move && event.key !== "Enter") return;
    event.preventDefault();
    if (move) {
      const { layer, index } = places[cursor], place = life.hidden.indexOf(layer) + move[0];
      const other = life.hidden[Math.min(Math.max(place, 0), life.hidden.length - 1)];
      cursor = unitOf(other, Math.min(Math.max(index + move[1], 0), life.layers[other].units - 1));
    }
    select(cursor);
  });
}

play();
