// What if?  A gate is held, the state is cleared, tanh is left out.

const isChanged = () => Object.values(state.changes).some((change) =>
  change.identity || change.cleared.size || Object.keys(change.held).length);

function changeOf(layer) {
  if (!state.changes[layer.key]) state.changes[layer.key] = { held: {}, identity: false, cleared: new Set() };
  return state.changes[layer.key];
}

function hold(gate, value, everywhere) {
  const { held } = changeOf(state.layer);
  if (!held[gate]) held[gate] = new Float64Array(state.layer.hidden).fill(NaN);
  if (everywhere) held[gate].fill(value);
  else held[gate][state.unit] = value;
  if (held[gate].every(Number.isNaN)) delete held[gate];
  recompute();
}

function setUpChanges() {
  if (!network) { $("whatif").hidden = true; return; }
  const { layer } = state, rows = layer.shown.gates.flatMap((gate) => {
    const values = gate === "g" || gate === "n" ? [-1, 0, 1] : [0, 1];
    const select = element("select", { id: `hold-${gate}`, onchange: () => hold(gate, select.value === "" ? NaN : Number(select.value), $("scope").value === "all") },
      element("option", { value: "" }, "as computed"), ...values.map((v) => element("option", { value: v }, `held at ${shown(v)}`)));
    return [element("label", { for: select.id }, element("i", {}, gate), `, ${MEANINGS[gate]}`), select];
  });
  const relu = layer.cell === "RNN" && layer.activation === "relu";
  $("changes").replaceChildren(
    ...(rows.length ? [element("label", { class: "controls" }, "hold it in ", element("select", { id: "scope", onchange: showChanges },
      element("option", { value: "all" }, "all units"), element("option", { value: "one" }, "the chosen unit alone")))] : []),
    element("div", { class: "gates" }, ...rows),
    element("p", {}, element("label", {}, element("input", { type: "checkbox", id: "identity", onchange: (event) => { changeOf(state.layer).identity = event.target.checked; recompute(); } }),
      ` no ${relu ? "ReLU" : "tanh"}: the number itself`)),
    element("div", { class: "controls" },
      element("button", { type: "button", id: "forget", "aria-pressed": "false", onclick: () => {
        const { cleared } = changeOf(state.layer);
        if (!cleared.delete(now.t)) cleared.add(now.t);
        recompute();
      } }, ""),
      element("button", { type: "button", id: "reset", onclick: () => { state.changes = {}; recompute(); } }, "put everything back")));
}

function showChanges() {
  if (!network) return;
  const { layer } = state, change = state.changes[layer.key] || NOTHING;
  for (const gate of layer.shown.gates) {
    const held = change.held[gate], value = held ? held[state.unit] : NaN;
    $(`hold-${gate}`).value = Number.isNaN(value) ? "" : String(value);
  }
  $("identity").checked = change.identity;
  $("forget").textContent = `clear the state before step ${now.t}`;
  $("forget").setAttribute("aria-pressed", String(change.cleared.has(now.t)));
  $("reset").disabled = !isChanged();
  $("whatif").classList.toggle("some", isChanged());
  $("changed").replaceChildren(...(isChanged() ? [element("strong", {}, "Changed: "), `${changesInWords()}. `, difference_made()] : []));
}

function changesInWords() {
  return Object.entries(state.changes).flatMap(([key, change]) => {
    const found = Object.entries(change.held).map(([gate, values]) => {
      const some = [...new Set(values.filter((v) => !Number.isNaN(v)))], count = values.filter((v) => !Number.isNaN(v)).length;
      return `${gate} = ${some.map((v) => shown(v)).join(" or ")} in ${count === values.length ? "all units" : count === 1 ? "one unit" : `${count} units`}`;
    });
    if (change.identity) found.push("no tanh or ReLU");
    if (change.cleared.size) found.push(`state cleared before ${change.cleared.size === 1 ? "step" : "steps"} ${[...change.cleared].sort((a, b) => a - b).join(", ")}`);
    return found.map((text) => (layers.length > 1 ? `layer ${key}: ${text}` : text));
  }).join("; ");
}

function difference_made() {
  const last = now.output.length - 1, [before, after] = [now.untouched[last], now.output[last]];
  const told = (scores) => {
    const values = page.classes ? softmax(scores) : scores, best = values.indexOf(Math.max(...values));
    return page.classes ? `${nameOf(best)} with ${shown(values[best])}` : [...values].slice(0, 4).map((v) => shown(v)).join(", ");
  };
  return `The answer was ${told(before)}; now it is ${told(after)}.`;
}
