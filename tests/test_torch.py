"""In float64 networks, loss and training give PyTorch's numbers, every gradient included."""

import numpy as np
import pytest
from beside_torch import (
    TOLERANCE,
    assert_equal_torch,
    everything_from_torch,
    module_of,
    ragged,
    run,
    set_weights,
    tensor,
    torch,
    weight_gradients,
)
from conftest import (
    CELLS,
    GRU,
    LSTM,
    RNN_TANH,
    assert_close,
    every_cell,
    everything,
    problem,
    set_params,
    upstream,
)

import rnnlite

# B, T, I, H: single ones, the edges of registers and of blocks of rows, a long sequence.
SHAPES = [(1, 1, 1, 1), (1, 6, 3, 5), (5, 1, 3, 5), (3, 4, 5, 6), (65, 3, 2, 17), (2, 60, 3, 4)]
every_shape = pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: "x".join(map(str, shape)))
full_and_packed = pytest.mark.parametrize("packed", [False, True], ids=["full", "packed"])


@pytest.fixture(autouse=True)
def _one_thread_is_enough():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


# --- functions ------------------------------------------------------------------------------


@every_cell
@every_shape
@full_and_packed
@pytest.mark.parametrize("initial", [True, False], ids=["h0 given", "h0 zero"])
def test_functions_give_every_number_of_pytorch(cell, shape, packed, initial):
    B, T, I, H = shape
    lengths = ragged(B, T) if packed else None
    arguments = problem(cell, B, T, I, H, seed=1, lengths=lengths, initial=initial)
    gradients = upstream(cell, B, T, H)
    theirs = everything_from_torch(cell, arguments, gradients)
    assert set(theirs) >= {"h", "hT", "dx", "dWx", "dWh", "db"}
    assert_equal_torch(everything(cell, arguments, gradients), theirs)


@pytest.mark.parametrize(
    ("cell", "used"),
    [(cell, name) for cell in CELLS for name in upstream(cell)],
    ids=lambda value: getattr(value, "name", value),
)
@full_and_packed
def test_each_incoming_gradient_alone_flows_as_in_pytorch(cell, packed, used):
    gradients = {name: a if name == used else None for name, a in upstream(cell).items()}
    arguments = problem(cell, seed=2, lengths=ragged(3, 4) if packed else None)
    theirs = everything_from_torch(cell, arguments, gradients)
    assert_equal_torch(everything(cell, arguments, gradients), theirs)


@pytest.mark.parametrize("cell", [LSTM, RNN_TANH], ids=lambda cell: cell.name)
def test_where_biases_only_add_both_of_pytorchs_have_the_gradient_of_ours(cell):
    theirs = everything_from_torch(cell, problem(cell), upstream(cell))
    assert_close("bias_hh", theirs["other db"], theirs["db"], 1e-14)


def test_in_the_gru_the_biases_differ_in_the_candidate_alone():
    theirs = everything_from_torch(GRU, problem(GRU), upstream(GRU))
    assert_close("r and z", theirs["dbh"][:12], theirs["db"][:12], 1e-14)
    assert np.abs(theirs["dbh"][12:] - theirs["db"][12:]).min() > 1e-3


# --- layers ---------------------------------------------------------------------------------


def alone_or_tuple(values):
    values = tuple(values)
    return values if len(values) > 1 else values[0]


def through_layer(cell, arguments, gradients, return_sequences=True):
    """All results of a layer by the names of ``functional``."""
    I, H = len(arguments["Wx"]), len(arguments["Wh"])
    layer = cell.make(I, H, return_sequences=return_sequences, dtype="float64")
    set_params(layer, arguments)
    initial = alone_or_tuple(arguments[name] for name in cell.initial)
    final = alone_or_tuple(gradients[f"d{state}T"] for state in cell.states)
    y = layer.forward(arguments["x"], initial_state=initial, lengths=arguments["lengths"])
    results = {"h": y, "dx": layer.backward(gradients["dh"], dfinal_state=final)}
    results |= {f"d{name}": array for name, array in layer.grads.items()}
    for names, state in (
        ([f"{name}T" for name in cell.states], layer.final_state),
        ([f"d{name}" for name in cell.initial], layer.dinitial_state),
    ):
        state = state if isinstance(state, tuple) else (state,)
        results |= dict(zip(names, state, strict=True))
    return results


@every_cell
@every_shape
@full_and_packed
def test_layers_give_every_number_of_pytorch(cell, shape, packed):
    B, T, I, H = shape
    arguments = problem(cell, B, T, I, H, seed=5, lengths=ragged(B, T) if packed else None)
    gradients = upstream(cell, B, T, H)
    theirs = everything_from_torch(cell, arguments, gradients)
    assert_equal_torch(through_layer(cell, arguments, gradients), theirs)


@every_cell
@full_and_packed
def test_a_layer_that_returns_the_last_step_reads_each_row_at_its_end(cell, packed):
    lengths = ragged(3, 4) if packed else None
    arguments, gradients = problem(cell, seed=6, lengths=lengths), upstream(cell)
    gradients["dh"] = gradients["dh"][:, 0]
    last = (np.arange(3), np.full(3, 3) if lengths is None else lengths - 1)
    theirs = everything_from_torch(cell, arguments, gradients, read=lambda y: y[last])
    results = through_layer(cell, arguments, gradients, return_sequences=False)
    assert results["h"].shape == (3, 6)
    assert_equal_torch(results, theirs)


@every_cell
@full_and_packed
def test_bidirectional_layers_give_every_number_of_pytorch(cell, packed):
    B, T, I, H = 4, 5, 3, 6
    lengths = ragged(B, T) if packed else None
    suffixes = ("l0", "l0_reverse")
    ways = {suffix: problem(cell, B, T, I, H, seed=7 + n) for n, suffix in enumerate(suffixes)}
    x = ways["l0"]["x"]
    layer = rnnlite.Bidirectional(cell.make(I, H, return_sequences=True, dtype="float64"))
    module = module_of(cell, I, H, bidirectional=True)
    for (suffix, arguments), one in zip(ways.items(), layer.layers, strict=True):
        set_params(one, arguments)
        set_weights(module, arguments, suffix)
    initial = [[arguments[name] for name in cell.initial] for arguments in ways.values()]
    final = [list(upstream(cell, B, T, H, seed=seed).values())[1:] for seed in (9, 10)]
    dy = np.random.default_rng(11).normal(size=(B, T, 2 * H))

    y = layer.forward(x, [alone_or_tuple(states) for states in initial], lengths)
    dx = layer.backward(dy, [alone_or_tuple(states) for states in final])

    x = tensor(x)
    initial = [tensor(np.stack(states)) for states in zip(*initial, strict=True)]  # each (2, B, H)
    their_y, their_final = run(module, x, tuple(initial), lengths)
    loss = (their_y * torch.from_numpy(dy)).sum()
    for state, gradient in zip(their_final, zip(*final, strict=True), strict=True):
        loss = loss + (state * torch.from_numpy(np.stack(gradient))).sum()
    loss.backward()

    assert_close("y", y, their_y.detach().numpy(), TOLERANCE)
    assert_close("dx", dx, x.grad.numpy(), TOLERANCE)
    for way, suffix in enumerate(ways):
        prefix = ("forward", "backward")[way]
        for name, expected in weight_gradients(cell, module, suffix).items():
            ours = layer.grads[f"{prefix}.{name.removeprefix('other ').removeprefix('d')}"]
            assert_close(f"{prefix} {name}", ours, expected, TOLERANCE)
        for name, ours, expected in (
            ("final", layer.final_state[way], [state[way] for state in their_final]),
            ("dinitial", layer.dinitial_state[way], [state.grad[way] for state in initial]),
        ):
            ours = ours if isinstance(ours, tuple) else (ours,)
            for a, b in zip(ours, expected, strict=True):
                assert_close(f"{prefix} {name} state", a, b.detach().numpy(), TOLERANCE)


@pytest.mark.parametrize("leading", [(1,), (5,), (3, 4), (70, 2)])
def test_dense_gives_every_number_of_linear(leading):
    rng = np.random.default_rng(12)
    x, dy = rng.normal(size=(*leading, 5)), rng.normal(size=(*leading, 3))
    dense, linear = rnnlite.Dense(5, 3, seed=0, dtype="float64"), torch.nn.Linear(5, 3)
    linear = linear.to(torch.float64)
    dense.params["b"][...] = rng.normal(size=3)
    with torch.no_grad():
        linear.weight.copy_(torch.from_numpy(dense.params["W"].T.copy()))
        linear.bias.copy_(torch.from_numpy(dense.params["b"]))
    y, dx = dense.forward(x), dense.backward(dy)
    their_x = tensor(x)
    their_y = linear(their_x)
    their_y.backward(torch.from_numpy(dy))
    for name, ours, theirs in (
        ("y", y, their_y.detach()),
        ("dx", dx, their_x.grad),
        ("dW", dense.grads["W"], linear.weight.grad.T),
        ("db", dense.grads["b"], linear.bias.grad),
    ):
        assert_close(name, ours, theirs.numpy(), TOLERANCE)


@pytest.mark.parametrize(("rows", "classes"), [(1, 2), (6, 4), (70, 33)])
def test_cross_entropy_is_that_of_pytorch(rows, classes):
    rng = np.random.default_rng(13)
    logits, labels = rng.normal(0, 5, (rows, classes)), rng.integers(0, classes, rows)
    loss, dlogits = rnnlite.softmax_cross_entropy(logits, labels)
    theirs = tensor(logits)
    their_loss = torch.nn.functional.cross_entropy(theirs, torch.from_numpy(labels))
    their_loss.backward()
    assert loss == pytest.approx(their_loss.item(), rel=TOLERANCE)
    assert_close("dlogits", dlogits, theirs.grad.numpy(), TOLERANCE)


# --- training -------------------------------------------------------------------------------


@every_cell
@full_and_packed
def test_twenty_steps_of_training_stay_with_pytorch(cell, packed):
    """Recurrent layer -> Dense -> cross-entropy -> Adam, a new batch at each step."""
    B, T, I, H, C, steps = 16, 7, 4, 12, 3, 20
    rng = np.random.default_rng(14)
    x, labels = rng.normal(size=(steps, B, T, I)), rng.integers(0, C, (steps, B))

    recurrent = cell.make(I, H, seed=0, dtype="float64")
    model = rnnlite.Sequential([recurrent, rnnlite.Dense(H, C, seed=1, dtype="float64")])
    optimizer = rnnlite.Adam(model, lr=0.01)

    module, linear = module_of(cell, I, H), torch.nn.Linear(H, C).to(torch.float64)
    set_weights(module, recurrent.params)
    # Two biases that only add would each take Adam's step: one of them stays as it is.
    trained = [module.weight_ih_l0, module.weight_hh_l0, module.bias_ih_l0, *linear.parameters()]
    if "bh" in cell.biases:
        trained.append(module.bias_hh_l0)
    with torch.no_grad():
        linear.weight.copy_(torch.from_numpy(model.params["1.W"].T.copy()))
        linear.bias.copy_(torch.from_numpy(model.params["1.b"]))
    their_optimizer = torch.optim.Adam(trained, lr=0.01)

    start, losses = model.flat_params.copy(), []
    for step in range(steps):
        lengths = ragged(B, T, seed=step) if packed else None
        logits = model.forward(x[step], lengths=lengths, training=True)
        loss, dlogits = rnnlite.softmax_cross_entropy(logits, labels[step])
        model.backward(dlogits, need_dx=False)
        optimizer.step()

        _, final = run(module, torch.from_numpy(x[step]), None, lengths)
        their_loss = torch.nn.functional.cross_entropy(
            linear(final[0][0]), torch.from_numpy(labels[step])
        )
        their_optimizer.zero_grad()
        their_loss.backward()
        their_optimizer.step()

        losses.append(loss)
        assert loss == pytest.approx(their_loss.item(), rel=TOLERANCE), f"step {step}"
        bias = module.bias_ih_l0
        theirs = {"0.Wx": module.weight_ih_l0.T, "0.Wh": module.weight_hh_l0.T}
        if "bh" in cell.biases:
            theirs |= {"0.b": bias, "0.bh": module.bias_hh_l0}
        else:
            theirs["0.b"] = bias + module.bias_hh_l0
        theirs |= {"1.W": linear.weight.T, "1.b": linear.bias}
        assert set(theirs) == set(model.params)
        for name, expected in theirs.items():
            ours = model.params[name]
            assert_close(f"{name}, step {step}", ours, expected.detach().numpy(), TOLERANCE)
    assert len(set(losses)) == steps
    assert np.abs(model.flat_params - start).max() > 0.02


@pytest.mark.parametrize("cell", [LSTM, GRU], ids=lambda cell: cell.name)
def test_two_layers_are_pytorchs_two_layers(cell):
    B, T, I, H = 3, 5, 4, 6
    layers = [
        cell.make(n, H, return_sequences=True, seed=seed, dtype="float64")
        for seed, n in enumerate((I, H))
    ]
    model, module = rnnlite.Sequential(layers), module_of(cell, I, H, num_layers=2)
    for depth, layer in enumerate(layers):
        set_weights(module, layer.params, f"l{depth}")
    x, lengths = np.random.default_rng(15).normal(size=(B, T, I)), ragged(B, T)
    y = model.forward(x, lengths=lengths)
    dy = np.random.default_rng(16).normal(size=y.shape)
    dx = model.backward(dy)

    x = tensor(x)
    their_y, _ = run(module, x, None, lengths)
    their_y.backward(torch.from_numpy(dy))
    assert_close("y", y, their_y.detach().numpy(), TOLERANCE)
    assert_close("dx", dx, x.grad.numpy(), TOLERANCE)
    for depth in (0, 1):
        for name, expected in weight_gradients(cell, module, f"l{depth}").items():
            ours = model.grads[f"{depth}.{name.removeprefix('other ').removeprefix('d')}"]
            assert_close(f"layer {depth} {name}", ours, expected, TOLERANCE)


def test_all_cells_were_compared():
    assert {cell.name for cell in CELLS} == {"lstm", "rnn-tanh", "rnn-relu", "gru"}
