"""The tasks of the papers, each judged by its paper's own criterion, with one modern recipe.

An LSTM and a Dense layer, Adam, batches of 50 sequences, gradients clipped to norm 1; 2,000
sequences at a time are drawn and learned from once.  After each such piece the paper's
criterion decides whether the task is solved: by the outputs of these sequences, each before it was
learned from, or by new ones, as the paper has it.

    python benchmarks/tasks.py                     all tasks, three seeds: an hour or more
    python benchmarks/tasks.py anbn --seeds 5      one of them
    python benchmarks/tasks.py --list              what each is, and what was published

docs/tasks.md has the table.
"""

import argparse
import statistics
import time

import numpy as np
from task_list import TASKS

import rnnlite

PIECE, BATCH = 2000, 50


def build(task, seed):
    """The network of a task."""
    lstm = rnnlite.LSTM(
        task.inputs, task.hidden, forget_bias=task.forget_bias,
        return_sequences=task.per_step, seed=seed,
    )  # fmt: skip
    return rnnlite.Sequential([lstm, rnnlite.Dense(task.hidden, task.outputs, seed=seed + 1000)])


def rows(data, chosen):
    """Some rows of a task's data, as a tuple of its own kind."""
    return type(data)(*(array[chosen] for array in data))


def train(task, seed, limit=None):
    """Train until the task is solved: model, and the sequences it took, or None."""
    model = build(task, seed)
    optimizer = rnnlite.Adam(model, lr=task.lr)
    for piece in range((limit or task.limit) // PIECE):
        data = task.draw(PIECE, 10_000 * (seed + 1) + piece)
        said = []
        for start in range(0, PIECE, BATCH):
            batch = rows(data, slice(start, start + BATCH))
            y = model.forward(batch.x, lengths=getattr(batch, "lengths", None), training=True)
            said.append(y.copy())
            _, dy = task.loss(y, batch)
            model.backward(dy, need_dx=False)
            rnnlite.clip_gradients(model, 1.0)
            optimizer.step()
        if task.solved(model, data, np.concatenate(said), seed):
            return model, (piece + 1) * PIECE
    return model, None


def measure(name, seeds, limit=None):
    """Train with seeds 0 to seeds - 1 and print a line for each, and one for all."""
    task = TASKS[name]
    recipe = f"LSTM of {task.hidden}, forget bias {task.forget_bias:g}, lr {task.lr}"
    print(f"{name}: {task.title}; {recipe}", flush=True)
    needed, seconds, figures = [], [], []
    for seed in range(seeds):
        began = time.perf_counter()
        model, sequences = train(task, seed, limit)
        seconds.append(time.perf_counter() - began)
        needed.append(sequences)
        figures.append(task.figure(model, seed))
        said = "not solved" if sequences is None else f"solved after {sequences:,} sequences"
        print(
            f"  seed {seed}: {said}; {figures[-1]:g} {task.what}; {seconds[-1]:.1f} s", flush=True
        )
    solved = [sequences for sequences in needed if sequences is not None]
    line = f"{len(solved)} of {seeds}"
    if solved:
        line += f", after {statistics.mean(solved):,.0f} ({min(solved):,} to {max(solved):,})"
    line += f"; {statistics.mean(figures):.4g} ({min(figures):g} to {max(figures):g}) {task.what}"
    print(f"| {name} | {task.published} | {line} | {statistics.mean(seconds):.0f} s |", flush=True)
    return needed, figures


def main():
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tasks", nargs="*", metavar="task", help="which (default: all)")
    parser.add_argument("--seeds", type=int, default=3, metavar="N", help="seeds 0 to N - 1")
    parser.add_argument("--list", action="store_true", help="say what there is, and stop")
    args = parser.parse_args()
    unknown = [name for name in args.tasks if name not in TASKS]
    if unknown:
        parser.error(f"no task {unknown[0]!r}; there are {', '.join(TASKS)}")
    if args.list:
        for name, task in TASKS.items():
            print(f"{name}: {task.title}\n    solved: {task.criterion}\n    {task.published}")
        return
    print(f"{rnnlite.get_num_threads()} threads", flush=True)
    for name in args.tasks or TASKS:
        measure(name, args.seeds)


if __name__ == "__main__":
    main()
