// Drawing: elements, colours, strips of units, bars and curves.  Texts become text, never markup.

const $ = (id) => document.getElementById(id);

// element("p", {class: "note"}, "text", otherElement, ...)
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const key in attributes) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), attributes[key]);
    else if (attributes[key] !== null && attributes[key] !== false) made.setAttribute(key, attributes[key]);
  }
  made.append(...children);
  return made;
}

const SVG = "http://www.w3.org/2000/svg";
function svg(name, attributes, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const key in attributes) made.setAttribute(key, attributes[key]);
  made.append(...children);
  return made;
}

// ---- Numbers as text ---------------------------------------------------------------------------

const SUPERSCRIPT = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" };

// Three digits, or as many as asked for, and a true minus sign: −0.0123, 4.56×10⁻⁷.
function shown(value, count = 3) {
  if (value === 0 || !Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (size >= 0.001 && size < 9999.5) return String(Number(value.toPrecision(count))).replace("-", "−");
  const [digits, power] = value.toExponential(count - 1).split("e");
  const raised = [...String(Number(power))].map((c) => SUPERSCRIPT[c]).join("");
  return `${digits.replace("-", "−")}×10${raised}`;
}

// ---- Colours: blue is much, orange is negative; told apart by the colour-blind and in grey -----

const dark = matchMedia("(prefers-color-scheme: dark)");
let printing = false;
const LIGHT = { zero: [250, 250, 247], much: [9, 52, 118], minus: [217, 119, 6] };
const DARK = { zero: [22, 27, 34], much: [121, 192, 255], minus: [247, 144, 9] };

// The colour of a number between -1 and 1.
function colour(value) {
  const { zero, much, minus } = dark.matches && !printing ? DARK : LIGHT;
  const end = value < 0 ? minus : much, share = Math.min(Math.abs(value), 1) ** 0.8;
  return zero.map((from, k) => Math.round(from + share * (end[k] - from)));
}

// Rows of numbers as a picture of one pixel each; `null` rows stay empty.  The style makes it large.
function picture(canvas, rows, scale, width = rows.find(Boolean).length) {
  canvas.width = width;
  canvas.height = rows.length;
  const context = canvas.getContext("2d"), image = context.createImageData(width, rows.length);
  rows.forEach((row, r) => {
    if (!row) return;
    for (let k = 0; k < width; k++) {
      const [red, green, blue] = colour(row[k] / scale);
      image.data.set([red, green, blue, 255], 4 * (r * width + k));
    }
  });
  context.putImageData(image, 0, 0);
}

const largest = (rows) => rows.reduce(
  (most, row) => (row ? row.reduce((a, v) => Math.max(a, Math.abs(v)), most) : most), 0) || 1;

// A bar for each of some named numbers, from the middle if some are negative.
function bars(box, items, most) {
  const signed = items.some((item) => item.value < 0);
  most = most || largest([items.map((item) => item.value)]);
  const rows = items.map(({ name, value, mark, text }) => {
    const length = Math.min(Math.abs(value) / most, 1) * (signed ? 50 : 100);
    const bar = element("span", { class: value < 0 ? "bar minus" : "bar" });
    bar.style.width = `${length}%`;
    bar.style.marginLeft = signed ? `${value < 0 ? 50 - length : 50}%` : "0";
    return element("div", { class: mark ? "row marked" : "row", role: "listitem" },
      element("span", { class: "name" }, name),
      element("span", { class: "track" }, bar),
      element("span", { class: "number" }, text || shown(value)));
  });
  box.setAttribute("role", "list");
  box.replaceChildren(...rows);
}

// ---- Curves over time --------------------------------------------------------------------------

const DASHES = ["", "7 3", "2 3", "8 3 2 3", "1 5", "12 3"];

// curves: [{name, values}], values may have null; room: all values that the axis has room for;
// cursor: the step that is looked at.
function chart(box, { curves, room, cursor, log = false, yName, height = 190, empty = "" }) {
  const width = Math.max(260, Math.round(box.clientWidth) || 320);
  const right = 14 + 7.5 * Math.max(...curves.map((c) => c.name.length)), left = 60, top = 12, bottom = 34;
  const T = Math.max(...curves.map((c) => c.values.length));
  const of = (v) => (log ? Math.log10(v) : v);
  const usable = curves.map((c) => c.values.map((v) => (v === null || (log && !(v > 0)) ? null : of(v))));
  const some = usable.flat().some((v) => v !== null);
  const all = room.filter((v) => Number.isFinite(v) && (!log || v > 0)).map(of);
  let low = all.reduce((a, b) => Math.min(a, b), Infinity);
  let high = all.reduce((a, b) => Math.max(a, b), -Infinity);
  if (!all.length) [low, high] = log ? [-1, 0] : [0, 1];
  if (log) { low = Math.floor(low); high = Math.ceil(high); }
  if (high - low < 1e-12) { low -= log ? 1 : 0.5; high += log ? 0 : 0.5; }
  const x = (t) => left + (T > 1 ? (t / (T - 1)) * (width - left - right) : 0);
  const y = (v) => top + ((high - v) / (high - low)) * (height - top - bottom);
  const parts = [];
  const label = (text, attributes) => parts.push(svg("text", attributes, text));
  for (const v of ticks(low, high, log)) {
    parts.push(svg("line", { class: "grid", x1: left, x2: width - right, y1: y(v), y2: y(v) }));
    label(log ? shownPower(v) : shown(v), { class: "tick", x: left - 6, y: y(v) + 4, "text-anchor": "end" });
  }
  for (const t of ticks(0, T - 1, false, (width - left - right) / 60).filter(Number.isInteger)) {
    label(String(t), { class: "tick", x: x(t), y: height - bottom + 15, "text-anchor": "middle" });
  }
  label("step t", { class: "axis", x: (left + width - right) / 2, y: height - 3, "text-anchor": "middle" });
  const middle = (top + height - bottom) / 2;
  label(yName, { class: "axis", x: 12, y: middle, "text-anchor": "middle", transform: `rotate(-90 12 ${middle})` });
  parts.push(svg("line", { class: "cursor", x1: x(cursor), x2: x(cursor), y1: top, y2: height - bottom }));
  const ends = [];
  usable.forEach((values, n) => {
    let path = "", pen = "M", end = null;
    values.forEach((v, t) => {
      if (v === null) { pen = "M"; return; }
      path += `${pen}${x(t).toFixed(1)} ${y(v).toFixed(1)}`;
      pen = "L";
      end = [t, v];
    });
    if (!end) return;
    const attributes = { class: `curve curve${n % 6}`, d: path, "stroke-dasharray": DASHES[n % 6] };
    parts.push(svg("path", attributes));
    if (values.filter((v) => v !== null).length === 1) {
      parts.push(svg("circle", { class: `dot dot${n % 6}`, cx: x(end[0]), cy: y(end[1]), r: 3 }));
    }
    ends.push({ n, t: end[0], at: y(end[1]) });
  });
  // Names at the ends of their curves, moved apart where they would lie on one another.
  ends.sort((a, b) => a.at - b.at);
  ends.forEach((e, k) => { if (k) e.at = Math.max(e.at, ends[k - 1].at + 13); });
  const over = ends.length ? Math.max(0, ends[ends.length - 1].at - (height - bottom)) : 0;
  for (const e of ends) {
    label(curves[e.n].name, { class: `curvename dot${e.n % 6}`, x: x(e.t) + 6, y: e.at + 4 - over });
  }
  if (!some) label(empty, { class: "tick", x: (left + width - right) / 2, y: middle, "text-anchor": "middle" });
  const names = curves.map((c) => c.name).join(", ");
  box.replaceChildren(svg("svg", {
    viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": `${names} over the steps`,
  }, ...parts));
}

const shownPower = (power) => (power === 0 ? "1" : power === 1 ? "10"
  : `10${[...String(power)].map((c) => SUPERSCRIPT[c]).join("")}`);

// Round numbers from low to high, some five of them.
function ticks(low, high, log, most = 5) {
  const rough = (high - low) / Math.max(most, 1), power = 10 ** Math.floor(Math.log10(rough || 1));
  let size = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough) || 1;
  if (log) size = Math.max(1, Math.round(size));
  const found = [];
  for (let v = Math.ceil(low / size - 1e-9) * size; v <= high + 1e-9; v += size) found.push(Number(v.toPrecision(12)));
  return found;
}
