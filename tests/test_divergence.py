"""Trouble while training is named: which step, which layer, which row, and what to try."""

import numpy as np
import pytest

import rnnlite
from rnnlite import LSTM, SGD, Dense, Sequential, fit

# Without the JIT, NumPy warns of what these tests do on purpose.
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

N, T, F = 40, 5, 3


def data():
    x = np.random.default_rng(0).normal(size=(N, T, F)).astype(np.float32)
    return x, (x[:, 0, 0] > 0).astype(np.int64)


def network():
    return Sequential([LSTM(F, 6, seed=0), Dense(6, 2, seed=1)])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("shuffle", [True, False])
def test_data_that_are_not_finite_are_found(bad, shuffle):
    x, y = data()
    x[17, 3, 1] = bad
    model = network()
    with pytest.raises(ValueError, match=f"x holds {bad} in row 17, time 3, feature 1"):
        fit(model, x, y, batch_size=8, shuffle=shuffle)
    assert np.isfinite(model.flat_params).all()


def test_targets_that_are_not_finite_are_found():
    x, y = data()
    values = np.stack([y, y], 1).astype(np.float32)
    values[5, 1] = np.nan
    with pytest.raises(ValueError, match="y holds nan in row 5, position 1"):
        fit(network(), x, values, loss="mean_squared_error")


def test_validation_data_that_are_not_finite_are_found():
    x, y = data()
    bad = x.copy()
    bad[7, 1, 0] = np.nan
    with pytest.raises(ValueError, match="fit: validation: x holds nan in row 7, time 1, feat"):
        fit(network(), x, y, validation=(bad, y))
    with pytest.raises(ValueError, match="evaluate: x holds nan in row 7"):
        rnnlite.evaluate(network(), bad, y, batch_size=5)


def test_no_class_is_made_of_nan():
    x, _ = data()
    x[7, 1, 0] = np.nan
    with pytest.raises(ValueError, match="predict: the scores of row 7 are nan"):
        rnnlite.predict(network(), x)
    lengths = np.full(N, T)
    lengths[7] = 1
    assert rnnlite.predict(network(), x, lengths=lengths).min() >= 0


def test_a_figure_that_is_nan_is_never_the_best():
    stopping = rnnlite.EarlyStopping(patience=3, monitor="loss")
    seen = [stopping.seen({"loss": loss}, np.zeros(1)) for loss in (np.nan, 0.5, 0.4, np.nan)]
    assert stopping.best == 0.4 and not any(seen)


def test_padding_may_hold_anything():
    x, y = data()
    lengths = np.full(N, 3)
    x[:, 3:] = np.nan
    fit(network(), x, y, lengths=lengths)


def test_a_run_that_diverges_keeps_the_last_finite_weights():
    x, y = data()
    model = network()
    values = np.stack([y, y], 1).astype(np.float32) * 100
    with pytest.raises(rnnlite.TrainingDiverged, match=r"fit: step \d+ \(epoch \d+\)") as caught:
        fit(
            model, x, values, optimizer=SGD(model, lr=1e5), epochs=500, batch_size=10,
            loss="mean_squared_error",
        )  # fmt: skip
    assert "try a smaller learning rate (lr is 100000)" in str(caught.value)
    assert np.isfinite(model.flat_params).all()
    assert caught.value.step >= 2
    assert len(caught.value.history.get("step", [])) == (caught.value.step - 1) // 4


def test_weights_that_were_not_finite_are_named():
    x, y = data()
    model = network()
    model.params["1.W"][0, 0] = np.nan
    with pytest.raises(rnnlite.TrainingDiverged, match=r"params\['1.W'\] was not finite"):
        fit(model, x, y)


def test_the_layer_that_overflows_is_named():
    x, y = data()
    model = network()
    model.params["1.W"][...] = model.params["1.b"][...] = 3.4e38
    with pytest.raises(rnnlite.TrainingDiverged, match=r"that of layer 1, Dense\(6, 2\)"):
        fit(model, x, y)


def test_the_gradient_that_overflows_is_named():
    x, y = data()
    model = network()

    def steep(output, y):
        return 1.0, np.full_like(output, 3e38)

    with pytest.raises(rnnlite.TrainingDiverged, match=r"a gradient is not finite; grads\['1.W'\]"):
        fit(model, x, y, loss=steep)


def test_a_gradient_whose_square_overflows_is_named():
    x, y = data()

    def steep(output, y):
        return 1.0, np.full_like(output, 1e200)

    with pytest.raises(rnnlite.TrainingDiverged, match=r"grads\['1.b'\] is so large that its squ"):
        fit(network().copy("float64"), x.astype(np.float64), y, loss=steep)


def test_a_loss_function_that_returns_nan_is_named():
    x, y = data()
    with pytest.raises(rnnlite.TrainingDiverged, match="it comes from the loss function"):
        fit(network(), x, y, loss=lambda output, y: (float("nan"), np.zeros_like(output)))
