"""Add two numbers that are a hundred steps apart: what an LSTM remembers and an RNN does not.

The adding problem of Hochreiter & Schmidhuber 1997, in the form of Le, Jaitly & Hinton
2015.  Who remembers nothing says 1 and has a mean squared error of 1/6; the
LSTM stays there for a while, then finds the marks, and the error falls to almost
nothing.  The vanilla RNN, as large and trained alike, never leaves.

    python examples/adding_problem.py
    python examples/adding_problem.py --length 200 --steps 4000 --cell lstm
    python examples/adding_problem.py --help
"""

import argparse
import time

import numpy as np
from command_line import Steps, count, number, rate, run, seed, width

import rnnlite
from rnnlite import datasets

BATCH_SIZE = 64
GUESS = 1 / 6  # mean squared error of saying 1 always
SOLVED = 0.01


def build(cell, hidden, seed):
    """The network: a recurrent layer, then one number."""
    layer = {"lstm": rnnlite.LSTM, "gru": rnnlite.GRU, "rnn": rnnlite.RNN}[cell]
    return rnnlite.Sequential([layer(2, hidden, seed=seed), rnnlite.Dense(hidden, 1, seed=seed)])


def train(model, length, steps, lr, seed):
    """Train on ever new sequences until the error is small, or time is up.

    Whether Ctrl-C ended it.
    """
    optimizer = rnnlite.Adam(model, lr=lr)
    errors = []
    counted = Steps(steps)
    for step in counted:
        x, y = datasets.adding_problem(BATCH_SIZE, length, seed=seed + step)
        error, dy = rnnlite.mean_squared_error(model.forward(x, training=True), y)
        model.backward(dy, need_dx=False)
        rnnlite.clip_gradients(model, 1.0)
        optimizer.step()
        errors.append(error)
        latest = np.mean(errors[-50:])
        if step % 250 == 0 or step == steps:
            print(f"  step {step:5d}/{steps}  mean squared error {latest:.4f}", flush=True)
        if step >= 50 and latest < SOLVED / 4:
            print(f"  step {step:5d}/{steps}  mean squared error {latest:.4f}: enough")
            break
    return counted.stopped


def options():
    """What the command line says."""
    parser = argparse.ArgumentParser(description="Train recurrent networks on the adding problem.")
    add = parser.add_argument
    add(
        "--cell", choices=["both", "lstm", "gru", "rnn"], default="both",
        help="both: LSTM and RNN (default: %(default)s)",
    )  # fmt: skip
    add(
        "--length",
        type=number(int, 2, 10**6),
        default=100,
        help="steps of each sequence (default: %(default)s)",
    )
    add("--steps", type=count, default=2000, help="training steps at most (default: %(default)s)")
    add("--hidden", type=width, default=64, help="hidden units (default: %(default)s)")
    add("--lr", type=rate, default=0.005, help="Adam's step size (default: %(default)s)")
    add("--seed", type=seed, default=0, help="of weights and sequences (default: %(default)s)")
    return parser.parse_args()


def main():
    """Train, test, compare with the guess."""
    args = options()
    test = datasets.adding_problem(2000, args.length, seed=args.seed)
    for cell in ("lstm", "rnn") if args.cell == "both" else (args.cell,):
        model = build(cell, args.hidden, args.seed)
        print(f"{cell.upper()} of {args.hidden} units, sequences of {args.length} steps")
        began = time.perf_counter()
        stopped = train(model, args.length, args.steps, args.lr, args.seed)
        seconds = time.perf_counter() - began
        error = rnnlite.mean_squared_error(model(test.x), test.y)[0]
        verdict = "solved" if error < SOLVED else "not solved"
        print(
            f"  {seconds:.1f} s; on 2,000 new sequences mean squared error {error:.4f}, "
            f"{GUESS:.4f} by a guess: {verdict}",
            flush=True,
        )
        if stopped:
            break


if __name__ == "__main__":
    run(main)
