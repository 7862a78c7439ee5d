"use strict";
const errors = [];
for (const kind of ["error", "unhandledrejection"]) {
  window.addEventListener(kind, (event) => {
    errors.push(event.message ?? String(event.reason));
    document.documentElement.dataset.errors = errors.join(" | ");
  });
}
const data = document.getElementById("panels");
const panels = JSON.parse(data.textContent);
const darker = JSON.parse(data.dataset.dark || "{}"); // each colour of an arm, and what stands for it on a dark page
const drawn = new Set(); // panels that are on the page
const hidden = new Set(); // indices of arms switched off
const checked = [...document.querySelectorAll("[data-layer]")].filter((box) => box.checked);
const layers = new Set(["median", "target", ...checked.map((box) => box.dataset.layer)]);
const STEPS = "optimiser steps";
const MANY = 12; // lines beyond which a text that lists all of them would cover the figure

function visible(trace) {
  return layers.has(trace.meta.layer) && !hidden.has(trace.meta.arm);
}

// the page's own colours, light or dark; a figure's are put in their places when it is drawn
const night = window.matchMedia("(prefers-color-scheme: dark)");
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// a colour of an arm on the page as it is; others stay
function tone(colour) {
  if (!night.matches || typeof colour !== "string") return colour;
  const [, parts, alpha] = /^rgba\(([\d,]+),([\d.]+)\)$/.exec(colour) ?? [];
  if (parts && darker[parts]) return `rgba(${darker[parts]},${alpha})`;
  return darker[colour] ?? (colour === "#222" ? css("--ink") : colour);
}
const first = new WeakMap(); // what a part of a figure had before it was painted
function recolour(part, key) {
  if (!part || !(key in part)) return;
  if (!first.has(part)) first.set(part, {});
  const kept = first.get(part);
  kept[key] ??= part[key];
  part[key] = tone(kept[key]);
}
function paint(panel) {
  const { layout } = panel;
  Object.assign(layout, { plot_bgcolor: "rgba(0,0,0,0)", paper_bgcolor: "rgba(0,0,0,0)" });
  layout.font = { family: "system-ui, -apple-system, 'Segoe UI', sans-serif", size: 12, color: css("--ink") };
  layout.modebar = { bgcolor: "rgba(0,0,0,0)", color: css("--soft"), activecolor: css("--ink") };
  layout.hoverlabel = { bgcolor: css("--page"), bordercolor: css("--rule"), font: { color: css("--ink"), size: 12 } };
  for (const axis of Object.keys(layout).filter((key) => /^[xy]axis/.test(key))) {
    Object.assign(layout[axis], { gridcolor: css("--grid"), linecolor: css("--soft"), color: css("--ink") });
  }
  for (const trace of panel.data) {
    recolour(trace, "fillcolor");
    for (const part of [trace.line, trace.marker, trace.marker?.line, trace.error_x]) recolour(part, "color");
  }
  for (const shape of layout.shapes ?? []) recolour(shape.line, "color");
}

// one text at a step says what all lines are there, not only the nearest
function unify(panel) {
  const lines = panel.data.filter((trace) => trace.hoverinfo !== "skip" && trace.meta.layer !== "seed");
  if (panel.layout.xaxis?.title?.text !== STEPS || panel.frames.length || lines.length > MANY) return;
  panel.layout.hovermode = "x unified";
  for (const trace of panel.data) {
    if (trace.meta.layer === "seed") trace.hoverinfo = "skip";
    if (trace.meta.layer === "seed") delete trace.hovertemplate;
    else if (trace.hovertemplate) {
      trace.hovertemplate = trace.hovertemplate.replace(/^step %\{x\}<br>/, "").replaceAll("<br>", ", ");
    }
  }
}

// lines that belong to an arm are hidden with it
function shapes(panel) {
  for (const shape of panel.layout.shapes ?? []) {
    if (shape.name?.startsWith("arm ")) shape.visible = !hidden.has(Number(shape.name.slice(4)));
  }
  return panel.layout.shapes;
}

const config = { responsive: true, displaylogo: false, modeBarButtons: [["zoom2d", "pan2d", "resetScale2d"]] };
function draw(panel) {
  if (drawn.has(panel)) return;
  drawn.add(panel);
  panel.data.forEach((trace) => { trace.visible = visible(trace); });
  shapes(panel);
  if (panel.frames.length) put(panel, panel.frames.length - 1);
  unify(panel);
  paint(panel);
  Plotly.newPlot(panel.id, panel.data, panel.layout, config).then(() => label(panel));
}

// names at the ends of the lines, where there is room for them
function label(panel) {
  const place = document.getElementById(panel.id);
  const axes = place._fullLayout;
  target(panel, place);
  const lines = panel.data.filter((trace) => trace.visible !== false && trace.meta.layer === "median" && !trace.fill);
  const wide = place.clientWidth > 620 && panel.layout.xaxis?.title?.text === STEPS && !panel.lazy;
  if (!wide || lines.length < 2 || lines.length > 7 || panel.frames.length) return;
  const ends = lines.map((trace) => {
    const { x, y } = place._fullData.find((full) => full.index === panel.data.indexOf(trace));
    let last = y.length - 1;
    while (last > 0 && !Number.isFinite(y[last])) last -= 1;
    return { trace, x: x[last], y: axes.yaxis.d2p(y[last]) };
  }).sort((one, other) => one.y - other.y);
  for (let i = 1; i < ends.length; i += 1) ends[i].y = Math.max(ends[i].y, ends[i - 1].y + 15);
  const over = ends.at(-1).y - axes._size.h;
  if (over > 0) for (const end of ends) end.y -= over;
  const names = ends.map(({ trace, y }) => ({
    xref: "paper", yref: "paper", x: 1.005, y: 1 - y / axes._size.h, xanchor: "left", yanchor: "middle", showarrow: false,
    text: trace.name, font: { color: tone(first.get(trace.line)?.color ?? trace.line.color), size: 12 }, name: `arm ${trace.meta.arm}`,
  }));
  const longest = Math.max(...names.map((name) => name.text.replace(/&[a-z]+;/g, "x").length));
  const others = (panel.layout.annotations ?? []).filter((text) => !text.name?.startsWith("arm "));
  panel.layout.annotations = [...others, ...names];
  panel.layout.margin.r = Math.min(260, 18 + 7.2 * longest);
  Plotly.relayout(place, { annotations: panel.layout.annotations, "margin.r": panel.layout.margin.r });
}

// a word at each target, once for each value
function target(panel, place) {
  const aims = panel.data.filter((trace) => trace.visible !== false && trace.meta.layer === "target");
  const log = panel.layout.yaxis?.type === "log";
  const heights = new Map(aims.map((trace) => [place._fullData.find((full) => full.index === panel.data.indexOf(trace)).y[0], trace]));
  if (!heights.size) return;
  const words = [...heights].map(([y, trace]) => ({
    xref: "paper", x: 0.99, y: log ? Math.log10(y) : y, xanchor: "right", yanchor: "bottom", showarrow: false, text: "target",
    font: { color: tone(first.get(trace.line)?.color ?? trace.line.color), size: 11 }, name: "target",
  }));
  panel.layout.annotations = [...(panel.layout.annotations ?? []).filter((text) => text.name !== "target"), ...words];
  Plotly.relayout(place, { annotations: panel.layout.annotations });
}

night.addEventListener("change", () => {
  for (const panel of drawn) {
    paint(panel);
    Plotly.react(panel.id, panel.data, panel.layout, config).then(() => label(panel));
  }
});

function show() {
  for (const panel of drawn) {
    const lines = shapes(panel);
    for (const text of panel.layout.annotations ?? []) {
      if (text.name?.startsWith("arm ")) text.visible = !hidden.has(Number(text.name.slice(4)));
    }
    const layout = { ...(lines ? { shapes: lines } : {}), ...(panel.layout.annotations ? { annotations: panel.layout.annotations } : {}) };
    Plotly.update(panel.id, { visible: panel.data.map(visible) }, layout);
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
    if (document.getElementById(panel.id).closest("[hidden]")) continue;
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
// a link into a folded part opens it
function jump() {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const part = target && target.closest("details");
  if (!part) return;
  part.open = true;
  target.scrollIntoView();
}
window.addEventListener("hashchange", jump);
jump();

// the filter over the readings: a word of the name or of what it means
const filter = document.getElementById("filter");
filter?.addEventListener("input", () => {
  const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
  let found = 0;
  for (const part of parts) {
    let inside = 0;
    for (const reading of part.querySelectorAll(".reading")) {
      const text = reading.dataset.words.toLowerCase();
      reading.hidden = !words.every((word) => text.includes(word));
      inside += !reading.hidden;
    }
    part.hidden = !inside;
    part.open = Boolean(words.length && inside && inside <= 6);
    if (part.open) fill(part);
    found += inside;
  }
  document.getElementById("filtered").textContent = words.length ? `${found} found` : "";
});

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
        Plotly.relayout(panel.id, { [`${box.dataset.axis}.type`]: type, [`${box.dataset.axis}.autorange`]: true })
          .then((place) => target(panel, place));
      }
    }
  });
}

// downloads: what a figure shows as a table or a picture, made in the page
function save(name, content, type) {
  const link = document.createElement("a");
  link.href = type ? URL.createObjectURL(new Blob([content], { type })) : content;
  link.download = name;
  document.documentElement.dataset.saved = `${name} ${type ? content.length : content.slice(0, 15)}`;
  link.click();
  if (type) setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
const quoted = (value) => (/[",\n]/.test(value) ? `"${String(value).replaceAll('"', '""')}"` : value);
const lines = (rows) => `${rows.map((row) => row.map(quoted).join(",")).join("\n")}\n`;
function toCsv(panel) {
  const rows = [["line", "layer", panel.layout.xaxis?.title?.text ?? "x", panel.layout.yaxis?.title?.text ?? "y"]];
  for (const trace of document.getElementById(panel.id)._fullData) {
    if (trace.z) trace.z.forEach((row, j) => row.forEach((value, i) => rows.push([trace.y?.[j] ?? j, "map", trace.x?.[i] ?? i, value])));
    else if (trace.x) trace.x.forEach((x, i) => rows.push([trace.name, trace.meta?.layer ?? "", x, trace.y[i]]));
  }
  return lines(rows.map((row) => row.map((cell) => (typeof cell === "number" && Number.isNaN(cell) ? "" : cell))));
}
// a strip plot as a file of its own: the style sheet's colours are written into it
function toSvg(strip) {
  const copy = strip.cloneNode(true);
  const [from, to] = [strip, copy].map((svg) => [svg, ...svg.querySelectorAll("*")]);
  const kept = ["fill", "fill-opacity", "stroke", "stroke-width", "font-size", "font-weight", "font-family", "text-anchor", "paint-order"];
  from.forEach((node, i) => {
    const style = getComputedStyle(node);
    to[i].setAttribute("style", kept.map((key) => `${key}:${style.getPropertyValue(key)}`).join(";"));
  });
  const [, , width, height] = copy.getAttribute("viewBox").split(" ");
  Object.entries({ xmlns: "http://www.w3.org/2000/svg", width, height }).forEach(([key, value]) => copy.setAttribute(key, value));
  return new XMLSerializer().serializeToString(copy);
}
function saveStrip(kind) {
  const strip = [...document.querySelectorAll("svg.strip")].find((svg) => getComputedStyle(svg).display !== "none");
  const svg = toSvg(strip);
  if (kind === "svg") {
    save("times.svg", svg, "image/svg+xml");
    return;
  }
  const image = new Image();
  image.onload = () => {
    const canvas = document.createElement("canvas");
    Object.assign(canvas, { width: 2 * image.width, height: 2 * image.height });
    const pen = canvas.getContext("2d");
    pen.fillStyle = css("--page");
    pen.fillRect(0, 0, canvas.width, canvas.height);
    pen.drawImage(image, 0, 0, canvas.width, canvas.height);
    save("times.png", canvas.toDataURL("image/png"));
  };
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`;
}
document.addEventListener("click", async ({ target }) => {
  const button = target.closest?.("button.save");
  if (!button) return;
  const { figure, kind, strip, table } = button.dataset;
  const panel = panels.find((each) => each.id === figure);
  if (strip) saveStrip(strip);
  else if (table) {
    const rows = [...document.querySelectorAll(`#${table} tr`)].map((row) => [...row.cells].map((cell) => cell.textContent.trim()));
    save(`${table}.csv`, lines(rows), "text/csv");
  } else if (kind === "csv") save(`${panel.id}.csv`, toCsv(panel), "text/csv");
  else {
    const place = document.getElementById(panel.id);
    save(`${panel.id}.${kind}`, await Plotly.toImage(place, { format: kind, scale: kind === "png" ? 2 : 1, width: place.clientWidth, height: place.clientHeight }));
  }
});

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
