"""Every Numba option of the library, in one place, and why it is set.

    @kernel        an entry point, called from Python: compiled for the types it meets,
                   without the GIL, and cached on disk for the next process
    @parallel      a kernel whose rows several threads share (``parallel.py``)
    @inner         a function that only kernels call; it is compiled into them
    @exact_inner   the same with every operation rounded by itself
    equation()     the same for a function that somebody else wrote

The disk cache is keyed by *content*.  Numba's own key is the file that a kernel stands in: an edit
to an equation in another file would go unnoticed (numba issue 1833), and a cell held in a closure
would never be found again (numba issue 6264).  Here the folder is named by a hash over all compiled
sources, and a kernel by the equations of its cell (``fingerprint.py``).

``NUMBA_DISABLE_JIT=1`` runs every kernel as ordinary Python, in a debugger if you like.  For the
mathematics ``rnnlite/reference`` and ``compiled=False`` are the better places to look.
"""

import functools
import hashlib
import logging
import pickle
import sys
import tempfile
import types
from pathlib import Path

import numba
import numpy as np
from numba import config
from numba.core import caching, codegen, compiler, errors, serialize

from rnnlite.cache_folder import cache_folder, private_folder, read_private
from rnnlite.kernels import target
from rnnlite.kernels.freeze import frozen

JIT_DISABLED = bool(config.DISABLE_JIT)
CompileError = errors.NumbaError

# fastmath=True would also promise LLVM that no NaN or infinity ever occurs; a diverging training
# run would then print garbage instead of NaN.  These five only allow reordering and fusing.
FAST_MATH = {"nsz", "arcp", "contract", "afn", "reassoc"}

OPTIONS = {
    "nogil": True,  # the threads of rnnlite.engine.threads run kernels side by side
    "fastmath": FAST_MATH,
    "error_model": "numpy",  # x / 0 is inf: no branch in the middle of a loop
    "boundscheck": False,
}


class _Part(codegen.JITCodeLibrary):
    """Code of a function that only kernels call: not optimised by itself, but with each kernel.

    Numba would do both; so the first training step is compiled in two thirds of the time.
    """

    def _optimize_final_module(self):
        pass


class _PartCompiler(compiler.Compiler):
    """Numba's compiler, with a ``_Part`` as the place where the code goes.

    Nor is there an entry for Python, machine code of its own: that was another third of the time.
    """

    def __init__(self, typingctx, targetctx, library, args, return_type, flags, local_types):
        if library is None:
            library = _Part(targetctx.codegen(), "part of a kernel")
        flags.no_cpython_wrapper = flags.no_cfunc_wrapper = flags.no_compile = True
        super().__init__(typingctx, targetctx, library, args, return_type, flags, local_types)

    def compile_extra(self, function):
        part = super().compile_extra(function)
        # Numba finds the part, where a kernel calls it, by the entry, which must be a function
        # written in C and an object of its own.  Called from Python, this one raises.
        entry = [].remove
        self.state.targetctx.insert_user_function(entry, part.fndesc, [part.library])
        return part._replace(entry_point=entry)


def inner(function, **options):
    """Compile a function into the kernels that call it; ``options`` go before ``OPTIONS``."""
    # All is drawn into the kernel.  Of a function that stayed apart, the process that compiles
    # would run the version above, not optimised, and those that find the kernel on disk the
    # kernel's own: slower, and of Adam's v the last bit differed.
    options = OPTIONS | {"forceinline": True, "pipeline_class": _PartCompiler} | options
    part = numba.njit(**options)(function)
    if not JIT_DISABLED:
        chosen = part.get_call_template

        # To Numba f(0) and f(n) are calls with different types; one version serves both.
        def for_any_number(arguments, keywords):
            return chosen([numba.types.unliteral(kind) for kind in arguments], keywords)

        part.get_call_template = for_any_number
    return part


# Every operation rounded by itself.  LLVM turns a loop over numbers into one over registers and
# one over those that are left, and may fuse multiply-adds in the one and not in the other: the
# same number would then depend on where the threads' shares begin and end.
exact_inner = functools.partial(inner, fastmath=False)

log = logging.getLogger("rnnlite")
DIGEST = hashlib.sha256().digest_size


def equation(function):
    """``inner``, for a function that somebody else wrote.

    Numba cannot call an ordinary function: in a copy of ``function``, the names of its helpers are
    bound to compiled ones.
    """
    return function if JIT_DISABLED else _with_helpers(*frozen([function]), {})


def _with_helpers(function, done):
    if function in done:
        return done[function]

    def compiled(value):
        ours = getattr(value, "__module__", None) == "rnnlite.cells.functions"
        if isinstance(value, types.FunctionType) and not ours:
            return _with_helpers(value, done)
        return value

    names = dict(function.__globals__)
    for name in function.__code__.co_names:
        if name in names:
            names[name] = compiled(names[name])
    closure = function.__closure__
    if closure is not None:
        closure = tuple(types.CellType(compiled(cell.cell_contents)) for cell in closure)
    code, name, defaults = function.__code__, function.__name__, function.__defaults__
    twin = types.FunctionType(code, names, name, defaults, closure)
    twin.__module__, twin.__qualname__ = function.__module__, function.__qualname__
    twin.__kwdefaults__ = function.__kwdefaults__
    done[function] = inner(twin)
    return done[function]


def without_jit(function):
    """A kernel as plain Python, which warns of overflow as little as compiled code does."""
    return np.errstate(all="ignore")(function)


def kernel(function=None, *, identity="", **options):
    """Compile an entry point and cache the machine code on disk; ``options`` as for ``inner``.

    It must reach nothing but module-level names of kernels/ and cells/, and what ``identity``
    tells: the cell that it was built for, in words that are the same in every process.
    """
    if function is None:
        return functools.partial(kernel, identity=identity, **options)
    if JIT_DISABLED:
        return without_jit(function)
    compiled = numba.njit(**OPTIONS | options)(function)
    if kernel_folder() is not None:
        # Private to Numba: without it, kernels still work and are compiled anew in every process.
        compiled._cache = _KernelCache(function, identity)
    return compiled


@functools.cache
def source_hash():
    """Hash of everything that can change a kernel's machine code."""
    package = Path(__file__).resolve().parent.parent
    # A kernel's way in from Python knows how this Python and this NumPy lay out their objects.
    python = f"{sys.implementation.cache_tag} {np.__version__}"
    digest = hashlib.sha256(f"{numba.__version__} {python} {target.CHOSEN}".encode())
    for path in sorted([*package.glob("kernels/**/*.py"), *package.glob("cells/**/*.py")]):
        name = path.relative_to(package).as_posix()
        digest.update(name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:20]


@functools.cache
def kernel_folder():
    """Folder of the compiled kernels, or None if there is none that is this user's alone."""
    where = "a folder"
    try:
        where = cache_folder() / "kernels" / source_hash()
        return private_folder(cache_folder(), "kernels", source_hash())
    except OSError as error:
        text = "rnnlite: cannot keep compiled kernels in %s (%s); each start compiles them again"
        log.warning(text, where, error.strerror or error)
        return None


@functools.cache
def _say_once(text):
    log.warning("rnnlite: %s", text)


def _say_compiling():
    where = kernel_folder()
    _say_once(f"compiling kernels for this machine, some seconds, once (cached in {where})")


class _KernelLocator(caching._CacheLocator):
    """Tells Numba where a kernel's file is: in the folder of this content."""

    def __init__(self, function):
        self._py_file = function.__code__.co_filename
        self._line = function.__code__.co_firstlineno

    def get_cache_path(self):
        return str(kernel_folder())

    def get_source_stamp(self):
        return source_hash()

    def get_disambiguator(self):
        return str(self._line)

    @classmethod
    def from_function(cls, py_func, py_file):
        return cls(py_func)


class _KernelCacheImpl(caching.CompileResultCacheImpl):
    _locator_classes = (_KernelLocator,)


class _KernelCache(caching.FunctionCache):
    """One file for each kernel and signature, named by a hash of both.

    Numba numbers its files by an index that they share: two processes that compile different cells
    at once can take the same number, and later one cell runs as the other.  Here nothing is shared,
    and a file whose checksum is wrong counts as missing.
    """

    _impl_class = _KernelCacheImpl

    def __init__(self, function, identity):
        super().__init__(function)
        self._what = (function.__module__, function.__qualname__, identity)

    def _path(self, sig, codegen):
        key = hashlib.sha256(repr((self._what, sig, codegen.magic_tuple())).encode()).digest()
        name = self._what[1].rsplit(".", 1)[-1]
        return kernel_folder() / f"{name}-{key.hex()[:32]}.kernel"

    def load_overload(self, sig, target_context):
        target_context.refresh()
        path = self._path(sig, target_context.codegen())
        try:
            content = read_private(path)
        except FileNotFoundError:
            _say_compiling()
            return None
        except OSError as error:
            _say_once(f"compiling again, a cached kernel cannot be read: {error}")
            return None
        checksum, payload = content[:DIGEST], content[DIGEST:]
        if _checksum(path, payload) != checksum:
            log.warning("rnnlite: compiling again, a cached kernel is damaged: %s", path)
            return None
        try:
            return self._impl.rebuild(target_context, pickle.loads(payload))
        except Exception as error:  # whatever a pickle may raise that is none of a kernel
            problem = f"{type(error).__name__}: {error}"
            log.warning("rnnlite: compiling again, %s is no kernel (%s)", path, problem)
            return None

    def save_overload(self, sig, data):
        if not self._impl.check_cachable(data):
            return
        payload = serialize.dumps(self._impl.reduce(data))
        path = self._path(sig, data.codegen)
        try:
            with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
                try:
                    file.write(_checksum(path, payload) + payload)
                    file.close()
                    Path(file.name).replace(path)
                except OSError:
                    Path(file.name).unlink(missing_ok=True)
                    raise
        except OSError as error:
            # A full disk makes the next start slower; it does not end this one.
            problem = error.strerror or error
            _say_once(f"cannot keep compiled kernels ({problem}); each start compiles them again")


def _checksum(path, payload):
    """Of what is in a file, and of its name: a kernel under another's name is damaged, too."""
    return hashlib.sha256(path.name.encode() + payload).digest()
