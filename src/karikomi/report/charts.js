// The charts: drawn when they come near the window, the others when nothing else is to be done.
const actions = { export: true, source: false, compiled: false, editor: false };
// Errors alone: where all arms of an axis are off, Vega warns of an axis without data.
const texts = JSON.parse(document.getElementById("data").textContent).words;
const i18n = { CLICK_TO_VIEW_ACTIONS: texts.chart_actions, SVG_ACTION: texts.save_svg, PNG_ACTION: texts.save_png };
const options = { renderer: "svg", actions, i18n, scaleFactor: 2, logLevel: 1 };
const specs = JSON.parse(document.getElementById("charts").textContent);
const views = new Map();
let off = [];

// Panels and curves get narrower, and panels wrap into fewer columns, until a chart fits its card; else it scrolls.
function fit(spec, room) {
  if (spec.columns > 1) {
    const panel = spec.spec ?? spec.concat[0], gap = 20, axes = spec.facet ? 70 : 0;
    spec.columns = Math.min(spec.columns, (spec.concat ?? spec.facet.sort ?? []).length || spec.columns);
    const width = () => (room - axes) / spec.columns - gap, least = spec.facet ? 0.7 * panel.width : panel.width;
    while (spec.columns > 2 && width() < least) spec.columns = Math.ceil(spec.columns / 2);
    if (width() < panel.width && spec.facet) panel.width = Math.max(80, width());
    else if (width() < panel.width) spec.columns = 1;
  }
  (spec.vconcat ?? []).forEach((part) => fit(part, room));
  if (typeof spec.width === "number" && spec.width + 80 > room) spec.width = "container";
}

function follow(view, spec) {
  if (spec.params?.some((param) => param.name === "off")) view.signal("off", off).runAsync();
}

async function draw(card) {
  const number = Number(card.id.split("-")[1]), spec = specs[number];
  if (views.has(number)) return;
  views.set(number, null);
  fit(spec, card.clientWidth);
  if (card.clientWidth < 560) spec.config.legend.columns = 2;
  try {
    const { legend } = spec.config, excess = () => card.scrollWidth - card.clientWidth;
    let { view } = await window.vegaEmbed(card, spec, options);
    if (excess() > 0 && !legend.columns) {
      legend.columns = 4;
      ({ view } = await window.vegaEmbed(card, spec, options));
    }
    views.set(number, view);
    if (excess() > 0 && typeof spec.width === "number") await view.width(Math.max(120, view.width() - excess())).runAsync();
    if (off.length) follow(view, spec);
  } catch (problem) {
    card.textContent = `${texts.chart_failed} ${problem.message}`;
  }
}

document.addEventListener("arms", (event) => {
  off = event.detail;
  views.forEach((view, number) => { if (view) follow(view, specs[number]); });
});

const cards = [...document.querySelectorAll(".card")];
const near = new IntersectionObserver((entries) => {
  entries.filter((entry) => entry.isIntersecting).forEach((entry) => { near.unobserve(entry.target); draw(entry.target); });
}, { rootMargin: "400px" });
cards.forEach((card) => near.observe(card));

const idle = window.requestIdleCallback ?? ((task) => setTimeout(task, 200));
const rest = [...cards];
function next() {
  const card = rest.shift();
  if (card) draw(card).then(() => idle(next));
}
idle(next);
