// What is known of an experiment, grown by increments; and what a moment of it looks like.

export class Experiment {
  constructor(key) {
    Object.assign(this, { key, head: null, now: null, runs: new Map(), changed: new Set(), received: Date.now() });
  }

  // an increment: parts that changed, and of each run the points that replace those from a place on
  take({ head, now, runs }) {
    if (head) this.head = head;
    if (now) Object.assign(this, { now, received: Date.now() });
    for (const [place, news] of Object.entries(runs)) {
      const index = Number(place);
      const run = this.runs.get(index) ?? { steps: [], test: [], train: [], radius: [] };
      if (news.from === 0) Object.assign(run, { steps: [], test: [], train: [], radius: [] });
      if (news.steps) {
        grow(run.steps, news.from, news.steps);
        grow(run.test, news.from, news.test);
        grow(run.train, news.from, news.train);
        news.radius.forEach((column, i) => grow((run.radius[i] ??= []), news.from, column));
      }
      Object.assign(run, { end: news.end, first: news.first, loss: news.loss, arrays: news.arrays, damage: news.damage });
      this.runs.set(index, run);
      this.changed.add(index);
    }
  }

  // runs of an arm as [index, seed, run]; those that have rows
  of(arm) {
    return this.head.runs
      .map(([of, seed], index) => [index, seed, this.runs.get(index)])
      .filter(([index, , run]) => this.head.runs[index][0] === arm && run?.steps.length);
  }

  get training() {
    return new Set(this.now?.runs ?? []);
  }

  get last() {
    let last = 0;
    for (const run of this.runs.values()) last = Math.max(last, run.steps.at(-1) ?? 0);
    return last;
  }
}

function grow(list, from, more) {
  list.length = Math.min(from, list.length);
  for (const value of more) list.push(value);
}

// how many points of a run lie up to a step; null for all
export function upTo(run, step) {
  if (step === null) return run.steps.length;
  let [low, high] = [0, run.steps.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (run.steps[middle] <= step) low = middle + 1;
    else high = middle;
  }
  return low;
}

const HELD = ["grokked", "generalised-at-once"];

// the median over runs at evenly spaced steps; a run that generalised keeps its last value, as in the report
export function median(runs, values, step, places = 80) {
  const cut = runs.map((run) => upTo(run, step));
  const ends = runs.map((run, i) => (cut[i] ? run.steps[cut[i] - 1] : -1));
  const most = Math.max(-1, ...ends);
  const xs = [];
  const ys = [];
  if (most < 0) return { xs, ys };
  const at = runs.map(() => 0);
  for (let k = 0; k <= places; k += 1) {
    const x = (most * k) / places;
    const here = [];
    runs.forEach((run, i) => {
      if (!cut[i] || (x > ends[i] && !HELD.includes(run.end?.outcome))) return;
      while (at[i] + 1 < cut[i] && run.steps[at[i] + 1] <= x) at[i] += 1;
      const [a, b] = [at[i], Math.min(at[i] + 1, cut[i] - 1)];
      const [ya, yb] = [values(run)[a], values(run)[b]];
      if (ya === null || yb === null || ya === undefined || yb === undefined) return;
      const gap = run.steps[b] - run.steps[a];
      here.push(gap > 0 ? ya + (yb - ya) * Math.min((x - run.steps[a]) / gap, 1) : ya);
    });
    if (!here.length) continue;
    here.sort((one, two) => one - two);
    xs.push(x);
    ys.push((here[(here.length - 1) >> 1] + here[here.length >> 1]) / 2);
  }
  return { xs, ys };
}
