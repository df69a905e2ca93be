"""A vector type for Numba: one variable holds a number of each of ``L`` walkers, and arithmetic on it is one instruction.

LLVM's own vectors, ``<L x float>``, ``<L x double>`` and, of comparisons, ``<L x i1>``, with Python's operators. Code on
them reads like code on numbers, which lets :mod:`aiga_walker.physics.target` compile the same source for single floats.
Loops that LLVM would have to vectorise by itself depend on its moods; these do not.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.imputils import lower_cast
from numba.extending import intrinsic, lower_builtin, models, register_model, type_callable

_ELEMENTS = {32: ir.FloatType(), 64: ir.DoubleType()}


class Vec(types.Type):
    """``lanes`` floats of ``bits`` bits."""

    def __init__(self, bits: int, lanes: int) -> None:
        self.bits, self.lanes = bits, lanes
        super().__init__(name=f"Vec{bits}x{lanes}")

    @property
    def llvm(self) -> ir.VectorType:
        """The LLVM type."""
        return ir.VectorType(_ELEMENTS[self.bits], self.lanes)

    @property
    def scalar(self) -> types.Type:
        """Numba's type of one element."""
        return types.float32 if self.bits == 32 else types.float64


class Mask(types.Type):
    """``lanes`` truth values."""

    def __init__(self, lanes: int) -> None:
        self.lanes = lanes
        super().__init__(name=f"Maskx{lanes}")

    @property
    def llvm(self) -> ir.VectorType:
        """The LLVM type."""
        return ir.VectorType(ir.IntType(1), self.lanes)


@register_model(Vec)
class _VecModel(models.PrimitiveModel):
    def __init__(self, manager: Any, of: Vec) -> None:
        super().__init__(manager, of, of.llvm)


@register_model(Mask)
class _MaskModel(models.PrimitiveModel):
    def __init__(self, manager: Any, of: Mask) -> None:
        super().__init__(manager, of, of.llvm)


def splat(builder: Any, value: Any, lanes: int) -> Any:
    """``value`` in every lane."""
    vector = ir.VectorType(value.type, lanes)
    if isinstance(value, ir.Constant):
        return ir.Constant(vector, [value] * lanes)
    first = builder.insert_element(ir.Constant(vector, ir.Undefined), value, ir.IntType(32)(0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), lanes), [ir.IntType(32)(0)] * lanes)
    return builder.shuffle_vector(first, ir.Constant(vector, ir.Undefined), zeros)


def _operands(context: Any, builder: Any, signature: Any, args: Any) -> list[Any]:
    vec = next(a for a in signature.args if isinstance(a, Vec))
    return [
        value if isinstance(kind, Vec) else splat(builder, context.cast(builder, value, kind, vec.scalar), vec.lanes)
        for kind, value in zip(signature.args, args, strict=True)
    ]


def _vec(args: tuple[Any, ...]) -> Vec | None:
    """The vector type that an operation on ``args`` is one of; None where it is none, or mixes widths."""
    vecs = {a for a in args if isinstance(a, Vec)}
    if len(vecs) != 1 or not all(isinstance(a, (Vec, types.Number)) for a in args):
        return None
    return vecs.pop()  # type: ignore[no-any-return]


def _define(op: Any, kinds: list[tuple[Any, ...]], result: Callable[[Vec], Any], emit: Callable[..., Any]) -> None:
    def typing(context: Any) -> Callable[..., Any]:
        def of(*args: Any) -> Any:
            vec = _vec(args)
            return None if vec is None or len(args) != len(kinds[0]) else result(vec)

        # Numba asks a typer for its parameters by name.
        return (lambda a, b: of(a, b)) if len(kinds[0]) == 2 else (lambda a: of(a))

    type_callable(op)(typing)

    def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return emit(builder, *_operands(context, builder, signature, args))

    for kind in kinds:
        lower_builtin(op, *kind)(lower)


_PAIRS = [(Vec, Vec), (Vec, types.Number), (types.Number, Vec)]
for _op, _name in ((operator.add, "fadd"), (operator.sub, "fsub"), (operator.mul, "fmul"), (operator.truediv, "fdiv")):
    _define(_op, _PAIRS, lambda vec: vec, lambda b, x, y, name=_name: getattr(b, name)(x, y))
for _op, _name in (
    (operator.lt, "<"),
    (operator.le, "<="),
    (operator.gt, ">"),
    (operator.ge, ">="),
    (operator.eq, "=="),
    (operator.ne, "!="),
):
    # Unordered for "!=" alone, as in C: NaN differs from everything.
    _define(
        _op,
        _PAIRS,
        lambda vec: Mask(vec.lanes),
        lambda b, x, y, name=_name: (b.fcmp_unordered if name == "!=" else b.fcmp_ordered)(name, x, y),
    )
_define(operator.neg, [(Vec,)], lambda vec: vec, lambda b, x: b.fneg(x))


def _define_mask(op: Any, emit: Callable[..., Any], count: int) -> None:
    def typing(context: Any) -> Callable[..., Any]:
        def of(*args: Any) -> Any:
            return args[0] if all(isinstance(a, Mask) and a == args[0] for a in args) else None

        return (lambda a, b: of(a, b)) if count == 2 else (lambda a: of(a))

    type_callable(op)(typing)
    lower_builtin(op, *[Mask] * count)(lambda context, builder, signature, args: emit(builder, *args))


_define_mask(operator.and_, lambda b, x, y: b.and_(x, y), 2)
_define_mask(operator.or_, lambda b, x, y: b.or_(x, y), 2)
_define_mask(operator.invert, lambda b, x: b.not_(x), 1)


@lower_cast(types.Number, Vec)
def _broadcast(context: Any, builder: Any, from_type: Any, to_type: Vec, value: Any) -> Any:
    return splat(builder, context.cast(builder, value, from_type, to_type.scalar), to_type.lanes)


def _pointer(context: Any, builder: Any, kind: Any, array: Any, index: Any, to: Any) -> Any:
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), to.as_pointer())


def operations(lanes: int) -> dict[str, Any]:
    """What code on lanes calls beside operators: see :class:`aiga_walker.physics.target.Target`, whose fields these are."""
    f32, f64, mask = Vec(32, lanes), Vec(64, lanes), Mask(lanes)

    @intrinsic
    def load(typingctx: Any, array: Any, index: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            index = context.cast(builder, args[1], signature.args[1], types.intp)
            return builder.load(_pointer(context, builder, signature.args[0], args[0], index, f32.llvm), align=4)

        return f32(array, index), codegen

    @intrinsic
    def store(typingctx: Any, array: Any, index: Any, value: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            index = context.cast(builder, args[1], signature.args[1], types.intp)
            builder.store(args[2], _pointer(context, builder, signature.args[0], args[0], index, f32.llvm), align=4)
            return context.get_dummy_value()

        return types.void(array, index, f32), codegen

    @intrinsic
    def select(typingctx: Any, where: Any, yes: Any, no: Any) -> Any:
        vec = _vec((yes, no))
        result = vec or yes

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            yes, no = args[1:] if vec is None else _operands(context, builder, result(*signature.args[1:]), args[1:])
            return builder.select(args[0], yes, no)

        return result(where, yes, no), codegen

    @intrinsic
    def any_lane(typingctx: Any, where: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            bits = builder.bitcast(args[0], ir.IntType(lanes))
            return builder.icmp_unsigned("!=", bits, ir.IntType(lanes)(0))

        return types.boolean(mask), codegen

    def convert(to: Vec, instruction: str) -> Any:
        @intrinsic
        def apply(typingctx: Any, value: Any) -> Any:
            def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
                return getattr(builder, instruction)(args[0], to.llvm)

            return to(value), codegen

        return apply

    @intrinsic
    def whole(typingctx: Any, value: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return splat(builder, context.cast(builder, args[0], signature.args[0], types.float32), lanes)

        return f32(value), codegen

    return {
        "load": load,
        "store": store,
        "select": select,
        "any_lane": any_lane,
        "whole": whole,
        "single": convert(f32, "fptrunc"),
        "double": convert(f64, "fpext"),
        "sqrt": unary("llvm.sqrt"),
        "floor": unary("llvm.floor"),
        "trunc": unary("llvm.trunc"),
        "fabs": unary("llvm.fabs"),
        "fma": fma,
    }


def _call(builder: Any, name: str, args: Any) -> Any:
    kind = args[0].type
    element = kind.element if isinstance(kind, ir.VectorType) else kind
    suffix = f"v{kind.count}" if isinstance(kind, ir.VectorType) else ""
    suffix += {ir.FloatType(): "f32", ir.DoubleType(): "f64"}[element]
    function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(kind, [kind] * len(args)), f"{name}.{suffix}")
    return builder.call(function, args)


def unary(name: str) -> Any:
    """An LLVM function of one float or one vector."""

    @intrinsic
    def apply(typingctx: Any, value: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return _call(builder, name, args)

        return value(value), codegen

    return apply


@intrinsic
def fma(typingctx: Any, a: Any, b: Any, c: Any) -> Any:
    """``a * b + c``, rounded once; of vectors, or of floats."""
    vec = _vec((a, b, c))
    result = vec or a

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        args = args if vec is None else _operands(context, builder, signature, args)
        return _call(builder, "llvm.fma", args)

    return result(a, b, c), codegen


@intrinsic
def fetch_add(typingctx: Any, array: Any, amount: Any) -> Any:
    """Adds to the first element of an int64 array, whatever other threads do, and returns what was there before."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        amount = context.cast(builder, args[1], signature.args[1], types.int64)
        return builder.atomic_rmw("add", data, amount, "monotonic")

    return types.int64(array, amount), codegen
