"""Measured compute: the floating-point operations that really ran.

PyTorch's own counter supplies the mode and most formulas. Three gaps are closed here: its formula
for the backward pass of grouped convolutions is wrong, common operations have none, and a heavy
operation that it does not know counts as nothing without a word.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

import torch
from torch.utils.flop_counter import FlopCounterMode, conv_flop_count
from torch.utils.module_tracker import ModuleTracker

from trainables.foundation.watchdog import note_progress
from trainables.learning.memory import LiveBytes

Shape = Sequence[int]
Formula = Callable[..., int]

aten = torch.ops.aten


class UncountedOperation(RuntimeError):
    """A heavy operation ran that has no FLOP formula, so the total would be too small."""


class OutOfCompute(RuntimeError):
    """More was done than a `FlopCounter` was told to allow."""


class FlopCounter:
    """Counts the FLOPs of the operations that run inside the ``with`` block.

    Backward passes and ``torch.func`` transforms are included; elementwise operations are free,
    and a multiplication with its addition is two. Each entry starts again from zero, and counters
    may be nested. A heavy operation without a formula raises `UncountedOperation`, and the first
    operation beyond ``at_most`` FLOPs raises `OutOfCompute`, itself counted.
    """

    def __init__(self, at_most: int | None = None) -> None:
        self._at_most = at_most
        self._mode = _StrictMode(at_most)

    def __enter__(self) -> Self:
        self._mode = _StrictMode(self._at_most)
        self._mode.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._mode.__exit__(kind, error, traceback)

    @property
    def total(self) -> int:
        """FLOPs counted since the block was entered, readable inside it and after it."""
        return self._mode.get_total_flops()

    @property
    def peak(self) -> int:
        """The most bytes at once that tensors made inside the block have held."""
        return self._mode.live.peak


def register_formula(operation: Any, formula: Formula) -> None:
    """Tells every later `FlopCounter` what an operation costs; replaces an earlier formula.

    Args:
        operation: Such as ``torch.ops.aten.mv``; all its overloads share the formula.
        formula: Called as the operation was, with shapes in place of tensors and the shape of the
            result as ``out_shape``; returns an integer.
    """
    packet = operation.overloadpacket if _is_overload(operation) else operation
    _FORMULAS[packet] = formula


class _StrictMode(FlopCounterMode):
    """PyTorch's counter with our formulas, silent, and unable to overlook a heavy operation."""

    def __init__(self, at_most: int | None) -> None:
        super().__init__(display=False, custom_mapping=_FORMULAS)
        self.mod_tracker = _WholeProgram()
        self.at_most = at_most
        self.live = LiveBytes()

    def _count_flops(self, func_packet: Any, out: Any, args: Any, kwargs: Any) -> Any:
        known = self._with_formula(func_packet)
        if known is None and _is_heavy(func_packet):
            raise UncountedOperation(_without_formula(func_packet))
        note_progress()
        self.live.note(out, (args, kwargs))
        counted = super()._count_flops(known or func_packet, out, args, kwargs)
        if self.at_most is not None and self.get_total_flops() > self.at_most:
            raise OutOfCompute
        return counted

    def _with_formula(self, packet: Any) -> Any:
        """The operation under whose formula this one is counted, or None."""
        candidates = (packet, _SAME_COST.get(packet), _out_of_place(packet))
        return next((one for one in candidates if one in self.flop_registry), None)


class _WholeProgram(ModuleTracker):
    """Tracks no modules: the tracker's gradient hooks would serve a table that is never shown."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


# Operations of these libraries move data, talk to other processes or take notes.
_FREE_NAMESPACES = frozenset(
    {"prim", "prims", "rngprims", "profiler", "c10d", "_c10d_functional", "fsdp"}
)

_HEAVY = re.compile(
    r"mm(?:_|$)|mv_?$|dot_?$|matmul|conv(?!ert)|rnn|lstm|gru|_fft_|attention|transformer_encoder"
    r"|linalg_|cholesky|geqrf|ormqr|solve|cdist|pdist|euclidean_dist|^_trilinear$"
    r"|_linear$|(?:^|_)linear_(?:backward|pointwise)|linear_combination"
)
# Bookkeeping, elementwise work, or fused cells whose matrix products are counted beside them.
_LIGHT = re.compile(
    r"_thnn_fused_\w+|linalg_(?:vector_norm|cross|_powsum|diagonal)|_linalg_check_errors"
    r"|_cudnn_rnn_flatten_weight|mkldnn_reorder_\w+|_convert_\w+|\w+_search"
)


def _is_overload(operation: Any) -> bool:
    return isinstance(operation, torch._ops.OpOverload)


def _is_heavy(packet: Any) -> bool:
    qualified = getattr(packet, "_qualified_op_name", None)
    if qualified is None:
        return False
    namespace, _, name = qualified.partition("::")
    if namespace != "aten":
        # Nobody can tell what a foreign kernel costs, so it has to say.
        return namespace not in _FREE_NAMESPACES
    return bool(_HEAVY.search(name)) and not _LIGHT.fullmatch(name)


def _without_formula(packet: Any) -> str:
    path = packet._qualified_op_name.replace("::", ".")
    return (
        f"{path} is a heavy operation without a FLOP formula, so compute cannot be measured: give "
        f"it one with trainables.learning.flops.register_formula(torch.ops.{path}, formula)"
    )


def _out_of_place(packet: Any) -> Any:
    """``aten.addmm`` for ``aten.addmm_``: the same arguments, hence the same formula."""
    name = getattr(packet, "__name__", "")
    return getattr(aten, name.removesuffix("_"), None) if name.endswith("_") else None


def _convolution_backward(
    grad_output: Shape,
    input_: Shape,
    weight: Shape,
    _bias: Any,
    _stride: Any,
    _padding: Any,
    _dilation: Any,
    transposed: bool,
    _output_padding: Any,
    _groups: int,
    output_mask: Sequence[bool],
    **_: Any,
) -> int:
    """Each gradient, of the input or of the weight, multiplies the same pairs as the forward pass.

    PyTorch's own formula forgets the groups in the gradient of the weight, and ``vmap`` turns a
    convolution with one weight per task into a grouped one.
    """
    forward = conv_flop_count(list(input_), list(weight), list(grad_output), transposed=transposed)
    return forward * sum(output_mask[:2])


def _matrix_vector(matrix: Shape, vector: Shape, **_: Any) -> int:
    return 2 * math.prod(matrix)


def _add_matrix_vector(added: Shape, matrix: Shape, vector: Shape, **_: Any) -> int:
    return _matrix_vector(matrix, vector)


def _dot(first: Shape, second: Shape, **_: Any) -> int:
    return 2 * math.prod(first)


def _add_batched_matrices(added: Shape, first: Shape, second: Shape, **_: Any) -> int:
    return 2 * math.prod(first) * second[-1]


def _cholesky(matrices: Shape, **_: Any) -> int:
    """n^3 / 3 for each matrix of n rows (Golub and Van Loan, Matrix Computations, 4.2)."""
    return math.prod(matrices[:-2]) * (matrices[-1] ** 3 // 3)  # a batch costs what its members do


def _fourier(signal: Shape, dimensions: Sequence[int], flops_per_point: float) -> int:
    """The customary count for a fast Fourier transform of n points: a constant x n log2 n."""
    points = math.prod(signal[dimension] for dimension in dimensions)
    if points == 0:
        return 0
    return math.prod(signal) // points * round(flops_per_point * points * math.log2(points))


def _complex_fourier(signal: Shape, dimensions: Sequence[int], *_: Any, **__: Any) -> int:
    return _fourier(signal, dimensions, 5.0)


# A transform whose points are real at one end does half the work.
def _real_fourier(signal: Shape, dimensions: Sequence[int], *_: Any, **__: Any) -> int:
    return _fourier(signal, dimensions, 2.5)


def _inverse_real_fourier(
    spectrum: Shape, dimensions: Sequence[int], *_: Any, out_shape: Shape, **__: Any
) -> int:
    return _fourier(out_shape, dimensions, 2.5)


def _pairwise_distance(first: Shape, second: Shape, *_: Any, **__: Any) -> int:
    """A difference, its power and a sum for each pair of rows and each of their features."""
    return 3 * math.prod(first) * second[-2]


def _pairwise_distance_backward(
    grad_output: Shape, first: Shape, second: Shape, *_: Any, **__: Any
) -> int:
    return _pairwise_distance(first, second)


def _euclidean_distance(first: Shape, second: Shape, **_: Any) -> int:
    """One matrix product of rows that carry two more features, their norm and a one."""
    return 2 * math.prod(first[:-1]) * (first[-1] + 2) * second[-2]


def _self_distance(rows: Shape, *_: Any, **__: Any) -> int:
    count, features = rows
    return 3 * (count * (count - 1) // 2) * features


def _self_distance_backward(grad_output: Shape, rows: Shape, *_: Any, **__: Any) -> int:
    return _self_distance(rows)


def _linear_solve(matrix: Shape, right: Shape, *_: Any, **__: Any) -> int:
    """LU factors take 2/3 n^3 (Golub and Van Loan, section 3.2), each right-hand side 2 n^2."""
    size = matrix[-1]
    columns = right[-1] if len(right) >= len(matrix) else 1
    systems = math.prod(matrix[:-2])
    return systems * (2 * size**3 // 3 + 2 * size**2 * columns)


def _trilinear(
    first: Shape,
    second: Shape,
    third: Shape,
    expand_first: Sequence[int],
    expand_second: Sequence[int],
    expand_third: Sequence[int],
    *_: Any,
    **__: Any,
) -> int:
    """Two products and a sum at each point of the three factors' common shape."""
    common = torch.broadcast_shapes(
        _unsqueezed(first, expand_first),
        _unsqueezed(second, expand_second),
        _unsqueezed(third, expand_third),
    )
    return 3 * math.prod(common)


def _unsqueezed(shape: Shape, dimensions: Sequence[int]) -> tuple[int, ...]:
    sizes = list(shape)
    for dimension in sorted(dimensions):
        sizes.insert(dimension, 1)
    return tuple(sizes)


_FORMULAS: dict[Any, Formula] = {
    aten.convolution_backward: _convolution_backward,
    aten.mv: _matrix_vector,
    aten.addmv: _add_matrix_vector,
    aten.dot: _dot,
    aten.vdot: _dot,
    aten.addbmm: _add_batched_matrices,
    aten.linalg_cholesky_ex: _cholesky,
    aten._fft_c2c: _complex_fourier,
    aten._fft_r2c: _real_fourier,
    aten._fft_c2r: _inverse_real_fourier,
    aten._cdist_forward: _pairwise_distance,
    aten._cdist_backward: _pairwise_distance_backward,
    aten._euclidean_dist: _euclidean_distance,
    aten._pdist_forward: _self_distance,
    aten._pdist_backward: _self_distance_backward,
    aten._linalg_solve_ex: _linear_solve,
    aten._trilinear: _trilinear,
}

# The CPU's kernels take their arguments in the order of those that PyTorch has a formula for.
_SAME_COST = {
    aten._scaled_dot_product_flash_attention_for_cpu: aten._scaled_dot_product_flash_attention,
    aten._scaled_dot_product_flash_attention_for_cpu_backward: (
        aten._scaled_dot_product_flash_attention_backward
    ),
}
