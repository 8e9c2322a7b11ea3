"""The tasks of the papers, each judged by its paper's own criterion, with one modern recipe.

An LSTM and a Dense layer, Adam, small batches, gradients clipped to norm 1; 2,000
sequences at a time are drawn and learned from once.  After each such piece the paper's
criterion decides whether the task is solved: by the outputs of these sequences, each before it was
learned from, or by new ones, as the paper has it.

    python benchmarks/tasks.py                     all tasks, three seeds: half an hour
    python benchmarks/tasks.py --results runs.jsonl
                                                   the same; runs in the file are not run again
    python benchmarks/tasks.py anbn --seeds 5      one of them, five seeds
    python benchmarks/tasks.py two-3a --set memory=0 forget_bias=5
                                                   with another recipe
    python benchmarks/tasks.py --list              what each is, and what was published

Recipes were chosen with seeds below 10 and are measured with seeds from 10 on.  Seconds are
of the processor, not of the clock: set RNNLITE_NUM_THREADS=1, or they are added up over threads.
docs/tasks.md has the table.
"""

import argparse
import dataclasses
import json
import statistics
import time
from pathlib import Path

import numpy as np
from task_list import TASKS, Recipe, classes_of_steps

import rnnlite

PIECE = 2000
SHOWN = 20_000  # sequences from one line of progress to the next
FIRST = 10  # seed of the table; those below are for choosing


def build(task, seed, recipe=None):
    """The network of a task."""
    recipe = recipe or task.recipe
    lstm = rnnlite.LSTM(
        task.inputs, recipe.hidden, forget_bias=recipe.forget_bias, peephole=recipe.peephole,
        return_sequences=task.per_step, seed=seed,
    )  # fmt: skip
    if recipe.memory:
        remember(lstm, recipe.memory, np.random.default_rng(seed + 2000))
    if recipe.drive:
        Wx, rng = lstm.params["Wx"], np.random.default_rng(seed + 3000)
        Wx[...] = rng.uniform(-recipe.drive, recipe.drive, Wx.shape)
    return rnnlite.Sequential([lstm, rnnlite.Dense(recipe.hidden, task.outputs, seed=seed + 1000)])


def remember(lstm, longest, rng):
    """Time constants of 1 to ``longest`` steps: chrono initialisation (Tallec & Ollivier 2018).

    b_f = log u with u uniform in [1, longest - 1), so that sigmoid(b_f) = 1 - 1/(u + 1), and
    b_i = -b_f, so that what comes in and what is forgotten are in balance.
    """
    gates = lstm.params["b"].reshape(4, -1)  # i, f, g, o
    gates[1] = np.log(rng.uniform(1, longest - 1, lstm.hidden_size))
    gates[0] = -gates[1]


def rows(data, chosen):
    """Some rows of a task's data, as a tuple of its own kind."""
    return type(data)(*(array[chosen] for array in data))


def learn(task, model, optimizer, batch, last=0.0):
    """One step: the outputs before it, and their loss; ``last`` is that of the recipe."""
    y = model.forward(batch.x, lengths=getattr(batch, "lengths", None), training=True)
    said = y.copy()
    loss, dy = task.loss(y, batch, last=last) if last else task.loss(y, batch)
    model.backward(dy, need_dx=False)
    rnnlite.clip_gradients(model, 1.0)
    optimizer.step()
    return said, loss


def train(task, seed, recipe):
    """Train until the task is solved: model, and the sequences it took, or None."""
    model = build(task, seed, recipe)
    optimizer = rnnlite.Adam(model, lr=recipe.lr)
    began, losses = time.process_time(), []
    for done in range(0, recipe.limit, PIECE):
        data = task.draw(PIECE, 10_000 * (seed + 1) + done // PIECE)
        said = []
        for start in range(0, PIECE, recipe.batch):
            if recipe.half:
                optimizer.lr = recipe.lr / (1 + (done + start) / recipe.half)
            batch = rows(data, slice(start, start + recipe.batch))
            outputs, loss = learn(task, model, optimizer, batch, recipe.last)
            said.append(outputs)
            losses.append(loss)
        if task.solved(model, data, np.concatenate(said), seed):
            return model, done + PIECE
        if (done + PIECE) % SHOWN == 0:
            loss, seconds = statistics.mean(losses), time.process_time() - began
            print(f"    {done + PIECE:9,} sequences: loss {loss:.4g}, {seconds:.0f} s", flush=True)
            losses = []
    return model, None


def run(task, seed, recipe):
    """One run: after how many sequences solved, or None; its figure; the processor's seconds."""
    model = build(task, seed, recipe)  # one step of another one, so that kernels are there
    batch = task.draw(recipe.batch, 10_000 * (seed + 1))
    learn(task, model, rnnlite.Adam(model), batch, recipe.last)
    began = time.process_time()
    model, sequences = train(task, seed, recipe)
    seconds = time.process_time() - began
    return {"sequences": sequences, "figure": task.figure(model, seed), "seconds": seconds}


def finished(path, key):
    """What a file of results has of a run, or None."""
    if path is None or not path.exists():
        return None
    found = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return next((line for line in found if all(line[name] == key[name] for name in key)), None)


def measure(name, seeds, recipe=None, results=None):
    """Train with each seed, or take what the file has, and print a line for each and for all."""
    task, runs = TASKS[name], []
    recipe = recipe or task.recipe
    settings = dataclasses.asdict(recipe)
    shown = ", ".join(f"{key} {value:g}" for key, value in settings.items() if value)
    print(f"{name}: {task.title}; {shown}", flush=True)
    for seed in seeds:
        key = {"task": name, "recipe": settings, "seed": seed}
        one = finished(results, key)
        if one is None:
            one = key | run(task, seed, recipe)
            if results:
                with results.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(one) + "\n")
        runs.append(one)
        after = f"solved after {one['sequences']:,} sequences" if one["sequences"] else "not solved"
        figure = f"{one['figure']:.4g} {task.what}"
        print(f"  seed {seed}: {after}; {figure}; {one['seconds']:.1f} s", flush=True)
    needed = [one["sequences"] for one in runs]
    figures = [one["figure"] for one in runs]
    solved = [sequences for sequences in needed if sequences is not None]
    line = f"{len(solved)} of {len(runs)}"
    if solved:
        line += f", after {statistics.mean(solved):,.0f} ({min(solved):,} to {max(solved):,})"
    line += f"; {statistics.mean(figures):.4g} ({min(figures):.4g} to {max(figures):.4g})"
    seconds = statistics.mean(one["seconds"] for one in runs)
    print(f"| {name} | {task.published} | {line} {task.what} | {seconds:.0f} s |", flush=True)
    return needed, figures


def changed(recipe, settings):
    """A recipe with some ``name=value`` of the command line."""
    for setting in settings:
        name, _, value = setting.partition("=")
        if name not in {field.name for field in dataclasses.fields(Recipe)}:
            names = ", ".join(field.name for field in dataclasses.fields(Recipe))
            raise ValueError(f"--set {setting}: there is no {name!r}; there are {names}")
        kind = type(getattr(recipe, name))
        try:
            recipe = dataclasses.replace(recipe, **{name: kind(json.loads(value))})
        except (ValueError, TypeError):
            wanted = f"wanted {name}= and a value like {json.dumps(getattr(recipe, name))}"
            raise ValueError(f"--set {setting}: {wanted}") from None
    return recipe


def main():
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tasks", nargs="*", metavar="task", help="which (default: all)")
    parser.add_argument("--seeds", type=int, default=3, metavar="N", help="how many (default: 3)")
    parser.add_argument(
        "--first", type=int, default=FIRST, metavar="SEED", help=f"the first (default: {FIRST})"
    )
    parser.add_argument(
        "--set", nargs="+", default=[], metavar="NAME=VALUE", help="change the recipe"
    )
    parser.add_argument(
        "--results", type=Path, metavar="FILE", help="a line for each run; those in it are taken"
    )
    parser.add_argument("--list", action="store_true", help="say what there is, and stop")
    args = parser.parse_args()
    names = args.tasks or list(TASKS)
    unknown = [name for name in names if name not in TASKS]
    if unknown:
        parser.error(f"no task {unknown[0]!r}; there are {', '.join(TASKS)}")
    if args.list:
        for name, task in TASKS.items():
            print(f"{name}: {task.title}\n    solved: {task.criterion}\n    {task.published}")
        return
    try:
        recipes = [changed(TASKS[name].recipe, args.set) for name in names]
    except ValueError as error:
        parser.error(str(error))
    for name, recipe in zip(names, recipes, strict=True):
        if recipe.last and TASKS[name].loss is not classes_of_steps:
            parser.error(
                f"--set last: {name} is not judged by one class at each step; wanted last=0"
            )
    print(f"{rnnlite.get_num_threads()} threads", flush=True)
    for name, recipe in zip(names, recipes, strict=True):
        measure(name, range(args.first, args.first + args.seeds), recipe, args.results)


if __name__ == "__main__":
    main()
