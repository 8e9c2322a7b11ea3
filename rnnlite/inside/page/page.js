// The controls of time, question, layer and unit; and the beginning of it all.

// ---- Time --------------------------------------------------------------------------------------

function showTime() {
  const T = state.xs.length, slider = $("slider");
  slider.max = 2 * T - 1;
  slider.value = state.position;
  const text = now.phase === "forward" ? `forward, t = ${now.t} of 0 to ${T - 1}` : `backward, t = ${now.t} of ${T - 1} to 0`;
  $("now").textContent = text;
  slider.setAttribute("aria-valuetext", text);
}

function go(position) {
  state.position = Math.max(0, Math.min(position, 2 * state.xs.length - 1));
  showAll();
}
const goTo = (t) => { // the same half, another step
  const place = now.reading.indexOf(t), T = state.xs.length;
  go(now.phase === "forward" ? place : 2 * T - 1 - place);
};

function play(on) {
  clearInterval(state.playing);
  state.playing = null;
  if (on) {
    if (state.position === 2 * state.xs.length - 1) go(0);
    const pause = Math.max(60, Math.min(350, 12000 / state.xs.length));
    state.playing = setInterval(() => {
      go(state.position + 1);
      if (state.position === 2 * state.xs.length - 1) play(false);
    }, pause);
  }
  $("play").textContent = on ? "⏸\uFE0E pause" : "▶\uFE0E play";
}

function setUpTime() {
  $("first").onclick = () => go(0);
  $("back").onclick = () => go(state.position - 1);
  $("on").onclick = () => go(state.position + 1);
  $("end").onclick = () => go(Infinity);
  $("play").onclick = () => play(!state.playing);
  $("slider").oninput = () => go(Number($("slider").value));
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.target.closest("input, select, textarea, .draws")) return;
    const acts = {
      ArrowLeft: () => go(state.position - 1), ArrowRight: () => go(state.position + 1),
      Home: () => go(0), End: () => go(Infinity),
    };
    if (event.key === " " && !event.target.closest("button, summary")) acts[" "] = () => play(!state.playing);
    if (acts[event.key]) {
      event.preventDefault();
      acts[event.key]();
    }
  });
}

// ---- What comes back ---------------------------------------------------------------------------

function setUpAsking() {
  const options = [];
  const hasTargets = examples.some((example) => example.target);
  const canEdit = page.every && page.characters && page.names && page.names.length === page.characters.length;
  if (page.every && (hasTargets || canEdit)) options.push(["loss", "the loss, mean of all steps"], ["last", "the loss of the last step alone"]);
  else if (page.classes && !page.every) options.push(["loss", "the loss, if it is"]);
  else if (hasTargets) options.push(["loss", "the loss"]);
  options.push(["score", page.classes ? "the score of" : "output"]);
  $("ask").replaceChildren(...options.map(([value, text]) => element("option", { value }, text)));
  const { question } = page.recorded;
  state.ask = question.score === undefined ? "loss" : "score";
  if (question.score !== undefined) state.which = question.score;
  $("ask").value = state.ask;
  $("ask").onchange = () => { state.ask = $("ask").value; recompute(); };
  $("which").onchange = () => { state.which = Number($("which").value); recompute(); };
  $("ask").disabled = $("which").disabled = !network;
}

function fillWhich() {
  const C = now.output[0].length, select = $("which");
  if (select.length !== C) select.replaceChildren(...Array.from({ length: C }, (_, c) => element("option", { value: c }, nameOf(c))));
  select.value = state.which;
  $("which-label").hidden = !(state.ask === "score" || (page.classes && !page.every));
}

function showAsked() {
  if (!network) { $("asked").textContent = ""; return; }
  const { question, value } = now;
  $("asked").textContent = question.score !== undefined
    ? `L is ${page.classes ? `the score of ${quoted(question.score)}, before the softmax,` : `output ${nameOf(question.score)}`} after the last step: L = ${shown(value)}.`
    : `L is the ${question.classes ? "cross-entropy, −log of the probability of what is right" : "mean squared error"}: L = ${shown(value)}.`;
}

// ---- Layer and unit ----------------------------------------------------------------------------

function choose(unit) {
  state.unit = Math.max(0, Math.min(unit, state.layer.hidden - 1));
  $("unit").value = state.unit;
  $("unit").max = state.layer.hidden - 1;
  showAll();
}

// Forward: the unit that adds most to the best score, or the one with the largest h.  Backward: by dh.
function tellingUnit() {
  const { steps, t, phase, layer, answers } = now, s = steps[t];
  let weight = (k) => Math.abs(s.h[k]);
  if (phase === "backward" && s.dh) weight = (k) => Math.abs(s.dh[k]);
  else if (layer.readout && answers) {
    const best = answers[t].indexOf(Math.max(...answers[t]));
    if (contributions(layer, s, 0)[best] !== undefined) weight = (k) => contributions(layer, s, k)[best];
  }
  let found = 0;
  for (let k = 1; k < layer.hidden; k++) if (weight(k) > weight(found)) found = k;
  return found;
}

function setUpUnits() {
  $("layer").replaceChildren(...layers.map((layer, n) => element("option", { value: n }, `${layer.key}: ${layer.title}`)));
  $("layer").value = layers.length - 1;
  $("layer-label").hidden = layers.length === 1;
  $("layer").onchange = () => {
    state.layer = layers[Number($("layer").value)];
    if (!network) compute();
    scales.clear();
    settle();
    setUpChanges();
    choose(state.unit);
  };
  $("unit").oninput = () => { if ($("unit").value !== "") choose(Math.round(Number($("unit").value))); };
  $("telling").onclick = () => choose(tellingUnit());
  $("weights").ontoggle = () => showUnit();
}

// ---- Begin -------------------------------------------------------------------------------------

function showScale() {
  const canvas = element("canvas", { role: "img", "aria-label": "colours from negative to positive" });
  picture(canvas, [Float64Array.from({ length: 41 }, (_, k) => (k - 20) / 20)], 1);
  $("scale").replaceChildren("Colours: − ", canvas, " +");
}

function begin() {
  const T = examples[0].x.length, reads = isPicture ? "row of the picture" : page.characters ? "character" : "input";
  $("model").textContent = `${page.title}, ${page.parameters.toLocaleString("en")} parameters`;
  document.title = `Inside ${page.title}`;
  $("lead").textContent = `This is a trained network with all its weights${network ? ", and it runs in this page" : ""}. It reads one ${reads} at a time. `
    + `Move through its ${T} steps: forward to see what it computes, then backward to see the derivative come back through the same steps (backpropagation through time).`;
  takeExample(0);
  setUpAsking();
  setUpTime();
  setUpUnits();
  setUpChanges();
  setUpInput();
  if (network) $("check-button").onclick = checkGradient;
  else $("check").hidden = $("source").hidden = true;
  compute();
  state.position = state.xs.length - 1;
  settle();
  state.unit = tellingUnit();
  state.position = Math.floor(state.xs.length / 2);
  fillWhich();
  showInput();
  choose(state.unit);
  showAgreement();
  showScale();
  const again = () => { showScale(); showAll(); };
  dark.addEventListener("change", again);
  addEventListener("beforeprint", () => { printing = true; again(); });
  addEventListener("afterprint", () => { printing = false; again(); });
  let width = innerWidth;
  addEventListener("resize", () => { if (innerWidth !== width) { width = innerWidth; showAll(); } });
}
begin();
