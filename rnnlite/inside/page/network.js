"use strict";
// The network of this page: forward, and back through time.  Plain numbers in float64, no library.
//
// A vector is a Float64Array.  A matrix is one too, its rows one after the other.  A sequence is a
// list of vectors.  dX stands for the derivative of the loss by X, dL/dX.

const zeros = (size) => new Float64Array(size);
const add = (y, x) => { for (let k = 0; k < x.length; k++) y[k] += x[k]; return y; };
const sum = (x, y) => add(x.slice(), y);
const dot = (x, y) => { let total = 0; for (let k = 0; k < x.length; k++) total += x[k] * y[k]; return total; };
const norm = (x) => Math.sqrt(dot(x, x));
const sigmoid = (z) => 0.5 * (Math.tanh(0.5 * z) + 1); // = 1 / (1 + e^-z), and never overflows

// x W, columns `from` to `to` of W alone.
function times(x, W, columns, from = 0, to = columns) {
  const y = zeros(to - from);
  for (let r = 0; r < x.length; r++) {
    for (let k = from; k < to; k++) y[k - from] += x[r] * W[r * columns + k];
  }
  return y;
}

// y = x W has two derivatives.  By x: dy W^T ...
function timesTransposed(dy, W, columns, from = 0) {
  const dx = zeros(W.length / columns);
  for (let r = 0; r < dx.length; r++) {
    let total = 0;
    for (let k = 0; k < dy.length; k++) total += dy[k] * W[r * columns + from + k];
    dx[r] = total;
  }
  return dx;
}

// ... and by W: x^T dy, which is added to dW, since every step has its share.
function addOuter(dW, x, dy, columns, from = 0) {
  for (let r = 0; r < x.length; r++) {
    for (let k = 0; k < dy.length; k++) dW[r * columns + from + k] += x[r] * dy[k];
  }
}

// Names for the blocks of a vector: {z_i: its first H numbers, z_f: the next ones, ...}.
function blocks(vector, prefix, gates, H) {
  return Object.fromEntries(
    gates.map((gate, n) => [prefix + gate, vector.subarray(n * H, (n + 1) * H)]));
}

// ---- What the reader may change in a layer: "what if?" ---------------------------------------

// held: {gate: values, NaN where it is free}; identity: no tanh; cleared: steps that begin anew.
const NOTHING = { held: {}, identity: false, cleared: new Set() };

// The value of a gate: as computed, or held.  A held gate does not depend on z: no slope.
function valueOf(change, gate, k, computed) {
  const held = change.held[gate];
  return held && !Number.isNaN(held[k]) ? held[k] : computed;
}
function slopeOf(change, gate, k, computed) {
  const held = change.held[gate];
  return held && !Number.isNaN(held[k]) ? 0 : computed;
}
const squash = (change, z) => (change.identity ? z : Math.tanh(z));
const squashSlope = (change, y) => (change.identity ? 1 : 1 - y * y); // tanh' = 1 - tanh^2

// Inputs of activations, bounded where the layer has a `clip`; beyond it there is no slope.
const bound = (z, limit) => Math.min(Math.max(z, -limit), limit);
const within = (z, limit, slope) => (Math.abs(z) < limit ? slope : 0);

// ---- The cells: one step, and under it the same step backward ---------------------------------
//
// step:  x, and the states before it  ->  all quantities of the step, by name.
// back:  the same step with dh in it, and dc that comes from the next step
//        ->  its dz, and the derivatives of x and of the states before it.

const LSTM = {
  gates: ["i", "f", "g", "o"],
  states: ["h", "c"],

  step(layer, x, before, change) {
    const H = layer.hidden, w = layer.weights, limit = layer.clip;
    const z = sum(w.b, add(times(x, w.Wx, 4 * H), times(before.h, w.Wh, 4 * H)));
    const s = { before, x, ...blocks(z, "z_", this.gates, H) };
    for (const name of ["i", "f", "g", "o", "c", "h"]) s[name] = zeros(H);
    for (let k = 0; k < H; k++) {
      if (w.p_i) { // peepholes: the gates see the cell state, too
        s.z_i[k] += w.p_i[k] * before.c[k];
        s.z_f[k] += w.p_f[k] * before.c[k];
      }
      s.i[k] = valueOf(change, "i", k, sigmoid(bound(s.z_i[k], limit)));
      s.f[k] = valueOf(change, "f", k, sigmoid(bound(s.z_f[k], limit)));
      s.g[k] = valueOf(change, "g", k, squash(change, bound(s.z_g[k], limit)));
      s.c[k] = s.f[k] * before.c[k] + s.i[k] * s.g[k];
      if (w.p_o) s.z_o[k] += w.p_o[k] * s.c[k];
      s.o[k] = valueOf(change, "o", k, sigmoid(bound(s.z_o[k], limit)));
      s.h[k] = s.o[k] * squash(change, bound(s.c[k], limit));
    }
    return s;
  },

  back(layer, s, dcLater, change, grads) {
    const H = layer.hidden, w = layer.weights, limit = layer.clip;
    const dz = zeros(4 * H), dcBefore = zeros(H);
    Object.assign(s, blocks(dz, "dz_", this.gates, H), { dc: zeros(H) });
    for (let k = 0; k < H; k++) {
      const c = squash(change, bound(s.c[k], limit));
      // h = o tanh(c): what comes to h goes to o and to c.
      s.dz_o[k] = slopeOf(change, "o", k, within(s.z_o[k], limit, s.dh[k] * c * s.o[k] * (1 - s.o[k])));
      s.dc[k] = dcLater[k] + within(s.c[k], limit, s.dh[k] * s.o[k] * squashSlope(change, c));
      if (w.p_o) s.dc[k] += s.dz_o[k] * w.p_o[k];
      // c = f c_before + i g: what comes to c goes to f, to i, to g and to the step before.
      const dc = s.dc[k];
      s.dz_f[k] = slopeOf(change, "f", k, within(s.z_f[k], limit, dc * s.before.c[k] * s.f[k] * (1 - s.f[k])));
      s.dz_i[k] = slopeOf(change, "i", k, within(s.z_i[k], limit, dc * s.g[k] * s.i[k] * (1 - s.i[k])));
      s.dz_g[k] = slopeOf(change, "g", k, within(s.z_g[k], limit, dc * s.i[k] * squashSlope(change, s.g[k])));
      dcBefore[k] = dc * s.f[k];
      if (w.p_i) {
        dcBefore[k] += s.dz_i[k] * w.p_i[k] + s.dz_f[k] * w.p_f[k];
        grads.p_i[k] += s.dz_i[k] * s.before.c[k];
        grads.p_f[k] += s.dz_f[k] * s.before.c[k];
        grads.p_o[k] += s.dz_o[k] * s.c[k];
      }
    }
    // z = x Wx + h_before Wh + b
    addOuter(grads.Wx, s.x, dz, 4 * H);
    addOuter(grads.Wh, s.before.h, dz, 4 * H);
    add(grads.b, dz);
    return { dx: timesTransposed(dz, w.Wx, 4 * H), dh: timesTransposed(dz, w.Wh, 4 * H), dc: dcBefore };
  },
};

const GRU = {
  gates: ["r", "z", "n"],
  states: ["h"],

  step(layer, x, before, change) {
    const H = layer.hidden, w = layer.weights;
    const z = sum(w.b, times(x, w.Wx, 3 * H)); // from x; r and z get what comes from h, too
    const fromH = sum(w.bh, times(before.h, w.Wh, 3 * H, 0, layer.resetAfter ? 3 * H : 2 * H));
    const s = { before, x, ...blocks(z, "z_", this.gates, H) };
    for (const name of ["r", "z", "n", "h", "rh"]) s[name] = zeros(H);
    for (let k = 0; k < H; k++) {
      s.z_r[k] += fromH[k];
      s.z_z[k] += fromH[H + k];
      s.r[k] = valueOf(change, "r", k, sigmoid(s.z_r[k]));
      s.z[k] = valueOf(change, "z", k, sigmoid(s.z_z[k]));
      s.rh[k] = s.r[k] * before.h[k];
    }
    // What the candidate takes from h: r (h Wh + bh), or (r h) Wh + bh in the form of 2014.
    s.h_n = layer.resetAfter ? fromH.subarray(2 * H)
      : sum(w.bh.subarray(2 * H), times(s.rh, w.Wh, 3 * H, 2 * H));
    for (let k = 0; k < H; k++) {
      s.z_n[k] += layer.resetAfter ? s.r[k] * s.h_n[k] : s.h_n[k];
      s.n[k] = valueOf(change, "n", k, squash(change, s.z_n[k]));
      s.h[k] = (1 - s.z[k]) * s.n[k] + s.z[k] * before.h[k];
    }
    return s;
  },

  back(layer, s, _, change, grads) {
    const H = layer.hidden, w = layer.weights, h = s.before.h;
    const dz = zeros(3 * H), dhBefore = zeros(H);
    Object.assign(s, blocks(dz, "dz_", this.gates, H));
    for (let k = 0; k < H; k++) { // h = (1 - z) n + z h_before
      s.dz_z[k] = slopeOf(change, "z", k, s.dh[k] * (h[k] - s.n[k]) * s.z[k] * (1 - s.z[k]));
      s.dz_n[k] = slopeOf(change, "n", k, s.dh[k] * (1 - s.z[k]) * squashSlope(change, s.n[k]));
      dhBefore[k] = s.dh[k] * s.z[k];
    }
    const drh = layer.resetAfter ? null : timesTransposed(s.dz_n, w.Wh, 3 * H, 2 * H);
    for (let k = 0; k < H; k++) {
      const dr = layer.resetAfter ? s.dz_n[k] * s.h_n[k] : drh[k] * h[k];
      s.dz_r[k] = slopeOf(change, "r", k, dr * s.r[k] * (1 - s.r[k]));
      if (drh) dhBefore[k] += drh[k] * s.r[k];
    }
    const dzh = dz.slice(); // on the side of h, where r may stand before the candidate's part
    if (layer.resetAfter) for (let k = 0; k < H; k++) dzh[2 * H + k] *= s.r[k];
    addOuter(grads.Wx, s.x, dz, 3 * H);
    add(grads.b, dz);
    add(grads.bh, dzh);
    const direct = layer.resetAfter ? dzh : dzh.subarray(0, 2 * H);
    addOuter(grads.Wh, h, direct, 3 * H);
    if (drh) addOuter(grads.Wh, s.rh, s.dz_n, 3 * H, 2 * H);
    add(dhBefore, timesTransposed(direct, w.Wh, 3 * H));
    return { dx: timesTransposed(dz, w.Wx, 3 * H), dh: dhBefore };
  },
};

const RNN = {
  gates: ["h"],
  states: ["h"],

  step(layer, x, before, change) {
    const H = layer.hidden, w = layer.weights;
    const z_h = sum(w.b, add(times(x, w.Wx, H), times(before.h, w.Wh, H)));
    const relu = layer.activation === "relu" && !change.identity;
    return { before, x, z_h, h: z_h.map((z) => (relu ? Math.max(z, 0) : squash(change, z))) };
  },

  back(layer, s, _, change, grads) {
    const H = layer.hidden, w = layer.weights;
    const relu = layer.activation === "relu" && !change.identity;
    s.dz_h = s.dh.map((dh, k) => (relu ? (s.h[k] > 0 ? dh : 0) : dh * squashSlope(change, s.h[k])));
    addOuter(grads.Wx, s.x, s.dz_h, H);
    addOuter(grads.Wh, s.before.h, s.dz_h, H);
    add(grads.b, s.dz_h);
    return { dx: timesTransposed(s.dz_h, w.Wx, H), dh: timesTransposed(s.dz_h, w.Wh, H) };
  },
};

const CELLS = { LSTM, GRU, RNN };

// ---- The layers: forward keeps in `pass` what backward needs -----------------------------------

const recurrent = {
  forward(layer, xs, changes) {
    const cell = CELLS[layer.cell], change = changes[layer.key] || NOTHING;
    const times = xs.map((_, t) => (layer.backwards ? xs.length - 1 - t : t)); // in order of reading
    const nothing = () => Object.fromEntries(cell.states.map((name) => [name, zeros(layer.hidden)]));
    const steps = [];
    let state = nothing();
    for (const t of times) {
      if (change.cleared.has(t)) state = nothing();
      state = steps[t] = cell.step(layer, xs[t], state, change);
    }
    const hs = steps.map((s) => s.h);
    return { layer, change, times, steps, ys: layer.every ? hs : [state.h] };
  },

  // Back through time: dh is what the step's own output says, and what comes from the next step.
  backward(layer, pass, dys, grads) {
    const cell = CELLS[layer.cell], last = pass.times[pass.times.length - 1], dxs = [];
    let later = { dh: zeros(layer.hidden), dc: zeros(layer.hidden) };
    for (const t of [...pass.times].reverse()) {
      const s = pass.steps[t];
      s.dh_own = layer.every ? dys[t] : t === last ? dys[0] : zeros(layer.hidden);
      s.dh_later = later.dh;
      s.dc_later = later.dc;
      s.dh = sum(s.dh_own, s.dh_later);
      later = cell.back(layer, s, s.dc_later, pass.change, grads);
      s.dx = dxs[t] = later.dx;
      if (pass.change.cleared.has(t)) later = { dh: zeros(layer.hidden), dc: zeros(layer.hidden) };
    }
    return dxs;
  },
};

// Two layers, one of which reads backwards; their outputs side by side, or added.
const both = {
  forward(layer, xs, changes) {
    const passes = layer.parts.map((part) => recurrent.forward(part, xs, changes));
    const [there, back] = passes.map((pass) => pass.ys);
    const join = (y, other) => (layer.merge === "sum" ? sum(y, other) : Float64Array.of(...y, ...other));
    return { passes, ys: there.map((y, t) => join(y, back[t])) };
  },
  backward(layer, pass, dys, grads) {
    const H = layer.parts[0].hidden;
    const share = (n) => (layer.merge === "sum" ? dys : dys.map((dy) => dy.slice(n * H, (n + 1) * H)));
    const dxs = layer.parts.map((part, n) =>
      recurrent.backward(part, pass.passes[n], share(n), grads.parts[n]));
    return dxs[0].map((dx, t) => sum(dx, dxs[1][t]));
  },
};

// Functions of one number, each with its slope, of z and of y = f(z).
const FUNCTIONS = {
  tanh: [Math.tanh, (z, y) => 1 - y * y],
  relu: [(z) => Math.max(z, 0), (z) => (z > 0 ? 1 : 0)],
  sigmoid: [sigmoid, (z, y) => y * (1 - y)],
  gelu: [(z) => z * normal(z), (z) => normal(z) + z * density(z)],
  silu: [(z) => z * sigmoid(z), (z, y) => sigmoid(z) + y * (1 - sigmoid(z))],
  softplus: [(z) => Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z))), sigmoid],
};
const density = (x) => Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI);

// The normal distribution: 1/2 + density(x) (x + x^3/3 + x^5/15 + ...)  (Marsaglia 2004).
function normal(x) {
  if (Math.abs(x) > 8) return x > 0 ? 1 : 0;
  let total = x, term = x, before = 0;
  for (let n = 3; total !== before; n += 2) {
    before = total;
    term *= (x * x) / n;
    total += term;
  }
  return 0.5 + density(x) * total;
}

const activation = {
  forward: (layer, xs) => ({ xs, ys: xs.map((x) => x.map(FUNCTIONS[layer.function][0])) }),
  backward: (layer, pass, dys) => dys.map((dy, t) => dy.map(
    (d, k) => d * FUNCTIONS[layer.function][1](pass.xs[t][k], pass.ys[t][k]))),
};

const dense = {
  forward(layer, xs) {
    const w = layer.weights, zs = xs.map((x) => sum(w.b, times(x, w.W, w.b.length)));
    if (!layer.function) return { xs, ys: zs };
    return { xs, inner: activation.forward(layer, zs), get ys() { return this.inner.ys; } };
  },
  backward(layer, pass, dys, grads) {
    const w = layer.weights, columns = w.b.length;
    const dzs = layer.function ? activation.backward(layer, pass.inner, dys) : dys;
    dzs.forEach((dz, t) => {
      addOuter(grads.W, pass.xs[t], dz, columns);
      add(grads.b, dz);
    });
    return dzs.map((dz) => timesTransposed(dz, w.W, columns));
  },
};

const embedding = { // each x is the number of a row of W
  forward: (layer, xs) =>
    ({ xs, ys: xs.map((row) => layer.weights.W.slice(row * layer.dim, (row + 1) * layer.dim)) }),
  backward(layer, pass, dys, grads) {
    const { xs } = pass, { dim } = layer;
    xs.forEach((row, t) => add(grads.W.subarray(row * dim, (row + 1) * dim), dys[t]));
    return dys; // a row's number has no derivative; this is by the row that was looked up
  },
};

const layerNorm = { // n = (x - mean) / scale, y = gain n + b
  forward(layer, xs) {
    const { gain, b } = layer.weights, F = gain.length;
    const rows = xs.map((x) => {
      const mean = x.reduce((a, v) => a + v) / F;
      const scale = Math.sqrt(x.reduce((a, v) => a + (v - mean) ** 2, 0) / F + layer.eps);
      return { scale, n: x.map((v) => (v - mean) / scale) };
    });
    return { rows, ys: rows.map(({ n }) => n.map((v, k) => gain[k] * v + b[k])) };
  },
  backward: (layer, pass, dys, grads) => dys.map((dy, t) => {
    const { scale, n } = pass.rows[t], F = n.length, dn = dy.map((d, k) => d * layer.weights.gain[k]);
    add(grads.b, dy);
    add(grads.gain, dy.map((d, k) => d * n[k]));
    const mean = dn.reduce((a, v) => a + v) / F, along = dot(dn, n) / F;
    return dn.map((d, k) => (d - mean - n[k] * along) / scale);
  }),
};

const flatten = { // all steps side by side
  forward: (layer, xs) => ({ xs, ys: [Float64Array.from(xs.flatMap((x) => [...x]))] }),
  backward: (layer, pass, dys) => pass.xs.map((x, t) => dys[0].slice(t * x.length, (t + 1) * x.length)),
};

const passes_on = { forward: (layer, xs) => ({ ys: xs }), backward: (layer, pass, dys) => dys };

const LAYERS = { recurrent, both, dense, embedding, layerNorm, activation, flatten, passes_on };

// ---- The network: layer after layer forward, and in reverse order backward ---------------------

function forward(network, xs, changes = {}) {
  const passes = [];
  for (const layer of network) {
    passes.push(LAYERS[layer.kind].forward(layer, xs, changes));
    xs = passes[passes.length - 1].ys;
  }
  return { passes, output: xs };
}

function backward(network, run, dys) {
  const grads = network.map(zeroGrads);
  for (let n = network.length - 1; n >= 0; n--) {
    dys = LAYERS[network[n].kind].backward(network[n], run.passes[n], dys, grads[n]);
  }
  return { grads, dxs: dys };
}

function zeroGrads(layer) {
  const grads = { parts: (layer.parts || []).map(zeroGrads) };
  for (const name in layer.weights) grads[name] = zeros(layer.weights[name].length);
  return grads;
}

// ---- What is derived: a loss, or one number of the output --------------------------------------

function softmax(scores) {
  const most = Math.max(...scores), e = scores.map((s) => Math.exp(s - most));
  const total = e.reduce((a, v) => a + v);
  return e.map((v) => v / total);
}

// The value of the question, and its derivative by every number of the output.
//   {score: c}               the score c at the last step
//   {target, classes: true}  cross-entropy -log p[target], the mean over the steps that have one
//   {target}                 mean squared error, as many targets as there are outputs
// `only`: the loss of this step alone.
function asked(output, question) {
  const dys = output.map((y) => zeros(y.length)), last = output.length - 1;
  if (question.score !== undefined) {
    dys[last][question.score] = 1;
    return { value: output[last][question.score], dys };
  }
  const counts = output.map((_, t) => t).filter((t) => question.target[t] !== null
    && (question.only === undefined || question.only === t));
  let value = 0;
  for (const t of counts) {
    const target = question.target[t];
    if (question.classes) {
      const p = softmax(output[t]);
      value -= Math.log(p[target]) / counts.length;
      p.forEach((q, k) => { dys[t][k] = (q - (k === target ? 1 : 0)) / counts.length; });
    } else {
      const numbers = counts.length * target.length;
      target.forEach((wanted, k) => {
        const error = output[t][k] - wanted;
        value += error ** 2 / numbers;
        dys[t][k] = (2 * error) / numbers;
      });
    }
  }
  return { value, dys };
}

// ---- Is it right?  Two answers: finite differences, and the numbers of rnnlite ----------------

// Every array of weights with its gradient and its name, and the numbers of x.
function* withGradients(network, grads, prefix = "") {
  for (let n = 0; n < network.length; n++) {
    const layer = network[n];
    for (const name in layer.weights) {
      yield { name: layer.key ? `${layer.key}.${name}` : name, numbers: layer.weights[name], gradient: grads[n][name] };
    }
    yield* withGradients(layer.parts || [], grads[n].parts);
  }
}

// The numbers to check: of each array the one with the largest gradient, and others at random, of
// those that have one (most rows of an embedding are not looked up).
function* numbersToCheck(arrays, each, seed = 1) {
  for (const { name, numbers, gradient } of arrays) {
    let largest = 0;
    gradient.forEach((d, k) => { if (Math.abs(d) > Math.abs(gradient[largest])) largest = k; });
    const chosen = new Set([largest]), some = [...numbers.keys()].filter((k) => gradient[k] !== 0);
    while (chosen.size < Math.min(each, some.length)) {
      seed = (seed * 48271) % 2147483647; // Park & Miller 1988
      chosen.add(some[seed % some.length]);
    }
    const scale = Math.abs(gradient[largest]);
    for (const k of chosen) yield { name, k, numbers, ours: gradient[k], scale };
  }
}

// (L(w + e) - L(w - e)) / 2e: what the derivative must be, computed without it.
function difference(numbers, k, loss, e = 1e-5) {
  const w = numbers[k];
  numbers[k] = w + e;
  const above = loss();
  numbers[k] = w - e;
  const below = loss();
  numbers[k] = w;
  return (above - below) / (2 * e);
}

// The largest difference between the lists of vectors, and the largest number of the second.
function compare(mine, theirs) {
  let apart = mine.length === theirs.length ? 0 : Infinity, largest = 0;
  theirs.forEach((row, t) => row.forEach((value, k) => {
    const d = Math.abs(value - mine[t][k]);
    apart = d <= apart ? apart : d; // NaN is the largest
    largest = Math.max(largest, Math.abs(value));
  }));
  return { apart, largest };
}
