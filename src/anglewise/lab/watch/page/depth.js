// One run in depth: circles of tokens, maps of neurons, and its way through radius and accuracy, as it trains.

import { copy, h, number, percent, plainly, put, say } from "./dom.js";
import { chart, circle, ink, map } from "./draw.js";

const PAUSE = 1500; // milliseconds between two requests for the same run
const TWEEN = 350; // milliseconds in which a circle moves to its next frame
const still = window.matchMedia("(prefers-reduced-motion: reduce)");

// plotly's packed numbers: little-endian, in base64
function unpacked({ dtype, bdata }) {
  const bytes = Uint8Array.from(atob(bdata), (c) => c.charCodeAt(0));
  const kinds = { f4: Float32Array, i4: Int32Array, u2: Uint16Array, u1: Uint8Array };
  return new kinds[dtype](bytes.buffer);
}

// of each table the circle of its strongest frequency, and of few tables the next one too
function strongest(circles) {
  const tables = [...new Set(circles.map((one) => one.table))];
  return tables.slice(0, 4).flatMap((table) => circles.filter((one) => one.table === table).slice(0, tables.length > 1 ? 1 : 2));
}

export class Depth {
  constructor(experiment, redraw) {
    Object.assign(this, { experiment, redraw, shown: null, data: null, asked: 0, state: "", frames: new Map() });
    this.choice = h("select", { "aria-label": "run to look into", onchange: () => { this.chosen = this.choice.value; this.redraw(); } });
    this.about = h("span", { class: "soft" });
    this.figures = h("div", { class: "figures" });
    this.note = h("p", { class: "soft" });
    this.chosen = "follow";
    this.seen = false;
    this.box = h(
      "section", { class: "depth" },
      h("header", {}, h("h2", {}, "One run in depth"), this.choice, this.about), this.figures, this.note,
    );
    new IntersectionObserver(([entry]) => {
      this.seen = entry.isIntersecting;
      if (this.seen) this.redraw();
    }).observe(this.box);
  }

  // the run that is shown: the one chosen, else the first that trains, else the one that was shown, else the first
  get run() {
    const { head, now } = this.experiment;
    if (this.chosen !== "follow") return Number(this.chosen);
    const busy = now?.runs ?? [];
    const best = busy.find((index) => (this.experiment.runs.get(index)?.arrays ?? -1) >= 0) ?? busy[0];
    if (best !== undefined) this.followed = best;
    return this.followed ?? head.runs.findIndex((_, index) => this.experiment.runs.get(index)?.steps.length);
  }

  draw(view) {
    const { head, runs } = this.experiment;
    const name = ([arm, seed]) => `${head.arms[arm].name}, seed ${seed}`;
    const begun = head.runs.map((run, index) => [run, index]).filter(([, index]) => runs.get(index)?.steps.length);
    const known = begun.map(([, index]) => index).join();
    if (known !== this.known) {
      this.known = known;
      const options = begun.map(([run, index]) => h("option", { value: String(index) }, name(run)));
      this.choice.replaceChildren(h("option", { value: "follow" }, "follow what trains"), ...options);
      this.choice.value = this.chosen;
    }
    const index = this.run;
    this.box.hidden = index < 0;
    if (index < 0 || !this.seen) return;
    const run = runs.get(index);
    if (!run?.steps.length) return;
    say(this.about, this.chosen === "follow" ? name(head.runs[index]) : "");
    const state = `${index} ${run.arrays} ${run.steps.at(-1)}`;
    if (state !== this.state && Date.now() - this.asked > PAUSE && !view.paused) this.fetch(index, state);
    else if (state !== this.state) setTimeout(() => this.redraw(), PAUSE);
    if (this.data) this.paint(view);
  }

  async fetch(index, state) {
    Object.assign(this, { asked: Date.now(), state });
    const query = new URLSearchParams({ show: this.experiment.key, run: this.experiment.head.runs[index][2] });
    const answer = await fetch(`network?${query}`).catch(() => null);
    if (!answer?.ok) {
      say(this.note, answer ? await answer.text() : "");
      return;
    }
    const data = await answer.json();
    for (const ring of data.circles) {
      for (const frame of ring.frames) for (const part of ["x", "y", "turns"]) frame[part] = unpacked(frame[part]);
    }
    if (data.run !== this.data?.run) this.frames.clear();
    Object.assign(this, { data, shown: index });
    this.build();
    this.redraw();
  }

  build() {
    const { circles, maps, phases } = this.data;
    const rings = strongest(circles);
    const figure = (title, shape) => {
      const canvas = h("canvas", { role: "img", class: shape });
      const caption = h("figcaption");
      return { canvas, caption, title, box: h("figure", {}, h("h3", {}, title), canvas, caption) };
    };
    const wanted = [
      ...phases.filter((one) => one.steps.length).map((one) => [`Radius and accuracy at ${one.site}`, "square"]),
      ...rings.map((one) => [`Tokens of ${one.table}`, "square"]),
      ...maps.map((one) => [`Neurons by frequency at ${one.site}`, "square"]),
    ];
    const names = wanted.map(([title]) => title).join("|");
    if (names !== this.names) {
      this.names = names;
      this.parts = wanted.map(([title, shape]) => figure(title, shape));
      put(this.figures, this.parts.map((part) => part.box));
    }
    const run = this.experiment.runs.get(this.shown);
    if (!circles.length && !maps.length && (run?.end || run?.steps.at(-1) > 0)) {
      const command = this.data.more;
      const text = "This run was trained without readings of its circles and neurons. ";
      const button = h("button", { class: "link", onclick: (event) => copy(command, event.target) }, "copy the command that measures them");
      this.note.replaceChildren(command ? h("span", {}, text, button) : text);
    } else this.note.replaceChildren();
  }

  paint(view) {
    const { maps, phases, threshold, cycle } = this.data;
    const rings = strongest(this.data.circles);
    const step = view.step ?? Infinity;
    const at = (steps) => Math.max(steps.findLastIndex((one) => one <= step), 0);
    let part = 0;
    const [arm] = this.experiment.head.runs[this.shown];
    const colour = ink(this.experiment.head.arms[arm].colour, this.experiment.head.arms[arm].dark);
    for (const one of phases.filter((each) => each.steps.length)) {
      const { canvas, caption } = this.parts[part++];
      const upto = step === Infinity ? one.steps.length : at(one.steps) + 1;
      const [xs, ys] = [one.radius.slice(0, upto), one.test.slice(0, upto)];
      const widest = 1.1 * Math.max(...one.radius, one.target ?? 0);
      const [radius, test] = [xs.at(-1), ys.at(-1)];
      chart(canvas, {
        lines: [{ xs, ys, colour, width: 2, dot: true }], x: [0, widest], y: [0, 1], marks: 4,
        rules: threshold ? [{ y: threshold, label: `${number(100 * threshold)} %` }] : [],
        upright: one.target === null ? [] : [{ x: one.target, label: `target ${plainly(one.target)}` }], tick: (value) => `${Math.round(100 * value)} %`,
      });
      say(caption, `across: radius / √d. Now ${number(radius)} and ${percent(test)}`);
      canvas.setAttribute("aria-label", `Radius ${number(radius)} and test accuracy ${percent(test)} at ${one.site}`);
    }
    rings.forEach((one, i) => {
      const { canvas, caption } = this.parts[part++];
      const index = at(one.steps);
      this.move(i, canvas, one.frames[index], cycle);
      const k = one.frames[index].k;
      say(caption, `frequency ${k}, step ${number(one.steps[index])}. Colour: place in the cycle`);
      canvas.setAttribute("aria-label", `Tokens of ${one.table} in the plane of frequency ${k} at step ${one.steps[index]}`);
    });
    for (const one of maps) {
      const { canvas, caption } = this.parts[part++];
      const index = at(one.steps);
      const [rows, columns] = one.frames[index].shape;
      map(canvas, one.frames[index]);
      say(caption, `${rows} neurons down, ${columns} frequencies across, step ${number(one.steps[index])}. Strong colour: one frequency explains the neuron. Grey: it never fires`);
      canvas.setAttribute("aria-label", `Share of ${rows} neurons' variance by ${columns} frequencies at step ${one.steps[index]}`);
    }
  }

  // a circle glides to its next frame, so that one sees where each token goes
  move(place, canvas, frame, cycle) {
    const before = this.frames.get(place);
    if (before?.to === frame && !before.going) {
      circle(canvas, frame, cycle);
      return;
    }
    if (before?.to === frame) return;
    const from = before?.now ?? frame;
    const alike = !still.matches && from.k === frame.k && from.x.length === frame.x.length && from !== frame;
    const state = { to: frame, now: from, going: alike };
    this.frames.set(place, state);
    if (!alike) {
      state.now = frame;
      circle(canvas, frame, cycle);
      return;
    }
    const begun = performance.now();
    const tick = (time) => {
      if (this.frames.get(place) !== state) return;
      const share = Math.min((time - begun) / TWEEN, 1);
      const between = (a, b) => a.map((value, i) => value + (b[i] - value) * share);
      state.now = { ...frame, x: between(from.x, frame.x), y: between(from.y, frame.y), reach: from.reach + (frame.reach - from.reach) * share };
      circle(canvas, state.now, cycle);
      if (share < 1) requestAnimationFrame(tick);
      else Object.assign(state, { now: frame, going: false });
    };
    requestAnimationFrame(tick);
  }
}
