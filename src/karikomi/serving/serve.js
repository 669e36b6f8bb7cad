// Answers arrive one after the other, two ticks make a comparison, and what goes on is looked at again.
const PAUSE = 2000;

const boxes = [...document.querySelectorAll("input[name=run]")];
const chosen = [];
for (const box of boxes) {
  box.checked = false;
  box.addEventListener("change", () => {
    if (box.checked) chosen.push(box);
    else chosen.splice(chosen.indexOf(box), 1);
    if (chosen.length > 2) chosen.shift().checked = false;
    ready();
  });
}

function ready() {
  const button = document.getElementById("compare");
  if (button) button.disabled = chosen.length !== 2;
}

async function watch(now) {
  for (let finished = false; !finished; ) {
    await new Promise((wake) => setTimeout(wake, PAUSE));
    try {
      const found = await (await fetch(now.dataset.now)).json();
      now.innerHTML = found.html;
      finished = found.finished;
    } catch { /* the server is not there; it may come back */ }
  }
  document.getElementById("page").hidden = false;
}

ready();
const now = document.querySelector("[data-now]");
if (now) watch(now);
for (const cell of document.querySelectorAll("[data-answer]")) {
  const found = await fetch(cell.dataset.answer);
  cell.textContent = found.ok ? (await found.json()).answer : "";
}
