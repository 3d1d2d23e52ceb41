"""torch's process group for workers that are all on one machine, with nothing open to others.

Where ranks find each other is otherwise a server of torch's that listens on all addresses and asks
nobody who they are. On one machine a file does; gloo's and NCCL's own connections keep to the
loopback interface.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import Any

import ray
from ray.train.torch import TorchConfig
from ray.train.torch.config import _setup_torch_process_group, _TorchBackend

from trainables.foundation.temporary import make_folder, remove_folder

LOOPBACK = "lo" if sys.platform == "linux" else "lo0"


def torch_config() -> TorchConfig:
    """The way that the ranks of a group find each other on the connected Ray."""
    alone = ray.get_runtime_context().gcs_address.startswith("127.")
    return OneMachine() if alone else TorchConfig()


@dataclass
class OneMachine(TorchConfig):
    """For a Ray of one machine, which listens on the loopback address alone."""

    @property
    def backend_cls(self) -> type[_TorchBackend]:
        return _ByFile


class _ByFile(_TorchBackend):
    def on_start(self, worker_group: Any, backend_config: TorchConfig) -> None:
        self._folder = make_folder("ranks")
        worker_group.execute(_stay_on_loopback)
        gpus = worker_group.get_resources_per_worker().get("GPU", 0)
        ready = [
            worker_group.execute_single_async(
                rank,
                _setup_torch_process_group,
                backend="nccl" if gpus else "gloo",
                world_rank=rank,
                world_size=len(worker_group),
                init_method=f"file://{self._folder}/store",
                timeout_s=backend_config.timeout_s,
            )
            for rank in range(len(worker_group))
        ]
        ray.get(ready)

    def on_shutdown(self, worker_group: Any, backend_config: TorchConfig) -> None:
        super().on_shutdown(worker_group, backend_config)
        remove_folder(self._folder)


def _stay_on_loopback() -> None:
    os.environ["GLOO_SOCKET_IFNAME"] = os.environ["NCCL_SOCKET_IFNAME"] = LOOPBACK
