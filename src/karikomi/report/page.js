// Tables that sort and copy, the command that copies, and the legend that all charts follow.
const data = JSON.parse(document.getElementById("data").textContent);
const words = data.words;

// Screen readers hear it.
function say(text) {
  document.getElementById("said").textContent = text;
}

function button(text, onClick) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = text;
  made.addEventListener("click", () => onClick(made));
  return made;
}

async function copy(text, by) {
  const label = by.textContent;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = Object.assign(document.createElement("textarea"), { value: text });
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  by.textContent = words.copied;
  say(words.copied);
  setTimeout(() => { by.textContent = label; }, 1500);
}

// The number that a cell begins with, or its text: "+1,100 ± 30" is 1100, "< 0.001" below 0.001, "–" comes last.
function sortKey(text) {
  const number = parseFloat(text.replace(/−/g, "-").replace(/[,\s≈<]/g, ""));
  return Number.isNaN(number) ? text : text.startsWith("<") ? number - 1e-12 : number;
}

function compare(a, b) {
  if (typeof a === "number" && typeof b === "number") return a - b;
  if (typeof a === typeof b) return a.localeCompare(b);
  return typeof a === "number" ? -1 : 1;
}

function sortBy(table, place) {
  const heads = [...table.tHead.rows[0].cells];
  const order = heads[place].getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
  heads.forEach((head) => head.removeAttribute("aria-sort"));
  heads[place].setAttribute("aria-sort", order);
  const rows = [...table.tBodies[0].rows].map((row) => [sortKey(row.cells[place].innerText.trim()), row]);
  rows.sort(([a], [b]) => (order === "ascending" ? compare(a, b) : compare(b, a)));
  table.tBodies[0].append(...rows.map(([, row]) => row));
}

function csv(table) {
  const quoted = (text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  return [...table.rows].map((row) => [...row.cells].map((cell) => quoted(cell.textContent.trim())).join(",")).join("\n");
}

for (const table of document.querySelectorAll(".sheet table")) {
  [...table.tHead.rows[0].cells].forEach((head, place) => {
    const sorter = button(head.textContent, () => sortBy(table, place));
    head.replaceChildren(sorter);
  });
  table.closest(".sheet").append(button(words.copy_csv, (by) => copy(csv(table), by)));
}

for (const command of document.querySelectorAll(".command")) {
  command.append(button(words.copy, (by) => copy(command.querySelector("code").textContent, by)));
}

// What is switched off, by name; charts and the viewer hear the event "arms".
const off = new Set();
for (const arm of document.querySelectorAll(".arms button")) {
  arm.addEventListener("click", () => {
    const shown = off.delete(arm.value);
    if (!shown) off.add(arm.value);
    for (const same of document.querySelectorAll(".arms button")) {
      if (same.value === arm.value) same.setAttribute("aria-pressed", String(shown));
    }
    document.dispatchEvent(new CustomEvent("arms", { detail: [...off] }));
  });
}
