"use strict";
const errors = [];
for (const kind of ["error", "unhandledrejection"]) {
  window.addEventListener(kind, (event) => {
    errors.push(event.message ?? String(event.reason));
    document.documentElement.dataset.errors = errors.join(" | ");
  });
}
const panels = JSON.parse(document.getElementById("panels").textContent);
const drawn = new Set(); // panels that are on the page
const hidden = new Set(); // indices of arms switched off
const checked = [...document.querySelectorAll("[data-layer]")].filter((box) => box.checked);
const layers = new Set(["median", "target", ...checked.map((box) => box.dataset.layer)]);

function visible(trace) {
  return layers.has(trace.meta.layer) && !hidden.has(trace.meta.arm);
}

// lines that belong to an arm are hidden with it
function shapes(panel) {
  for (const shape of panel.layout.shapes ?? []) {
    if (shape.name?.startsWith("arm ")) shape.visible = !hidden.has(Number(shape.name.slice(4)));
  }
  return panel.layout.shapes;
}

function draw(panel) {
  if (drawn.has(panel)) return;
  drawn.add(panel);
  panel.data.forEach((trace) => { trace.visible = visible(trace); });
  shapes(panel);
  if (panel.frames.length) put(panel, panel.frames.length - 1);
  Plotly.newPlot(panel.id, panel.data, panel.layout, {
    responsive: true, displaylogo: false,
    modeBarButtons: [["toImage", "zoom2d", "pan2d", "resetScale2d"]],
  });
}

function show() {
  for (const panel of drawn) {
    const lines = shapes(panel);
    Plotly.update(panel.id, { visible: panel.data.map(visible) }, lines ? { shapes: lines } : {});
  }
}

// a map's bytes 0..254 stand for low..high, row by row, and 255 for none
function unpack({ bytes, low, high, shape: [rows, columns] }) {
  const flat = atob(bytes);
  const value = (i) => (flat.charCodeAt(i) === 255 ? NaN : low + ((high - low) * flat.charCodeAt(i)) / 254);
  return Array.from({ length: rows }, (_, r) => Float32Array.from({ length: columns }, (_, c) => value(r * columns + c)));
}

// the frame of one step becomes the panel's data
function put(panel, index) {
  panel.shown = index;
  const { reach } = panel.frames[index];
  if (reach) for (const axis of ["xaxis", "yaxis"]) panel.layout[axis].range = [-reach, reach];
  if (panel.frames[index].text) panel.layout.annotations[0].text = panel.frames[index].text;
  panel.frames[index].data.forEach((changes, i) => {
    for (const [key, value] of Object.entries(changes)) {
      panel.data[i][key] = value?.bytes === undefined ? value : unpack(value);
    }
  });
}

for (const panel of panels) if (!panel.lazy) draw(panel);

// a part of the page draws its figures when it is opened, one after the other, so that the page stays alive
async function fill(part) {
  const inside = panels.filter((panel) => !drawn.has(panel) && part.contains(document.getElementById(panel.id)));
  for (const panel of inside) {
    draw(panel);
    await new Promise((done) => { setTimeout(done); });
  }
  part.dataset.drawn = "true";
}
const parts = [...document.querySelectorAll("details.theme")];
for (const part of parts) {
  if (part.open) fill(part);
  part.addEventListener("toggle", () => { if (part.open) fill(part); });
}
function jump() {
  const part = parts.find((each) => each.id && `#${each.id}` === location.hash);
  if (part) part.open = true;
}
window.addEventListener("hashchange", jump);
jump();

const arms = [...document.querySelectorAll(".legend [data-arm]")];
function press() {
  for (const button of arms) button.setAttribute("aria-pressed", String(!hidden.has(Number(button.dataset.arm))));
  show();
}
// show these arms alone
function only(buttons) {
  hidden.clear();
  for (const button of arms) if (!buttons.includes(button)) hidden.add(Number(button.dataset.arm));
  press();
}
for (const button of arms) {
  const arm = Number(button.dataset.arm);
  button.addEventListener("click", () => {
    if (!hidden.delete(arm)) hidden.add(arm);
    press();
  });
  button.addEventListener("dblclick", () => only([button]));
}
document.querySelector(".legend .all")?.addEventListener("click", () => only(hidden.size ? arms : []));
for (const box of document.querySelectorAll("[data-layer]")) {
  box.addEventListener("change", () => {
    for (const twin of document.querySelectorAll(`[data-layer="${box.dataset.layer}"]`)) twin.checked = box.checked;
    if (box.type === "radio") for (const other of ["first", "sustained"]) layers.delete(other);
    if (box.checked) layers.add(box.dataset.layer);
    else layers.delete(box.dataset.layer);
    show();
  });
}
for (const box of document.querySelectorAll("[data-log]")) {
  box.addEventListener("change", () => {
    const type = box.checked ? "log" : "linear";
    for (const panel of panels.filter((p) => p.id.startsWith(box.dataset.log))) {
      Object.assign(panel.layout[box.dataset.axis], { type, autorange: true });
      if (drawn.has(panel)) {
        Plotly.relayout(panel.id, { [`${box.dataset.axis}.type`]: type, [`${box.dataset.axis}.autorange`]: true });
      }
    }
  });
}

// the slider: every figure with frames shows its newest one up to the chosen step, the others mark that step
const slider = document.getElementById("slider");
if (slider) {
  const steps = JSON.parse(slider.dataset.steps);
  const shown = document.getElementById("step");
  const play = document.getElementById("play");
  let pending = 0;
  let timer = 0;
  function move() {
    pending = 0;
    const step = steps[Number(slider.value)];
    shown.textContent = step.toLocaleString("en");
    for (const panel of panels) {
      const index = Math.max(0, panel.frames.findLastIndex((frame) => frame.step <= step));
      if (panel.frames.length && index !== panel.shown) {
        put(panel, index);
        if (drawn.has(panel)) Plotly.react(panel.id, panel.data, panel.layout);
      }
      const now = panel.layout.shapes?.find((shape) => shape.name === "now");
      if (now) {
        now.x0 = now.x1 = step;
        if (drawn.has(panel)) Plotly.relayout(panel.id, { shapes: panel.layout.shapes });
      }
    }
    document.documentElement.dataset.step = step;
  }
  const last = steps.length - 1;
  function goTo(index) {
    slider.value = index;
    pending ||= setTimeout(move, 16);
    if (timer && Number(slider.value) === last) play.click();
  }
  slider.addEventListener("input", () => goTo(Number(slider.value)));
  play.addEventListener("click", () => {
    if (timer) {
      timer = clearInterval(timer);
    } else {
      if (Number(slider.value) === last) slider.value = 0;
      timer = setInterval(() => goTo(Number(slider.value) + 1), Math.max(120, 6000 / steps.length));
    }
    play.textContent = timer ? "pause" : "play";
  });
}
document.querySelector(".copy")?.addEventListener("click", (event) => {
  navigator.clipboard?.writeText(document.getElementById("command").textContent);
  event.target.textContent = "copied";
});
document.documentElement.dataset.ready = "true";
