// Drawing on canvases: curves, circles of tokens, maps, and portraits.  Colours come from the page's style sheet.

const dark = window.matchMedia("(prefers-color-scheme: dark)");

export function onTheme(action) {
  dark.addEventListener("change", action);
}

export function theme() {
  const style = getComputedStyle(document.documentElement);
  const read = (name) => style.getPropertyValue(`--${name}`).trim();
  return { ink: read("ink"), soft: read("soft"), rule: read("rule"), ground: read("card"), dark: dark.matches };
}

function channels(colour) {
  return [1, 3, 5].map((i) => Number.parseInt(colour.slice(i, i + 2), 16));
}

function mixed(one, two, share) {
  const [a, b] = [channels(one), channels(two)];
  return `rgb(${a.map((x, i) => Math.round(x + (b[i] - x) * share)).join(" ")})`;
}

// an arm's colour, made lighter on a dark page where it would drown
export function ink(colour, night) {
  if (night) return dark.matches ? night : colour;
  if (!dark.matches || !/^#[0-9a-f]{6}$/i.test(colour)) return colour;
  const [r, g, b] = channels(colour);
  const light = 0.2126 * r + 0.7152 * g + 0.0722 * b;
  return light < 40 ? "#e8eaed" : light < 120 ? mixed(colour, "#ffffff", 0.32) : colour;
}

export function scaled(scale, share) {
  const place = Math.min(Math.max(share, 0), 1);
  const next = Math.max(scale.findIndex(([at]) => at >= place), 1);
  const [from, one] = scale[next - 1];
  const [to, two] = scale[next];
  return mixed(one, two, to > from ? (place - from) / (to - from) : 0);
}

// a canvas with as many points as the screen has; gives its context in CSS pixels, and its size
export function fresh(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  const [w, t] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== w || canvas.height !== t) Object.assign(canvas, { width: w, height: t });
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  context.lineJoin = "round";
  return { context, width, height };
}

function ticks(low, high, count) {
  const rough = (high - low) / count;
  if (!(rough > 0)) return [];
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = unit * [1, 2, 5, 10].find((factor) => factor * unit >= rough);
  const marks = [];
  for (let i = Math.ceil(low / step); i * step <= high + step / 1e6; i += 1) marks.push(i * step);
  return marks;
}

// Lines: [{ xs, ys, colour, width, alpha, dot, dash }]; rules: [{ y, label, right }]; now: a step worth an upright line
export function chart(canvas, { lines, x, y, rules = [], now = null, upright = [], tick = String, marks = 3, small = true }) {
  const { context, width, height } = fresh(canvas);
  if (!width || !height) return;
  const t = theme();
  const [left, right, top, bottom] = [small ? 40 : 46, 8, 8, 18];
  const px = (value) => left + ((value - x[0]) / (x[1] - x[0] || 1)) * (width - left - right);
  const py = (value) => height - bottom - ((value - y[0]) / (y[1] - y[0] || 1)) * (height - top - bottom);
  context.font = "11px system-ui, sans-serif";
  context.fillStyle = t.soft;
  context.strokeStyle = t.rule;
  context.lineWidth = 1;
  context.textBaseline = "middle";
  context.textAlign = "right";
  for (const mark of ticks(y[0], y[1], marks)) {
    context.globalAlpha = 0.7;
    context.beginPath();
    context.moveTo(left, Math.round(py(mark)) + 0.5);
    context.lineTo(width - right, Math.round(py(mark)) + 0.5);
    context.stroke();
    context.globalAlpha = 1;
    context.fillText(tick(mark), left - 5, py(mark));
  }
  context.textBaseline = "alphabetic";
  for (const mark of ticks(x[0], x[1], width > 260 ? 5 : 3)) {
    context.textAlign = px(mark) > width - right - 12 ? "right" : px(mark) < left + 4 ? "left" : "center";
    context.fillText(mark.toLocaleString("en"), Math.min(px(mark), width - 2), height - 4);
  }
  context.save();
  context.beginPath();
  context.rect(left - 2, 0, width - left, height - bottom + 3);
  context.clip();
  for (const line of lines) {
    context.strokeStyle = line.colour;
    context.globalAlpha = line.alpha ?? 1;
    context.lineWidth = line.width ?? 1.2;
    context.setLineDash(line.dash ?? []);
    context.beginPath();
    let drawing = false;
    for (let i = 0; i < line.xs.length; i += 1) {
      const value = line.ys[i];
      if (value === null || !Number.isFinite(value)) drawing = false;
      else if (drawing) context.lineTo(px(line.xs[i]), py(value));
      else {
        context.moveTo(px(line.xs[i]), py(value));
        drawing = true;
      }
    }
    context.stroke();
    const last = line.xs.length - 1;
    if (line.dot && last >= 0 && Number.isFinite(line.ys[last] ?? NaN)) {
      context.fillStyle = line.colour;
      context.globalAlpha = 1;
      context.beginPath();
      context.arc(px(line.xs[last]), py(line.ys[last]), 3, 0, 7);
      context.fill();
    }
  }
  context.restore();
  context.globalAlpha = 1;
  for (const rule of rules) {
    context.strokeStyle = t.soft;
    context.setLineDash([2, 3]);
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(left, Math.round(py(rule.y)) + 0.5);
    context.lineTo(width - right, Math.round(py(rule.y)) + 0.5);
    context.stroke();
    if (rule.label) {
      context.setLineDash([]);
      context.textAlign = rule.right ? "right" : "left";
      const from = rule.right ? width - right - 4 : left + 4;
      const below = py(rule.y) < 18;
      const where = py(rule.y) + (below ? 12 : -4);
      context.lineWidth = 3;
      context.strokeStyle = t.ground;
      context.strokeText(rule.label, from, where);
      context.fillStyle = t.soft;
      context.fillText(rule.label, from, where);
    }
  }
  for (const { x: at, label } of [...upright, ...(now === null ? [] : [{ x: now }])]) {
    context.strokeStyle = t.soft;
    context.setLineDash(label ? [2, 3] : []);
    context.fillStyle = t.soft;
    context.textAlign = px(at) > width / 2 ? "right" : "left";
    if (label) context.fillText(label, px(at) + (px(at) > width / 2 ? -5 : 5), height - bottom - 8);
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(px(at), top);
    context.lineTo(px(at), height - bottom);
    context.stroke();
  }
  context.setLineDash([]);
}

// A circle of tokens: { x, y, turns, k, reach }; the points in the order round the circle, the first once more
export function circle(canvas, frame, cycle) {
  const { context, width, height } = fresh(canvas);
  if (!width || !frame) return;
  const t = theme();
  const side = Math.min(width, height);
  const unit = (side / 2 - 10) / (frame.reach || 1);
  const px = (value) => width / 2 + value * unit;
  const py = (value) => height / 2 - value * unit;
  context.strokeStyle = t.rule;
  context.beginPath();
  context.moveTo(width / 2 - side / 2, height / 2);
  context.lineTo(width / 2 + side / 2, height / 2);
  context.moveTo(width / 2, height / 2 - side / 2);
  context.lineTo(width / 2, height / 2 + side / 2);
  context.stroke();
  context.strokeStyle = t.soft;
  context.globalAlpha = 0.5;
  context.beginPath();
  frame.x.forEach((x, i) => (i ? context.lineTo(px(x), py(frame.y[i])) : context.moveTo(px(x), py(frame.y[i]))));
  context.stroke();
  context.globalAlpha = 1;
  frame.x.forEach((x, i) => {
    context.fillStyle = ink_of(cycle, frame.turns[i], t.dark);
    context.beginPath();
    context.arc(px(x), py(frame.y[i]), side > 220 ? 4 : 3, 0, 7);
    context.fill();
  });
}

function ink_of(cycle, turn, isDark) {
  const colour = scaled(cycle, turn);
  return isDark ? colour.replace(/rgb\((\d+) (\d+) (\d+)\)/, (_, ...c) => `rgb(${c.slice(0, 3).map((x) => Math.round(60 + Number(x) * 0.76)).join(" ")})`) : colour;
}

// A map: bytes 0 to 254 stand for no share to all of it, row by row, and 255 for none
export function map(canvas, frame) {
  const { context, width, height } = fresh(canvas);
  if (!width || !frame) return;
  const [rows, columns] = frame.shape;
  const t = theme();
  const scale = t.dark ? [[0, "#1d2227"], [0.45, "#2f7fb0"], [1, "#d8efff"]] : [[0, "#f6f7f9"], [0.45, "#56B4E9"], [1, "#08306B"]];
  const colours = Array.from({ length: 255 }, (_, i) => scaled(scale, i / 254).match(/\d+/g).map(Number));
  const dead = t.dark ? [70, 70, 70] : [217, 217, 217];
  const image = new ImageData(columns, rows);
  const flat = atob(frame.bytes);
  for (let i = 0; i < rows * columns; i += 1) {
    const byte = flat.charCodeAt(i);
    const [r, g, b] = byte === 255 ? dead : colours[byte];
    image.data.set([r, g, b, 255], 4 * i);
  }
  const small = new OffscreenCanvas(columns, rows);
  small.getContext("2d").putImageData(image, 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(small, 0, 0, width, height);
}
