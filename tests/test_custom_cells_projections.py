"""Custom cells with their projections in any order, and with an intermediate."""

import numpy as np
import pytest
from custom_cases import LENGTHS, cell_of, layer_of, long, sequences

import rnnlite
from rnnlite import gradcheck
from rnnlite.cells.functions import tanh, zero_like
from rnnlite.kernels.jit import JIT_DISABLED
from rnnlite.kernels.layout import layout_of

# From x alone, from h alone, from both, from x and the intermediate, from that alone.
MIXED = [("k", None), (None, "k"), ("m", "m"), ("n", "l", "intermediate"), ("l", None),
         (None, "n", "intermediate")]  # fmt: skip
AS_LISTED, ANOTHER = (0, 1, 2, 3, 4, 5), (5, 2, 0, 3, 1, 4)


def mixed_cell(order, bias, compiled=True, **options):
    """One cell, whatever the order of its projections: z[order.index(n)] is MIXED[n]."""
    place = tuple(order.index(n) for n in range(len(MIXED)))
    p0, p1, p2, p3, p4, p5 = place
    at = tuple(float(n == p2) for n in range(len(MIXED)))

    def intermediate(z, state):
        return tanh(z[p2]) * state[0]

    def step(z, state):
        m, a, b = tanh(z[p2]), tanh(z[p3]), tanh(z[p5])
        h = tanh(z[p0] * z[p1] + m + a * b + z[p4])
        return (h,), (h, m, a, b, z[p0], z[p1])

    def step_backward(dstate, saved, state, new_state):
        h, m, a, b, k_x, k_h = saved
        d = dstate[0] * (1.0 - h * h)
        dz = (d * k_h, d * k_x, d * (1.0 - m * m), d * b * (1.0 - a * a), d,
              d * a * (1.0 - b * b))  # fmt: skip
        i0, i1, i2, i3, i4, i5 = order
        return (dz[i0], dz[i1], dz[i2], dz[i3], dz[i4], dz[i5]), (zero_like(d),)

    def intermediate_backward(da, dz, dbefore, saved, state):
        m = saved[1]
        more = da * state[0] * (1.0 - m * m)
        return (dz[0] + more * at[0], dz[1] + more * at[1], dz[2] + more * at[2],
                dz[3] + more * at[3], dz[4] + more * at[4], dz[5] + more * at[5],
        ), (dbefore[0] + da * m,)  # fmt: skip

    return rnnlite.custom_cell(
        "mixed", step, step_backward, gates=["k", "l", "m", "n"],
        saved=["h", "m", "a", "b", "k_x", "k_h"], projections=[MIXED[n] for n in order],
        intermediate=intermediate, intermediate_backward=intermediate_backward,
        recurrent_bias=bias, compiled=compiled, **options,
    )  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize("bias", [False, True])
def test_a_cell_may_list_its_projections_in_any_order(bias):
    """The engine sorts them; z comes in the cell's order, and so does dz.

    Compiled, in the order that it has to change; the parameters are the same in any.
    """
    x, results = sequences(), []
    for order, compiled in ((ANOTHER, True), (ANOTHER, False), (AS_LISTED, False)):
        layer = layer_of(mixed_cell(order, bias, compiled), compiled, return_sequences=True)
        report = gradcheck.check(layer, x, lengths=LENGTHS)
        assert report.passed, str(report)
        y = layer.forward(x, lengths=LENGTHS)
        step = layer.step(x[:, 0])[0]  # few rows: weights as they are
        results.append([y, step, layer.backward(np.cos(y)), *layer.grads.values()])
    for ours, plain, as_listed in zip(*results, strict=True):
        np.testing.assert_allclose(ours, plain, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(ours, as_listed, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("compiled", [False, True if JIT_DISABLED else long(True)])
def test_the_equations_of_the_intermediate_see_the_parameters_of_the_units(compiled):
    """Forward and back; to a parameter of the intermediate alone there is no gradient."""

    def intermediate(z, state, p):
        return p[0] * state[0]

    def gained_step(z, state, p):
        h = tanh(p[1] * z[0])
        return (h,), (h, z[0])

    def gained_step_backward(dstate, saved, state, new_state, p):
        d = dstate[0] * (1.0 - saved[0] * saved[0])
        return (d * p[1],), (zero_like(d),), (zero_like(d), d * saved[1])

    def intermediate_backward(da, dz, dbefore, saved, state, p):
        return dz, (dbefore[0] + da * p[0],)

    cell = rnnlite.custom_cell(
        "gained", gained_step, gained_step_backward, gates=["h"], saved=["h", "z"],
        projections=[("h", "h", "intermediate")], unit_params={"before": 0.7, "gain": 1.3},
        intermediate=intermediate, intermediate_backward=intermediate_backward,
    )  # fmt: skip
    layer, x = layer_of(cell, compiled, return_sequences=True), sequences()
    gradients = {"x": layer.backward(np.cos(layer.forward(x, lengths=LENGTHS)))}
    gradients |= {name: layer.grads[name].copy() for name in ("Wx", "b", "Wh", "gain")}
    assert not layer.grads["before"].any()
    for name, gradient in gradients.items():
        array = x if name == "x" else layer.params[name]
        step = 1e-6 * np.random.default_rng(1).normal(size=array.shape)
        losses = []
        for sign in (1, -1):
            array += sign * step
            losses.append(np.sin(layer(x, lengths=LENGTHS)).sum())
            array -= sign * step
        np.testing.assert_allclose(np.sum(gradient * step) * 2, losses[0] - losses[1], rtol=1e-6)


def test_names_from_before_the_first_release_are_understood():
    example = cell_of("minimal_gated_unit")
    old = rnnlite.custom_cell(
        "minimal gated unit", example.step, example.step_backward, gates=["f", "n"],
        kept=["f", "n"], blocks=[("f", "f"), ("n", "n", "reset")],
        reset=example.intermediate, reset_backward=example.intermediate_backward,
    )  # fmt: skip
    assert old == example


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("order", [AS_LISTED, ANOTHER])
def test_for_few_rows_every_part_of_the_weights_is_multiplied_once(order, bias):
    """The table of products with W as it is, worked through in NumPy; its last is that of a."""
    I, H, rng = 3, 2, np.random.default_rng(0)
    cell = mixed_cell(order, bias)
    layout = layout_of(cell, I, H, np.dtype(float))
    W = rng.normal(size=(layout.h_row + H, layout.columns))
    x, h, a = rng.normal(size=I), rng.normal(size=H), rng.normal(size=H)
    xh = np.full(layout.xh_row, np.nan)
    xh[layout.x_at : layout.h_at] = [*x, *np.ones(1 + bias)]
    xh[layout.h_at : layout.h_at + H], xh[layout.a_at : layout.a_at + H] = h, a
    z = np.full(len(layout.blocks) * H, np.nan)
    for turn in (0, 1):
        for column, K, _, start, row, _, at, N, begins, waits in layout.direct_products:
            if waits == turn:
                weights = W.ravel()[start + row * np.arange(K)[:, None] + np.arange(N)]
                z[at : at + N] = (0.0 if begins else z[at : at + N]) + xh[
                    column : column + K
                ] @ weights
    of_gate = W.reshape(len(W), -1, H).transpose(1, 0, 2)
    for block, found in zip(layout.blocks, z.reshape(-1, H), strict=True):
        wanted = np.zeros(H)
        if block.x >= 0:
            wanted += x @ of_gate[block.x][:I] + of_gate[block.x][I]
        for gate, state in ((block.h, h), (block.a, a)):
            if gate >= 0:
                wanted += state @ of_gate[gate][layout.h_row :]
                wanted += of_gate[gate][I + 1 : layout.h_row].sum(axis=0)  # bh, if there is one
        np.testing.assert_allclose(found, wanted)
