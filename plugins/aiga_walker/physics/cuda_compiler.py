"""From kernels in Python to code for a CUDA device, on a machine with or without one; and what is missing where it fails.

Numba writes NVVM's language, NVVM makes PTX of it, and nvJitLink, or the driver, machine code. Products and sums must be
rounded apart, divisions and roots correctly, and small numbers kept, for bits to be the CPU's. NVVM contracts products and
sums unless told not to, and Numba does not tell it; here NVVM is called with all four options, and writes every product and
sum with its rounding, so that nothing later may contract them either.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Callable, Iterator
from importlib import import_module, metadata
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

from aiga_walker.physics import store

REMEDY: Final = (
    "The walker's simulator for CUDA needs {missing}. Run `pip install 'aiga[cuda]'` on a machine with an NVIDIA GPU of "
    "compute capability 7.5 or more and its driver, or evaluate on the CPU, which needs neither."
)
EXACT: Final = {"opt": 3, "fma": False, "ftz": False, "prec_div": True, "prec_sqrt": True}
_ELEMENTS: Final = {"f4": "float32", "f8": "float64", "i4": "int32", "i8": "int64"}

Capability = tuple[int, int]


def numba_cuda() -> Any:
    """The module ``numba.cuda`` of the distribution ``numba-cuda``.

    Raises:
        ModuleNotFoundError: where it is not installed. Numba brings an older module of the same name.
    """
    try:
        metadata.version("numba-cuda")
        from numba import cuda
    except (metadata.PackageNotFoundError, ImportError) as error:
        raise ModuleNotFoundError(REMEDY.format(missing="the package numba-cuda, which is not installed")) from error
    return cuda


@contextlib.contextmanager
def _pretending(capability: Capability) -> Iterator[None]:
    """Numba asks the device which code to write; there may be none, or another."""
    from numba.cuda import dispatcher

    class Device:
        compute_capability = capability

    with patch.object(dispatcher, "get_current_device", Device):
        yield


def ptx_of(function: Any, arguments: str, capability: Capability) -> str:
    """A kernel's PTX; its entry has the function's name.

    Args:
        function: the kernel, as Python.
        arguments: types, as ``"*f4 i8"``: a flat float32 array and an int64.
        capability: compute capability of the device, ``(9, 0)`` for a Hopper.

    Raises:
        ModuleNotFoundError: where numba-cuda is not installed.
    """
    numba_cuda()
    from numba import types

    compiler, nvvm = (import_module(f"numba.cuda.{name}") for name in ("compiler", "cudadrv.nvvm"))
    elements = {short: getattr(types, name) for short, name in _ELEMENTS.items()}
    signature = tuple(elements[a[1:]][::1] if a.startswith("*") else elements[a] for a in arguments.split())
    with _pretending(capability):
        made = compiler.compile_cuda(function, types.void, signature, cc=capability, nvvm_options=dict(EXACT))
        kernel = made.library.get_function(made.fndesc.llvm_func_name)
        compiler.kernel_fixup(kernel, False)
        code: bytes = nvvm.compile_ir(made.library.llvm_strs, arch=f"compute_{capability[0]}{capability[1]}", **EXACT)
    return code.decode().strip("\0").strip().replace(str(kernel.name), function.__name__) + "\n"


def kept_ptx(function: Any, arguments: str, capability: Capability) -> str:
    """The same, found on disk where these sources were compiled before."""
    numba_cuda()
    path = _ptx_path(function, arguments, capability)
    return _kept(path, lambda: ptx_of(function, arguments, capability).encode()).decode()


def kept_machine_code(ptx: str, name: str, capability: Capability, registers: int) -> bytes:
    """Machine code, found on disk where this PTX was assembled before; see :func:`machine_code`."""
    return _kept(_code_path(ptx, name, capability, registers), lambda: machine_code(ptx, capability, registers)[0])


def held(function: Any, arguments: str, capability: Capability, registers: int) -> bool:
    """Whether a kernel's machine code lies on disk undamaged; the arguments are those of the two above."""
    numba_cuda()
    ptx = store.whole(_ptx_path(function, arguments, capability))
    return ptx is not None and store.whole(_code_path(ptx.decode(), function.__name__, capability, registers)) is not None


def machine_code(ptx: str, capability: Capability, registers: int) -> tuple[bytes, str]:
    """What nvJitLink, or where it is not installed the driver, makes of PTX, and what it says of it.

    Args:
        ptx: the code.
        capability: of the device that is to run it.
        registers: most of them a thread may have; the fewer, the more threads run at once.
    """
    core = import_module("cuda.core")
    options = core.LinkerOptions(arch=f"sm_{capability[0]}{capability[1]}", max_register_count=registers, verbose=True)
    linker = core.Linker(core.ObjectCode.from_ptx(ptx.encode()), options=options)
    return bytes(linker.link("cubin").code), str(linker.get_info_log())


def _ptx_path(function: Any, arguments: str, capability: Capability) -> Path:
    return _path(f"{function.__name__}.ptx", f"{arguments}\n{capability}\n{sorted(EXACT.items())}")


def _code_path(ptx: str, name: str, capability: Capability, registers: int) -> Path:
    return _path(f"{name}.cubin", f"{ptx}\n{capability}\n{registers}")


def _path(name: str, key: str) -> Path:
    """Where what is made of these sources and ``key`` lies."""
    stamp = hashlib.sha256(f"{store.stamp()}\n{metadata.version('numba-cuda')}\n{key}".encode()).hexdigest()[:16]
    return store.folder() / f"cuda-{stamp}-{name}"


def _kept(path: Path, make: Callable[[], bytes]) -> bytes:
    """What lies at ``path``, or is made now and put there."""
    there = store.whole(path)
    if there is None:
        there = make()
        store.keep(path, there)
    return there


def contracted(ptx: str) -> dict[str, int]:
    """How often PTX has what would change a bit: of single floats fused, approximate, flushed, or open to contraction."""
    return {
        "fma.f32": len(re.findall(r"\b(?:fma|mad)\.(?:\w+\.)*f32\b", ptx)),
        "approx": len(re.findall(r"\.(?:approx|full)(?:\.ftz)?\.f(?:32|64)\b", ptx)),
        "ftz": len(re.findall(r"\.ftz\b", ptx)),
        "open": len(re.findall(r"\b(?:add|sub|mul)\.f(?:32|64)\b", ptx)),
    }
