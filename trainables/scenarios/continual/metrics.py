"""Metrics of a stream, from its accuracy matrix.

Row t of the matrix, [tasks measured, tasks], holds a[t, j], the accuracy on task j after training
on task t, for j <= t; tasks count from 0. What stands beyond the diagonal means nothing.
"""

from __future__ import annotations

from torch import Tensor


def average_accuracies(matrix: Tensor, sizes: Tensor) -> Tensor:
    """A_t, the accuracy over all examples of the tasks so far, after each measured task.

    Weighted by examples, as in SLCA (Zhang et al., ICCV 2023): A_t = sum N_j a[t, j] / sum N_j.

    Args:
        matrix: the accuracy matrix.
        sizes: N_j, examples of each task [tasks].
    """
    weights = sizes.expand_as(matrix).tril()
    return (matrix * weights).sum(1) / weights.sum(1)


def incremental_accuracy(matrix: Tensor, sizes: Tensor) -> float:
    """Inc-Acc: the mean of A_t over all measured tasks, the first included."""
    return average_accuracies(matrix, sizes).mean().item()


def forgetting(matrix: Tensor) -> float:
    """Mean of max over l < T of a[l, j] less a[T, j], over the tasks j before the last measured.

    Chaudhry et al., ECCV 2018, equation 3. Negative where a task gained; 0 after the first task.
    """
    last = len(matrix) - 1
    if last < 1:
        return 0.0
    earlier = matrix[:last, :last].tril().amax(0)
    return (earlier - matrix[last, :last]).mean().item()
