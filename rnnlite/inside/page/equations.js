// The equations of one step with this step's numbers in them, as MathML.

const MATHML = "http://www.w3.org/1998/Math/MathML";
function mathml(name, ...children) {
  const made = document.createElementNS(MATHML, name);
  made.append(...children);
  return made;
}

// Words with spaces between them:  math("c_t = f · c_t−1 + i · g").
// "_" lowers what follows it; "∂h_t" is the derivative of the loss by h_t; numbers are numbers.
function math(text, className) {
  const words = text.split(" ").filter(Boolean).map((word) => {
    if (/^[−]?[\d.]+(×10.*)?$/.test(word) || /^(NaN|−?Infinity)$/.test(word)) return mathml("mn", word);
    if (word.startsWith("∂")) {
      return mathml("mfrac", mathml("mrow", mathml("mi", "∂"), mathml("mi", "L")),
        mathml("mrow", mathml("mi", "∂"), name(word.slice(1))));
    }
    return /^[\p{L}]/u.test(word) ? name(word) : mathml("mo", word);
  });
  const made = mathml("math", mathml("mrow", ...words));
  made.setAttribute("display", "block");
  if (className) made.setAttribute("class", className);
  return made;
}

function name(word) {
  const [base, ...lowered] = word.replace("²", "").split("_"), mi = mathml("mi", base);
  const below = lowered.length && mathml("mi", lowered.join("_")), two = word.includes("²") && mathml("mn", "2");
  if (below && two) return mathml("msubsup", mi, below, two);
  return below ? mathml("msub", mi, below) : two ? mathml("msup", mi, two) : mi;
}

// A number as it stands among others: a negative one in brackets.
const num = (value) => (value < 0 ? `( ${shown(value)} )` : shown(value));

// The parts of z for one unit: from x, from h and the bias.
function partsOfZ(layer, s, gate, k) {
  const w = layer.weights, H = layer.hidden, columns = w.b.length;
  const column = CELLS[layer.cell].gates.indexOf(gate) * H + k;
  const through = (v, W) => v.reduce((total, value, r) => total + value * W[r * columns + column], 0);
  const parts = [through(s.x, w.Wx), through(s.before.h, w.Wh), w.b[column]];
  if (w.bh) parts[2] += w.bh[column];
  return parts;
}

// Lines of the step of unit k: [symbols, numbers] each.
const FORWARD = {
  LSTM(layer, s, k, change) {
    const clip = Number.isFinite(layer.clip), w = layer.weights;
    const tanh = change.identity ? "" : "tanh", value = (v) => num(v[k]);
    const gate = (name, f, meaning) => {
      if (isHeld(change, name, k)) return [`${name}_t = ${shown(s[name][k])}`, "", `${meaning}, held by you`];
      const parts = partsOfZ(layer, s, name, k).map(num);
      const seen = w[`p_${name}`] ? ` + ${num(w[`p_${name}`][k] * (name === "o" ? s.c : s.before.c)[k])}` : "";
      const inside = `${parts.join(" + ")}${seen}`;
      return [`${name}_t = ${f} ( ${clip ? "clip " : ""}z_${name} )`,
        `= ${f} ( ${inside} ) = ${shown(s[name][k])}`, meaning];
    };
    return [
      gate("f", "σ", "forget gate: how much of the old cell state stays"),
      gate("i", "σ", "input gate: how much of the candidate comes in"),
      gate("g", tanh, "candidate: what could come in"),
      ["c_t = f_t · c_t−1 + i_t · g_t",
        `= ${value(s.f)} · ${value(s.before.c)} + ${value(s.i)} · ${value(s.g)} = ${shown(s.c[k])}`, "cell state: the memory"],
      gate("o", "σ", "output gate: how much of the memory is shown"),
      [`h_t = o_t · ${tanh} ( c_t )`, `= ${value(s.o)} · ${tanh} ( ${shown(s.c[k])} ) = ${shown(s.h[k])}`, "hidden state: what the other units and the next layer see"],
    ];
  },

  GRU(layer, s, k, change) {
    const tanh = change.identity ? "" : "tanh", value = (v) => num(v[k]);
    const gate = (name, meaning) => {
      if (isHeld(change, name, k)) return [`${name}_t = ${shown(s[name][k])}`, "", `${meaning}, held by you`];
      return [`${name}_t = σ ( z_${name} )`,
        `= σ ( ${partsOfZ(layer, s, name, k).map(num).join(" + ")} ) = ${shown(s[name][k])}`, meaning];
    };
    const fromH = s.h_n[k], fromX = s.z_n[k] - (layer.resetAfter ? s.r[k] * fromH : fromH);
    const candidate = layer.resetAfter
      ? [`n_t = ${tanh} ( x_n + r_t · h_n )`, `= ${tanh} ( ${num(fromX)} + ${value(s.r)} · ${num(fromH)} ) = ${shown(s.n[k])}`]
      : [`n_t = ${tanh} ( x_n + W_n ( r_t · h_t−1 ) )`, `= ${tanh} ( ${num(fromX)} + ${num(fromH)} ) = ${shown(s.n[k])}`];
    return [
      gate("r", "reset gate: how much of the old state the candidate sees"),
      gate("z", "update gate: how much of the old state stays"),
      isHeld(change, "n", k) ? [`n_t = ${shown(s.n[k])}`, "", "candidate, held by you"] : [...candidate, "candidate: what could replace the old state"],
      ["h_t = ( 1 − z_t ) · n_t + z_t · h_t−1",
        `= ${shown(1 - s.z[k])} · ${value(s.n)} + ${value(s.z)} · ${value(s.before.h)} = ${shown(s.h[k])}`, "hidden state: memory and answer in one"],
    ];
  },

  RNN(layer, s, k, change) {
    const f = change.identity ? "" : layer.activation;
    return [[`h_t = ${f} ( z_h )`,
      `= ${f} ( ${partsOfZ(layer, s, "h", k).map(num).join(" + ")} ) = ${shown(s.h[k])}`, "hidden state: made anew at every step"]];
  },
};

// The same step on the way back.
const arrived = (s, k) => ["∂h_t = own + later",
  `= ${num(s.dh_own[k])} + ${num(s.dh_later[k])} = ${shown(s.dh[k])}`,
  "what the output of this step says, and what comes back from the next step"];
const sigmoidLine = (s, name, through, numbers, k, meaning) => [
  `∂z_${name} = ${through} · ${name}_t · ( 1 − ${name}_t )`,
  `= ${numbers} · ${num(s[name][k])} · ${num(1 - s[name][k])} = ${shown(s[`dz_${name}`][k])}`, meaning];
const heldLine = (name) => [`∂z_${name} = 0`, "", "held by you: it depends on nothing"];

const BACKWARD = {
  LSTM(layer, s, k, change) {
    const limit = layer.clip, c = squash(change, bound(s.c[k], limit)), tanh = change.identity ? "" : "tanh";
    const slope = change.identity ? "" : "· ( 1 − tanh² c_t )";
    const slopeNumber = within(s.c[k], limit, squashSlope(change, c));
    const dc = num(s.dc[k]), dh = num(s.dh[k]), line = (name, ...rest) => (isHeld(change, name, k)
      ? heldLine(name) : within(s[`z_${name}`][k], limit, 1) ? sigmoidLine(s, name, ...rest, k, "")
        : [`∂z_${name} = 0`, "", "z is beyond the clip: no slope"]);
    const peephole = layer.weights.p_o ? [" + p_o · ∂z_o", ` + ${num(layer.weights.p_o[k] * s.dz_o[k])}`] : ["", ""];
    return [
      arrived(s, k),
      line("o", `∂h_t · ${tanh} ( c_t )`, `${dh} · ${num(c)}`),
      [`∂c_t = later + ∂h_t · o_t ${slope}${peephole[0]}`,
        `= ${num(s.dc_later[k])} + ${dh} · ${num(s.o[k])}${change.identity ? "" : ` · ${num(slopeNumber)}`}${peephole[1]} = ${shown(s.dc[k])}`,
        "what comes back along the memory, and what comes through h"],
      line("f", "∂c_t · c_t−1", `${dc} · ${num(s.before.c[k])}`),
      line("i", "∂c_t · g_t", `${dc} · ${num(s.g[k])}`),
      isHeld(change, "g", k) ? heldLine("g")
        : [`∂z_g = ∂c_t · i_t${change.identity ? "" : " · ( 1 − g_t² )"}`,
          `= ${dc} · ${num(s.i[k])}${change.identity ? "" : ` · ${num(1 - s.g[k] ** 2)}`} = ${shown(s.dz_g[k])}`, ""],
      [`∂c_t−1 = ∂c_t · f_t${layer.weights.p_i ? " + ⋯" : ""}`, `= ${dc} · ${num(s.f[k])}${layer.weights.p_i ? " + ⋯" : ""}`
        + (layer.weights.p_i ? "" : ` = ${shown(s.dc[k] * s.f[k])}`),
        "goes back to the step before: where the forget gate is near 1, the gradient does not fade"],
    ];
  },

  GRU(layer, s, k, change) {
    const line = (name, ...rest) => (isHeld(change, name, k) ? heldLine(name) : sigmoidLine(s, name, ...rest, k, ""));
    const dr = s.r[k] > 0 && s.r[k] < 1 ? s.dz_r[k] / (s.r[k] * (1 - s.r[k])) : 0;
    return [
      arrived(s, k),
      line("z", "∂h_t · ( h_t−1 − n_t )", `${num(s.dh[k])} · ${num(s.before.h[k] - s.n[k])}`),
      isHeld(change, "n", k) ? heldLine("n")
        : [`∂z_n = ∂h_t · ( 1 − z_t )${change.identity ? "" : " · ( 1 − n_t² )"}`,
          `= ${num(s.dh[k])} · ${num(1 - s.z[k])}${change.identity ? "" : ` · ${num(1 - s.n[k] ** 2)}`} = ${shown(s.dz_n[k])}`, ""],
      line("r", "∂r_t", num(dr)),
      ["∂h_t−1 = ∂h_t · z_t + ⋯", `= ${num(s.dh[k])} · ${num(s.z[k])} + ⋯`,
        "goes back to the step before, beside what goes through the gates of all units"],
    ];
  },

  RNN(layer, s, k, change) {
    const relu = layer.activation === "relu";
    const slope = change.identity ? "" : relu ? "· [ h_t > 0 ]" : "· ( 1 − h_t² )";
    const number = change.identity ? 1 : relu ? Number(s.h[k] > 0) : 1 - s.h[k] ** 2;
    return [
      arrived(s, k),
      [`∂z_h = ∂h_t ${slope}`, `= ${num(s.dh[k])} · ${num(number)} = ${shown(s.dz_h[k])}`, ""],
      ["∂h_t−1 = W_h · ∂z_h", "", "goes back through the recurrent weights of all units: step after step a factor, so it fades or grows"],
    ];
  },
};

const isHeld = (change, gate, k) => Boolean(change.held[gate]) && !Number.isNaN(change.held[gate][k]);
