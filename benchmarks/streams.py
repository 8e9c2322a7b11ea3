"""Single steps at batch 1, as they arrive: median and 99.9th percentile, beside other libraries.

    pip install onnx onnxruntime torch jax      # or some of them: what is not there is left out
    python benchmarks/streams.py
    python benchmarks/streams.py --steps 2000   # quick
    python benchmarks/streams.py --compute bfloat16    # a stream of rounded products too

An LSTM and a Dense layer; the state goes from step to step.  Each library answers as it does best:
ONNX Runtime with one thread and bound outputs where it spins, PyTorch with one thread under
``inference_mode``, JAX with a jitted step whose weights are constants.  They take turns, some
hundreds of steps each, and every answer is compared with the same step in rnnlite, to 1e-5, or
where products are rounded to 0.05.
"""

import argparse
import gc
import time

import numpy as np

import rnnlite

MODELS = ((28, 128, 10), (8, 32, 10), (1, 20, 1))  # inputs, units, outputs
TURN, SAMPLES = 500, 1000


class Stream:
    """This library: a stream."""

    name, tolerance = "rnnlite stream", 1e-5

    def __init__(self, model):
        self.stream = model.stream()
        self.step, self.reset, self.sequence = self.stream, self.stream.reset, self.stream.run


class Rounded(Stream):
    """The same of products of bfloat16 numbers."""

    name, tolerance = "rnnlite, bfloat16", 0.05

    def __init__(self, model):
        super().__init__(model.copy(compute_dtype="bfloat16"))


class Layers:
    """This library before it had streams: layer after layer."""

    name = "rnnlite layer by layer"

    def __init__(self, model):
        self.lstm, self.dense = model.layers
        self.reset()

    def reset(self):
        """Begin anew."""
        self.state = None

    def step(self, x_t):
        """One step."""
        h, self.state = self.lstm.step(x_t, self.state)
        return self.dense(h)


class OnnxRuntime:
    """The operators LSTM and Gemm."""

    name = "ONNX Runtime"

    def __init__(self, model):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.runs = onnxruntime.InferenceSession(
            onnx_model(model), options, providers=["CPUExecutionProvider"]
        ).run
        self.zeros = np.zeros((1, 1, model.layers[0].hidden_size), np.float32)
        self.reset()

    def reset(self):
        """Begin anew."""
        self.h = self.c = self.zeros

    def step(self, x_t):
        """One step: a sequence of one."""
        return self.sequence(x_t[:, None])[:, 0]

    def sequence(self, x):
        """Many steps."""
        feeds = {"x": x.transpose(1, 0, 2), "h": self.h, "c": self.c}
        y, self.h, self.c = self.runs(None, feeds)
        return y.transpose(1, 0, 2)


def onnx_model(model):
    """The model in ONNX, time first, with states in and out."""
    from onnx import TensorProto, helper, numpy_helper

    lstm, dense = model.layers
    I, H, N = lstm.input_size, lstm.hidden_size, dense.out_features

    def in_order(array):  # from i f g o to ONNX's i o f c, transposed
        i, f, g, o = np.split(array, 4, axis=-1)
        return np.ascontiguousarray(np.concatenate([i, o, f, g], axis=-1).T)[None]

    weights = {
        "W": in_order(lstm.params["Wx"]), "R": in_order(lstm.params["Wh"]),
        "B": np.concatenate([in_order(lstm.params["b"]), np.zeros((1, 4 * H), np.float32)], axis=1),
        "V": dense.params["W"], "b": dense.params["b"], "one": np.array([1], np.int64),
    }  # fmt: skip
    nodes = [
        helper.make_node(
            "LSTM", ["x", "W", "R", "B", "", "h", "c"], ["H", "h1", "c1"], hidden_size=H
        ),
        helper.make_node("Squeeze", ["H", "one"], ["H2"]),  # without its axis of directions
        helper.make_node("MatMul", ["H2", "V"], ["HV"]),
        helper.make_node("Add", ["HV", "b"], ["y"]),
    ]

    def value(name, *shape):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    graph = helper.make_graph(
        nodes, "step", [value("x", "T", 1, I), value("h", 1, 1, H), value("c", 1, 1, H)],
        [value("y", "T", 1, N), value("h1", 1, 1, H), value("c1", 1, 1, H)],
        [numpy_helper.from_array(np.ascontiguousarray(a), name) for name, a in weights.items()],
    )  # fmt: skip
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return made.SerializeToString()


class Torch:
    """LSTMCell for a step, LSTM for a sequence, eager."""

    name = "PyTorch"

    def __init__(self, model):
        import torch

        torch.set_num_threads(1)
        self.torch = torch
        lstm, dense = model.layers
        I, H = lstm.input_size, lstm.hidden_size
        self.cell, self.lstm = torch.nn.LSTMCell(I, H), torch.nn.LSTM(I, H, batch_first=True)
        self.dense = torch.nn.Linear(H, dense.out_features)
        transposed = {name: torch.from_numpy(a.T.copy()) for name, a in model.params.items()}
        with torch.no_grad():
            for cell, end in (self.cell, ""), (self.lstm, "_l0"):
                getattr(cell, f"weight_ih{end}").copy_(transposed["0.Wx"])
                getattr(cell, f"weight_hh{end}").copy_(transposed["0.Wh"])
                getattr(cell, f"bias_ih{end}").copy_(transposed["0.b"])
                getattr(cell, f"bias_hh{end}").zero_()
            self.dense.weight.copy_(transposed["1.W"])
            self.dense.bias.copy_(transposed["1.b"])
        self.reset()

    def reset(self):
        """Begin anew."""
        self.state = None

    def step(self, x_t):
        """One step."""
        with self.torch.inference_mode():
            self.state = self.cell(self.torch.from_numpy(x_t), self.state)
            return self.dense(self.state[0]).numpy()  # (1, H) each; a sequence has (1, 1, H)

    def sequence(self, x):
        """Many steps."""
        with self.torch.inference_mode():
            y, _ = self.lstm(self.torch.from_numpy(x))
            return self.dense(y).numpy()


class Jax:
    """A jitted step, and a jitted scan over it."""

    name = "JAX"

    def __init__(self, model):
        import jax
        import jax.numpy as jnp

        p = {name: jnp.asarray(array) for name, array in model.params.items()}

        def step(state, x_t):
            h, c = state
            z = x_t @ p["0.Wx"] + h @ p["0.Wh"] + p["0.b"]
            i, f, g, o = jnp.split(z, 4, axis=-1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            h = jax.nn.sigmoid(o) * jnp.tanh(c)
            return (h, c), h @ p["1.W"] + p["1.b"]

        self.jitted = jax.jit(step)
        self.scan = jax.jit(lambda state, x: jax.lax.scan(step, state, x))
        self.zeros = jnp.zeros((1, model.layers[0].hidden_size), "float32")
        self.reset()

    def reset(self):
        """Begin anew."""
        self.state = self.zeros, self.zeros

    def step(self, x_t):
        """One step."""
        self.state, y = self.jitted(self.state, x_t)
        return np.asarray(y)

    def sequence(self, x):
        """Many steps."""
        self.state, y = self.scan(self.state, x.transpose(1, 0, 2))
        return np.asarray(y).transpose(1, 0, 2)


PEERS = (Stream, Layers, OnnxRuntime, Torch, Jax)


def made(peers, model):
    """Those whose library is there."""
    for peer in peers:
        try:
            yield peer(model)
        except ImportError as error:
            print(f"{peer.name} is left out: {error}")


def check(peers, x):
    """All answer the same."""
    for peer in peers:
        found = np.stack([np.array(peer.step(x[:, t])) for t in range(20)], axis=1)
        peer.reset()
        if peer is peers[0]:
            wanted = found
        tolerance = getattr(peer, "tolerance", 1e-5)
        assert np.allclose(found, wanted, atol=tolerance), peer.name
        if hasattr(peer, "sequence"):
            found = np.array(peer.sequence(x[:, :20]))
            assert np.allclose(found, wanted, atol=tolerance), peer.name
            peer.reset()


def main():
    """Measure all, and print a table for each model."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--steps", type=int, default=100_000, help="of each (%(default)s)")
    parser.add_argument("--compute", choices=["float32", "bfloat16"], default="float32")
    options = parser.parse_args()
    kinds = PEERS if options.compute == "float32" else (Stream, Rounded, *PEERS[1:])
    for I, H, N in MODELS:
        lstm = rnnlite.LSTM(I, H, return_sequences=True, seed=0)
        model = rnnlite.Sequential([lstm, rnnlite.Dense(H, N, seed=1)])
        x = np.random.default_rng(0).normal(size=(1, SAMPLES, I)).astype(np.float32)
        inputs = [np.ascontiguousarray(x[:, t]) for t in range(TURN)]
        peers = list(made(kinds, model))
        check(peers, x)
        gc.disable()
        steps = {peer.name: [] for peer in peers}
        runs = {peer.name: [] for peer in peers}
        for _ in range(-(-options.steps // TURN)):
            for peer in peers:
                step, clock, times = peer.step, time.perf_counter, steps[peer.name]
                for x_t in inputs:
                    begin = clock()
                    step(x_t)
                    times.append(clock() - begin)
                if len(runs[peer.name]) < 100 and hasattr(peer, "sequence"):
                    peer.reset()
                    begin = clock()
                    peer.sequence(x)
                    runs[peer.name].append(clock() - begin)
        gc.enable()
        print(f"\nLSTM {I}->{H} + Dense {N}, batch 1, microseconds")
        print(f"{'':24}{'median':>9}{'99.9 %':>9}{'longest':>9}{f'{SAMPLES:,} steps':>14}")
        for peer in peers:
            times = np.array(steps[peer.name]) * 1e6
            three = np.median(times), np.percentile(times, 99.9), times.max()
            whole = f"{np.median(runs[peer.name]) * 1e6:14.1f}" if runs[peer.name] else ""
            print(f"{peer.name:24}" + "".join(f"{t:9.1f}" for t in three) + whole)


if __name__ == "__main__":
    main()
