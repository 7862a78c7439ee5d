// A card per arm: its seeds as thin lines with their median, steps to the threshold so far, and what trains now.

import { h, number, percent, plainly, plural, put, say } from "./dom.js";
import { chart, ink } from "./draw.js";
import { median, upTo } from "./model.js";

const WORDS = {
  "grokked": "generalised late",
  "generalised-at-once": "generalised at once",
  "reached-not-held": "reached, not held",
  "memorised": "only memorised",
  "underfit": "learned too little",
  "trained": "trained to the budget",
  "diverged": "diverged",
};

export class Card {
  constructor(experiment, arm) {
    Object.assign(this, { experiment, arm, seen: true, late: null });
    this.swatch = h("span", { class: "swatch", "aria-hidden": "true" });
    this.name = h("h2");
    this.accuracy = h("canvas", { class: "curve", role: "img" });
    this.radius = h("canvas", { class: "curve low", role: "img" });
    this.site = h("p", { class: "axis two" });
    this.big = h("p", { class: "big" });
    this.small = h("p", { class: "soft" });
    this.now = h("p", { class: "now" });
    this.box = h(
      "article", { class: "card" },
      h("header", {}, this.swatch, this.name),
      h("p", { class: "axis" }, "test accuracy, by step"), this.accuracy, this.site, this.radius,
      this.big, this.small, this.now,
    );
    new IntersectionObserver(([entry]) => {
      this.seen = entry.isIntersecting;
      if (this.seen && this.late) this.draw(this.late);
    }, { rootMargin: "200px" }).observe(this.box);
  }

  // a card that is not on the screen is drawn when it gets there
  draw(view) {
    this.late = this.seen ? null : view;
    if (this.seen) this.paint(view);
  }

  paint({ step, site, most, highest }) {
    const { experiment, arm } = this;
    const head = experiment.head;
    const it = head.arms[arm];
    const colour = ink(it.colour, it.dark);
    const mine = experiment.of(arm);
    const training = experiment.training;
    this.swatch.style.background = colour;
    say(this.name, it.name);
    const share = (run) => run.test.map((value) => (value === null ? null : value / 10000));
    const length = (run) => run.radius[site] ?? [];
    const seeds = (values) => mine.map(([index, , run]) => ({
      xs: run.steps.slice(0, upTo(run, step)), ys: values(run).slice(0, upTo(run, step)), colour,
      alpha: mine.length > 1 ? Math.max(0.16, 0.6 / Math.sqrt(mine.length / 4 + 1)) : 1,
      width: training.has(index) && step === null ? 1.8 : 1, dot: training.has(index) && step === null,
    }));
    const middle = (values) => {
      if (mine.length < 2) return [];
      const cached = new Map(mine.map(([, , run]) => [run, values(run)]));
      return [{ ...median(mine.map(([, , run]) => run), (run) => cached.get(run), step), colour, width: 2.4 }];
    };
    const rules = head.threshold ? [{ y: head.threshold, label: `${number(100 * head.threshold)} %` }] : [];
    const x = [0, most];
    chart(this.accuracy, {
      lines: [...seeds(share), ...middle(share)], x, y: [0, 1], rules, now: step, marks: 2,
      tick: (value) => `${Math.round(100 * value)} %`,
    });
    const target = it.targets[site] ?? null;
    const named = head.sites[site];
    this.radius.hidden = !named;
    say(this.site, named ? `radius / √d at ${named}${target === null ? "" : `; dotted: target ${plainly(target)}`}` : "");
    if (named) {
      chart(this.radius, {
        lines: [...seeds(length), ...middle(length)], x, y: [0, highest], now: step, marks: 2,
        rules: target === null ? [] : [{ y: target }], tick: (value) => number(value, 2),
      });
    }
    this.say(it, mine, step, named, site, target);
  }

  say(it, mine, step, named, site, target) {
    const head = this.experiment.head;
    const goal = `${number(100 * head.threshold)} %`;
    if (step !== null) {
      const there = mine.filter(([, , run]) => run.first !== null && run.first <= step).length;
      say(this.big, `${there} of ${it.seeds.length}`);
      say(this.small, `seeds had reached ${goal} by step ${number(step)}`);
    } else if (!head.threshold) {
      const losses = mine.map(([, , run]) => run.loss).filter(Number.isFinite).sort((a, b) => a - b);
      say(this.big, number(losses[losses.length >> 1] ?? null));
      say(this.small, `training loss, median of ${plural(losses.length, "seed")}`);
    } else if (!it.done) {
      say(this.big, "–");
      say(this.small, `no seed of ${it.seeds.length} has finished yet`);
    } else {
      say(this.big, it.median === null ? `> ${number(head.budget)}` : number(it.median));
      const range = it.slowest !== null && it.done > 1 ? `, ${number(it.fastest)} to ${number(it.slowest)}` : "";
      const count = it.done === it.seeds.length ? plural(it.done, "seed") : `${it.done} of ${it.seeds.length} seeds`;
      say(this.small, `steps to ${goal}, ${it.done > 1 ? "median of " : ""}${count}${range}`);
    }
    const active = mine.filter(([index]) => this.experiment.training.has(index));
    const ends = Object.entries(it.outcomes).map(([label, count]) => `${count} ${WORDS[label] ?? label}`);
    if (active.length === 1 && step === null) {
      const [, seed, run] = active[0];
      const radius = named ? `, radius ${number(run.radius[site]?.at(-1), 2)}${target === null ? "" : ` (target ${plainly(target)})`}` : "";
      say(this.now, `seed ${seed}: step ${number(run.steps.at(-1))}, test ${percent(run.test.at(-1) / 10000)}${radius}`);
    } else if (active.length && step === null) say(this.now, `${active.length} seeds train now`);
    else if (ends.length) say(this.now, ends.join(", "));
    else say(this.now, "waiting for its first seed");
    this.now.classList.toggle("active", active.length > 0 && step === null);
    this.box.title = Object.keys(it.outcomes).map((label) => `${WORDS[label] ?? label}: ${head.meanings[label] ?? ""}`).join("\n");
    const last = mine.map(([, , run]) => run.test.at(-1)).filter((value) => value !== null).sort((a, b) => a - b);
    const middle = last.length ? `; median now ${percent(last[last.length >> 1] / 10000)}` : "";
    this.accuracy.setAttribute("aria-label", `Test accuracy of ${it.name}, ${plural(mine.length, "seed")}${middle}`);
    const radii = mine.map(([, , run]) => run.radius[site]?.at(-1)).filter(Number.isFinite).sort((a, b) => a - b);
    const about = target === null ? "no target" : `target ${plainly(target)}`;
    this.radius.setAttribute("aria-label", `Radius of ${it.name}: median now ${number(radii[radii.length >> 1] ?? null)}, ${about}`);
  }
}

export function cards(list, experiment, known) {
  const made = experiment.head.arms.map((_, arm) => known[arm] ?? new Card(experiment, arm));
  put(list, made.map((card) => card.box));
  return made;
}
