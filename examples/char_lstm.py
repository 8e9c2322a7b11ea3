"""Learn to write, character by character, from a text; then write some.

An LSTM reads a text and says at every character which one it expects next.  The
text is cut into 32 rows, read side by side, 64 characters at a time; gradients go
back through those 64 alone (truncated backpropagation through time), while
the state is carried from each batch to the next, so that memory is not cut.

    python examples/char_lstm.py
    python examples/char_lstm.py --text some_book.txt --steps 3000 --prompt "Once upon"
    python examples/char_lstm.py --save writer.npz
    python examples/char_lstm.py --load writer.npz --explain writer.html
    python examples/char_lstm.py --help
"""

import argparse
import re
import sys
import time
from pathlib import Path

import numpy as np
from command_line import Steps, count, number, output, page, rate, run, seed, width

import rnnlite
from rnnlite import datasets

ROWS, AT_ONCE = 32, 64
TRAINING = ("steps", "hidden", "lr", "save")  # options that say how to train


class Writer:
    """Embedding, LSTM and scores, with the state between one batch and the next."""

    def __init__(self, model):
        self.embedding, self.lstm, self.scores = model.layers
        self.model = model  # for what goes over all parameters: the optimizer, clipping, files

    def __call__(self, x, state):
        """Scores (B, T, characters) of what follows each character of x, and the state after."""
        y, state = self.lstm(self.embedding(x), initial_state=state, return_state=True)
        return self.scores(y), state

    def forward(self, x, state):
        """The same in training, where ``backward`` follows."""
        y = self.embedding.forward(x, training=True)
        y = self.lstm.forward(y, initial_state=state, training=True)
        return self.scores.forward(y, training=True), self.lstm.final_state

    def backward(self, dlogits):
        """Gradients of all parameters; they end at the first character of the batch."""
        self.embedding.backward(self.lstm.backward(self.scores.backward(dlogits)))

    def step(self, x, state):
        """The same for a single character of each row: scores (B, characters)."""
        h, state = self.lstm.step(self.embedding(x), state)
        return self.scores(h), state


def untrained(characters, hidden, seed):
    """A writer that has read nothing yet."""
    embedding = rnnlite.Embedding(characters, 32, seed=seed)
    lstm = rnnlite.LSTM(32, hidden, return_sequences=True, seed=seed + 1)
    scores = rnnlite.Dense(hidden, characters, seed=seed + 2)
    return Writer(rnnlite.Sequential([embedding, lstm, scores]))


def loaded(path, vocabulary):
    """The writer in a file of ``--save``, which learned from a text with these characters."""
    model = rnnlite.load(path)
    kinds = [type(layer) for layer in getattr(model, "layers", [])]
    if kinds != [rnnlite.Embedding, rnnlite.LSTM, rnnlite.Dense]:
        raise ValueError(f"--load: {path} holds {model!r}; wanted a file of --save")
    known = model.layers[0].num_embeddings
    if known != len(vocabulary):
        raise ValueError(
            f"--load: {path} knows {known} characters, the text has {len(vocabulary)} different "
            "ones; wanted the --text that it learned from"
        )
    return Writer(model)


def surprise(writer, characters):
    """Mean cross-entropy of a text, in nats a character, read from end to end."""
    state, losses = None, []
    steps = min(500, len(characters) - 1)
    for x, y in zip(*datasets.text_batches(characters, 1, steps), strict=True):
        logits, state = writer(x, state)
        losses.append(rnnlite.softmax_cross_entropy(logits, y)[0])
    return np.mean(losses)


def by_frequency(data):
    """The same of who only knows how often each character occurs."""
    counts = np.bincount(data.train, minlength=len(data.vocabulary)) + 1
    return -np.log(counts / counts.sum())[data.validation].mean()


def write(writer, vocabulary, prompt, length, temperature, rng):
    """The prompt, and what the network continues it with."""
    numbers, state = list(vocabulary.encode(prompt)), None
    for index in numbers:
        logits, state = writer.step([index], state)
    for _ in range(length):
        if temperature < 1e-3:
            index = logits[0].argmax()  # the likeliest always: it soon goes round in circles
        else:
            # Gumbel 1954: the largest of logits plus this noise is a draw from their softmax.
            index = (logits[0] / temperature + rng.gumbel(size=len(vocabulary))).argmax()
        numbers.append(index)
        logits, state = writer.step([index], state)
    return vocabulary.decode(numbers)


def options():
    """What the command line says."""
    parser = argparse.ArgumentParser(
        description="Train an LSTM to predict the next character of a text, and let it write."
    )
    add = parser.add_argument
    add("--text", metavar="FILE", help="a UTF-8 text; a bundled book if not given")
    add("--steps", type=count, default=2000, help="training steps (default: %(default)s)")
    add("--hidden", type=width, default=128, help="hidden units (default: %(default)s)")
    add("--lr", type=rate, default=0.005, help="Adam's first step size (default: %(default)s)")
    add(
        "--seed",
        type=seed,
        default=0,
        help="of weights and of what is written (default: %(default)s)",
    )
    add("--prompt", help="what the network has to continue (default: Alice, or how FILE begins)")
    add(
        "--length",
        type=number(int, 0, 10**9),
        default=500,
        help="characters to write (default: %(default)s)",
    )
    add(
        "--temperature",
        type=rate,
        default=0.7,
        help="0: the likeliest; 1: as learned (default: %(default)s)",
    )
    add("--save", type=output, metavar="FILE", help="keep the trained network in this file (.npz)")
    add("--load", metavar="FILE", help="train nothing, take the network that --save kept")
    add(
        "--explain",
        type=page,
        metavar="FILE",
        help="write a page (.html) in which the network runs, to look at every gate and gradient",
    )
    args = parser.parse_args()
    for name in TRAINING if args.load is not None else ():
        if getattr(args, name) != parser.get_default(name):
            parser.error(f"argument --{name}: not with --load, which trains nothing")
    taken = {}
    for name in ("text", "load", "save", "explain"):
        file = getattr(args, name) and Path(getattr(args, name)).resolve()
        if file in taken:
            parser.error(f"argument --{name}: {file} is the file of --{taken[file]}, too")
        taken |= {file: name} if file else {}
    return args


def train(writer, data, x, y, args):
    """``args.steps`` steps; the state goes from each batch to the next."""
    optimizer = rnnlite.Adam(writer.model)
    schedule = rnnlite.schedules.cosine(args.lr, args.steps)
    print(
        f"{len(data.train):,} characters to learn from, {len(data.vocabulary)} different ones; "
        f"LSTM of {args.hidden} units, {writer.model.num_params():,} parameters; "
        f"{args.steps} steps of {ROWS} x {AT_ONCE} characters"
    )
    began = time.perf_counter()
    state = None
    for step in Steps(args.steps):
        batch = (step - 1) % len(x)
        if batch == 0:
            state = None  # the text begins again
        logits, state = writer.forward(x[batch], state)
        loss, dlogits = rnnlite.softmax_cross_entropy(logits, y[batch])
        writer.backward(dlogits)
        rnnlite.clip_gradients(writer.model, 1.0)
        optimizer.lr = schedule(step - 1)
        optimizer.step()
        if step % 100 == 0 or step == args.steps:
            print(f"step {step:5d}/{args.steps}  loss {loss:.3f} nats a character", flush=True)
    print(f"trained in {time.perf_counter() - began:.1f} s")


def explain(writer, data, path):
    """A page that reads ten pieces of the part held out, and any text that is typed into it."""
    text = data.vocabulary.decode(data.validation)
    lines = [found.end() for found in re.finditer("\n+", text[:-40])] or [0]
    starts = lines[:: max(1, len(lines) // 10)][:10]
    pieces = [data.vocabulary.encode(text[at : at + 40]) for at in starts]
    rnnlite.explain(writer.model, pieces, path, vocabulary=data.vocabulary)


def main():
    """Load, train, write."""
    args = options()
    try:
        data = datasets.text(args.text)
        x, y = datasets.text_batches(data.train, ROWS, AT_ONCE)
        start = "Alice" if args.text is None else data.vocabulary.decode(data.train[:20])
        prompt = args.prompt or start
        data.vocabulary.encode(prompt)
        writer = loaded(args.load, data.vocabulary) if args.load is not None else None
    except (OSError, ValueError) as error:
        sys.exit(f"char_lstm.py: {error}")
    if writer is None:
        writer = untrained(len(data.vocabulary), args.hidden, args.seed)
        train(writer, data, x, y, args)
    if args.save:
        rnnlite.save(writer.model, args.save)

    print(
        f"on the last tenth of the text: {surprise(writer, data.validation):.3f} nats a character, "
        f"{by_frequency(data):.3f} by frequency alone\n"
    )
    rng = np.random.default_rng(args.seed)
    print(write(writer, data.vocabulary, prompt, args.length, args.temperature, rng))
    if args.explain:
        explain(writer, data, args.explain)
        print(f"\nwrote {args.explain}: open it in a browser")


if __name__ == "__main__":
    run(main)
