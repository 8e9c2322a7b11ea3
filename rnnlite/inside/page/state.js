// What was put into the page, what the reader has chosen, and what is computed from both.

const page = JSON.parse($("data").textContent);

// Numbers as rnnlite packed them: float32, in base64.
function unpack({ shape, data }) {
  const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
  const numbers = Float64Array.from(new Float32Array(bytes.buffer));
  return { shape, numbers, columns: shape[shape.length - 1] };
}
function rowsOf(packed) { // (T, n) as T vectors
  const { shape, numbers, columns } = unpack(packed);
  return Array.from({ length: shape[0] }, (_, t) => numbers.slice(t * columns, (t + 1) * columns));
}

const weights = {}; // weights["0"].Wx = {numbers, columns, shape}
for (const key in page.weights) {
  weights[key] = Object.fromEntries(Object.entries(page.weights[key]).map(([name, w]) => [name, unpack(w)]));
}
function withWeights(layer) {
  const own = Object.fromEntries(Object.entries(weights[layer.key] || {}).map(([name, w]) => [name, w.numbers]));
  return { ...layer, clip: layer.clip || Infinity, weights: own, parts: (layer.parts || []).map(withWeights) };
}
const network = page.network && page.network.map(withWeights);
const inParts = (layers) => layers.flatMap((layer) => (layer.kind === "both" ? layer.parts : [layer]));

// The recurrent layers, as the views want them.
const layers = page.layers.map((about) => {
  if (network) {
    const runs = inParts(network).find((layer) => layer.key === about.key);
    return { ...about, ...runs, shown: SHOWN[runs.cell] };
  }
  const meanings = Object.fromEntries(Object.entries(page.recorded.all[about.key]).map(([name, { meaning }]) => [name, meaning]));
  const isBackward = (name) => meanings[name].startsWith("derivative");
  const names = Object.keys(meanings), ofZ = (name) => /^d?z_/.test(name);
  names.sort((a, b) => ofZ(a) - ofZ(b)); // gates and states first, then what is inside them
  const forward = names.filter((name) => !isBackward(name));
  const shown = { forward, backward: names.filter(isBackward), gates: [], story: forward.filter((name) => !ofZ(name)).slice(0, 6) };
  return { ...about, meanings, isBackward, shown, weights: {} };
});

const examples = page.examples.map(({ x, target }) => ({
  x: page.input.kind === "indices" ? Array.from(unpack(x).numbers) : rowsOf(x), target,
}));
const isPicture = page.input.kind === "numbers" && examples[0].x.length === 28 && examples[0].x[0].length === 28;

// What the reader has chosen.
const state = {
  example: 0, xs: null, target: null, position: 0, layer: layers[layers.length - 1], unit: 0,
  ask: null, which: 0, changes: {}, playing: null,
};
let now = null; // what follows from it

const copyOf = (xs) => xs.map((x) => (x.slice ? x.slice() : x));

function takeExample(n) {
  state.example = n;
  state.xs = copyOf(examples[n].x);
  state.target = examples[n].target;
  if (page.classes && !page.every && state.target) state.which = state.target[0];
  state.position = Math.min(state.position, 2 * state.xs.length - 1);
}

// ---- Compute, then draw ------------------------------------------------------------------------

function questionOf(output) {
  const last = output[output.length - 1];
  if (state.ask === "score") return { score: state.which };
  if (page.classes && !page.every) return { target: [state.which], classes: true };
  const target = output.map((_, t) => (state.target && state.target[t] !== undefined ? state.target[t] : null));
  const counted = target.map((v, t) => (v === null ? -1 : t)).filter((t) => t >= 0);
  if (!counted.length) return { score: last.indexOf(Math.max(...last)) };
  return { target, classes: page.classes, ...(state.ask === "last" ? { only: counted[counted.length - 1] } : {}) };
}

// Apply the layers after the recurrent one to each of its hidden states.
function answersOf(run) {
  if (page.every) return run.output;
  const last = network.findLastIndex((layer) => layer.kind === "recurrent" || layer.kind === "both");
  const tail = network.slice(last + 1);
  if (network[last].kind === "both" || tail.some((layer) => layer.kind === "flatten")) return null;
  return forward(tail, run.passes[last].steps.map((s) => s.h)).output;
}

function passOf(run, key) {
  return run.passes.flatMap((pass) => pass.passes || [pass]).find((pass) => pass.layer && pass.layer.key === key);
}

function compute() {
  if (!network) {
    const all = page.recorded.all[state.layer.key], steps = state.xs.map(() => ({}));
    for (const name in all) rowsOf(all[name]).forEach((row, t) => { steps[t][name] = row; });
    const { answers, output, question, dx } = page.recorded;
    now = { steps, output: rowsOf(output), answers: answers && rowsOf(answers), question, dxs: dx && rowsOf(dx) };
    return;
  }
  const run = forward(network, state.xs, state.changes), question = questionOf(run.output);
  const { value, dys } = asked(run.output, question);
  const { grads, dxs } = backward(network, run, dys);
  now = { run, grads, dxs, value, question, output: run.output, answers: answersOf(run) };
  now.untouched = isChanged() ? forward(network, state.xs).output : null;
}

// What is true at this place in time: the step, and which steps have been seen from both sides.
function settle() {
  const layer = state.layer, T = state.xs.length;
  if (network) now.steps = passOf(now.run, layer.key).steps;
  const reading = state.xs.map((_, t) => (layer.backwards ? T - 1 - t : t));
  const phase = state.position < T ? "forward" : "backward";
  const place = phase === "forward" ? state.position : 2 * T - 1 - state.position;
  const seen = reading.map(() => false), came = reading.map(() => false);
  reading.forEach((t, n) => {
    seen[t] = phase === "backward" || n <= place;
    came[t] = phase === "backward" && n >= place;
  });
  Object.assign(now, { layer, reading, phase, t: reading[place], seen, came });
}

function recompute() {
  compute();
  scales.clear();
  settle();
  fillWhich();
  showAll();
  showInput();
}
let waiting = false; // many changes between two frames: one computation
function recomputeSoon() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => { waiting = false; recompute(); });
}

function showAll() {
  settle();
  showTime();
  showReading();
  showAnswer();
  showAsked();
  showStrips();
  showEquation();
  showFlow();
  showUnit();
  showChanges();
}
