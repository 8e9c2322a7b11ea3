// Is it right?  The page against rnnlite, and its gradient against finite differences.

// This page against the numbers that rnnlite recorded on the first example.
function agreement() {
  const xs = examples[0].x, run = forward(network, xs), { question } = page.recorded;
  const { dys } = asked(run.output, question), { dxs } = backward(network, run, dys);
  const pairs = [["output", run.output, rowsOf(page.recorded.output)]];
  if (page.recorded.dx) pairs.push(["dx", dxs, rowsOf(page.recorded.dx)]);
  for (const key in page.recorded.layers) {
    const { steps } = passOf(run, key);
    for (const [name, packed] of Object.entries(page.recorded.layers[key])) {
      pairs.push([key ? `${key}.${name}` : name, steps.map((s) => s[name]), rowsOf(packed)]);
    }
  }
  return pairs.map(([name, mine, theirs]) => {
    const { apart, largest: most } = compare(mine, theirs);
    return { name, count: theirs.length * theirs[0].length, apart, most, agrees: apart <= Math.max(1e-5 * most, 1e-12) };
  });
}

const tableOf = (head, rows) => element("div", { class: "scroll" }, element("table", {},
  element("thead", {}, element("tr", {}, ...head.map((text) => element("th", { scope: "col" }, text)))),
  element("tbody", {}, ...rows.map((row) => element("tr", {}, ...row.map((text) => element("td", {}, text)))))));

function showAgreement() {
  const box = $("verdict");
  if (!network) {
    box.textContent = "recorded by rnnlite; this page does not compute it";
    $("about-text").textContent = "The page has no code for a layer of this network. What it shows was computed by rnnlite on one example, in float64.";
    return;
  }
  const rows = agreement(), bad = rows.filter((row) => !row.agrees);
  box.className = bad.length ? "differs" : "agrees";
  box.textContent = bad.length ? `does not agree with rnnlite: ${bad[0].name} differs by ${shown(bad[0].apart)}` : "agrees with rnnlite to 1e-5";
  $("about-text").textContent = "When the page was made, rnnlite ran the network on the first example, forward and backward, and wrote its numbers into the page. "
    + "The page computed them again when you opened it. An array agrees if no number differs by more than 1e-5 of the largest in it.";
  $("agreement").replaceChildren(tableOf(["array", "numbers", "largest", "largest difference", ""],
    rows.map((row) => [row.name, String(row.count), shown(row.most), shown(row.apart), row.agrees ? "agrees" : "does not agree"])));
}

function* checks() {
  const loss = () => asked(forward(network, state.xs, state.changes).output, now.question).value;
  const arrays = [...withGradients(network, now.grads)];
  const places = {};
  for (const key in weights) for (const name in weights[key]) places[key ? `${key}.${name}` : name] = weights[key][name];
  if (page.input.kind !== "indices") {
    const t = now.dxs.reduce((best, dx, at) => (norm(dx) > norm(now.dxs[best]) ? at : best), 0);
    arrays.push({ name: `x[${t}]`, numbers: state.xs[t], gradient: now.dxs[t] });
  }
  for (const { name, k, numbers, ours, scale } of numbersToCheck(arrays, 4)) {
    const estimate = difference(numbers, k, loss), apart = Math.abs(estimate - ours);
    const array = places[name], matrix = array && array.shape.length > 1;
    const place = matrix ? `[${Math.floor(k / array.columns)}, ${k % array.columns}]` : `[${k}]`;
    yield { name: (name + place).replace("][", ", "), ours, estimate, apart: apart / (scale || 1), agrees: apart <= 1e-6 * scale + 1e-9 };
  }
}

function checkGradient() {
  play(false);
  $("check-button").disabled = true;
  const found = [], all = checks();
  const some = () => { // for some 30 ms at a time, so that the page stays alive
    const until = performance.now() + 30;
    let next = all.next();
    while (!next.done) {
      found.push(next.value);
      if (performance.now() > until) break;
      next = all.next();
    }
    const done = next.done, bad = found.filter((row) => !row.agrees), worst = Math.max(...found.map((row) => row.apart));
    $("check-verdict").className = bad.length ? "differs" : "agrees";
    $("check-verdict").textContent = !done ? `${found.length} numbers ...`
      : bad.length ? `${bad.length} of ${found.length} numbers differ: something is wrong, first at ${bad[0].name}.`
        : `All ${found.length} numbers agree; the largest difference is ${shown(worst)} of the largest gradient in its array.`;
    if (!done) { setTimeout(some, 0); return; }
    $("check-table").replaceChildren(tableOf(["number", "came back", "from differences", "apart", ""],
      found.map((row) => [row.name, shown(row.ours, 6), shown(row.estimate, 6), shown(row.apart), row.agrees ? "✓" : "✗ differs"])));
    $("check-button").disabled = false;
  };
  some();
}
