"""Models that are divided over the ranks, so that none has to hold all of one.

FSDP2 (`torch.distributed.fsdp.fully_shard`; Zhao et al., PVLDB 2023) leaves each rank a part of
every parameter, of its gradient and of its optimizer state. A layer's parameters are gathered
when it runs and let go after, and its gradients are summed into the parts as they come.

What does this is imported where it is needed: it takes 0.6 s, and few trials divide a model.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, final

import torch
from torch import Tensor, nn

from trainables.ranks.ranks import Ranks

SEQUENCES = (nn.Sequential, nn.ModuleList, nn.ModuleDict)


def shard(model: nn.Module, device: torch.device) -> nn.Module:
    """Leaves each rank of the default process group its part of a model, on a device.

    The model may come from the CPU.

    Each rank computes the loss of the whole batch, with gradients to its own part of the batch.
    So the gradient is the sum over ranks, where FSDP takes the mean if it is not told.
    """
    import torch.distributed as dist
    from torch.distributed.device_mesh import DeviceMesh
    from torch.distributed.fsdp import FSDPModule, fully_shard

    if device.type == "cuda":
        torch.cuda.set_device(device)  # FSDP works on what is current
    assert dist.group.WORLD is not None
    mesh = DeviceMesh.from_group(dist.group.WORLD, device.type)
    for unit in [*_units(model), model]:
        # What is not let go of after an evaluation would be used again, however old.
        fully_shard(unit, mesh=mesh, reshard_after_forward=True)
    for module in model.modules():
        if isinstance(module, FSDPModule):
            module.set_gradient_divide_factor(1.0)
            module.set_force_sum_reduction_for_comms(True)  # gloo knows no other reduction
    return model.to(device)


def _units(model: nn.Module) -> Iterator[nn.Module]:
    """The units gathered at a time: the layers of the outermost sequences and lists of layers."""
    in_sequence = isinstance(model, SEQUENCES)
    for child in model.children():
        kinds = [child] if in_sequence else child.modules()
        if any(isinstance(each, SEQUENCES) for each in kinds):
            yield from _units(child)
        elif any(True for _ in child.parameters()):
            yield child


def gathered(tree: Any, ranks: Ranks) -> Any:
    """A copy of nested containers, with what is divided put together, on rank 0's CPU alone.

    All ranks have to call it; on the others nothing is left in such a tensor's place. One tensor
    is put together at a time.
    """
    from torch.distributed.tensor import DTensor

    if isinstance(tree, DTensor):
        whole: Tensor = tree.full_tensor().detach()
        return whole.cpu() if ranks.rank == 0 else torch.empty(0)
    if isinstance(tree, Mapping):
        return {key: gathered(each, ranks) for key, each in tree.items()}
    if isinstance(tree, list | tuple):
        return type(tree)(gathered(each, ranks) for each in tree)
    return copy.deepcopy(tree)


def parted(tree: Any, like: Any, device: torch.device) -> Any:
    """This rank's part, on a device, of nested containers as `gathered` gave them on rank 0.

    Args:
        tree: whole tensors in containers, the same on all ranks.
        like: what is divided among the same containers; may lack what is not.
        device: for all tensors.
    """
    from torch.distributed.tensor import DTensor

    if isinstance(tree, Mapping):
        known = like if isinstance(like, Mapping) else {}
        return {key: parted(each, known.get(key), device) for key, each in tree.items()}
    if not isinstance(tree, Tensor):
        return copy.deepcopy(tree)
    if not isinstance(like, DTensor) or tree.shape != like.shape:
        return tree.to(device, copy=True)
    mesh, parts = like.device_mesh, tree.chunk(like.device_mesh.size())
    rank = mesh.get_local_rank()
    own = parts[rank] if rank < len(parts) else tree[:0]
    return DTensor.from_local(
        own.to(device, copy=True),
        mesh,
        like.placements,
        run_check=False,
        shape=like.shape,
        stride=like.stride(),
    )


@contextmanager
def taking_parts(optimizer: torch.optim.Optimizer) -> Iterator[None]:
    """The optimizer as it can take a step on parts: of the fused ones SGD cannot."""
    groups = optimizer.param_groups if isinstance(optimizer, torch.optim.SGD) else []
    fused = [group["fused"] for group in groups]
    for group in groups:
        group["fused"] = False
    try:
        yield
    finally:
        for group, before in zip(groups, fused, strict=True):
            group["fused"] = before


def copied_weights(model: nn.Module) -> dict[str, Tensor]:
    """A model's weights and buffers in memory of their own, divided if they are."""
    return {name: value.clone() for name, value in model.state_dict().items()}


@contextmanager
def with_weights(model: nn.Module, weights: Mapping[str, Tensor]) -> Iterator[None]:
    """The model under other weights of the same kind; its own are put back after."""
    own = copied_weights(model)
    model.load_state_dict(dict(weights))
    try:
        yield
    finally:
        model.load_state_dict(own)


@final
class UnderWeights(nn.Module):
    """A divided model that runs under other weights, and only then has them; for evaluation."""

    def __init__(self, model: nn.Module, weights: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.model, self.weights = model, weights

    def forward(self, inputs: Tensor) -> Tensor:
        """Compute the model's outputs under these weights."""
        with with_weights(self.model, self.weights):
            outputs: Tensor = self.model(inputs)
        return outputs


@contextmanager
def undone(model: nn.Module, optimizer: torch.optim.Optimizer) -> Iterator[None]:
    """Undo all changes to model and optimizer at the end."""
    state = {p: {k: _copied(v) for k, v in each.items()} for p, each in optimizer.state.items()}
    groups = [{k: v for k, v in g.items() if k != "params"} for g in optimizer.param_groups]
    with with_weights(model, model.state_dict()):
        yield
    optimizer.zero_grad()
    optimizer.state.clear()
    optimizer.state.update(state)
    for group, before in zip(optimizer.param_groups, groups, strict=True):
        group.update(before)


def _copied(value: Any) -> Any:
    return value.clone() if isinstance(value, Tensor) else value
