// What is to be seen: each function draws one part of the page from `now`, what was computed.

const MEANINGS = {
  i: "input gate", f: "forget gate", g: "candidate", o: "output gate", c: "cell state", h: "hidden state",
  r: "reset gate", z: "update gate", n: "candidate",
};
const SHOWN = {
  LSTM: { forward: ["f", "i", "g", "o", "c", "h"], backward: ["dh", "dc"], gates: ["f", "i", "g", "o"], story: ["f", "i", "o", "c", "h"] },
  GRU: { forward: ["r", "z", "n", "h"], backward: ["dh"], gates: ["r", "z", "n"], story: ["r", "z", "n", "h"] },
  RNN: { forward: ["h"], backward: ["dh"], gates: [], story: ["h"] },
};

const symbolOf = (name) => (name.startsWith("d") ? `∂L/∂${name.slice(1)}` : name);
function meaningOf(layer, name) {
  if (layer.meanings) return layer.meanings[name];
  return name.startsWith("d") ? `derivative by the ${MEANINGS[name.slice(1)]}` : MEANINGS[name];
}

// ---- The strips of units -----------------------------------------------------------------------

function showStrips() {
  const { layer, steps, seen, came } = now;
  const groups = [["Forward", layer.shown.forward, seen], ["Backward", layer.shown.backward, came]];
  const made = [];
  for (const [title, names, visible] of groups) {
    const none = title === "Backward" && !visible.some(Boolean);
    made.push(element("p", { class: "group" }, none
      ? "Backward: nothing yet. The derivative starts at the end; go on to the right half of the slider." : title));
    if (none) continue;
    for (const name of names) {
      const rows = steps.map((s) => s[name]), scale = scaleOf(name, rows);
      const present = element("canvas", { class: "present" }), past = element("canvas", { class: "past" });
      picture(present, [visible[now.t] ? rows[now.t] : null, null].slice(0, 1), scale, layer.hidden);
      picture(past, rows.map((row, t) => (visible[t] ? row : null)), scale, layer.hidden);
      const mark = element("span", { class: "unitmark" });
      mark.style.left = `calc(${(100 * state.unit) / layer.hidden}% - 1.5px)`;
      mark.style.width = `calc(${100 / layer.hidden}% + 3px)`;
      made.push(element("div", { class: "strip" },
        element("div", { class: "meaning" },
          element("span", {}, element("span", { class: "symbol" }, symbolOf(name)), `  ${meaningOf(layer, name)}`),
          element("span", {}, ...(visible[now.t] ? [`unit ${state.unit}: `, element("b", {}, shown(rows[now.t][state.unit]))] : []))),
        element("div", { class: "cells", onclick: (event) => chooseUnit(event, layer.hidden), "data-name": name }, present, past, mark)));
      const limits = present.parentElement;
      limits.title = `full colour: ${shown(scale)} and beyond`;
    }
  }
  $("strips").replaceChildren(...made);
}

// The number of full colour.  Gates lie between 0 and 1, tanh between -1 and 1; what has no bounds
// takes the size that one number in fifty exceeds, so that one large unit does not pale all others.
const scales = new Map(); // until the next computation
function scaleOf(name, rows) {
  if (!scales.has(name)) scales.set(name, scaleOfAll(name, rows));
  return scales.get(name);
}
function scaleOfAll(name, rows) {
  const bounded = !name.startsWith("d") && name !== "c" && largest(rows) <= 1;
  if (bounded) return 1;
  const sizes = Float64Array.from(rows.flatMap((row) => Array.from(row, Math.abs))).sort();
  return sizes[Math.floor(0.98 * (sizes.length - 1))] || largest(rows);
}

function chooseUnit(event, hidden) {
  const box = event.currentTarget.getBoundingClientRect();
  choose(Math.floor(((event.clientX - box.left) / box.width) * hidden));
}

// ---- The equations of the step -----------------------------------------------------------------

function showEquation() {
  const { layer, t, phase } = now, s = now.steps[t], k = state.unit;
  $("equation-title").textContent = `${phase === "forward" ? "Step" : "Back through step"} t = ${t}, unit ${k}`;
  if (!network) {
    $("lines").replaceChildren(...showRecordedNumbers(layer, s, k, phase));
    return;
  }
  const change = state.changes[layer.key] || NOTHING;
  const head = phase === "forward"
    ? (layer.cell === "LSTM" || layer.cell === "GRU"
      ? "z is what comes from x_t, from the old hidden state h_t−1 and from the bias, in this order."
      : "In brackets: what comes from x_t, from the old hidden state h_t−1 and from the bias.")
    : "∂L/∂ is the derivative of L, what you asked for, by the quantity below the line.";
  const lines = (phase === "forward" ? FORWARD : BACKWARD)[layer.cell](layer, s, k, change);
  const anew = phase === "forward" && change.cleared.has(t) ? [element("p", { class: "differs" }, "The state was cleared before this step.")] : [];
  $("lines").replaceChildren(element("p", { class: "note" }, ...withIndices(head)), ...anew,
    ...lines.map(([symbols, numbers, meaning]) => element("div", { class: "line" },
      math(symbols, "symbols"), ...(numbers ? [numbersOf(numbers)] : []),
      ...(meaning ? [element("span", { class: "meaning" }, meaning)] : []))));
}

// "= a · b" and "= c" side by side, or below one another where there is no room.
function numbersOf(text) {
  const cut = text.lastIndexOf(" = ");
  const parts = cut > 0 ? [text.slice(0, cut), text.slice(cut)] : [text];
  return element("div", { class: "values" }, ...parts.map((part) => math(part)));
}

// "x_t" in a sentence, with a lowered t.
const withIndices = (text) => text.split(/([a-z]_t(?:−1)?)/).map((part) => {
  const found = /^([a-z])_(t(?:−1)?)$/.exec(part);
  return found ? element("span", {}, element("i", {}, found[1]), element("sub", {}, found[2])) : part;
});

function showRecordedNumbers(layer, s, k, phase) {
  const names = Object.keys(layer.meanings).filter((name) => layer.isBackward(name) === (phase === "backward"));
  return [element("p", { class: "note" }, "This page has no equations of this cell; its numbers at this step are:"),
    ...names.map((name) => element("div", { class: "line" }, math(`${mathName(name)} = ${shown(s[name][k])}`),
      element("span", { class: "meaning" }, layer.meanings[name])))];
}
const mathName = (name) => (name.startsWith("d") ? `∂${name.slice(1)}` : name).replaceAll(" ", "");

// ---- The answer --------------------------------------------------------------------------------

const nameOf = (c) => (page.names ? visibleCharacter(page.names[c]) : String(c));
const quoted = (c) => (page.characters && page.names ? `“${nameOf(c)}”` : nameOf(c));
const visibleCharacter = (c) => ({ "\n": "↵", " ": "␣", "\t": "⇥" }[c] || c);

function showAnswer() {
  const { answers, phase } = now, last = now.reading[now.reading.length - 1];
  const at = phase === "forward" || page.every ? now.t : last;
  const scores = answers ? answers[at] : at === last ? now.output[0] : null;
  const box = $("scores");
  if (!scores) {
    $("answer-note").textContent = "This network has no answer before it has read everything.";
    box.replaceChildren();
    return;
  }
  const values = page.classes ? softmax(scores) : scores;
  const target = now.question.target && now.question.classes ? now.question.target[page.every ? at : 0] : null;
  let order = [...values.keys()];
  if (order.length > 12) order = order.sort((a, b) => Math.abs(values[b]) - Math.abs(values[a])).slice(0, 8);
  const best = values.indexOf(Math.max(...values));
  const when = phase === "backward" && !page.every ? "In the end" : `After step ${at}`;
  const next = page.every && page.characters ? "expects" : "says";
  const what = page.classes
    ? `${when} it ${next} ${quoted(best)}, with a probability of ${shown(values[best])}.`
    : `${when} its ${order.length === 1 ? `output is ${shown(values[0])}` : "outputs are these"}.`;
  const wanted = !page.classes && now.question.target && now.question.target[page.every ? at : 0];
  const right = target !== null ? ` Right is ${quoted(target)}.`
    : wanted && wanted.length === 1 ? ` Wanted is ${shown(wanted[0])}.` : "";
  const how = !page.every && answers && phase === "forward" && at !== last
    ? " (The last layer, applied to h of this step: the network itself is asked after the last step only.)" : "";
  $("answer-note").textContent = what + right + how;
  box.style.setProperty("--names", `${Math.min(9, 0.6 + 0.62 * Math.max(...order.map((c) => nameOf(c).length)))}rem`);
  bars(box, order.map((c) => ({ name: nameOf(c), value: values[c], mark: c === target })), page.classes ? 1 : undefined);
}

// ---- Where the gradient fades ------------------------------------------------------------------

function showFlow() {
  const { layer, steps, came, reading } = now;
  const curves = layer.shown.backward.map((name) => ({
    name: symbolOf(name).replace("∂L/∂", "∂"),
    values: steps.map((s, t) => (came[t] ? norm(s[name]) : null)),
  }));
  const room = layer.shown.backward.flatMap((name) => steps.map((s) => norm(s[name])));
  chart($("norms"), { curves, room, cursor: now.t, log: true, yName: "length of the gradient", empty: "go backward in time to see it" });
  const key = layer.shown.backward.includes("dc") ? "dc" : layer.shown.backward[0];
  const reached = reading.filter((t) => norm(steps[t][key]) > 0);
  const [first, last] = [reading[0], reached[reached.length - 1]];
  if (now.phase === "forward" || last === undefined) {
    $("flow-note").textContent = now.phase === "forward"
      ? "How long the vectors of derivatives are at every step. They start at the end."
      : "No gradient arrives here: nothing that L depends on depends on these units.";
    return;
  }
  const ratio = norm(steps[first][key]) / norm(steps[last][key]);
  const named = key === "dc" ? "cell state" : "hidden state";
  const whole = `The derivative by the ${named} is ${shown(ratio)} times as long at the first step read (t = ${first}) as at the last that L depends on (t = ${last}).`;
  const shares = page.every && now.question.target && now.question.only === undefined;
  const judged = shares ? " Every step adds a share of its own here: derive the loss of the last step alone to see how far back one answer reaches."
    : ratio < 0.05 ? " It fades: what was read first hardly counts, and is hardly learned from."
      : ratio > 20 ? " It grows on its way back: one step of training may throw the weights far off." : "";
  $("flow-note").textContent = whole + judged;
}

// ---- One unit ----------------------------------------------------------------------------------

function showUnit() {
  const { layer, steps, seen, t } = now, k = state.unit;
  $("one-title").textContent = `Unit ${k}${page.layers.length > 1 ? ` of layer ${layer.key}` : ""}, over time`;
  chart($("story"), {
    curves: layer.shown.story.map((name) => ({ name, values: steps.map((s, at) => (seen[at] ? s[name][k] : null)) })),
    room: layer.shown.story.flatMap((name) => steps.map((s) => s[name][k])), cursor: t, yName: "value",
  });
  showAdds(layer, steps[t], k);
  if ($("weights").open) showWeights(layer, k);
}

// What h_k adds to each score: h_k times the weights of the last layer.
function contributions(layer, s, k) {
  if (!layer.readout) return null;
  const { W } = weights[layer.readout.key], columns = W.columns, row = layer.readout.from + k;
  return Array.from(W.numbers.subarray(row * columns, (row + 1) * columns), (w) => w * s.h[k]);
}

function showAdds(layer, s, k) {
  const adds = contributions(layer, s, k);
  const note = element("p", { class: "note" });
  if (!adds) {
    note.textContent = "No Dense layer reads this unit directly: what it does to the answer goes through the layers after it.";
    $("adds").replaceChildren(note);
    return;
  }
  let order = [...adds.keys()];
  if (order.length > 12) order = order.sort((a, b) => Math.abs(adds[b]) - Math.abs(adds[a])).slice(0, 8);
  const named = (c) => (page.names && page.names.length === adds.length ? nameOf(c) : String(c));
  note.append(...withIndices(`What it adds to each ${page.names || page.classes ? "score" : "output"} at this step, h_t times a weight of the last layer:`));
  const box = element("div", {});
  box.style.setProperty("--names", `${Math.min(9, 0.6 + 0.62 * Math.max(...order.map((c) => named(c).length)))}rem`);
  const most = largest(now.steps.map((step) => contributions(layer, step, k)));
  bars(box, order.map((c) => ({ name: named(c), value: adds[c] })), most);
  $("adds").replaceChildren(note, box);
}

// The columns of Wx and Wh that make this unit's gates, and its row of the layer after it.
function showWeights(layer, k) {
  const own = weights[layer.key] || {}, H = layer.hidden, made = [];
  const strip = (title, rows, note) => {
    const scale = largest(rows.map((row) => row.numbers));
    made.push(element("p", { class: "note" }, `${title} Full colour is ±${shown(scale)}.`),
      element("div", { class: "matrix" }, ...rows.flatMap(({ name: text, numbers }) => {
        const canvas = element("canvas", { role: "img", "aria-label": `${title} ${text}` });
        picture(canvas, [numbers], scale);
        return [element("i", {}, text), canvas];
      })), ...(note ? [element("p", { class: "note" }, note)] : []));
  };
  const column = (W, gate) => {
    const numbers = new Float64Array(W.numbers.length / W.columns);
    for (let r = 0; r < numbers.length; r++) numbers[r] = W.numbers[r * W.columns + layer.gates.indexOf(gate) * H + k];
    return numbers;
  };
  for (const [name, text] of [["Wx", "From each number of the input to its gates (Wx)."], ["Wh", "From each hidden unit to its gates (Wh)."]]) {
    if (own[name]) strip(text, layer.gates.map((gate) => ({ name: gate, numbers: column(own[name], gate) })));
  }
  if (layer.readout) {
    const { W } = weights[layer.readout.key], row = layer.readout.from + k;
    strip("From its hidden state to each output.", [{ name: "h", numbers: W.numbers.subarray(row * W.columns, (row + 1) * W.columns) }]);
  }
  const biases = ["b", "bh"].filter((name) => own[name]).map((name) =>
    layer.gates.map((gate, n) => `${gate} ${shown(own[name].numbers[n * H + k])}`).join(", "));
  made.push(element("p", { class: "note" }, `Bias: ${biases.join("; on the recurrent side: ")}`));
  $("matrices").replaceChildren(...made);
}
