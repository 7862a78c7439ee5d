// Elements, made from names as text and never as HTML; numbers and times as people read them.

export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "class") element.className = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element && name !== "list") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

// change an element only where it differs, so that nothing flickers and selected text stays selected
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function put(parent, children) {
  const wanted = children.filter(Boolean);
  if (wanted.length !== parent.children.length || wanted.some((child, i) => parent.children[i] !== child)) {
    parent.replaceChildren(...wanted);
  }
}

export function number(value, digits = 3) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  if (Number.isInteger(value)) return value.toLocaleString("en");
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString("en");
  return value.toPrecision(digits);
}

// a number that somebody chose, as short as it is
export function plainly(value) {
  return value === null || value === undefined ? "–" : String(Number(value.toPrecision(3)));
}

export function percent(share) {
  if (share === null || share === undefined || !Number.isFinite(share)) return "–";
  const value = 100 * share;
  return `${value > 99 && value < 100 ? (Math.floor(10 * value) / 10).toFixed(1) : value.toFixed(0)} %`;
}

export function plural(count, word) {
  return `${number(count)} ${word}${count === 1 ? "" : "s"}`;
}

// seconds as precisely as an estimate can be, unless they were measured
export function duration(seconds, exact = false) {
  const whole = Math.max(Math.round(seconds), 0);
  if (whole < 90) return `${exact ? whole : Math.max(5 * Math.round(whole / 5), 5)} s`;
  const rest = exact ? whole % 60 : 10 * Math.floor((whole % 60) / 10);
  if (whole < 600) return `${Math.floor(whole / 60)} min${rest ? ` ${rest} s` : ""}`;
  if (whole < 5400) return `${Math.round(whole / 60)} min`;
  return whole < 172800 ? `${(whole / 3600).toFixed(1)} h` : `${(whole / 86400).toFixed(1)} days`;
}

// any failure is said on the page itself, where a test finds it too
export function tellErrors() {
  const errors = [];
  for (const kind of ["error", "unhandledrejection"]) {
    window.addEventListener(kind, (event) => {
      errors.push(event.message ?? String(event.reason));
      document.documentElement.dataset.errors = errors.join(" | ");
    });
  }
}

export async function copy(text, button) {
  const before = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "copied";
  } catch {
    button.textContent = "copying is not allowed here";
  }
  setTimeout(() => { button.textContent = before; }, 1500);
}
