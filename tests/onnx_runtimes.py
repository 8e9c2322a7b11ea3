"""Libraries that run ONNX files, each behind the same function; a test without one is skipped."""

import pytest


def with_onnxruntime(path, feed):
    """Outputs by name."""
    onnxruntime = pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, feed), strict=True))


def with_openvino(path, feed):
    """Outputs by name, computed in float32 (on some processors it would take bfloat16)."""
    openvino = pytest.importorskip("openvino", reason="OpenVINO is not installed")
    options = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    compiled = openvino.Core().compile_model(str(path), "CPU", options)
    results = compiled(feed)
    return {name: results[output] for output in compiled.outputs for name in output.names}


def with_tract(path, feed):
    """Outputs by name."""
    tract = pytest.importorskip("tract", reason="tract is not installed")
    model = tract.onnx().load(path)
    inputs = [model.input_name(n) for n in range(model.input_count())]
    names = [model.output_name(n) for n in range(model.output_count())]
    results = model.into_model().into_runnable().run([feed[name] for name in inputs])
    return {name: result.to_numpy() for name, result in zip(names, results, strict=True)}


RUNTIMES = {"onnxruntime": with_onnxruntime, "openvino": with_openvino, "tract": with_tract}
every_runtime = pytest.mark.parametrize("run", RUNTIMES.values(), ids=RUNTIMES)
