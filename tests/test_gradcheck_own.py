"""The gradient check of objects of a person's own."""

import numpy as np
import pytest
from gradchecked import H, HandWritten, I, X, normal, snapshot, wrong_arrays

from rnnlite import functional, gradcheck


def test_a_hand_written_network_passes():
    report = gradcheck.check(HandWritten(I, H), X)
    assert report.passed, f"\n{report}"
    assert [a.name for a in report.arrays] == ["U", "V", "a", "x"]


def test_a_hand_written_network_passes_with_labels():
    assert gradcheck.check(HandWritten(I, H), X, labels=[0, 2]).passed


def test_a_hand_written_network_gets_its_parameters_and_gradients_back():
    own, twin = HandWritten(I, H), HandWritten(I, H)
    arrays = {name: id(a) for name, a in own.params.items()}
    gradcheck.check(own, X, labels=[0, 2])
    assert {name: id(a) for name, a in own.params.items()} == arrays
    _, dy = functional.softmax_cross_entropy(twin.forward(X), [0, 2])
    twin.backward(dy)
    assert snapshot(own) == snapshot(twin)


@pytest.mark.parametrize("call", [2, 5, 30])
def test_parameters_come_back_even_if_forward_breaks_half_way(call):
    class Breaks(HandWritten):
        calls = 0

        def forward(self, x):
            self.calls += 1
            if self.calls == call:
                raise ArithmeticError("broken")
            return super().forward(x)

    own = Breaks(I, H)
    with pytest.raises(ArithmeticError, match="broken"):
        gradcheck.check(own, X)
    before = HandWritten(I, H).params
    assert {n: a.tobytes() for n, a in own.params.items()} == {
        n: a.tobytes() for n, a in before.items()
    }


def test_backward_of_a_hand_written_network_need_not_return_dx():
    class NoInputGradient(HandWritten):
        def backward(self, dy):
            super().backward(dy)

    report = gradcheck.check(NoInputGradient(I, H), X)
    assert report.passed and [a.name for a in report.arrays] == ["U", "V", "a"]


def test_whole_numbers_are_handed_to_a_hand_written_network_as_they_are():
    class Lookup:
        def __init__(self):
            self.params, self.grads = {"table": normal(5, 3)}, {"table": np.zeros((5, 3))}

        def forward(self, x):
            assert x.dtype.kind == "i"
            self.x = x
            return self.params["table"][x]

        def backward(self, dy):
            self.grads["table"][...] = 0.0
            np.add.at(self.grads["table"], self.x, dy)

    report = gradcheck.check(Lookup(), np.array([[1, 4], [4, 0]]))
    assert report.passed and [a.name for a in report.arrays] == ["table"]


def test_a_hand_written_network_gets_lengths_if_it_takes_them():
    class TakesLengths(HandWritten):
        def forward(self, x, lengths=None):
            self.mask = (np.arange(x.shape[1]) < np.asarray(lengths)[:, None])[..., None]
            return super().forward(x * self.mask)

        def backward(self, dy):
            return super().backward(dy) * self.mask

    assert gradcheck.check(TakesLengths(I, H), X, lengths=[4, 2]).passed


@pytest.mark.quick(every=3)
@pytest.mark.parametrize("factor", [0.0, -1.0, 1.01, 1.001], ids=["0", "-1", "1.01", "1.001"])
@pytest.mark.parametrize("name", ["U", "V", "a", "x"])
def test_a_mistake_in_a_hand_written_network_is_caught(name, factor):
    class Wrong(HandWritten):
        def backward(self, dy):
            dx = super().backward(dy)
            if name == "x":
                return factor * dx
            self.grads[name] *= factor
            return dx

    assert wrong_arrays(gradcheck.check(Wrong(I, H), X)) == {name}
