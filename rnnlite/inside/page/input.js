// The input: to look at, to choose, to edit and to draw.

// ---- What it reads, and how to change it -------------------------------------------------------

const indexOf = (x) => (page.input.kind === "one_hot" ? x.indexOf(1) : x);
const textOf = (xs) => xs.map((x) => page.characters[indexOf(x)]).join("");
const pictureScale = Math.max(Math.abs(page.input.low || 0), Math.abs(page.input.high || 0)) || 1;

// The controls for x as it is now: made anew only when x has changed from outside.
function showInput() {
  const field = $("text-field");
  if (field && document.activeElement !== field) field.value = textOf(state.xs);
  [...$("examples").children].forEach((button, n) => button.setAttribute("aria-pressed", String(n === state.example)));
}

function setUpInput() {
  const editable = Boolean(network);
  if (editable && examples.length > 1) {
    $("examples").replaceChildren(...examples.map((example, n) => {
      const label = page.characters ? textOf(example.x).slice(0, 12) : String(n);
      const canvas = element("canvas");
      if (isPicture) picture(canvas, example.x, pictureScale);
      return element("button", {
        type: "button", "aria-label": `example ${n}`, "aria-pressed": "false",
        onclick: () => { takeExample(n); recompute(); },
      }, isPicture ? canvas : label);
    }));
  }
  const box = $("input");
  if (page.characters) {
    if (editable) {
      box.append(element("label", {}, "text, to be edited:", element("textarea", { id: "text-field", spellcheck: "false", oninput: readText })),
        element("p", { id: "text-problem", class: "differs", role: "status" }));
    }
    box.append(element("div", { id: "letters", class: "letters" }));
  } else if (page.input.kind === "indices") {
    box.append(element("div", { id: "letters", class: "letters" }), element("div", { id: "numbers", class: "numbers" }));
  } else {
    const canvas = element("canvas", { id: "pad", class: isPicture ? "large" : "wide", role: "img", "aria-label": "the input, one row for each step" });
    if (!isPicture) canvas.style.height = `${Math.max(60, Math.min(240, 14 * state.xs.length))}px`;
    const frame = element("div", { class: "frame" }, canvas, element("span", { class: "rowmark", id: "rowmark" }));
    if (!isPicture) frame.classList.add("wide");
    const saliency = element("canvas", { id: "saliency", class: isPicture ? "large" : "wide", role: "img", "aria-label": "derivative by each number of the input" });
    if (!isPicture) saliency.style.height = canvas.style.height;
    const drawing = isPicture && editable;
    box.append(element("div", { class: "pictures" },
      element("figure", { class: isPicture ? "" : "wide" }, frame, element("figcaption", {}, drawing ? "Draw on it, with mouse or finger." : "x, one row for each step")),
      element("figure", { id: "saliency-figure", class: isPicture ? "" : "wide" }, element("div", { class: isPicture ? "frame" : "frame wide" }, saliency),
        element("figcaption", {}, "∂L/∂x: how L changes with each number"))));
    if (drawing) setUpDrawing(canvas, frame);
    else if (!isPicture) box.append(element("div", { id: "numbers", class: "numbers" }));
  }
  if (!editable) {
    $("reading-note").textContent = `${page.reason}: this page cannot run it, and shows what rnnlite recorded on one example. Nothing can be changed.`;
  } else if (page.rows > examples.length) {
    $("reading-note").textContent = `${examples.length} of ${page.rows} examples are in this page.`;
  }
}

function readText() {
  const characters = [...$("text-field").value], unknown = characters.find((c) => !page.characters.includes(c));
  const problem = unknown !== undefined ? `${visibleCharacter(unknown)} is not among the ${page.characters.length} characters this network knows.`
    : characters.length === 0 ? "It needs one character at least."
      : characters.length > 300 ? "300 characters at most, or the page grows slow." : "";
  $("text-problem").textContent = problem;
  if (problem) return;
  const numbers = characters.map((c) => page.characters.indexOf(c));
  state.example = -1;
  state.xs = page.input.kind === "one_hot"
    ? numbers.map((n) => Float64Array.from(page.characters, (_, k) => (k === n ? 1 : 0))) : numbers;
  if (page.every && page.names && page.names.length === page.characters.length) {
    state.target = [...numbers.slice(1), null]; // what follows is right
  }
  state.position = Math.min(state.position, 2 * state.xs.length - 1);
  recomputeSoon();
}

function showReading() {
  const { t, phase, came, seen } = now, T = state.xs.length;
  const letters = $("letters");
  if (letters) {
    const lengths = now.dxs && now.dxs.map((dx) => norm(dx)), most = lengths && Math.max(...lengths);
    const back = phase === "backward" && lengths;
    letters.replaceChildren(...state.xs.map((x, at) => {
      const text = page.characters ? visibleCharacter(page.characters[indexOf(x)]) : String(x);
      const value = back ? (came[at] ? lengths[at] / most : 0) : now.steps[at].h[state.unit];
      const shade = seen[at] ? colour(value) : null;
      const button = element("button", { type: "button", tabindex: -1, "aria-label": `step ${at}, ${text}`, class: `${at === t ? "at" : ""} ${seen[at] ? "" : "after"}`, onclick: () => goTo(at) },
        page.characters ? text : ` ${text} `);
      if (shade) {
        button.style.backgroundColor = `rgb(${shade})`;
        button.style.color = 0.3 * shade[0] + 0.59 * shade[1] + 0.11 * shade[2] > 128 ? "#111111" : "#ffffff";
      }
      return button;
    }));
    letters.title = back ? "coloured by how much L changes with each" : `coloured by h of unit ${state.unit}`;
    if (network && page.characters) {
      $("reading-note").textContent = back
        ? "Coloured by the length of the derivative of L by each character: what the answer hangs on."
        : `Coloured by the hidden state of unit ${state.unit}: does it stand for something? Click a character to go there.`;
    }
  }
  if ($("pad")) {
    picture($("pad"), state.xs, pictureScale);
    $("rowmark").style.top = `calc(${(100 * t) / T}% - 2px)`;
    $("rowmark").style.height = `calc(${100 / T}% + 4px)`;
    $("saliency-figure").hidden = phase === "forward" || !now.dxs;
    if (!$("saliency-figure").hidden) picture($("saliency"), now.dxs.map((dx, at) => (came[at] ? dx : null)), largest(now.dxs), now.dxs[0].length);
  }
  if ($("numbers") && document.activeElement.parentElement?.parentElement !== $("numbers")) showNumbers(t);
}

// The numbers of the step, to be edited where the page can run the network.
function showNumbers(t) {
  const whole = page.input.kind === "indices", x = whole ? [state.xs[t]] : state.xs[t];
  const fields = Array.from(x.slice(0, 24), (value, k) => element("label", {}, whole ? `x, t = ${t}` : `x[${k}], t = ${t}`,
    element("input", {
      type: "number", step: whole ? 1 : "any", min: whole ? 0 : null, max: whole ? page.input.size - 1 : null,
      value: String(Number(value.toPrecision(5))), disabled: network ? null : "", oninput: (event) => {
        const value = Number(event.target.value);
        if (event.target.value === "" || !event.target.checkValidity()) return;
        state.example = -1;
        if (whole) state.xs[t] = value;
        else state.xs[t][k] = value;
        recomputeSoon();
      },
    })));
  if (x.length > 24) fields.push(element("p", { class: "note" }, `and ${x.length - 24} more`));
  $("numbers").replaceChildren(...fields);
}

// ---- Drawing -----------------------------------------------------------------------------------

function setUpDrawing(canvas, frame) {
  const { low, high } = page.input, pen = { row: 14, column: 14, down: false };
  canvas.classList.add("draws");
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "application");
  canvas.setAttribute("aria-label", "Draw a digit. Arrow keys move the pen, space puts it down or lifts it.");
  const mark = element("span", { class: "pen", hidden: "" });
  frame.append(mark);

  const dab = (row, column) => { // ink that is full within a pixel, and fades over the next
    state.xs.forEach((x, r) => x.forEach((value, k) => {
      const ink = Math.max(0, Math.min(1, 1.9 - Math.hypot(r + 0.5 - row, k + 0.5 - column)));
      x[k] = Math.max(value, low + ink * (high - low));
    }));
    state.example = -1;
    recomputeSoon();
  };
  let before = null;
  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return { row: ((event.clientY - box.top) / box.height) * 28, column: ((event.clientX - box.left) / box.width) * 28 };
  };
  const draw = (event) => {
    const here = place(event), from = before || here;
    const steps = Math.ceil(2 * Math.hypot(here.row - from.row, here.column - from.column)) || 1;
    for (let n = 1; n <= steps; n++) {
      dab(from.row + (n / steps) * (here.row - from.row), from.column + (n / steps) * (here.column - from.column));
    }
    before = here;
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    before = null;
    draw(event);
  });
  canvas.addEventListener("pointermove", (event) => { if (event.buttons) draw(event); });

  const showPen = () => {
    mark.hidden = false;
    mark.style.width = mark.style.height = `${300 / 28}%`;
    mark.style.left = `${(100 * (pen.column - 1.5)) / 28}%`;
    mark.style.top = `${(100 * (pen.row - 1.5)) / 28}%`;
    mark.style.backgroundColor = pen.down ? "currentColor" : "transparent";
  };
  canvas.addEventListener("focus", () => { if (canvas.matches(":focus-visible")) showPen(); });
  canvas.addEventListener("blur", () => { mark.hidden = true; pen.down = false; });
  canvas.addEventListener("keydown", (event) => {
    const move = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!move && event.key !== " ") return;
    event.preventDefault();
    if (move) {
      pen.row = Math.max(0.5, Math.min(27.5, pen.row + move[0]));
      pen.column = Math.max(0.5, Math.min(27.5, pen.column + move[1]));
    } else pen.down = !pen.down;
    if (pen.down) dab(pen.row, pen.column);
    showPen();
  });

  const moveBy = (rows, columns) => { // the picture, as a whole
    const old = state.xs;
    state.xs = old.map((x, r) => x.map((_, k) => (old[r - rows] ? old[r - rows][k - columns] : undefined) ?? low));
    recompute();
  };
  frame.parentElement.append(element("div", { class: "controls tools" },
    element("button", { type: "button", id: "clear", onclick: () => {
      state.example = -1;
      state.xs = state.xs.map((x) => x.map(() => low));
      recompute();
    } }, "empty"),
    element("button", { type: "button", id: "centre", title: "The digits of MNIST have their centre of mass in the middle", onclick: () => {
      let mass = 0, rows = 0, columns = 0;
      state.xs.forEach((x, r) => x.forEach((value, k) => { mass += value - low; rows += (value - low) * r; columns += (value - low) * k; }));
      state.example = -1;
      if (mass > 0) moveBy(Math.round(13.5 - rows / mass), Math.round(13.5 - columns / mass));
    } }, "centre")));
}
