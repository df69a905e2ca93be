"""PTX without a GPU: a kernel's instructions one by one as C, so that a processor runs what the device would run.

For the part of PTX that the walker's kernels use; anything else is refused. Registers are variables, memory spaces are one,
threads run one after another. What it shows is that Numba and NVVM made the right instructions; what it cannot show is
what ptxas and the device make of them.
"""

from __future__ import annotations

import ctypes
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Final

C_TYPES: Final = {
    **{f"{kind}{bits}": f"{sign}int{bits}_t" for kind, sign in (("u", "u"), ("b", "u"), ("s", "")) for bits in (8, 16, 32, 64)},
    "f32": "float",
    "f64": "double",
    "pred": "int",
}
COMPARE: Final = {
    "lt": "<",
    "le": "<=",
    "gt": ">",
    "ge": ">=",
    "eq": "==",
    "ne": "!=",
    "lo": "<",
    "ls": "<=",
    "hi": ">",
    "hs": ">=",
}
INFIX: Final = {"add": "+", "sub": "-", "mul": "*", "div": "/", "and": "&", "or": "|", "xor": "^"}
ROUNDED: Final = {"rm": "floor", "rz": "trunc", "rmi": "floor", "rzi": "trunc", "rpi": "ceil"}
THREAD: Final = {"%tid.x": "tid", "%ctaid.x": "0", "%ntid.x": "threads", "%nctaid.x": "1"}
# Least and greatest of floats as PTX has them: a number before NaN, -0 before 0.
PRELUDE: Final = """
#include <stdint.h>
#include <string.h>
#include <math.h>
static float bits_f32(uint32_t u) { float f; memcpy(&f, &u, 4); return f; }
static double bits_f64(uint64_t u) { double f; memcpy(&f, &u, 8); return f; }
static float min_f32(float a, float b) { return isnan(a) ? b : isnan(b) ? a : a < b || (a == b && signbit(a)) ? a : b; }
static float max_f32(float a, float b) { return isnan(a) ? b : isnan(b) ? a : a > b || (a == b && !signbit(a)) ? a : b; }
static int64_t whole(double f) { return f != f ? 0 : f >= 0x1p63 ? INT64_MAX : f < -0x1p63 ? INT64_MIN : (int64_t)f; }
"""
# Of the CPU: products and sums apart, as the instructions say.
BUILD: Final = ("gcc", "-O1", "-ffp-contract=off", "-fno-strict-aliasing", "-fwrapv", "-w", "-shared", "-fPIC")


def operand(text: str, kind: str) -> str:
    """A register, a number or an address, in C."""
    text = text.strip()
    if text in THREAD:
        return THREAD[text]
    if text.startswith("%"):
        return text[1:]
    if text[:2] in ("0f", "0d"):
        return f"bits_{kind}(0x{text[2:]})"
    if re.fullmatch(r"-?(0x[0-9A-Fa-f]+|\d+)", text):
        return f"(({C_TYPES.get(kind, 'int64_t')}){text}{'u' if text == '-9223372036854775808' else ''}ll)"
    return f"(uint64_t){text.lstrip('$_')}"


def address(text: str) -> str:
    """``[%rd1+8]`` in C."""
    base, _, offset = text.strip().strip("[]").partition("+")
    return f"(uint64_t)({operand(base, 'u64')} + {offset or 0})"


def instruction(text: str) -> str:
    """One instruction in C.

    Raises:
        ValueError: for an instruction that is none of ours.
    """
    word, _, rest = text.partition(" ")
    parts, given = word.split("."), [part.strip() for part in rest.split(",")] if rest else []
    op, kind = parts[0], parts[-1]
    c = C_TYPES.get(kind, "")
    if op == "ret":
        return "return;"
    if op == "bra":
        return f"goto {given[0].lstrip('$')};"
    to, args = given[0], [operand(a, kind) for a in given[1:]]
    if op == "ld" and parts[1] == "param":
        return f"{to[1:]} = *({c}*)&params[{given[1].strip('[]').rpartition('_')[2]}];"
    if op == "ld":
        return f"{to[1:]} = *({c}*){address(given[1])};"
    if op == "st":
        return f"*({c}*){address(to)} = {args[0]};"
    if op == "atom" and parts[2] == "add":
        return f"{to[1:]} = *({c}*){address(given[1])}; *({c}*){address(given[1])} += {operand(given[2], kind)};"
    made = value(op, parts, kind, c, args, text)
    return f"{to[1:]} = {f'!!({made})' if kind == 'pred' else made};"


def value(op: str, parts: list[str], kind: str, c: str, args: list[str], text: str) -> str:
    """What an instruction computes."""
    first = f"({c}){args[0]}"
    if op in ("mov", "cvta"):
        return args[0]
    if op == "setp":
        test, joined = parts[1], ""
        a, b = first, f"({c}){args[1]}"
        if parts[2] in ("and", "or", "xor"):
            joined = f" {INFIX[parts[2]]} ({args[2]} != 0)"
        if test in ("nan", "num"):
            return f"((isnan({a}) || isnan({b})) == {int(test == 'nan')}){joined}"
        if kind.startswith("f") and len(test) == 3:
            return f"(isnan({a}) || isnan({b}) || {a} {COMPARE[test[:2]]} {b}){joined}"
        if kind.startswith("f") and test == "ne":
            return f"({a} < {b} || {a} > {b}){joined}"
        return f"({a} {COMPARE[test]} {b}){joined}"
    if op == "selp":
        return f"{args[2]} ? {args[0]} : {args[1]}"
    if op == "cvt":
        return convert(parts, args[0])
    if op == "mul" and parts[1] == "wide":
        wide = C_TYPES[f"{kind[0]}{2 * int(kind[1:])}"]
        return f"({wide}){first} * ({wide})({c}){args[1]}"
    if op == "mul" and parts[1] == "hi":
        return f"({c})(((__int128){first} * ({c}){args[1]}) >> 64)"
    if op in ("min", "max"):
        if kind == "f32":
            return f"{op}_f32({args[0]}, {args[1]})"
        return f"{first} {'<' if op == 'min' else '>'} ({c}){args[1]} ? {args[0]} : {args[1]}"
    if op == "bfi":
        mask = f"(((1ull << {args[3]}) - 1) << {args[2]})"
        return f"({args[1]} & ~{mask}) | (({args[0]} << {args[2]}) & {mask})"
    if op in ("shl", "shr"):
        return f"{args[1]} > {int(kind[1:]) - 1} ? 0 : {first} {'<<' if op == 'shl' else '>>'} {args[1]}"
    if op in INFIX and not (op == "mul" and parts[1] not in ("lo", "rn")):
        if kind.startswith("f") and parts[1] != "rn":
            raise ValueError(f"open to contraction: {text}")
        return f"{first} {INFIX[op]} ({c}){args[1]}"
    tail = "f" if kind == "f32" else ""
    unary = {
        "neg": f"-{first}",
        "not": f"!{args[0]}" if kind == "pred" else f"~{first}",
        "abs": f"fabs{tail}({args[0]})",
        "sqrt": f"sqrt{tail}({args[0]})",
        "rcp": f"({c})1 / {args[0]}",
        "fma": f"fma({', '.join(args)})" if kind == "f64" else "",
    }
    if not unary.get(op) or (op in ("sqrt", "rcp", "fma") and parts[1] != "rn"):
        raise ValueError(f"no C for {text}")
    return unary[op]


def convert(parts: list[str], arg: str) -> str:
    """A conversion between numbers."""
    *modes, to, of = parts[1:]
    if of.startswith("f") and not to.startswith("f"):
        if (modes, to) != (["rzi"], "s64"):
            raise ValueError(f"no C for {parts}")
        return f"whole({arg})"
    if to.startswith("f") and modes and modes[0] in ROUNDED:
        return f"({C_TYPES[to]}){ROUNDED[modes[0]]}({arg})"
    return f"({C_TYPES[to]})({C_TYPES[of]}){arg}"


def as_c(ptx: str) -> str:
    """The C function ``run(params, tid, threads)`` of the one entry of ``ptx``."""
    entry = re.search(r"\.visible \.entry (\S+)\(", ptx)
    assert entry is not None
    body = ptx[ptx.index("\n{", entry.end()) + 2 : ptx.rindex("}")]
    lines = [PRELUDE, "void run(uint64_t* params, uint32_t tid, uint32_t threads) {"]
    for line in (raw.split("//")[0].strip().rstrip(";").replace("\t", " ") for raw in body.splitlines()):
        if not line:
            continue
        if depot := re.match(r"\.local \.align \d+ \.b8\s+_+(\w+)\[(\d+)\]", line):
            lines.append(f"_Alignas(16) uint8_t {depot[1]}[{depot[2]}];")
        elif many := re.match(r"\.reg \.(\w+)\s+%(\w+)<(\d+)>", line):
            lines.append(f"{C_TYPES[many[1]]} {', '.join(f'{many[2]}{i}' for i in range(int(many[3])))};")
        elif one := re.match(r"\.reg \.(\w+)\s+%(\w+)$", line):
            lines.append(f"{C_TYPES[one[1]]} {one[2]};")
        elif label := re.match(r"\$(\w+):$", line):
            lines.append(f"{label[1]}:;")
        elif guarded := re.match(r"@(!?)%(p\d+)\s+(.*)", line):
            lines.append(f"if ({guarded[1]}{guarded[2]}) {{ {instruction(guarded[3])} }}")
        elif not line.startswith("."):
            lines.append(instruction(line))
    return "\n".join([*lines, "}\n"])


def compiled(ptx: str) -> Any:
    """A function of the kernel's parameters, 64 bits each, and of the number of threads.

    Raises:
        FileNotFoundError: where there is no ``gcc``.
        subprocess.CalledProcessError: where it fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        source, library = Path(folder) / "kernel.c", Path(folder) / "kernel.so"
        source.write_text(as_c(ptx))
        subprocess.run([*BUILD, str(source), "-o", str(library), "-lm"], check=True, capture_output=True)
        run = ctypes.CDLL(str(library)).run

    def call(params: list[int], threads: int = 1) -> None:
        packed = (ctypes.c_uint64 * len(params))(*(p & 0xFFFFFFFFFFFFFFFF for p in params))
        for tid in range(threads):
            run(packed, ctypes.c_uint32(tid), ctypes.c_uint32(threads))

    return call
