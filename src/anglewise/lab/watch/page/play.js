// The playground: sliders that act on a network while it trains, and what the network does.

import { h, number, percent, plainly, say, tellErrors } from "./dom.js";
import { chart, circle, fresh, ink, onTheme, theme } from "./draw.js";

tellErrors();
const $ = (id) => document.getElementById(id);
const { sliders, presets, start } = JSON.parse(document.body.dataset.known);
const COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"];
const CYCLE = [[0, "#08306B"], [0.25, "#56B4E9"], [0.5, "#F0C400"], [0.75, "#D55E00"], [1, "#08306B"]];
const THRESHOLD = 0.95;
const HELD = 5; // frames in a row
const TRAIL = 8; // frames that a dot's way is shown
const runs = []; // of this page, the newest last
let frame = null;
let state = "starting";
let going = false;

// ---- the sliders: a place from 0 to 1000 stands for a number, most of them evenly in its logarithm

const SPLIT = 60; // up to here a slider that can be 0 is 0

function numberAt(slider, place) {
  const { low, high, zero, log } = slider;
  const least = zero && log ? SPLIT : 0;
  if (zero && log && place < SPLIT) return 0;
  const share = (place - least) / (1000 - least);
  const value = log ? low * (high / low) ** share : low + (high - low) * share;
  return Math.min(Math.max(Number(value.toPrecision(2)), low), high);
}

function placeOf(slider, value) {
  const { low, high, zero, log } = slider;
  const least = zero && log ? SPLIT : 0;
  if (value === 0 && log) return 0;
  const share = log ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low);
  return Math.round(least + share * (1000 - least));
}

const exact = new Map(); // values that a preset set, which a slider's place only approximates
function chosen() {
  return Object.fromEntries(sliders.map((slider) => [slider.name, exact.get(slider.name) ?? numberAt(slider, Number($(slider.name).value))]));
}

function shown() {
  const now = chosen();
  for (const { name } of sliders) {
    const text = name === "strength" && now[name] === 0 ? "0 (no penalty)" : plainly(now[name]);
    say($(`${name}-value`), text);
    $(name).setAttribute("aria-valuetext", text);
  }
  presets.forEach((preset, i) => {
    const same = Object.entries(preset.numbers).every(([name, value]) => now[name] === value);
    document.querySelector(`[data-preset="${i}"]`).setAttribute("aria-pressed", String(same));
    if (same) say($("preset-words"), preset.words);
  });
  if (!document.querySelector('[data-preset][aria-pressed="true"]')) say($("preset-words"), "Your own setting.");
}

function set(values) {
  for (const slider of sliders) {
    if (!(slider.name in values)) continue;
    exact.set(slider.name, values[slider.name]);
    $(slider.name).value = placeOf(slider, values[slider.name]);
  }
  shown();
}

let sending = 0;
function changed(names) {
  for (const name of names) exact.delete(name);
  shown();
  clearTimeout(sending);
  sending = setTimeout(() => post("set", chosen()), 60);
}
for (const { name } of sliders) $(name).addEventListener("input", () => changed([name]));
for (const button of document.querySelectorAll("[data-preset]")) {
  button.addEventListener("click", () => {
    set(presets[Number(button.dataset.preset)].numbers);
    changed([]);
  });
}

async function post(what, values = {}) {
  const options = { method: "POST", body: JSON.stringify(values), headers: { "content-type": "application/json" } };
  const answer = await fetch(what, options).catch(() => null);
  if (answer && !answer.ok) tell(await answer.text(), true);
}

// ---- the buttons

$("start").addEventListener("click", () => {
  const sizes = Object.fromEntries(["p", "width", "budget", "seed"].map((name) => [name, Number($(name).value)]));
  going = true;
  post("start", { ...chosen(), ...sizes });
  tell("Preparing the network.");
  buttons();
});
$("pause").addEventListener("click", () => {
  going = !going;
  post(going ? "go" : "pause");
  buttons();
});
$("slow").addEventListener("change", () => post("slow", { on: $("slow").checked }));
$("reset").addEventListener("click", () => {
  set(start);
  changed([]);
});
$("site").addEventListener("change", redraw);

function buttons() {
  const run = runs.at(-1);
  const over = !run || run.ended || state !== "training";
  $("pause").disabled = over;
  say($("pause"), going || over ? "pause" : "go on");
  say($("start"), runs.length && runs.at(-1).frames.length > 1 ? "start again" : "start");
}

// ---- what comes from the network

const source = new EventSource("events");
source.addEventListener("message", (event) => {
  say($("connection"), "connected");
  $("connection").classList.remove("lost");
  document.documentElement.dataset.connected = "true";
  const message = JSON.parse(event.data);
  if (message.what === "state") {
    state = message.state;
    const words = {
      starting: "The network is being prepared. This takes 5 to 30 seconds.",
      compiling: "The program is being compiled. This takes some seconds, once for each size.",
      over: "The run has ended. Start again.",
    };
    tell(words[state] ?? "");
    if (state === "over") going = false;
  } else if (message.what === "begun") begin(message.settings);
  else if (message.what === "frame") take(message);
  else if (message.what === "error") tell(message.text, true);
  buttons();
});
source.addEventListener("error", () => {
  $("connection").classList.add("lost");
  say($("connection"), "no answer; trying again");
  document.documentElement.dataset.connected = "false";
});

function begin(settings) {
  if (runs.length && runs.at(-1).frames.length < 2) runs.pop();
  const last = runs.at(-1);
  if (last) last.ended = true;
  runs.push({ settings, frames: [], dots: [], reached: null, held: 0, moved: false, ended: false, colour: COLOURS[runs.length % COLOURS.length] });
  while (runs.length > COLOURS.length) runs.shift();
  say($("modulus"), String(settings.p));
  frame = null;
}

function take(news) {
  const run = runs.at(-1);
  if (!run) return;
  frame = news;
  state = "training";
  going = !news.waits && !news.ended && (going || run.frames.length === 0 || !news.waits);
  const { step, train, test, sites, numbers } = news;
  if (run.frames.at(-1)?.step >= step) return;
  run.frames.push({ step, train, test, radius: sites.map((site) => site.radius), off: sites.map((site) => site.off) });
  run.dots.push(sites);
  if (run.dots.length > TRAIL) run.dots.shift();
  run.held = test >= THRESHOLD ? run.held + 1 : 0;
  if (run.held === 1 && run.reached === null) run.first = step;
  if (run.held >= HELD && run.reached === null) run.reached = run.first;
  if (Object.entries(numbers).some(([name, value]) => value !== run.settings[name])) {
    if (run.frames.length > 1) run.moved = true;
    run.settings = { ...run.settings, ...numbers };
  }
  if (news.ended) Object.assign(run, { ended: true });
  if (news.ended) going = false;
  story(run, news);
  redraw();
}

function tell(text, wrong = false) {
  say($("story"), text);
  $("story").classList.toggle("error", wrong);
}

function story(run, { step, train, test, waits, ended, diverged }) {
  const chance = 1 / run.settings.p;
  let text;
  if (waits) text = "The network is ready. Its weights are random, so it guesses. Press start.";
  else if (diverged) text = `Step ${number(step)}: the numbers grew without bound. Take a smaller learning rate, or a weaker penalty, and start again.`;
  else if (run.reached !== null && test < THRESHOLD) {
    text = `Step ${number(step)}: it had found the rule after ${number(run.reached)} steps, and has lost it again (${percent(test)} right). Large steps can do that.`;
  } else if (run.reached !== null) text = `It has found the rule: ${percent(test)} of the sums that it never saw are right. It took ${number(run.reached)} steps.`;
  else if (train < 0.5) text = `Step ${number(step)}: it has just begun. ${percent(train)} of the sums that it sees are right.`;
  else if (train < 0.99) text = `Step ${number(step)}: it is learning the sums that it sees (${percent(train)} right).`;
  else if (test < 4 * chance) text = `Step ${number(step)}: it knows the sums that it sees by heart, and guesses at the others (${percent(test)} right).`;
  else text = `Step ${number(step)}: it knows the sums that it sees, and ${percent(test)} of the others. The rule is coming.`;
  if (ended && !diverged && run.reached === null) {
    text = `The ${number(step)} steps are over. ${percent(train)} of the sums that it saw are right, and ${percent(test)} of the others: it has not found the rule.`;
  }
  tell(text);
}

// ---- the pictures

let pending = 0;
function redraw() {
  pending ||= requestAnimationFrame(() => {
    pending = 0;
    paint();
    document.documentElement.dataset.step = frame?.step ?? "";
  });
}

function paint() {
  const run = runs.at(-1);
  if (!run || !frame) return;
  const site = Number($("site").value);
  const before = runs.slice(0, -1);
  const most = Math.max(60, ...runs.map((one) => 1.03 * (one.frames.at(-1)?.step ?? 0)));
  const line = (one, value, more) => ({ xs: one.frames.map((f) => f.step), ys: one.frames.map(value), colour: ink(one.colour), ...more });
  const old = (value) => before.map((one) => line(one, value, { width: 1.2, alpha: 0.6 }));
  const now = (value) => line(run, value, { width: 2.4, dot: true });
  const x = [0, most];
  chart($("accuracy"), {
    lines: [...old((f) => f.test), line(run, (f) => f.train, { width: 1.2, dash: [4, 3] }), now((f) => f.test)],
    x, y: [0, 1], marks: 4, rules: [{ y: THRESHOLD, label: "95 %" }], tick: (value) => `${Math.round(100 * value)} %`,
  });
  const target = run.settings.strength > 0 ? run.settings.target : null;
  const radius = (f) => f.radius[site];
  const highest = Math.max(1.2, target ?? 0, ...runs.flatMap((one) => one.frames.map(radius).filter((r) => r < 1e4)));
  chart($("radius"), {
    lines: [...old(radius), now(radius)], x, y: [0, 1.1 * highest], marks: 4, tick: (value) => number(value, 2),
    rules: target === null ? [] : [{ y: target, label: `target ${plainly(target)}`, right: true }],
  });
  chart($("angle"), {
    lines: [...old((f) => f.off[site]), now((f) => f.off[site])], x, y: [0, 105], marks: 3, tick: (value) => `${value}°`,
    rules: [{ y: 90, label: "chance", right: true }],
  });
  dial(run, site, target);
  if (frame.circle) {
    const reach = 1.15 * Math.max(...frame.circle.x.map(Math.abs), ...frame.circle.y.map(Math.abs), 1e-9);
    circle($("circle"), { ...frame.circle, reach: glide(reach) }, CYCLE);
    $("circle").setAttribute("aria-label", `Tokens in the plane of frequency ${frame.circle.k} at step ${frame.step}`);
  }
  const last = run.frames.at(-1);
  $("accuracy").setAttribute("aria-label", `Accuracy at step ${last.step}: ${percent(last.test)} of unseen sums, ${percent(last.train)} of seen ones`);
  $("radius").setAttribute("aria-label", `Mean radius ${number(last.radius[site])}${target === null ? ", no target" : `, target ${plainly(target)}`}`);
  $("angle").setAttribute("aria-label", `Unseen sums point ${number(last.off[site])} degrees away from their places`);
  table();
}

let reached = 0;
function glide(reach) {
  reached = reached && Math.abs(reach - reached) < reach ? reached + 0.2 * (reach - reached) : reach;
  return reached;
}

// a disc: distance from the middle is the length, and the angle is the direction
let scale = 0;
function dial(run, site, target) {
  const { context, width, height } = fresh($("dial"));
  if (width < 80 || height < 80) return;
  const t = theme();
  const dots = run.dots.map((sites) => sites[site]);
  const { r, belongs } = dots.at(-1);
  const lengths = [...r].sort((a, b) => a - b);
  const top = Math.max(1.25, (target ?? 0) * 1.2, 1.12 * lengths[Math.floor(0.95 * (lengths.length - 1))]);
  scale = scale && Math.abs(top - scale) < 2 * top ? scale + 0.15 * (top - scale) : top;
  const unit = (Math.min(width, height) / 2 - 12) / scale;
  const [cx, cy] = [width / 2, height / 2];
  const place = (radius, turns) => {
    const angle = 2 * Math.PI * turns;
    const shown = Math.min(radius, 1.04 * scale) * unit;
    return [cx + shown * Math.cos(angle), cy - shown * Math.sin(angle)];
  };
  context.font = "11px system-ui, sans-serif";
  context.strokeStyle = t.rule;
  context.fillStyle = t.soft;
  const step = [0.5, 1, 2, 5, 10, 20, 50].find((each) => scale / each <= 3) ?? 100;
  for (let k = step; k <= scale; k += step) {
    context.beginPath();
    context.arc(cx, cy, k * unit, 0, 2 * Math.PI);
    context.stroke();
    context.fillText(plainly(k), cx + 4, cy - k * unit - 3);
  }
  if (target !== null) {
    context.strokeStyle = t.ink;
    context.setLineDash([5, 4]);
    context.lineWidth = 1.5;
    context.beginPath();
    context.arc(cx, cy, target * unit, 0, 2 * Math.PI);
    context.stroke();
    context.setLineDash([]);
  }
  const colours = belongs.map((turns) => hue(turns, t.dark));
  context.lineWidth = 1;
  r.forEach((_, i) => {
    context.strokeStyle = colours[i];
    for (let k = Math.max(1, dots.length - TRAIL); k < dots.length; k += 1) {
      context.globalAlpha = (0.4 * k) / dots.length;
      context.beginPath();
      context.moveTo(...place(dots[k - 1].r[i], dots[k - 1].direction[i]));
      context.lineTo(...place(dots[k].r[i], dots[k].direction[i]));
      context.stroke();
    }
  });
  context.globalAlpha = 1;
  r.forEach((radius, i) => {
    context.fillStyle = colours[i];
    context.beginPath();
    context.arc(...place(radius, dots.at(-1).direction[i]), 4.2, 0, 7);
    context.fill();
  });
  const off = run.frames.at(-1).off[site];
  $("dial").setAttribute("aria-label", `90 unseen sums: mean radius ${number(run.frames.at(-1).radius[site])}, ${number(off)} degrees off their places`);
}

// colours once round; equal lightness, so that none stands out
function hue(turns, isDark) {
  return `oklch(${isDark ? 0.76 : 0.62} 0.15 ${Math.round(360 * turns + 20)})`;
}

let listed = "";
function table() {
  const rows = runs.filter((run) => run.frames.length > 1);
  const text = JSON.stringify(rows.map((run) => [run.settings, run.reached, run.moved, run.ended]));
  $("runs").hidden = $("runs-title").hidden = !rows.length;
  if (text === listed) return;
  listed = text;
  document.querySelector("#runs tbody").replaceChildren(...rows.map((run, i) => {
    const swatch = h("span", { class: "swatch" });
    swatch.style.background = ink(run.colour);
    const { strength, target, decay, rate, p } = run.settings;
    const steps = run.reached !== null ? number(run.reached) : run.ended ? "never" : "not yet";
    const values = [plainly(strength), strength ? plainly(target) : "–", plainly(decay), plainly(rate)];
    const again = h("button", { onclick: () => { set({ strength, target, decay, rate }); changed([]); } }, "use again");
    return h("tr", {}, h("th", { scope: "row" }, swatch, `${i + 1}${p === start.p ? "" : ` (${p} hours)`}`), values.map((value) => h("td", {}, value)),
      h("td", {}, `${steps}${run.moved ? " (sliders moved)" : ""}`), h("td", {}, number(run.frames.at(-1).radius[Number($("site").value)])), h("td", {}, again));
  }));
}

set(start);
buttons();
onTheme(() => { listed = ""; redraw(); });
window.addEventListener("resize", redraw);
