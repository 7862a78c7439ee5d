"use strict";
const errors = [];
window.addEventListener("error", (event) => {
  errors.push(event.message);
  document.documentElement.dataset.errors = errors.join(" | ");
});
const panels = JSON.parse(document.getElementById("panels").textContent);
const hidden = new Set(); // indices of arms switched off
const checked = [...document.querySelectorAll("[data-layer]")].filter((box) => box.checked);
const layers = new Set(["median", "target", ...checked.map((box) => box.dataset.layer)]);

function visible(trace) {
  return layers.has(trace.meta.layer) && !hidden.has(trace.meta.arm);
}

function show() {
  for (const panel of panels) {
    Plotly.restyle(panel.id, { visible: panel.data.map(visible) });
  }
}

for (const panel of panels) {
  panel.data.forEach((trace) => { trace.visible = visible(trace); });
  Plotly.newPlot(panel.id, panel.data, panel.layout, {
    responsive: true, displaylogo: false,
    modeBarButtons: [["toImage", "zoom2d", "pan2d", "resetScale2d"]],
  });
}

const arms = [...document.querySelectorAll(".legend [data-arm]")];
function press() {
  for (const button of arms) {
    button.setAttribute("aria-pressed", String(!hidden.has(Number(button.dataset.arm))));
  }
  show();
}
for (const button of arms) {
  const arm = Number(button.dataset.arm);
  button.addEventListener("click", () => {
    if (!hidden.delete(arm)) hidden.add(arm);
    press();
  });
  button.addEventListener("dblclick", () => {
    hidden.clear();
    for (const other of arms) if (other !== button) hidden.add(Number(other.dataset.arm));
    press();
  });
}
document.querySelector(".legend .all")?.addEventListener("click", () => {
  const none = hidden.size > 0;
  hidden.clear();
  if (!none) for (const button of arms) hidden.add(Number(button.dataset.arm));
  press();
});
for (const box of document.querySelectorAll("[data-layer]")) {
  box.addEventListener("change", () => {
    for (const twin of document.querySelectorAll(`[data-layer="${box.dataset.layer}"]`)) {
      twin.checked = box.checked;
    }
    if (box.type === "radio") for (const other of ["first", "sustained"]) layers.delete(other);
    if (box.checked) layers.add(box.dataset.layer);
    else layers.delete(box.dataset.layer);
    show();
  });
}
for (const box of document.querySelectorAll("[data-log]")) {
  box.addEventListener("change", () => {
    for (const panel of panels.filter((p) => p.id.startsWith(box.dataset.log))) {
      const type = box.checked ? "log" : "linear";
      Plotly.relayout(panel.id, { [`${box.dataset.axis}.type`]: type, [`${box.dataset.axis}.autorange`]: true });
    }
  });
}
document.querySelector(".copy")?.addEventListener("click", (event) => {
  navigator.clipboard?.writeText(document.getElementById("command").textContent);
  event.target.textContent = "copied";
});
document.documentElement.dataset.ready = "true";
