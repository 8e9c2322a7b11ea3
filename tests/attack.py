"""Sets every public attribute of a layer to every kind of value, between every two calls.

    python tests/attack.py KIND [every n-th [first]]

A process of its own: a signal ends it, not the tests.  After each assignment the life of a layer
goes on: forward, backward, call, step, optimizer.step, copy, save.  What answers must be right, as
an untouched twin says, or an error that is a sentence; else the process ends with a line.
"""

import faulthandler
import itertools
import sys
import warnings

import numpy as np
from layer_kinds import KINDS

import rnnlite
from rnnlite import Adam, Dense, cells
from rnnlite.saving import models

VALUES = {
    "None": None, "True": True, "-1": -1, "0": 0, "7": 7, "10**6": 10**6, "2**40": 2**40,
    "-2**63": -(2**63), "10**30": 10**30, "0.5": 0.5, "5.0": 5.0, "nan": float("nan"),
    "text": "relu", "bytes": b"x", "zeros(10)": np.zeros(10, "f"), "empty": np.zeros(0, "f"),
    "float64": np.zeros(3), "strided": np.zeros((4, 6), "f")[:, ::2], "huge": np.full(5, 1e30, "f"),
    "texts": np.array(["a"]), "objects": np.array([None]), "0-d": np.array(2.0), "list": [1, 2],
    "ragged": [[1], [1, 2]], "dict": {"W": np.zeros(3)}, "set": {1}, "object": object(),
    "dtype": np.dtype("f8"), "type": int, "function": len, "cell": cells.GRU, "layer": Dense(2, 3),
}  # fmt: skip


class Life:
    """A layer, its optimizer, and the calls of its life; ``twin`` is one that nobody touches."""

    def __init__(self, kind):
        self.layer, self.x = KINDS[kind]()
        self.optimizer = Adam(self.layer)
        self.shape = self.layer(self.x).shape
        self.steps = [self.forward, self.backward, self.call, self.optimizer_step, self.copy,
                      self.save, self.forward, self.backward]  # fmt: skip
        if hasattr(self.layer, "step"):
            self.steps.insert(4, self.step)

    def forward(self):
        return self.layer.forward(self.x, training=True)

    def backward(self):
        dx = self.layer.backward(np.ones(self.shape, "f"))
        return self.layer.flat_grads if dx is None else np.append(self.layer.flat_grads, dx)

    def call(self):
        return self.layer(self.x)

    def step(self):
        return self.layer.step(self.x[:, 0])[0]

    def optimizer_step(self):
        self.optimizer.step()
        return self.layer.flat_params

    def copy(self):
        return self.layer.copy()(self.x)

    def save(self):
        content = models.to_bytes(self.layer)
        own = models.own_parts(self.layer)
        return models.from_bytes(content, *own)(self.x)


def targets(life):
    """Names and getters of the objects whose attributes are set: all layers, and the optimizer."""
    for key, _ in life.layer.walk():
        yield f"layer {key!r}", lambda life, key=key: dict(life.layer.walk())[key]
    yield "optimizer", lambda life: life.optimizer


# What a person may set to other numbers, which then give other results.
CHANGES = {"params", "grads", "flat_params", "flat_grads"}
SETTINGS = {"lr", "t", "beta1", "beta2", "eps", "weight_decay", "decay_bias"}


def attributes(thing):
    """All public attributes there are, by themselves, and those that Python gives everything."""
    return sorted({name for name in dir(thing) if not name.startswith("_")} | {"__class__"})


def arrays(thing):
    """What can be misused in place: arrays, or dicts of them, among the attributes."""
    for name in attributes(thing):
        try:
            value = getattr(thing, name)
        except RuntimeError:  # final_state before a forward
            continue
        if isinstance(value, np.ndarray | dict):
            yield name


def set_attribute(name, value):
    return lambda thing: setattr(thing, name, value)


def delete_attribute(name):
    return lambda thing: delattr(thing, name)


def in_place(name, what):
    """Something done to the arrays themselves."""

    def misuse(thing):
        value = getattr(thing, name)
        found = list(value.values()) if isinstance(value, dict) else [value]
        for array in (a for a in found if isinstance(a, np.ndarray)):
            what(array)

    return misuse


def reshaped(array):
    array.shape = (array.size, 1)


def retyped(array):
    array.dtype = np.uint8


IN_PLACE = {
    "reshaped": reshaped, "retyped": retyped, "read-only": lambda a: a.setflags(write=False),
    "resized": lambda a: a.resize((3, 3)),
}  # fmt: skip
ON_DICTS = {
    "clear": lambda d: d.clear(), "popitem": lambda d: d.popitem(),
    "array of another shape": lambda d: d.update(dict.fromkeys(d, np.zeros(11))),
    "a new name": lambda d: d.__setitem__("new", np.zeros(3)), "or": lambda d: d.__ior__({"n": 1}),
}  # fmt: skip


def attacks(thing):
    """Names and functions of one thing each that is done to ``thing``."""
    for name in attributes(thing):
        for text, value in VALUES.items():
            yield f"{name} = {text}", set_attribute(name, value)
        yield f"del {name}", delete_attribute(name)
    for name in arrays(thing):
        for text, what in IN_PLACE.items():
            yield f"{name} {text}", in_place(name, what)
        if isinstance(getattr(thing, name), dict):
            for text, what in ON_DICTS.items():
                yield f"{name}: {text}", lambda t, name=name, what=what: what(getattr(t, name))


def live(kind, attacked=None, attack=None, moment=None):
    """Results of a life in which something is done before the call number ``moment``."""
    life, results = Life(kind), []
    for n, call in enumerate(life.steps):
        if n == moment:
            try:
                attack(attacked(life))
            except (ValueError, TypeError, AttributeError, KeyError, RuntimeError) as error:
                assert str(error), f"an error without a sentence: {error!r}"
        results.append(np.array(call(), copy=True))
    return results


def compared(found, wanted, may_differ):
    """What is wrong with the results of a life, or None."""
    for n, (array, right) in enumerate(zip(found, wanted, strict=True)):
        if array.shape != right.shape or array.dtype != right.dtype:
            return f"call {n} gives {array.dtype} {array.shape} for {right.dtype} {right.shape}"
        if not may_differ and not np.array_equal(array, right):
            return f"call {n} gives other numbers"
    return None


def main(kind, every="1", first="0", only=""):
    """Attack one kind of layer; ``only`` what has this text."""
    faulthandler.enable()
    warnings.simplefilter("ignore")
    rnnlite.set_num_threads(1)
    wanted, done, life = live(kind), 0, Life(kind)
    life.forward(), life.backward()
    cases = (
        (where, get, text, attack, moment)
        for where, get in targets(life)
        for text, attack in attacks(get(life))
        if only in text
        for moment in range(len(life.steps))
    )
    try:
        for where, get, text, attack, moment in itertools.islice(
            cases, int(first), None, int(every)
        ):
            place = f"{kind}: {where}, {text}, before call {moment}"
            faulthandler.dump_traceback_later(60, exit=True)
            try:
                found = live(kind, get, attack, moment)
            except BaseException as error:
                raise SystemExit(f"{place}: {error!r}") from error
            done += 1
            may_differ = text.split()[0] in (CHANGES | SETTINGS) and " = " in text
            if problem := compared(found, wanted, may_differ):
                raise SystemExit(f"{place}: {problem}")
    finally:  # or this process would end a minute from now
        faulthandler.cancel_dump_traceback_later()
    print(f"{kind}: {done} attacks")


if __name__ == "__main__":
    main(*sys.argv[1:])
