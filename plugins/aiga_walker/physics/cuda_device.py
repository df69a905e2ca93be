"""Kernels on a CUDA device: loaded by the driver, launched on torch's current stream."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final, Protocol

import torch
from torch import Tensor

from aiga_walker.physics import cuda_compiler as compiler

WARP: Final = 32  # threads of a block, too: kernels share no memory, and small blocks leave the device sooner
REGISTERS: Final = 128  # of a thread; 16 warps of a multiprocessor run at once then

Argument = int | Tensor


class Launcher(Protocol):
    """What runs kernels."""

    def __call__(self, name: str, threads: int, arguments: Sequence[Argument], /) -> None:
        """Runs a kernel on at least ``threads`` threads."""


def packed(arguments: Sequence[Argument]) -> list[int]:
    """The 64-bit parameters of a kernel: an integer is one, a flat tensor the seven of Numba's arrays."""
    made: list[int] = []
    for argument in arguments:
        if isinstance(argument, Tensor):
            count, size = argument.numel(), argument.element_size()
            assert argument.is_contiguous()
            # No owner, no parent; elements, their size, where they are; shape and strides.
            made += [0, 0, count, size, argument.data_ptr(), count, size]
        else:
            made.append(int(argument))
    return made


@dataclass(frozen=True)
class Resources:
    """What a kernel takes of a device.

    Attributes:
        registers: of a thread.
        local_bytes: of a thread, in the device's memory.
        resident: threads of it that a multiprocessor runs at once.
        occupancy: the share that is of all it could.
    """

    registers: int
    local_bytes: int
    resident: int
    occupancy: float


class Device:
    """A CUDA device that has the kernels.

    Args:
        kernels: function and types of the arguments of each, see :mod:`aiga_walker.physics.cuda_entries`.
        device: which one, such as ``cuda:0``.
        registers: most of them a thread may have.

    Raises:
        RuntimeError: where torch sees no CUDA device.
        ModuleNotFoundError: where numba-cuda is not installed.
    """

    def __init__(self, kernels: dict[str, tuple[Any, str]], device: torch.device, registers: int = REGISTERS) -> None:
        if not torch.cuda.is_available():
            raise RuntimeError(compiler.REMEDY.format(missing="a CUDA device; torch sees none"))
        compiler.numba_cuda()
        self._kernels, self._registers = kernels, registers
        self.device = torch.device("cuda", torch.cuda.current_device() if device.index is None else device.index)
        self.capability = torch.cuda.get_device_capability(self.device)
        self.multiprocessors = torch.cuda.get_device_properties(self.device).multi_processor_count
        self._functions: dict[str, Any] = {}

    def __call__(self, name: str, threads: int, arguments: Sequence[Argument]) -> None:
        """Runs a kernel on torch's current stream, on as many blocks as ``threads`` need."""
        driver, function, values = _driver(), self.function(name), tuple(packed(arguments))
        with torch.cuda.device(self.device):
            stream = torch.cuda.current_stream().cuda_stream
            parameters = values, (ctypes.c_uint64,) * len(values)
            _checked(driver.cuLaunchKernel(function, -(-threads // WARP), 1, 1, WARP, 1, 1, 0, stream, parameters, 0))

    def function(self, name: str) -> Any:
        """The driver's handle of a kernel, compiled and loaded when first asked for."""
        if name not in self._functions:
            driver = _driver()
            ptx = compiler.kept_ptx(*self._kernels[name], self.capability)
            code = compiler.kept_machine_code(ptx, name, self.capability, self._registers)
            with torch.cuda.device(self.device):
                # Torch makes the device's context when it is first used.
                torch.zeros(1, device=self.device)
                module = _checked(driver.cuModuleLoadData(code))
                self._functions[name] = _checked(driver.cuModuleGetFunction(module, name.encode()))
        return self._functions[name]

    @property
    def loaded(self) -> bool:
        """Whether the device has all kernels."""
        return self._functions.keys() == self._kernels.keys()

    def held(self) -> bool:
        """Whether all kernels for it lie on disk."""
        return all(compiler.held(*kernel, self.capability, self._registers) for kernel in self._kernels.values())

    def resources(self, name: str) -> Resources:
        """What a kernel takes."""
        driver, function = _driver(), self.function(name)
        of = driver.CUfunction_attribute
        with torch.cuda.device(self.device):
            registers = _checked(driver.cuFuncGetAttribute(of.CU_FUNC_ATTRIBUTE_NUM_REGS, function))
            local = _checked(driver.cuFuncGetAttribute(of.CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES, function))
            blocks = _checked(driver.cuOccupancyMaxActiveBlocksPerMultiprocessor(function, WARP, 0))
        most = torch.cuda.get_device_properties(self.device).max_threads_per_multi_processor
        return Resources(registers, local, blocks * WARP, blocks * WARP / most)


def _driver() -> Any:
    return import_module("cuda.bindings.driver")


def _checked(answer: tuple[Any, ...]) -> Any:
    """The answer of a call of the driver.

    Raises:
        RuntimeError: where it failed.
    """
    error, *rest = answer
    if int(error) != 0:
        raise RuntimeError(f"the CUDA driver refused: {error!r}")
    return rest[0] if rest else None
