"""What must be the same in all processes of a run: before the first step, and after each one."""

import hashlib
import json
import zlib

import numpy as np

from rnnlite.saving import architecture
from rnnlite.saving.random_states import random_states
from rnnlite.training.checkpoint import settings_of

SEED_HINT = "give each layer a seed, or load the same file everywhere"


def facts_of_model(model):
    """A model, in short."""
    return {
        "model": architecture.describe(model),
        "dtype": str(model.dtype),
        f"weights ({SEED_HINT})": _digest(model.flat_params),
    }


def facts_of_run(run):
    """What the processes were told."""
    settings = run.settings
    facts = {"model": architecture.describe(run.model)}
    told = settings_of(run) | {"epochs": settings.epochs, "steps": settings.steps}
    return facts | {f"{name} of fit": str(value) for name, value in told.items()}


def facts_of_start(run):
    """Where they begin, a checkpoint being loaded."""
    states = json.dumps(random_states(run.model), sort_keys=True).encode()
    optimizer = run.optimizer.state_dict()
    numbers = {name: v for name, v in optimizer.items() if not isinstance(v, np.ndarray)}
    moments = [v for v in optimizer.values() if isinstance(v, np.ndarray)]
    return facts_of_model(run.model) | {
        f"seeds of dropout ({SEED_HINT})": hashlib.sha256(states).hexdigest()[:12],
        "optimizer": f"{type(run.optimizer).__name__} {numbers}",
        "moments of the optimizer": _digest(*moments),
        "steps taken": str(run.counters.step),
    }


def number_of_step(run, batch):
    """A number that is another one where a step was another one: its rows, loss or step size."""
    whole = batch.whole
    of_whole = b"" if whole is None else whole.x[[0, -1]].tobytes() + whole.y[[0, -1]].tobytes()
    figures = np.array([batch.size, run.loss, run.optimizer.lr]).tobytes()
    return zlib.crc32(of_whole, zlib.crc32(figures))


def _digest(*arrays):
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array))
    return f"digest {digest.hexdigest()[:12]}"
