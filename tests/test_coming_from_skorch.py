"""Every row of skorch's table in docs/coming_from.md, executed in both libraries."""

import contextlib
import tempfile
from pathlib import Path

import numpy as np
import pytest
from conftest import assert_close
from page_rows import Rows, code_in

import rnnlite
from rnnlite import interop, logs

pytest.importorskip("sklearn", minversion="1.6", reason="the estimators need scikit-learn")
torch = pytest.importorskip("torch", reason="skorch needs PyTorch")
pytest.importorskip("skorch", reason="these tests compare with skorch")
from skorch import NeuralNetClassifier, NeuralNetRegressor
from skorch.callbacks import (
    EarlyStopping,
    GradientNormClipping,
    LRScheduler,
    MlflowLogger,
    TensorBoard,
)
from skorch.dataset import ValidSplit
from torch.optim.lr_scheduler import CosineAnnealingLR

from rnnlite.sklearn import RNNClassifier, RNNRegressor

rng = np.random.default_rng(0)
X = rng.normal(size=(40, 5, 1)).astype("float32")
Y = (X.sum(axis=(1, 2)) > 0).astype(np.int64)
SMALL = {"cell": "rnn", "units": 4, "epochs": 3, "batch_size": 16, "random_state": 0}
NET = {"max_epochs": 3, "batch_size": 16, "verbose": 0, "criterion": torch.nn.CrossEntropyLoss}
row = Rows("skorch")


class Module(torch.nn.Module):
    """What a user of skorch writes: a recurrent layer, and a linear one for its last output."""

    def __init__(self, units=4, outputs=2):
        super().__init__()
        self.rnn = torch.nn.RNN(1, units, batch_first=True)
        self.head = torch.nn.Linear(units, outputs)

    def forward(self, x):
        return self.head(self.rnn(x)[1][-1])


class Pairs(torch.utils.data.Dataset):
    """Sequences and their classes as PyTorch's loaders take them."""

    def __init__(self, pairs):
        self.pairs = pairs

    def __len__(self):
        return len(self.pairs)

    def __getitem__(self, number):
        return self.pairs[number]


@row.every_row()
def test_every_row_is_true(first, others):
    torch.manual_seed(0)
    row.run(first, others)


def test_no_check_is_left_over():
    assert not row.left_over()


def options(cell):
    """What stands between backticks in a cell, as arguments."""
    return {k: v for text in code_in(cell) for k, v in eval(f"dict({text})", globals()).items()}


def net(text="", **more):
    """A classifier of skorch with the options of a cell, fitted."""
    return NeuralNetClassifier(Module, **NET | options(text) | more).fit(X, Y)


def mine(text="", **more):
    """Ours."""
    return RNNClassifier(**SMALL | options(text) | more).fit(X, Y)


@row("`NeuralNetClassifier(Module, module__units=8)`")
def classifiers(first, ours):
    theirs = eval(*code_in(first), globals()).set_params(**NET).fit(X, Y)
    found = eval(*code_in(ours)).set_params(cell="rnn", epochs=1).fit(X, Y)
    assert theirs.module_.rnn.hidden_size == found.model_.layers[0].hidden_size == 8
    assert theirs.predict_proba(X).shape == found.predict_proba(X).shape == (40, 2)


@row("`NeuralNetRegressor(Module)`, y (n, 1) of float32")
def regressors(first, ours):
    y = X.sum(axis=1)
    theirs = eval(code_in(first)[0], globals())
    theirs.set_params(max_epochs=1, verbose=0, module__outputs=1).fit(X, y)
    assert theirs.predict(X).shape == (40, 1)
    for target in (y[:, 0], np.concatenate([y, -y], axis=1)):
        found = eval(code_in(ours)[0]).set_params(cell="rnn", units=4, epochs=1).fit(X, target)
        assert found.predict(X).shape == target.shape and isinstance(found, RNNRegressor)
    assert isinstance(theirs, NeuralNetRegressor)


@row("`max_epochs=3`, `lr=0.01`, `batch_size=32`")
def numbers(first, ours):
    theirs, found = net(first), mine(ours)
    assert len(theirs.history) == found.n_iter_ == 3
    assert theirs.lr == found.lr == 0.01 and theirs.batch_size == found.batch_size == 32


@row("`optimizer=torch.optim.Adam`")
def optimizer(first, ours):
    assert type(net(first).optimizer_) is torch.optim.Adam
    assert ours.startswith("always") and any(k.startswith("v.") for k in mine().optimizer_state_)
    model = mine().model_
    sgd = rnnlite.SGD(model, lr=0.1)
    assert rnnlite.fit(model, X, Y, optimizer=sgd, progress=False)["lr"] == [0.1]


@row("`iterator_train__shuffle=True`")
def shuffled(first, ours):
    assert ours == "always" and net(first).get_params()["iterator_train__shuffle"] is True
    calls = []

    def watched(model, *arrays, **options):
        calls.append((model.copy(), arrays, options))
        return rnnlite.fit(model, *arrays, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rnnlite.sklearn.estimator.fit", watched)
        found = mine(epochs=1).model_.flat_params
    ((model, arrays, options),) = calls
    for shuffle in (True, False):
        again = model.copy()
        fresh = {"optimizer": rnnlite.Adam(again, options["optimizer"].lr), "shuffle": shuffle}
        rnnlite.fit(again, *arrays, **options | fresh)
        assert np.array_equal(again.flat_params, found) == shuffle


@row("`iterator_train__collate_fn=padded`, and `forward(x, lengths)` packs")
def ragged(first, ours):
    sequences = [rng.normal(size=(n, 1)).astype("float32") for n in (5, 2, 4, 1)]
    y = np.array([0, 1, 0, 1])
    pairs = Pairs(list(zip(sequences, y, strict=True)))

    class Packing(Module):
        def forward(self, x, lengths):
            pack = torch.nn.utils.rnn.pack_padded_sequence
            return super().forward(pack(x, lengths, batch_first=True, enforce_sorted=False))

    def padded(rows):
        series, classes = zip(*rows, strict=True)
        x, lengths = rnnlite.pad(series)
        x, lengths = torch.from_numpy(x), torch.from_numpy(lengths)
        return {"x": x, "lengths": lengths}, torch.as_tensor(np.array(classes))

    given = eval(f"dict({code_in(first)[0]})", {"padded": padded})
    theirs = NeuralNetClassifier(Packing, **NET | given | {"train_split": None})
    assert len(theirs.fit(pairs, y=None).history) == 3
    found = RNNClassifier(**SMALL).fit(sequences, y)
    assert ours == "X is a list of sequences" and found.predict(sequences).shape == (4,)


@row("`criterion__weight=torch.tensor([1.0, 3.0])`")
def weights(first, ours):
    weight = net(first).criterion_.weight.tolist()
    assert list(options(ours)["class_weight"].values()) == weight == [1.0, 3.0]
    of_rows = np.array(weight)[Y]
    found = mine(ours, standardize=False).predict_proba(X)
    expected = RNNClassifier(**SMALL, standardize=False).fit(X, Y, sample_weight=of_rows)
    assert_close("probabilities", found, expected.predict_proba(X), 1e-6)


@row("`train_split=None`")
def no_split(first, ours):
    assert "valid_loss" not in net(first).history[0] and "val_loss" not in mine(ours).history_


@row("`train_split=ValidSplit(5, stratified=True)`")
def split(first, ours):
    theirs = net(first).get_split_datasets(X, Y)
    given = options(ours)
    assert isinstance(options(first)["train_split"], ValidSplit)
    assert len(theirs[1]) == round(given["validation_fraction"] * 40) == 8
    assert len(mine(ours).history_["val_loss"]) == 3


@row("`callbacks=[EarlyStopping(patience=5, load_best=True)]`")
def early(first, ours):
    (callback,) = options(first)["callbacks"]
    assert isinstance(callback, EarlyStopping)
    assert callback.patience == options(ours)["n_iter_no_change"] == 5
    # The first epoch stays the best one: the others are not allowed to be better.
    theirs, found = net(first, max_epochs=60, lr=0.0), mine(ours, epochs=60, tol=1e6)
    assert len(theirs.history) == found.n_iter_ == 1 + 5


@row("`callbacks=[LRScheduler(CosineAnnealingLR, T_max=3)]`")
def scheduled(first, ours):
    (callback,) = options(first)["callbacks"]
    assert isinstance(callback, LRScheduler) and callback.policy is CosineAnnealingLR
    theirs = net(first).history[:, "event_lr"]
    found = mine(ours.partition(",")[0]).history_["lr"]
    for rates in (theirs, found):
        assert all(np.diff(rates) < 0)
    assert mine(schedule=lambda step: 0.1 / (1 + step)).history_["lr"][-1] < 0.1 / 3


@row("`callbacks=[GradientNormClipping(1.0)]`")
def clipped(first, ours):
    (callback,) = options(first)["callbacks"]
    assert isinstance(callback, GradientNormClipping)
    assert net(first) and callback.gradient_clip_value == mine(ours).clip_norm == 1.0


@row("`callbacks=[TensorBoard(writer)]`, `MlflowLogger`")
def logged(first, ours):
    assert code_in(ours) == ["TensorBoard(folder)", "MLflow()", "rnnlite.logs", "rnnlite.fit"]
    assert TensorBoard.__name__ in first and MlflowLogger.__name__ in first
    assert {"TensorBoard", "MLflow"} <= set(logs.__all__)  # test_logs.py runs both


@row('`net.history[:, "valid_loss"]`')
def history(first, ours):
    assert len(eval(*code_in(first), {"net": net()})) == 3
    assert len(eval(*code_in(ours), {"estimator": mine(early_stopping=True)})) == 3


@row("`net.partial_fit(X, y)`, all `max_epochs` again")
def partial(first, ours):
    theirs, found = net(), mine()
    eval(code_in(first)[0], {"net": theirs, "X": X, "y": Y})
    eval(code_in(ours)[0], {"estimator": found, "X": X, "y": Y})
    assert (len(theirs.history), found.n_iter_) == (6, 4)


@row("`net.module_.state_dict()`")
def crossing(first, ours):
    theirs, found = net(), mine()
    there, back = code_in(ours)
    state = eval(*code_in(first), {"net": theirs})
    model = eval(back, {"interop": interop})(state, into=found.model_)
    expected = theirs.forward(X).numpy()
    assert_close("y", model(X), expected, 1e-6)
    arrays = eval(there, {"interop": interop, "estimator": found})
    assert [a.shape for a in arrays.values()] == [tuple(t.shape) for t in state.values()]


@row('`net.save_params(f_params="net.pt")`')
def saved(first, ours):
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        eval(*code_in(first), {"net": net()})
        found = mine()
        eval(*code_in(ours), {"rnnlite": rnnlite, "estimator": found})
        assert sorted(path.name for path in Path().iterdir()) == ["net.npz", "net.pt"]
        assert np.array_equal(rnnlite.load("net.npz").flat_params, found.model_.flat_params)


@row('`device="cuda"`')
def device(first, ours):
    assert ours == "none" and "device" not in RNNClassifier().get_params()
    assert NeuralNetClassifier(Module, **options(first)).device == "cuda"
