"""The model that an estimator's arguments describe, and the schedule of its step sizes."""

from rnnlite import cells, checking
from rnnlite.layers import GRU, LSTM, RNN, Bidirectional, Dense, Dropout, Recurrent, Sequential
from rnnlite.optim import schedules

CELLS = {"lstm": LSTM, "gru": GRU, "rnn": RNN}
SCHEDULES = ("constant", "one_cycle", "cosine")


def build(where, settings, features, outputs, dtype, rng):
    """Recurrent layers, dropout behind each, and a Dense layer with ``outputs``."""
    layers = []
    for number in range(settings.layers):
        options = {
            "return_sequences": number < settings.layers - 1,
            "dtype": dtype,
            "compute_dtype": settings.compute_dtype,
            "seed": draw(rng),
        }
        if isinstance(settings.cell, cells.Cell):
            layer = Recurrent(settings.cell, features, settings.units, **options)
        else:
            layer = CELLS[settings.cell](features, settings.units, **options)
        layers.append(Bidirectional(layer, seed=draw(rng)) if settings.bidirectional else layer)
        features = settings.units * (2 if settings.bidirectional else 1)
        if settings.dropout:
            layers.append(Dropout(settings.dropout, seed=draw(rng)))
    options = {"dtype": dtype, "compute_dtype": settings.compute_dtype, "seed": draw(rng)}
    return Sequential([*layers, Dense(features, outputs, **options)])


def draw(rng):
    """A seed."""
    return int(rng.randint(2**31 - 1))


def checked_cell(where, cell):
    """A cell's name, or a cell of one's own."""
    return cell if isinstance(cell, cells.Cell) else checking.one_of(where, "cell", cell, CELLS)


def schedule(where, value, lr, steps):
    """From the step to the step size: None for one that stays."""
    if callable(value):
        return value
    name = checking.one_of(where, "schedule", value, SCHEDULES)
    if name == "constant":
        return None
    return getattr(schedules, name)(lr, steps=steps)
