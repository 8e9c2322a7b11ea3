"""Models that cross to and from PyTorch compute the same: outputs, states, every gradient."""

import numpy as np
import pytest
from conftest import assert_close, assert_refused, assert_same_bits

import rnnlite
from rnnlite import interop
from rnnlite.interop.leaves import directions, leaves

torch = pytest.importorskip("torch", reason="these tests compare with PyTorch")
nn = torch.nn

B, T, I, H = 3, 5, 4, 6
TOLERANCE = 1e-10
LENGTHS = [2, 5, 3]
full_and_packed = pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["full", "packed"])


@pytest.fixture(autouse=True)
def _one_thread_and_one_seed():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(before)


# ---- both sides ----------------------------------------------------------------------------------


def normal(*shape, seed=1):
    return np.random.default_rng(seed).normal(size=shape)


def states_of(value):
    """(h,), or (h, c)."""
    return value if isinstance(value, tuple) else (value,)


def run_torch(module, x, lengths, initial=None):
    """All outputs (B, T, N), and the final states (layers, B, H)."""
    if not module.batch_first:
        x = x.transpose(0, 1)
    if lengths is not None:
        x = nn.utils.rnn.pack_padded_sequence(
            x, torch.tensor(lengths), module.batch_first, enforce_sorted=False
        )
    y, final = module(x, initial)
    if lengths is not None:
        y, _ = nn.utils.rnn.pad_packed_sequence(y, module.batch_first, total_length=T)
    return y if module.batch_first else y.transpose(0, 1), states_of(final)


def recurrent_layers(model):
    """Single directions, in the order in which PyTorch stacks their states."""
    return [one for _, layer in leaves("", model) for _, one in directions(layer) or ()]


def gradients_by_name(model):
    """The gradients of a model under PyTorch's names."""
    twin = model.copy()
    twin.flat_params = model.flat_grads
    return interop.to_torch(twin)


def assert_same_network(model, module, lengths=None):
    """Outputs, final states and all gradients of a recurrent module, with a loss of all of them."""
    x = normal(B, T, I)
    theirs = torch.tensor(x, requires_grad=True)
    y, final = run_torch(module, theirs, lengths)
    dy = normal(*y.shape, seed=2)
    (y * torch.from_numpy(dy)).sum().backward()

    assert_close("y", model.forward(x, lengths=lengths), y.detach().numpy(), TOLERANCE)
    for n, layer in enumerate(recurrent_layers(model)):
        for ours, expected in zip(states_of(layer.final_state), final, strict=True):
            assert_close(f"state of {n}", ours, expected[n].detach().numpy(), TOLERANCE)
    assert_close("dx", model.backward(dy), theirs.grad.numpy(), TOLERANCE)
    ours = gradients_by_name(model)
    names = dict(module.named_parameters())
    assert set(names) <= set(ours)
    for name, parameter in names.items():
        same = name if isinstance(module, nn.GRU) else name.replace("bias_hh", "bias_ih")
        assert_close(f"d{name}", ours[same], parameter.grad.numpy(), TOLERANCE)


KINDS = {
    "lstm": (nn.LSTM, {}),
    "gru": (nn.GRU, {}),
    "tanh": (nn.RNN, {}),
    "relu": (nn.RNN, {"nonlinearity": "relu"}),
}
every_kind = pytest.mark.parametrize("kind", KINDS)


def module_of(kind, dtype=torch.float64, **options):
    cls, own = KINDS[kind]
    return cls(I, H, **own, **({"batch_first": True} | options), dtype=dtype).eval()


# ---- from PyTorch --------------------------------------------------------------------------------


@every_kind
@full_and_packed
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
@pytest.mark.parametrize("bidirectional", [False, True], ids=["forward", "both ways"])
@pytest.mark.parametrize("layers", [1, 3])
def test_a_recurrent_module_computes_the_same(kind, layers, bidirectional, bias, lengths):
    options = {"num_layers": layers, "bidirectional": bidirectional, "bias": bias}
    module = module_of(kind, dropout=0.5 * (layers > 1), **options)
    model = interop.from_torch(module)
    assert_same_network(model, module, lengths)
    assert model.dtype == np.float64


@every_kind
@pytest.mark.parametrize("bidirectional", [False, True], ids=["forward", "both ways"])
def test_initial_states_and_gradients_of_states_are_the_same(kind, bidirectional):
    module = module_of(kind, bidirectional=bidirectional)
    model, ways = interop.from_torch(module), 1 + bidirectional
    count = len(recurrent_layers(model)[0].cell.states)
    initial = [normal(ways, B, H, seed=n) for n in range(count)]
    dfinal = [normal(ways, B, H, seed=10 + n) for n in range(count)]
    tensors = [torch.tensor(state, requires_grad=True) for state in initial]
    _, final = run_torch(
        module, torch.tensor(normal(B, T, I)), LENGTHS, tuple(tensors) if count > 1 else tensors[0]
    )
    sum((s * torch.from_numpy(d)).sum() for s, d in zip(final, dfinal, strict=True)).backward()

    def ours(arrays):
        pairs = [
            tuple(a[way] for a in arrays) if count > 1 else arrays[0][way] for way in range(ways)
        ]
        return pairs if bidirectional else pairs[0]

    model.forward(normal(B, T, I), initial_state=ours(initial), lengths=LENGTHS)
    model.backward(None, dfinal_state=ours(dfinal))
    for way, layer in enumerate(recurrent_layers(model)):
        for got, expected in zip(states_of(layer.final_state), final, strict=True):
            assert_close("final", got, expected[way].detach().numpy(), TOLERANCE)
        for got, expected in zip(states_of(layer.dinitial_state), tensors, strict=True):
            assert_close("dinitial", got, expected.grad[way].numpy(), TOLERANCE)


def test_batch_first_is_a_matter_of_the_input_alone():
    module = module_of("lstm", batch_first=False, num_layers=2)
    assert_same_network(interop.from_torch(module), module, LENGTHS)


def test_dropout_between_layers_stands_between_them():
    module = module_of("lstm", num_layers=3, dropout=0.3)
    models = [interop.from_torch(module, seed=7) for _ in range(2)]
    kinds = [type(layer).__name__ for layer in models[0].layers]
    assert kinds == ["LSTM", "Dropout", "LSTM", "Dropout", "LSTM"]
    assert models[0].layers[1].rate == 0.3
    assert not any(isinstance(layer, rnnlite.Dropout) for layer in
                   interop.from_torch(module_of("lstm", num_layers=3)).layers)  # fmt: skip
    one, two = (model.forward(normal(B, T, I), training=True) for model in models)
    assert_same_bits("of one seed", one, two)
    assert not np.allclose(one, models[0](normal(B, T, I)))


@full_and_packed
@pytest.mark.parametrize("bidirectional", [False, True])
def test_the_last_step_is_the_final_state(bidirectional, lengths):
    module = module_of("gru", bidirectional=bidirectional, num_layers=2)
    model = interop.from_torch(module, return_sequences=False)
    _, (h,) = run_torch(module, torch.tensor(normal(B, T, I)), lengths)
    last = torch.cat([h[-2], h[-1]], dim=1) if bidirectional else h[-1]
    assert_close("y", model(normal(B, T, I), lengths=lengths), last.detach().numpy(), TOLERANCE)


PLAIN = {
    "linear": lambda: [nn.Linear(I, 3)],
    "linear without bias": lambda: [nn.Linear(I, 3, bias=False)],
    "norm": lambda: [nn.LayerNorm(I, eps=1e-3)],
    "norm without bias": lambda: [nn.LayerNorm(I, bias=False)],
    "norm without weights": lambda: [nn.LayerNorm(I, elementwise_affine=False), nn.Linear(I, 2)],
    "activations": lambda: [nn.Tanh(), nn.Linear(I, 5), nn.ReLU(), nn.Linear(5, 5), nn.Sigmoid()],
    "more": lambda: [nn.GELU(), nn.Linear(I, 5), nn.SiLU(), nn.Linear(5, 5), nn.Softplus()],
    "nested": lambda: [nn.Sequential(nn.Linear(I, 5), nn.Dropout(0.5)), nn.Identity(), nn.Tanh()],
    "flatten": lambda: [nn.Linear(I, 2), nn.Flatten(), nn.Linear(2 * T, 3)],
}


@pytest.mark.parametrize("modules", PLAIN.values(), ids=PLAIN)
def test_sequential_models_compute_the_same(modules):
    module = nn.Sequential(*modules()).to(torch.float64).eval()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.rand_like(parameter))
    model = interop.from_torch(module)
    x = normal(B, T, I)
    theirs = torch.tensor(x, requires_grad=True)
    y = module(theirs)
    dy = normal(*y.shape, seed=2)
    (y * torch.from_numpy(dy)).sum().backward()
    assert_close("y", model.forward(x), y.detach().numpy(), TOLERANCE)
    assert_close("dx", model.backward(dy), theirs.grad.numpy(), TOLERANCE)
    ours = gradients_by_name(model)
    for name, parameter in module.named_parameters():
        assert_close(f"d{name}", ours[name], parameter.grad.numpy(), TOLERANCE)


@pytest.mark.parametrize("padding_idx", [None, 0, -1])
def test_embedding_recurrent_layers_and_linear_compute_the_same(padding_idx):
    parts = [nn.Embedding(9, I, padding_idx), module_of("lstm", num_layers=2), nn.Linear(H, 3)]
    module = nn.Sequential(*parts).to(torch.float64)
    with torch.no_grad():
        parts[0].weight.add_(0.1)  # the row of padding too, as in tables made elsewhere
    model = interop.from_torch(module)
    x = np.random.default_rng(0).integers(0, 9, (B, T))
    x[:, :3] = [0, 8, 8]
    y = parts[2](parts[1](parts[0](torch.tensor(x)))[0])
    dy = normal(*y.shape)
    (y * torch.from_numpy(dy)).sum().backward()
    assert_close("y", model.forward(x), y.detach().numpy(), TOLERANCE)
    model.backward(dy)
    ours = gradients_by_name(model)
    for name, parameter in module.named_parameters():
        same = name.replace("bias_hh", "bias_ih")
        assert_close(f"d{name}", ours[same], parameter.grad.numpy(), TOLERANCE)


def test_a_softmax_at_the_end_is_left_out_if_one_says_so():
    module = nn.Sequential(nn.Linear(I, 3), nn.Sequential(nn.Tanh(), nn.Softmax(dim=-1)))
    fragments = ["module '1.1' (Softmax)", "logits=True"]
    assert_refused(TypeError, fragments, interop.from_torch, module)
    model = interop.from_torch(module, logits=True)
    x = normal(B, I).astype("f")
    expected = module(torch.from_numpy(x)).detach().numpy()
    assert_close("probabilities", rnnlite.predict_proba(model, x), expected, 1e-6)


# ---- to PyTorch ----------------------------------------------------------------------------------


@every_kind
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("layers", [1, 2])
def test_pytorch_takes_the_weights_and_computes_the_same(kind, layers, bidirectional):
    cls = {"lstm": rnnlite.LSTM, "gru": rnnlite.GRU}.get(kind, rnnlite.RNN)
    options = {"activation": kind} if cls is rnnlite.RNN else {}
    stack = []
    for n, size in enumerate([I, H * (1 + bidirectional)][:layers]):
        layer = cls(size, H, return_sequences=True, seed=n, dtype="float64", **options)
        stack.append(rnnlite.Bidirectional(layer) if bidirectional else layer)
    model = stack[0] if layers == 1 else rnnlite.Sequential(stack)
    model.flat_params += 0.2 * normal(model.flat_params.size)
    module = module_of(kind, num_layers=layers, bidirectional=bidirectional)
    state = interop.to_torch(model)
    module.load_state_dict(state, strict=True)
    assert list(state) == list(module.state_dict())
    assert_same_network(model, module, LENGTHS)


@every_kind
@pytest.mark.parametrize("bidirectional", [False, True])
def test_round_trips_have_the_same_bits(kind, bidirectional):
    options = {"dtype": torch.float32, "num_layers": 2, "bidirectional": bidirectional}
    module = module_of(kind, **options)
    model = interop.from_torch(module)
    other = module_of(kind, **options)
    other.load_state_dict(interop.to_torch(model), strict=True)
    for name, theirs in module.state_dict().items():
        if "weight" in name or kind == "gru":
            assert_same_bits(name, other.state_dict()[name].numpy(), theirs.numpy())
    again = interop.from_torch(other)
    assert model.dtype == np.float32 and list(again.params) == list(model.params)
    assert again.flat_params.tobytes() == model.flat_params.tobytes()


def test_arrays_that_load_state_dict_takes_are_arrays_and_copies():
    model = rnnlite.Sequential([rnnlite.LSTM(I, H, seed=0), rnnlite.Dense(H, 2, seed=1)])
    state = interop.to_torch(model)
    module = nn.Sequential(nn.LSTM(I, H), nn.Linear(H, 2))
    assert all(isinstance(array, np.ndarray) for array in state.values())
    before = model.flat_params.copy()
    module.load_state_dict(state, strict=True)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.zero_()
    for array in state.values():
        array[...] = 0.0
    assert_same_bits("params", model.flat_params, before)
    tensors = {name: torch.from_numpy(array) for name, array in interop.to_torch(model).items()}
    module.load_state_dict(tensors, strict=True)
    assert_same_bits("W", module[1].weight.detach().numpy(), model.params["1.W"].T)


class Net(nn.Module):
    """As people write them."""

    def __init__(self, bias=True):
        super().__init__()
        self.words = nn.Embedding(9, I)
        self.encoder = nn.LSTM(I, H, num_layers=2, bidirectional=True, bias=bias, batch_first=True)
        self.norm = nn.LayerNorm(2 * H)
        self.head = nn.Linear(2 * H, 3)

    def forward(self, x):
        return self.head(torch.relu(self.norm(self.encoder(self.words(x))[0])))


def net_of_rnnlite(dtype="float64"):
    both = [
        rnnlite.Bidirectional(rnnlite.LSTM(n, H, return_sequences=True, seed=0, dtype=dtype))
        for n in (I, 2 * H)
    ]
    options = {"dtype": dtype}
    return rnnlite.Sequential([
        rnnlite.Embedding(9, I, seed=0, **options), *both, rnnlite.LayerNorm(2 * H, **options),
        rnnlite.Activation("relu", **options), rnnlite.Dense(2 * H, 3, seed=1, **options),
    ])  # fmt: skip


@pytest.mark.parametrize("as_dict", [False, True], ids=["module", "state_dict"])
def test_a_module_of_ones_own_needs_the_architecture_and_takes_weights_back(as_dict):
    module = Net().to(torch.float64)
    source = module.state_dict() if as_dict else module
    reason = "what stands around module 'norm'" if as_dict else "is code"
    assert_refused(
        ValueError if as_dict else TypeError, [reason, "into="], interop.from_torch, source
    )
    into = net_of_rnnlite()
    assert interop.from_torch(source, into=into) is into
    x = np.random.default_rng(0).integers(0, 9, (B, T))
    expected = module(torch.tensor(x)).detach().numpy()
    assert_close("y", into(x), expected, TOLERANCE)

    into.flat_params *= 0.5
    state = interop.to_torch(into, like=source)
    assert list(state) == list(module.state_dict())
    module.load_state_dict(state, strict=True)
    assert_close("y", into(x), module(torch.tensor(x)).detach().numpy(), TOLERANCE)


def test_biases_that_the_module_does_not_have_must_be_zero():
    into, module = net_of_rnnlite(), Net(bias=False)
    fragments = ["to_torch: module 'encoder' of like has no bias_ih", "not zero"]
    assert_refused(ValueError, fragments, interop.to_torch, into, like=module)
    for name, array in into.params.items():
        if name[0] in "12" and name.endswith(".b"):
            array[...] = 0.0
    module.load_state_dict(interop.to_torch(into, like=module), strict=True)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_becomes_float32(dtype):
    module = nn.Linear(3, 2, dtype=dtype)
    model = interop.from_torch(module)
    assert model.dtype == np.float32
    assert_same_bits("W", model.params["W"], module.weight.detach().float().numpy().T)
    assert interop.from_torch(module, dtype="float64").dtype == np.float64


@pytest.mark.parametrize("bidirectional", [False, True])
def test_what_was_taken_goes_back_into_its_module_bit_for_bit(bidirectional):
    module = nn.Sequential(nn.LSTM(I, H, 2, bidirectional=bidirectional), nn.RNN(I, H))
    for part in module:
        state = interop.to_torch(interop.from_torch(part), like=part)
        for name, theirs in part.state_dict().items():
            assert_same_bits(name, np.asarray(state[name]), theirs.numpy())
    lstm = interop.from_torch(module[0])
    lstm.flat_params *= 2.0  # other weights: the two biases add up to another one
    state = interop.to_torch(lstm, like=module[0])
    assert not state["bias_hh_l0"].any() and state["bias_ih_l0"].any()


def test_a_parameter_that_two_modules_share_takes_one_array():
    module = nn.Sequential(nn.Embedding(5, 4), nn.Linear(4, 5, bias=False))
    module[1].weight = module[0].weight
    model = rnnlite.Sequential([rnnlite.Embedding(5, 4), rnnlite.Dense(4, 5)])
    interop.from_torch(module, into=model)
    interop.to_torch(model, like=module)
    model.params["1.W"] *= 2.0
    fragments = ["to_torch: '0.weight' and '1.weight' are one parameter of like"]
    assert_refused(ValueError, fragments, interop.to_torch, model, like=module)
