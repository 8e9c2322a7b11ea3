"""The formats: samples of files, mutants whose checksums are right, and the judge of each.

A judge gives "read" or "refused" for a file.  Whatever else may happen, another error, a warning,
a result that is not what the file says, is an ``AssertionError`` or an exception that goes on up.
What a file says is read again here by other means: ``numpy.load``, ``json``, ``struct``.
"""

import contextlib
import gzip
import hashlib
import io
import json
import math
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np

import rnnlite
from rnnlite import datasets
from rnnlite.cells.functions import tanh
from rnnlite.datasets import idx
from rnnlite.saving import architecture, container, models
from rnnlite.saving.container import DIGEST
from rnnlite.saving.header import CorruptFile
from rnnlite.saving.random_states import random_states

from .mutations import bytes_changed, tree_changed

LONGEST = 1000  # characters of a message


def refusal(error):
    """A message is a sentence: not empty, not the file."""
    assert 10 < len(str(error)) < LONGEST, f"not a sentence: {error!r}"
    return "refused"


# ---- files of models -------------------------------------------------------------------------


def _step(z, state):
    h = 0.5 * state[0] + 0.5 * tanh(z[0])
    return (h,), (h,)


def _step_backward(dstate, saved, state, new_state):
    g = 2.0 * new_state[0] - state[0]
    return (dstate[0] * 0.5 * (1.0 - g * g),), (dstate[0] * 0.5,)


HALF = rnnlite.custom_cell("leaky", _step, _step_backward, gates=["h"], saved=["h"], compiled=False)


class Scale(rnnlite.layers.Layer):
    """A layer of one's own."""

    def __init__(self, features, by=2.0, dtype="float32"):
        super().__init__({"s": (features,)}, dtype)
        self.features, self.by = features, by


class Models:
    """What ``rnnlite.load`` reads: a header in JSON and arrays, in a zip."""

    name = "model"
    kinds = models.KINDS

    def __init__(self, folder):
        self.path = Path(folder) / self.name

    def samples(self):
        from rnnlite import GRU, LSTM, RNN, Bidirectional, Dense, Dropout, Embedding, Flatten

        rnn = RNN(2, 2, activation="relu", return_sequences=True, recurrent_dropout=0.25)
        several = [
            rnnlite.Sequential([LSTM(2, 3, clip=0.5, peephole=True), Dropout(0.5), Dense(3, 2)]),
            rnnlite.Sequential([Embedding(4, 2), Bidirectional(rnn, merge="sum"), Flatten()]),
            rnnlite.Group(a=GRU(2, 2, reset_after=False), b=rnnlite.Recurrent(HALF, 2, 2)),
            rnnlite.Sequential([Dropout(0.1), rnnlite.Sequential([Scale(2)]), Dense(2, 1)]),
            Dense(2, 2, activation="relu", dtype="float64"),
            rnnlite.Sequential([rnnlite.LayerNorm(2), rnnlite.Activation("gelu")]),
        ]
        earlier = Path(__file__).parent.parent / "model_version_1.npz"
        return [models.to_bytes(model) for model in several] + [earlier.read_bytes()]

    def mutant(self, rng, content, samples):
        """Another file: mostly one whose sizes, checksums and SHA-256 are right."""
        way = rng.random()
        if way < 0.1:
            return bytes_changed(rng, content, samples)
        if way < 0.2:  # a wrong zip, with a digest that is right
            body = bytes_changed(rng, content[:-DIGEST] or b"PK", samples)
            return body + hashlib.sha256(body).hexdigest().encode()
        try:
            kind, header, arrays = container.parse(io.BytesIO(content), self.kinds)
        except CorruptFile:
            return self.mutant(rng, rng.choice(samples), samples)
        if way < 0.3:
            arrays = self.arrays_changed(rng, arrays)
        elif way < 0.4:  # what the header says of the file itself
            entries = [[name, a.dtype.name, list(a.shape)] for name, a in sorted(arrays.items())]
            text = {"format": "rnnlite", "version": 1, "kind": kind, "arrays": entries}
            return signed(tree_changed(rng, text | {"header": header}), arrays)
        else:
            header = tree_changed(rng, header)
        try:
            return b"".join(container.dump(kind, header, arrays))
        except (ValueError, TypeError):  # what ``save`` would never write
            entries = [[name, a.dtype.name, list(a.shape)] for name, a in sorted(arrays.items())]
            text = {"format": "rnnlite", "version": 1, "kind": kind, "arrays": entries}
            return signed(text | {"header": header}, arrays)

    def arrays_changed(self, rng, arrays):
        arrays = dict(arrays)
        name = rng.choice(sorted(arrays)) if arrays else "params/W"
        array = arrays.get(name, np.zeros(2))
        match rng.randrange(6):
            case 0:
                arrays.pop(name, None)
            case 1:
                arrays[rng.choice((name + "x", "params/", "run/averaged", "optimizer/m"))] = array
            case 2:
                arrays[name] = array.astype(rng.choice(("f2", "f4", "f8", "i8", "u1", "?")))
            case 3:
                shape = rng.choice(((-1,), (1, -1), (-1, 1), (0, 3), (*array.shape, 1)))
                flat = array.reshape(-1)
                arrays[name] = flat[:0].reshape(shape) if 0 in shape else flat.reshape(shape)
            case 4:
                arrays[name] = array.reshape(-1)[: rng.randrange(array.size + 1)]
            case 5:
                raw = np.array(array).reshape(-1).view(np.uint8)
                if raw.size:
                    raw[rng.randrange(raw.size)] ^= 1 << rng.randrange(8)
                arrays[name] = raw.view(array.dtype).reshape(array.shape)
        return arrays

    def judge(self, content):
        try:
            model = models.from_bytes(content, cells=[HALF], layers=[Scale])
        except ValueError as error:
            return refusal(error)
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            found = json.loads(file["rnnlite.json"])["header"]["model"]
            weights = {n: file[n] for n in file.files if n.startswith("params/")}
        assert weights.keys() == {f"params/{name}" for name in model.params}
        for name, array in model.params.items():
            assert array.tobytes() == weights[f"params/{name}"].tobytes(), name
        described = architecture.describe(model)
        assert architecture.difference(found["architecture"], described) is None
        states = [{"generator": state["generator"]} for state in found["random_states"]]
        assert [{"generator": s["generator"]} for s in random_states(model)] == states
        again = models.to_bytes(model)
        twin = models.from_bytes(again, cells=[HALF], layers=[Scale])
        assert models.to_bytes(twin) == again
        return "read"


def signed(text, arrays):
    """A file whose JSON says anything, in the zip that rnnlite would write of it."""
    text = json.dumps(text, separators=(",", ":")).encode()
    stored = {name: np.asarray(array, order="C") for name, array in sorted(arrays.items())}
    return b"".join(container._signed(container._pieces(container._members(text, stored))))


# ---- checkpoints -----------------------------------------------------------------------------

X, Y = np.linspace(-1.0, 1.0, 16, dtype=np.float32).reshape(8, 2), np.arange(8) % 2
STEPS = 6


class Stop(rnnlite.Callback):
    """Keeps the file of a run that is half done."""

    def __init__(self, path):
        self.path, self.found = path, []

    def step(self, run):
        if self.path.exists():
            self.found.append(self.path.read_bytes())


class Checkpoints(Models):
    """What ``fit(resume=True)`` reads: as models, with optimizer, counters and history."""

    name = "checkpoint"
    kinds = ("checkpoint",)

    def run(self, steps=STEPS, **options):
        """Model, optimizer and call of a run, which are made anew each time."""
        model = rnnlite.Sequential([rnnlite.Dropout(0.5, seed=1), rnnlite.Dense(2, 2, seed=0)])
        optimizer = rnnlite.Adam(model, lr=0.01)
        stopping = rnnlite.EarlyStopping(50, monitor="loss")
        return model, optimizer, lambda: rnnlite.fit(
            model, X, Y, optimizer=optimizer, steps=steps, batch_size=4, seed=0, progress=False,
            average=0.9, early_stopping=stopping, checkpoint=self.path, checkpoint_every=1,
            record_every=2, **options,
        )  # fmt: skip

    def samples(self):
        stop = Stop(self.path)
        self.run(steps=4, callbacks=[stop])[2]()
        content = [*stop.found, self.path.read_bytes()]
        # As if there had been no callback.
        for n, whole in enumerate(content):
            kind, header, arrays = container.parse(io.BytesIO(whole), self.kinds)
            content[n] = b"".join(container.dump(kind, header | {"callbacks": []}, arrays))
        self.clean()
        return content

    def clean(self):
        for file in self.path.parent.iterdir():
            file.unlink()

    def judge(self, content):
        self.clean()
        self.path.write_bytes(content)
        model, optimizer, call = self.run(resume=True)
        before = everything(model, optimizer)
        try:
            history = call()
        except rnnlite.TrainingDiverged as error:  # weights that are NaN, or as large
            return refusal(error)
        except ValueError as error:
            assert everything(model, optimizer) == before, "refused, and changed all the same"
            return refusal(error)
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            found = json.loads(file["rnnlite.json"])["header"]["history"]
            if isinstance(found, list):
                found = {name: file[f"history/{name}"].tolist() for name in found}
        assert len({len(column) for column in history.values()}) <= 1
        began = len(found.get("step", []))
        assert dict(history) == {**history, **{
            name: [*column, *history[name][began:]] for name, column in found.items()
        }}  # fmt: skip
        assert history.get("step", []) == sorted(history.get("step", []))
        models.to_bytes(model)
        return "read"


def everything(model, optimizer):
    state = {name: np.asarray(value).tobytes() for name, value in optimizer.state_dict().items()}
    return model.flat_params.tobytes(), random_states(model), state


# ---- idx and text files ----------------------------------------------------------------------


class Idx:
    """What ``mnist`` reads: a head, bytes, perhaps compressed; the known MD5 is the right one."""

    name = "idx"
    LARGEST = 1 << 26  # bytes of data that the file is expected to have

    def __init__(self, folder):
        pass  # all in memory

    def samples(self):
        rng = np.random.default_rng(0)
        shapes = ((4, 5, 5), (7,), (0,), (0, 3), (2, 1, 2, 3))
        plain = [idx.encode(rng.integers(0, 256, shape, np.uint8)) for shape in shapes]
        return plain + [gzip.compress(content, mtime=0) for content in plain]

    def mutant(self, rng, content, samples):
        packed = content[:2] == b"\x1f\x8b"
        if packed and rng.random() < 0.3:
            return bytes_changed(rng, content, samples)
        if packed:
            content = unpacked(content) or rng.choice(samples[:5])
        axes = content[3] if len(content) > 3 else 0
        head, data = content[4 : 4 + 4 * axes], content[4 + 4 * axes :]
        way = rng.random()
        if way < 0.3:
            content = bytes_changed(rng, content, samples)
        elif way < 0.5:
            content = content[: 4 + 4 * axes] + bytes_changed(rng, data or b"0", samples)
        else:  # other sizes, and sometimes the data that they ask for
            sizes = [int.from_bytes(head[n : n + 4], "big") for n in range(0, len(head) - 3, 4)]
            odd = (0, 1, 2, 3, 28, 255, 2**31, 2**32 - 1)
            for _ in range(rng.choice((1, 1, 2, 5))):
                at = rng.randrange(len(sizes) + 1)
                sizes[at : at + rng.randrange(2)] = [rng.choice(odd)] * rng.choice((0, 1, 1, 1, 70))
            head = b"".join(size.to_bytes(4, "big") for size in sizes[:255])
            count = math.prod(sizes)
            data = rng.randbytes(count) if count < 1000 and rng.random() < 0.8 else data
            content = bytes((0, 0, 8, min(len(sizes), 255))) + head + data
        return gzip.compress(content, 1, mtime=0) if packed or rng.random() < 0.1 else content

    def judge(self, content):
        packed = content[:2] == b"\x1f\x8b"
        name, plain = f"folder/file{'.gz' * packed}", unpacked(content) if packed else content
        shape, wanted = (4, 5, 5), None
        axes = (plain or b"")[3:4] or b"\0"
        if (plain or b"")[:3] == b"\0\0\x08" and len(plain) >= 4 + 4 * axes[0]:
            said = struct.unpack_from(f">{axes[0]}I", plain, 4)
            if math.prod(said) <= self.LARGEST:
                shape, wanted = said, plain[4 + 4 * axes[0] :]
        md5 = hashlib.md5(b"" if plain is None else plain).hexdigest()
        try:
            found = idx.read(io.BytesIO(content), name, idx.IdxFile("file", shape, md5))
        except idx.CorruptData as error:
            assert str(error).startswith(f"{name}: ")
            with contextlib.suppress(ValueError):  # a shape that no array can have
                right = wanted is not None and len(wanted) == math.prod(shape)
                assert not (right and np.empty(shape, np.uint8).shape == shape), error
            return refusal(error)
        assert found.shape == shape and found.dtype == np.uint8 and not found.flags.writeable
        assert found.tobytes() == wanted
        return "read"


def unpacked(content):
    """What is in a gzip file, or None."""
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error):
        return None


class Texts:
    """What ``datasets.text`` reads: UTF-8."""

    name = "text"
    PIECES = (
        b"\xef\xbb\xbf", b"\r\n", b"\r", b"\n", b"\0", b"\xed\xa0\x80", b"\xc0\x80", b"\xff\xfe",
        "\U0010ffff".encode(), "\u2028".encode(), "\x85".encode(), b"\xf4\x90\x80\x80", b"\x1a",
    )  # fmt: skip

    def __init__(self, folder):
        self.path = Path(folder) / self.name

    def samples(self):
        several = ("Alice\r\nwas", "été, Ω, \U0001f407, 兎\n", "a", "\ufeffb\n\r\n", "ab" * 200)
        return [text.encode() for text in several]

    def mutant(self, rng, content, samples):
        if rng.random() < 0.4:
            return bytes_changed(rng, content, samples)
        for _ in range(rng.randrange(1, 5)):
            at = rng.randrange(len(content) + 1)
            content = content[:at] + rng.choice(self.PIECES) + content[at:]
        return content[: rng.choice((len(content), len(content), rng.randrange(50)))]

    def judge(self, content):
        self.path.write_bytes(content)
        try:
            wanted = content.decode().replace("\r\n", "\n").replace("\r", "\n")
        except UnicodeDecodeError:
            wanted = ""
        wanted = wanted.removeprefix("\ufeff")
        share = (len(content) % 10) / 10
        try:
            data = datasets.text(self.path, validation=share)
        except ValueError as error:
            assert not wanted and str(self.path) in str(error)
            return refusal(error)
        train, validation, vocabulary = data
        assert vocabulary.decode(np.concatenate([train, validation])) == wanted
        assert len(validation) == int(share * len(wanted))
        assert vocabulary.characters == "".join(sorted(set(wanted)))
        if len(train) > 4:
            x, y = datasets.text_windows(train, 3)
            assert np.array_equal(x[:, 1:], y[:, :-1])
        return "read"


FORMATS = {kind.name: kind for kind in (Models, Checkpoints, Idx, Texts)}


def judged(format, content):
    """What the judge says; every warning is an error."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("error")
        return format.judge(content)
