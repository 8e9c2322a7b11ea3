"""Look inside trained networks: every picture of ``rnnlite.inside`` and two pages, in a folder.

A vanilla RNN, an LSTM and a GRU learn which of X and Y came when, sixty steps before they are
asked; an LSTM reads digits, another one a book, character by character, and one counts.
Then each of them is opened.  About a minute on two cores.  ``digits.html`` and ``book.html`` are
the pages: there the networks run, for everyone who has a browser.

    python examples/look_inside.py
    python examples/look_inside.py --out pictures
    python examples/look_inside.py --help
"""

import argparse
import time
from pathlib import Path

import numpy as np
from command_line import run
from command_line import seed as any_seed

import rnnlite
from rnnlite import datasets, inside

ORDER = ("X, X", "X, Y", "Y, X", "Y, Y")  # classes of the temporal order task
SYMBOLS = datasets.TEMPORAL_ORDER_SYMBOLS


# ---- a long lag --------------------------------------------------------------------------------


def enough(run):
    """A callback: the rest of the training would show nothing new."""
    if run.history["val_accuracy"][-1] > 0.99:
        run.stop("enough")


def temporal_order(out, fast, seed):
    """RNN, LSTM and GRU on a task of sixty steps: gates, gradients, states, a film."""
    steps, hidden = (12, 4) if fast else (60, 16)
    x, y, lengths = datasets.temporal_order(40 if fast else 4000, seed=seed, steps=steps)
    new = datasets.temporal_order(40 if fast else 200, seed=seed + 1, steps=steps)
    cells = {
        "RNN": rnnlite.RNN(8, hidden, seed=seed),
        "LSTM": rnnlite.LSTM(8, hidden, forget_bias=3.0, seed=seed),  # it remembers at first
        "GRU": rnnlite.GRU(8, hidden, seed=seed),
    }

    def opened(model):
        return rnnlite.trace(model, new.x, labels=new.y, lengths=new.lengths)

    def plane(model, path=None):
        """States of twenty rows."""
        return inside.plot_states_in_plane(
            opened(model), new.y, row=range(20), class_names=ORDER, path=path
        )

    models, before, after = {}, {}, {}
    for name, cell in cells.items():
        model = rnnlite.Sequential([cell, rnnlite.Dense(hidden, 4, seed=1)])
        film = [inside.Film(plane, out / "film")] if name == "LSTM" else []
        before[name] = opened(model)
        history = rnnlite.fit(
            model, x, y, lengths=lengths, epochs=1 if fast else 12, batch_size=40, seed=seed,
            optimizer=rnnlite.Adam(model, lr=0.005), clip_norm=1.0, validation=new,
            callbacks=[enough, *film], progress=False,
        )  # fmt: skip
        models[name], after[name] = model, opened(model)
        print(f"  {name}: {history['val_accuracy'][-1]:.0%} of new sequences right")
        history.plot(out / f"history_{name.lower()}.png")

    row = int(np.flatnonzero(new.y == 1)[0])
    read = inside.text_units(after["LSTM"], SYMBOLS, row=row).characters
    marked = [symbol if symbol in "EXYB" else "" for symbol in read]
    for name, found in after.items():
        path = out / f"gates_{name.lower()}.png"
        inside.plot_gates(found, row=row, symbols=marked, path=path)
    _, one_of_each = np.unique(new.y, return_index=True)
    labels = [ORDER[label] for label in new.y]
    path = out / "gates_of_four_rows.png"
    inside.plot_gates(after["LSTM"], ["h", "c"], row=one_of_each, labels=labels, path=path)
    side_by_side(out / "gradient_flow.png", {"before training": before, "after training": after})
    inside.plot_answers(
        models["LSTM"], new.x, row, new.lengths, label=new.y[row], class_names=ORDER,
        symbols=SYMBOLS, path=out / "answer_while_reading.png",
    )  # fmt: skip
    plane(models["LSTM"], out / "states_in_plane.png")


def side_by_side(path, flows):
    """Gradient flow of all cells, before and after training, in two axes of one figure."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.6, 4.0), layout="constrained")
    for axes, (title, traces) in zip(
        figure.subplots(1, 2, sharey=True), flows.items(), strict=True
    ):
        inside.plot_gradient_flow(traces, relative=True, from_end=True, ax=axes)
        axes.set_title(title)
    figure.savefig(path, dpi=150)


# ---- digits ------------------------------------------------------------------------------------


def digits(out, fast, seed):
    """An LSTM that reads a digit from top to bottom: which pixels count, when it knows."""
    data, hidden = datasets.mnist_5k(), 4 if fast else 64
    model = rnnlite.Sequential([
        rnnlite.LSTM(28, hidden, seed=seed), rnnlite.Dense(hidden, 10, seed=1)
    ])  # fmt: skip
    rnnlite.fit(
        model, *data.train, batch_size=100, seed=seed, progress=False, clip_norm=1.0,
        optimizer=rnnlite.Adam(model, lr=0.005), **({"steps": 2} if fast else {"epochs": 8}),
    )  # fmt: skip
    print(f"  {rnnlite.evaluate(model, *data.test).accuracy:.0%} of new digits right")
    images, labels = data.test
    row = int(np.flatnonzero(labels == 3)[0])
    inside.plot_saliency(model, images, row, path=out / "saliency_of_a_digit.png")
    inside.plot_answers(model, images, row, label=3, path=out / "answer_to_a_digit.png")
    rnnlite.explain(model, images[:20], out / "digits.html", labels=labels[:20])


# ---- a book ------------------------------------------------------------------------------------


def book(out, fast, seed):
    """An LSTM that reads a book: what its units follow, how far back its predictions look."""
    data, hidden = datasets.text(), 8 if fast else 128
    characters = len(data.vocabulary)
    model = rnnlite.Sequential([
        rnnlite.Embedding(characters, 32, seed=seed),
        rnnlite.LSTM(32, hidden, return_sequences=True, seed=seed + 1),
        rnnlite.Dense(hidden, characters, seed=seed + 2),
    ])  # fmt: skip
    windows = datasets.text_windows(data.train, steps=100, stride=50)
    history = rnnlite.fit(
        model, *windows, batch_size=32, steps=2 if fast else 900, seed=seed, clip_norm=1.0,
        optimizer=rnnlite.Adam(model, lr=0.005), progress=False,
    )  # fmt: skip
    print(f"  {history['loss'][-1]:.2f} nats a character")
    text = data.vocabulary.decode(data.validation)
    held_out = data.validation[text.index("\n") + 1 :]  # from where a line begins
    read = held_out[: 1 + (40 if fast else 1536)]
    found = rnnlite.trace(model, read[None, :-1])
    unit = unit_of_the_word(found, data.vocabulary.decode(read[:-1]))
    shown = rnnlite.trace(model, read[None, : 40 if fast else 384])
    inside.plot_text(shown, data.vocabulary, unit, path=out / "text_by_a_unit.png")
    inside.text_page(shown, data.vocabulary, unit, path=out / "text_by_unit.html")
    inside.plot_gate_saturation(found, path=out / "gate_saturation.png")
    x, y = read[None, :40], read[None, 1:41]
    letters = data.vocabulary.decode(x[0])
    inside.plot_itemised_gradient(model, x, y, symbols=letters, path=out / "itemised_gradient.png")
    inside.plot_saliency(model, x, symbols=data.vocabulary, path=out / "saliency_of_a_text.png")
    lines = [data.vocabulary.encode(line[:40]) for line in text.splitlines() if len(line) >= 40]
    rnnlite.explain(model, lines[1:11], out / "book.html", vocabulary=data.vocabulary)


def unit_of_the_word(found, text):
    """The unit whose h follows best how many characters ago the word began."""
    begins = [max(text[: t + 1].rfind(space) for space in " \n") for t in range(len(text))]
    place = np.arange(len(text)) - begins
    following = inside.counting(found, place[None], name="h")
    size = following.correlation[following.unit]
    print(f"  unit {following.unit} follows the place in the word: correlation {size:.2f}")
    return following.unit


# ---- counting ----------------------------------------------------------------------------------


def a_n_b_n(ns):
    """Strings a^n b^n and an end: one-hot x (B, T, 3), next symbols y, lengths, the count."""
    ns = np.asarray(ns)
    data = datasets.anbn(None, largest=ns.max())  # row n - 1 is a^n b^n, behind an S
    x = data.x[ns - 1, 1:][..., [1, 2, 0]]  # a, b, end
    count = (x[..., 0] - x[..., 1]).cumsum(axis=1)
    return x, (data.y[ns - 1, 1:] - 1) % 3, data.lengths[ns - 1] - 1, count


def counting(out, fast, seed):
    """An LSTM that predicts a^n b^n symbol by symbol: after the first b it must count."""
    x, y, lengths, _ = a_n_b_n(np.random.default_rng(seed).integers(1, 21, 20 if fast else 1000))
    model = rnnlite.Sequential([
        rnnlite.LSTM(3, 8, return_sequences=True, seed=seed), rnnlite.Dense(8, 3, seed=1)
    ])  # fmt: skip
    rnnlite.fit(
        model, x, y, lengths=lengths, batch_size=20, steps=2 if fast else 1500, seed=seed,
        optimizer=rnnlite.Adam(model, lr=0.01), clip_norm=1.0, progress=False,
    )  # fmt: skip
    ns = np.array([5, 10, 20, 30])
    x, _, lengths, count = a_n_b_n(ns)
    found = rnnlite.trace(model, x, lengths=lengths)
    end = [rnnlite.predict(model, x, lengths=lengths)[k, 2 * n - 1] == 2 for k, n in enumerate(ns)]
    print(f"  end foreseen for n = {ns[end].tolist()} of {ns.tolist()}; it has seen up to 20")
    labels = [f"a$^{{{n}}}$b$^{{{n}}}$" for n in ns]
    inside.plot_counting(found, count, row=range(len(ns)), labels=labels, path=out / "counting.png")


PARTS = {
    "RNN, LSTM and GRU, and what came sixty steps before": temporal_order,
    "digits, read from top to bottom": digits,
    "a book, character by character": book,
    "a^n b^n": counting,
}


def options():
    """What the command line says."""
    parser = argparse.ArgumentParser(
        description="Train small networks and draw what is inside: gates, gradients, states."
    )
    add = parser.add_argument
    add(
        "--out", type=Path, default=Path("look_inside"), metavar="FOLDER",
        help="where pictures and pages go (default: %(default)s)",
    )  # fmt: skip
    add("--seed", type=any_seed, default=0, help="of weights and data (default: %(default)s)")
    add("--fast", action="store_true", help="hardly train at all: to try the program itself")
    return parser.parse_args()


def main():
    """Train, open, draw."""
    args = options()
    args.out.mkdir(parents=True, exist_ok=True)
    began = time.perf_counter()
    for title, part in PARTS.items():
        print(title, flush=True)
        part(args.out, args.fast, args.seed)
    files = sorted(path for path in args.out.rglob("*") if path.is_file())
    print(f"{len(files)} files in {args.out}, {time.perf_counter() - began:.1f} s")


if __name__ == "__main__":
    run(main)
