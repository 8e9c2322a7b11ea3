"""One training step and one inference in each library, on the same workload with the same weights.

Every class offers ``infer()``, and those that train ``train()``; both take no arguments and return
when the work is done.  ``infer`` returns the logits (batch, CLASSES), as the library has them.
``PEERS`` names them; a library that is not installed raises ImportError when its class is made.
"""

import functools
import os
import tempfile
from importlib import metadata
from pathlib import Path

import numpy as np
from workloads import CLASSES

import rnnlite
from rnnlite import interop


def network(workload):
    """The model whose weights everybody has."""
    layer = {"lstm": rnnlite.LSTM, "gru": rnnlite.GRU, "rnn": rnnlite.RNN}[workload.cell]
    recurrent = layer(workload.inputs, workload.hidden, seed=0)
    return rnnlite.Sequential([recurrent, rnnlite.Dense(workload.hidden, CLASSES, seed=1)])


def batch_of(workload):
    """The same random input and labels for everybody."""
    rng = np.random.default_rng(0)
    x = rng.random((workload.batch, workload.steps, workload.inputs), dtype=np.float32)
    return x, rng.integers(0, CLASSES, workload.batch)


class Rnnlite:
    """This library: forward, loss, backward, Adam."""

    def __init__(self, workload, threads, compute="float32"):
        rnnlite.set_num_threads(threads)
        self.about = f"rnnlite {rnnlite.__version__}, {compute}"
        self.model = network(workload).copy(compute_dtype=compute)
        self.optimizer = rnnlite.Adam(self.model)
        self.loss = rnnlite.softmax_cross_entropy
        self.x, self.y = batch_of(workload)
        self.dlogits = np.empty((workload.batch, CLASSES), np.float32)

    def train(self):
        """One whole training step."""
        logits = self.model.forward(self.x, training=True)
        self.loss(logits, self.y, out=self.dlogits)
        self.model.backward(self.dlogits, need_dx=False)
        self.optimizer.step()

    def infer(self):
        """Forward alone."""
        return self.model(self.x)


class Stream(Rnnlite):
    """This library, with the weights packed once, as other libraries do; one thread."""

    def __init__(self, workload, threads, compute="float32"):
        super().__init__(workload, threads, compute)
        self.about += ", model.stream, one thread"
        self.stream = self.model.stream(workload.batch)

    def infer(self):
        """All steps from zero, of which the answer after the last one counts."""
        self.stream.reset()
        return self.stream.run(self.x)[:, -1]


class Torch:
    """PyTorch, eager, with its fused Adam."""

    def __init__(self, workload, threads):
        import torch

        torch.set_num_threads(threads)
        self.torch = torch
        layer = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "rnn": torch.nn.RNN}[workload.cell]
        self.layer = layer(workload.inputs, workload.hidden, batch_first=True)
        self.dense = torch.nn.Linear(workload.hidden, CLASSES)
        for module, weights in zip((self.layer, self.dense), network(workload).layers, strict=True):
            state = interop.to_torch(weights)
            module.load_state_dict({name: torch.as_tensor(a) for name, a in state.items()})
        self.about = f"PyTorch {torch.__version__}, eager"
        parameters = [*self.layer.parameters(), *self.dense.parameters()]
        self.optimizer = torch.optim.Adam(parameters, lr=1e-3, fused=True)
        x, y = batch_of(workload)
        self.x, self.y = torch.from_numpy(x), torch.from_numpy(y)

    def train(self):
        """One whole training step."""
        self.optimizer.zero_grad()
        h, _ = self.layer(self.x)
        loss = self.torch.nn.functional.cross_entropy(self.dense(h[:, -1]), self.y)
        loss.backward()
        self.optimizer.step()

    def infer(self):
        """Forward alone, no gradients recorded."""
        with self.torch.inference_mode():
            h, _ = self.layer(self.x)
            return self.dense(h[:, -1])


class Autocast(Torch):
    """PyTorch under ``torch.autocast("cpu", torch.bfloat16)``."""

    def __init__(self, workload, threads):
        super().__init__(workload, threads)
        if not self.torch.ops.mkldnn._is_mkldnn_bf16_supported():
            raise SystemExit("autocast: PyTorch has no such LSTM for this processor; leave it out")
        self.about += ", autocast to bfloat16"

    def train(self):
        """One whole training step; backward computes in what forward did."""
        self.optimizer.zero_grad()
        with self.torch.autocast("cpu", self.torch.bfloat16):
            h, _ = self.layer(self.x)
            loss = self.torch.nn.functional.cross_entropy(self.dense(h[:, -1]), self.y)
        loss.backward()
        self.optimizer.step()

    def infer(self):
        """Forward alone, no gradients recorded."""
        with self.torch.autocast("cpu", self.torch.bfloat16):
            return super().infer().float()


class Keras:
    """TensorFlow/Keras, the step compiled as a graph."""

    def __init__(self, workload, threads):
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        layers = tf.keras.layers
        layer = {"lstm": layers.LSTM, "gru": layers.GRU, "rnn": layers.SimpleRNN}[workload.cell]
        model = tf.keras.Sequential(
            [
                tf.keras.Input((workload.steps, workload.inputs)),
                layer(workload.hidden),
                layers.Dense(CLASSES),
            ]
        )
        model.set_weights(interop.to_keras(network(workload)))
        self.about = f"TensorFlow {tf.__version__}, graph mode"
        optimizer = tf.keras.optimizers.Adam(1e-3)
        loss_of = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        x, y = (tf.constant(array) for array in batch_of(workload))

        @tf.function
        def train():
            with tf.GradientTape() as workspace:
                loss = loss_of(y, model(x, training=True))
            gradients = workspace.gradient(loss, model.trainable_variables)
            optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
            return loss

        infer = tf.function(lambda: model(x, training=False))
        self.train = lambda: train().numpy()
        self.infer = lambda: infer().numpy()


class Jax:
    """JAX: ``jit`` of a scan.

    Faster than one product for the inputs of all steps, in front of the scan (11.7 against 18.8 ms
    in the first workload, shortest times); weights as constants, and an unrolled scan, are as fast.
    """

    def __init__(self, workload, threads):
        if hasattr(os, "sched_setaffinity"):  # it has no other option for threads
            os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
        import jax
        import jax.numpy as jnp

        self.about = f"JAX {jax.__version__}, jit of a scan"
        H, weights = workload.hidden, network(workload).params
        names = ["0.Wx", "0.Wh", "0.b", "1.W", "1.b", *["0.bh"] * (workload.cell == "gru")]
        params = [jnp.array(weights[name]) for name in names]
        x, y = (jnp.asarray(array) for array in batch_of(workload))

        def lstm(state, z):
            _, c = state
            i, f, g, o = jnp.split(z, 4, axis=1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            return jax.nn.sigmoid(o) * jnp.tanh(c), c

        def gru(state, z, hz):
            h = state[0]
            (xr, xz, xn), (hr, hu, hn) = jnp.split(z, 3, axis=1), jnp.split(hz, 3, axis=1)
            u = jax.nn.sigmoid(xz + hu)
            return ((1 - u) * jnp.tanh(xn + jax.nn.sigmoid(xr + hr) * hn) + u * h,)

        def logits(params, x):
            Wx, Wh, b, W, c, *bh = params
            zero = jnp.zeros((workload.batch, H), jnp.float32)
            state = (zero, zero) if workload.cell == "lstm" else (zero,)

            def step(state, x_t):
                z, hz = x_t @ Wx + b, state[0] @ Wh
                if workload.cell == "gru":
                    return gru(state, z, hz + bh[0]), None
                if workload.cell == "lstm":
                    return lstm(state, z + hz), None
                return (jnp.tanh(z + hz),), None

            state, _ = jax.lax.scan(step, state, x.swapaxes(0, 1))
            return state[0] @ W + c

        def loss_of(params, x, y):
            log_p = jax.nn.log_softmax(logits(params, x))
            return -log_p[jnp.arange(workload.batch), y].mean()

        @jax.jit
        def update(params, m, v, t, x, y):
            _, grads = jax.value_and_grad(loss_of)(params, x, y)
            m = [0.9 * a + 0.1 * g for a, g in zip(m, grads, strict=True)]
            v = [0.999 * a + 0.001 * g * g for a, g in zip(v, grads, strict=True)]
            c1, c2 = 1 - 0.9**t, 1 - 0.999**t
            params = [
                p - 1e-3 * (a / c1) / (jnp.sqrt(b / c2) + 1e-8)
                for p, a, b in zip(params, m, v, strict=True)
            ]
            return params, m, v, t + 1

        zeros = [jnp.zeros_like(p) for p in params]
        self.state = (params, zeros, zeros, 1.0)
        self.update = lambda: update(*self.state, x, y)
        infer = jax.jit(logits)
        self.infer = lambda: infer(params, x).block_until_ready()

    def train(self):
        """One whole training step."""
        self.state = self.update()
        self.state[0][0].block_until_ready()


def onnx_model(workload, x):
    """The model in ONNX, of this x alone, without what only other outputs need."""
    import onnx

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        interop.export_onnx(network(workload), path, lengths=False)
        model = onnx.load(path)
    axes = model.graph.input[0].type.tensor_type.shape.dim
    for axis, size in zip(axes, x.shape, strict=True):
        axis.dim_value = size
    return onnx.utils.Extractor(model).extract_model(["x"], ["y"]).SerializeToString()


class OnnxRuntime:
    """ONNX Runtime: all optimisations, input and output bound."""

    def __init__(self, workload, threads):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        x, _ = batch_of(workload)
        self.session = onnxruntime.InferenceSession(
            onnx_model(workload, x), options, providers=["CPUExecutionProvider"]
        )
        self.about = f"ONNX Runtime {onnxruntime.__version__}"
        self.x, self.y = (
            onnxruntime.OrtValue.ortvalue_from_numpy(array)
            for array in (x, np.zeros((workload.batch, CLASSES), np.float32))
        )
        self.binding = self.session.io_binding()
        self.binding.bind_ortvalue_input("x", self.x)
        self.binding.bind_ortvalue_output("y", self.y)

    def infer(self):
        """Forward alone."""
        self.session.run_with_iobinding(self.binding)
        return self.y.numpy()


class OpenVino:
    """OpenVINO: hint LATENCY, one stream; in float32, or in what it takes for this processor."""

    def __init__(self, workload, threads, precision=None):
        import openvino

        x, _ = batch_of(workload)
        self.x = openvino.Tensor(x)  # a copy, aligned as it likes
        options = {
            "PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1, "INFERENCE_NUM_THREADS": threads,
        }  # fmt: skip
        if precision is not None:
            options["INFERENCE_PRECISION_HINT"] = precision
        core = openvino.Core()
        compiled = core.compile_model(core.read_model(onnx_model(workload, x)), "CPU", options)
        takes = compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
        self.about = f"OpenVINO {metadata.version('openvino')}, computes in {takes}"
        self.request = compiled.create_infer_request()
        self.request.set_input_tensor(self.x)

    def infer(self):
        """Forward alone."""
        self.request.infer()
        return self.request.get_output_tensor().data


PEERS = {
    "rnnlite": Rnnlite, "stream": Stream, "torch": Torch, "autocast": Autocast, "keras": Keras,
    "jax": Jax, "onnxruntime": OnnxRuntime, "openvino": OpenVino,
    "openvino-f32": functools.partial(OpenVino, precision="f32"),
}  # fmt: skip
MODULES = {
    "torch": ["torch"], "autocast": ["torch"], "keras": ["tensorflow"], "jax": ["jax"],
    "onnxruntime": ["onnxruntime", "onnx"], "openvino": ["openvino", "onnx"],
    "openvino-f32": ["openvino", "onnx"],
}  # fmt: skip
