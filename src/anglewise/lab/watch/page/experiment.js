// One experiment on the page: its state, the contrasts so far, a card per arm, what runs now, and one run in depth.

import { cards } from "./card.js";
import { Depth } from "./depth.js";
import { copy, duration, h, number, percent, plainly, plural, put, say } from "./dom.js";
import { ink } from "./draw.js";

const FEW = 6; // contrasts that are shown unfolded
const BUSY = ["starting", "compiling", "training", "measuring", "writing"];

export class View {
  constructor(experiment, redraw) {
    Object.assign(this, { experiment, redraw, site: 0, cards: [] });
    this.title = h("h1");
    this.pill = h("span", { class: "pill" });
    this.counts = h("p", { class: "counts" });
    this.question = h("p", { class: "soft" });
    this.bar = h("div", { class: "bar", role: "img" });
    this.hint = h("p", { class: "soft hint" });
    this.actions = h("p", { class: "actions" });
    this.contrasts = h("div", { class: "contrasts" });
    this.sites = h("select", { "aria-label": "site whose radius is shown", onchange: () => { this.site = Number(this.sites.value); redraw(); } });
    this.where = h("label", { class: "soft" }, "radius at ", this.sites);
    this.grid = h("div", { class: "cards" });
    this.rows = h("tbody");
    this.head = h("tr");
    this.table = h(
      "div", { class: "scroll", tabIndex: 0, role: "region", "aria-label": "runs that train now" },
      h("table", {}, h("caption", {}, "Running now"), h("thead", {}, this.head), this.rows),
    );
    this.depth = new Depth(experiment, redraw);
    this.box = h(
      "section", { class: "experiment" },
      h("header", { class: "top" }, h("div", { class: "names" }, this.title, this.pill), this.counts),
      this.question, this.bar, this.hint, this.actions, this.contrasts, this.where, this.grid, this.table, this.depth.box,
    );
  }

  draw(view) {
    const { head, now } = this.experiment;
    if (!head || !now) return;
    say(this.title, head.name);
    say(this.question, head.title);
    this.state(now);
    this.progress();
    this.offer();
    this.compare();
    if (this.sites.options.length !== head.sites.length) {
      this.sites.replaceChildren(...head.sites.map((site, i) => h("option", { value: String(i) }, site)));
      this.site = Math.min(this.site, Math.max(head.sites.length - 1, 0));
      this.sites.value = String(this.site);
    }
    this.where.hidden = head.sites.length < 2;
    const length = this.experiment.last;
    const most = Math.min(Math.max(1.02 * length, 10), Math.max(head.budget, length));
    let highest = 0.5;
    for (const run of this.experiment.runs.values()) {
      for (const value of run.radius[this.site] ?? []) if (value !== null && value < 1e4) highest = Math.max(highest, value);
    }
    for (const arm of head.arms) highest = Math.max(highest, arm.targets[this.site] ?? 0);
    this.cards = cards(this.grid, this.experiment, this.cards);
    const stale = view.all ? null : new Set([...this.experiment.changed].map((index) => head.runs[index][0]));
    const shape = `${most} ${highest} ${this.site} ${view.step}`;
    this.cards.forEach((card, arm) => {
      if (!stale || stale.has(arm) || shape !== this.shape || view.fresh) card.draw({ step: view.step, site: this.site, most, highest: 1.08 * highest });
    });
    this.shape = shape;
    this.experiment.changed.clear();
    this.running(view);
    this.depth.draw(view);
  }

  state(now) {
    const { head, received } = this.experiment;
    const busy = BUSY.includes(now.state);
    const arm = now.arm === null || now.arm === undefined ? "" : ` arm ${now.arm + 1} of ${head.arms.length}`;
    const words = {
      compiling: `compiling${arm}`, loading: `reading the store: ${number(now.known)} of ${number(now.planned)} runs`,
      finished: "finished", stopped: now.done ? "stopped" : "not training",
    };
    say(this.pill, words[now.state] ?? now.state);
    this.pill.className = `pill ${busy ? now.state : now.state === "finished" ? "finished" : "idle"}`;
    const parts = [`${number(now.done)} of ${plural(now.planned, "run")} done`];
    if (busy) {
      const ago = (Date.now() - received) / 1000;
      parts.push(`${duration(now.heard - now.begun + ago, true)} so far`);
      const left = (seconds) => duration(Math.max(seconds - ago, 0));
      if (now.about !== null && now.most !== null) {
        const bound = now.most > 1.1 * now.about ? ` (at most ${left(now.most)})` : "";
        parts.push(`about ${left(now.about)} left${bound}`);
      } else if (now.most !== null) parts.push(`at most ${left(now.most)} left`);
      else parts.push("time left not known yet");
    }
    say(this.counts, parts.join(" · "));
    const lost = now.planned - now.done;
    const hints = {
      stopped: `${plural(lost, "run")} missing. The same command again goes on from what is saved.`,
      loading: "", finished: "All runs are done. The report holds every number.",
    };
    say(this.hint, busy ? "Ctrl-C in the terminal saves and stops. Nothing is lost." : hints[now.state] ?? "");
  }

  progress() {
    const { head, now } = this.experiment;
    const parts = head.arms.map((arm, i) => {
      const done = h("span", { class: "done" });
      done.style.width = `${(100 * arm.done) / Math.max(arm.seeds.length, 1)}%`;
      done.style.background = ink(arm.colour, arm.dark);
      const part = h("div", { class: "part", title: `${arm.name}: ${arm.done} of ${arm.seeds.length} seeds done` }, done);
      part.classList.toggle("busy", (now.runs ?? []).some((index) => head.runs[index][0] === i));
      return part;
    });
    this.bar.replaceChildren(...parts);
    this.bar.setAttribute("aria-label", head.arms.map((arm) => `${arm.name}: ${arm.done} of ${arm.seeds.length} seeds done`).join("; "));
  }

  offer() {
    const { head, key } = this.experiment;
    const known = JSON.stringify([head.copies, key]);
    if (known === this.known) return;
    this.known = known;
    const report = `report?${new URLSearchParams({ show: key })}`;
    const menu = h("details", { class: "menu" }, h("summary", {}, "copy a command"), h("div", { class: "list" }, head.copies.map(({ what, text }) =>
      h("button", { title: text, onclick: (event) => copy(text, event.target) }, what))));
    this.actions.replaceChildren(
      h("a", { href: report, target: "_blank", rel: "noopener" }, "report as it stands"),
      h("a", { href: `${report}&save=1`, download: "report.html" }, "freeze as report.html"), menu,
    );
  }

  compare() {
    const { head } = this.experiment;
    const known = JSON.stringify(head.contrasts);
    if (known === this.compared) return;
    this.compared = known;
    const rows = head.contrasts.map((one) => {
      const of = one.pairs === one.planned ? `${one.pairs} paired seeds` : `${one.pairs} of ${one.planned} paired seeds`;
      const text = one.pairs ? `${one.steps} (${of}; ${one.verdict})` : one.verdict;
      return h("li", { class: one.tested ? "tested" : "" }, h("strong", {}, one.question), ` ${text[0].toUpperCase()}${text.slice(1)}.`);
    });
    this.contrasts.hidden = !rows.length;
    const rest = rows.splice(FEW + 1 < rows.length ? FEW : rows.length);
    this.contrasts.replaceChildren(
      h("p", {}, h("strong", {}, "So far"), `, median steps to ${number(100 * head.threshold)} % test accuracy:`),
      h("ul", {}, rows), rest.length ? h("details", {}, h("summary", {}, `${rest.length} more questions`), h("ul", {}, rest)) : "",
    );
  }

  running(view) {
    const { head, runs, now } = this.experiment;
    const busy = (now.runs ?? []).filter((index) => runs.get(index)?.steps.length);
    this.table.hidden = !busy.length || view.step !== null;
    if (this.table.hidden) return;
    const names = ["run", "step", "train", "test", ...head.sites.map((site) => `radius ${site}`), "target", "reached", "steps/s"];
    if (names.join() !== this.names) {
      this.names = names.join();
      this.head.replaceChildren(...names.map((name) => h("th", { scope: "col" }, name)));
    }
    const shown = busy.slice(0, 12);
    this.rows.replaceChildren(...shown.map((index) => {
      const [arm, seed] = head.runs[index];
      const run = runs.get(index);
      const cells = [
        `${number(run.steps.at(-1))} of ${number(head.budget)}`, percent(run.train.at(-1) / 10000), percent(run.test.at(-1) / 10000),
        ...head.sites.map((_, i) => number(run.radius[i]?.at(-1) ?? null)), plainly(head.arms[arm].targets[this.site]),
        run.first === null ? "not yet" : `step ${number(run.first)}`, number(now.speed ?? null),
      ];
      return h("tr", {}, h("th", { scope: "row" }, `${head.arms[arm].name}, seed ${seed}`), cells.map((text) => h("td", {}, text)));
    }));
  }
}
