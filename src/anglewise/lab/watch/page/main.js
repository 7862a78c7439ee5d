// The live page: follows one experiment, or two side by side; can be paused and wound back.

import { h, number, plural, put, say, tellErrors } from "./dom.js";
import { onTheme } from "./draw.js";
import { View } from "./experiment.js";
import { Experiment } from "./model.js";

tellErrors();
const $ = (id) => document.getElementById(id);
const experiments = new Map();
const views = new Map();
let list = [];
let wanted = decodeURIComponent(location.hash.slice(1)).split("&").filter(Boolean).slice(0, 2);
let source = null;
let last = "";
let waiting = []; // increments that came while the page was paused
const view = { step: null, paused: false, all: true, fresh: true };

// ---- the connection: comes back by itself, and then asks for what it missed

function connect(from = "") {
  source?.close();
  const query = new URLSearchParams(wanted.map((key) => ["show", key]));
  query.set("since", from);
  source = new EventSource(`events?${query}`);
  source.addEventListener("message", (event) => {
    connected(true);
    last = event.lastEventId || last;
    const news = JSON.parse(event.data);
    if (view.paused && !news.reset) waiting.push(news);
    else take(news);
    if (view.paused) controls();
  });
  source.addEventListener("error", () => {
    connected(false);
    if (source.readyState === EventSource.CLOSED) setTimeout(() => connect(last), 1000);
  });
}

function connected(yes) {
  const state = $("connection");
  state.classList.toggle("lost", !yes);
  say(state, yes ? "connected" : "no answer; trying again. If the server has ended, start it again with: anglewise watch");
  document.documentElement.dataset.connected = String(yes);
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) source?.close();
  else connect(last);
});

function take(news) {
  if (news.reset) {
    for (const { key } of news.experiments) experiments.delete(key);
    waiting = [];
  }
  if (news.list) listed(news.list);
  for (const part of news.experiments) {
    if (!wanted.includes(part.key)) continue;
    if (!experiments.has(part.key)) {
      experiments.set(part.key, new Experiment(part.key));
      views.delete(part.key);
    }
    experiments.get(part.key).take(part);
  }
  redraw();
}

// ---- which experiments are shown

function listed(rows) {
  list = rows;
  if (!wanted.length && rows.length) show([(rows.find((row) => row.training) ?? rows[0]).key]);
  options();
}

function options() {
  const label = (row) => `${row.name} · ${row.store} · ${plural(row.runs, "run")}${row.training ? " · training" : ""}`;
  const fill = (select, none, chosen) => {
    const rows = list.map((row) => h("option", { value: row.key }, label(row)));
    select.replaceChildren(...(none ? [h("option", { value: "" }, none), ...rows] : rows));
    select.value = chosen ?? "";
  };
  fill($("first"), "", wanted[0]);
  fill($("second"), "nothing beside it", wanted[1]);
  $("second").parentElement.hidden = list.length < 2;
  $("empty").hidden = list.length > 0;
}

function show(keys) {
  wanted = [...new Set(keys.filter(Boolean))].slice(0, 2);
  for (const key of [...experiments.keys()]) if (!wanted.includes(key)) experiments.delete(key);
  history.replaceState(null, "", `#${wanted.map(encodeURIComponent).join("&")}`);
  goLive();
  connect();
}

$("first").addEventListener("change", () => show([$("first").value, wanted[1]]));
$("second").addEventListener("change", () => show([wanted[0], $("second").value]));

// ---- pause, and winding back to a step

function goLive() {
  Object.assign(view, { step: null, paused: false });
  for (const news of waiting.splice(0)) take(news);
  stop();
  redraw();
}

let timer = 0;
function stop() {
  timer = clearInterval(timer);
}

$("pause").addEventListener("click", () => {
  if (view.paused || view.step !== null) goLive();
  else {
    view.paused = true;
    redraw();
  }
});
$("step").addEventListener("input", () => {
  stop();
  wind(Number($("step").value));
});
$("replay").addEventListener("click", () => {
  if (timer) {
    stop();
    redraw();
    return;
  }
  const end = length();
  if (view.step === null || view.step >= end) wind(0);
  timer = setInterval(() => {
    const next = view.step + Math.max(end / 160, 1);
    if (next >= end) goLive();
    else wind(next);
  }, 50);
  redraw();
});

function wind(step) {
  view.step = step >= length() && !timer ? null : Math.round(step);
  view.paused = view.step !== null;
  if (view.step === null) goLive();
  redraw();
}

function length() {
  return Math.max(1, ...[...experiments.values()].map((one) => one.last));
}

function controls() {
  const end = length();
  Object.assign($("step"), { max: end });
  $("step").value = view.step ?? end;
  say($("pause"), view.paused || view.step !== null ? "back to live" : "pause");
  say($("replay"), timer ? "stop" : "replay");
  const behind = waiting.length ? `, ${plural(waiting.length, "update")} waiting` : "";
  say($("at"), view.step !== null ? `step ${number(view.step)}${behind}` : view.paused ? `paused${behind}` : "live");
}

// ---- drawing, at most once for each frame of the screen

let pending = 0;
function redraw() {
  pending ||= requestAnimationFrame(() => {
    pending = 0;
    const shown = wanted.map((key) => experiments.get(key)).filter((one) => one?.head && one.now);
    for (const one of shown) {
      if (views.get(one.key)?.experiment !== one) views.set(one.key, new View(one, redraw));
    }
    const boxes = shown.map((one) => views.get(one.key));
    put($("experiments"), boxes.map((one) => one.box));
    $("experiments").classList.toggle("two", boxes.length > 1);
    $("controls").hidden = !boxes.length;
    for (const one of boxes) one.draw(view);
    view.all = view.fresh = false;
    controls();
    document.title = boxes.length ? `${shown[0].now.done}/${shown[0].now.planned} ${shown[0].head.name}` : "anglewise";
    document.documentElement.dataset.ready = "true";
  });
}

onTheme(() => { view.all = true; redraw(); });
window.addEventListener("resize", () => { view.all = true; redraw(); });
window.addEventListener("hashchange", () => {
  const keys = decodeURIComponent(location.hash.slice(1)).split("&").filter(Boolean);
  if (keys.join() !== wanted.join()) show(keys);
});
setInterval(() => { if (!view.paused) redraw(); }, 1000); // the time that has passed
connect();
