"""Programs that are not part of the package, as modules that tests can call."""

import importlib.util
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parents[1] / "examples"


def load(path):
    """The module in a file, loaded anew; it finds those beside it, as a program does."""
    folder = str(path.parent)
    if folder not in sys.path:
        sys.path.append(folder)
    spec = importlib.util.spec_from_file_location(f"program_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def load_example(name):
    """The module of a program under examples/."""
    return load(EXAMPLES / f"{name}.py")
