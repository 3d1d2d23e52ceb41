"""The exports of a run: the tuned config as a file of its own, and weights."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl_cl.results.tuned import Tuned
from automl_cl.run.folder import RunFolder, write_whole
from automl_cl.run.journal import read_events
from automl_cl.run.trial_table import TrialTable, replayed
from automl_cl.spec.preparation import located
from automl_cl.spec.search_spec import spec_of
from automl_cl.strategy.stages import verdict_trials
from automl_cl.terminal import say
from search_spaces import InputError
from trainables.data import DataSpec, DataView
from trainables.foundation.storage import Place, place

if TYPE_CHECKING:
    from trainables.learning.pretraining import Backbone


LARGEST_SEED = 2**31 - 1


def export_run(run: str | Place, to: Path, weights: bool, trust_code: bool = False) -> list[Path]:
    """Writes a run's tuned config to a file, and with it, if wanted, trained weights.

    The weights are those of the recommended config under the verdict's first seed, so not picked
    by their result.

    Args:
        run: the run folder.
        to: the file.
        weights: whether to write weights too.
        trust_code: lets the code run that the run folder names, which loads the data for weights.

    Returns:
        The files written.

    Raises:
        InputError: if it is no run folder, there is no verdict yet, or a file is there already.
    """
    folder = RunFolder.existing(run)
    events = read_events(folder.journal)
    spec_of(events, folder)
    table = replayed(events)
    if not table.verdicts or not folder.tuned.exists():
        raise InputError(
            f"{run} has no verdict yet; first: automl-cl resume {shlex.quote(str(run))}"
        )
    tuned = Tuned.read(folder.tuned, trust_code)
    _require_new(to)
    beside = to.with_suffix(".safetensors")
    if weights:
        if beside == to:
            raise InputError(f"--to: {to} is where the weights go; name a .yaml file.")
        _require_new(beside)
    # The weights first: they may be gone, or the data that says how inputs were scaled.
    if weights:
        _copy_weights(*_weights_of(folder, table), beside, tuned)
    write_whole(to, folder.tuned.read_text(encoding="utf-8"))
    return [to, beside] if weights else [to]


def _require_new(file: Path) -> None:
    if os.path.lexists(file):  # a link that leads nowhere as well
        raise InputError(f"--to: {file} is there already; name another file.")
    if not file.parent.is_dir():
        raise InputError(f"--to: there is no folder {file.parent}.")


def _weights_of(folder: RunFolder, table: TrialTable) -> tuple[Place, str | None]:
    """The place of the weights, and the hash of that file if it was noted."""
    last = table.verdict_of(table.plans[-1]) or table.verdicts[-1]
    number = last.verdict[last.verdict["recommended"]]["trial"]
    trial = verdict_trials(table, last.plan, number)[0]
    digest = trial.rungs[-1].digest if trial.rungs else None
    return folder.checkpoint(trial.number, trial.weights or ""), digest


def _copy_weights(source: Place, digest: str | None, to: Path, tuned: Tuned) -> None:
    import torch

    from trainables.learning.weights import read_weights, write_weights

    weights = read_weights(source, torch.device("cpu"), digest)
    write_weights(to, weights, about(tuned.view()))


def about(view: DataView) -> dict[str, str]:
    """The notes that weights need: how inputs were read and scaled, and classes."""
    return {
        "input_mean": json.dumps(view.mean.ravel().tolist()),
        "input_scale": json.dumps(view.scale.ravel().tolist()),
        "classes": json.dumps(view.classes),
        "data_options": json.dumps(view.options),
    }


def train_tuned(
    path: str | Place,
    data: str | None,
    seed: int,
    device: str,
    output: Path | None,
    options: Mapping[str, Any] | None = None,
    say: Callable[[str], None] = say,
    trust_code: bool = False,
) -> tuple[Path, dict[str, float]]:
    """Trains a tuned config and writes its weights, metrics and config to a new folder.

    Code that the file names runs only with `trust_code`; other data may be code that `data` names.

    Returns:
        The folder, and the metrics on the validation examples.

    Raises:
        InputError: if the file is no tuned config, the data cannot be read or does not suit it,
            there is no such device, or the folder is not empty.
    """
    from trainables.learning.weights import write_weights

    tuned = Tuned.read(place(path), trust_code)
    RunFolder.require_free(output)
    _require_from_to("--seed", seed, 0, LARGEST_SEED)
    _require_device(device)
    fitted = tuned.fit(data, seed, device, options)
    for note in dict.fromkeys((*fitted.view.notes, *fitted.view.conditions)):
        say(note)
    folder = RunFolder.create(output, f"train-{tuned.config['algorithm']['name']}").path
    write_weights(folder / "weights.safetensors", fitted.learner.weights(), about(fitted.view))
    result = {"seed": seed, "compute": fitted.compute, "validation": fitted.metrics}
    write_whole(folder / "metrics.json", json.dumps(result, indent=2) + "\n")
    tuned.write(folder / "tuned.yaml")
    return folder, fitted.metrics


def pretrain_backbone(
    data: str,
    model: str,
    output: Path,
    epochs: int,
    seed: int,
    device: str,
    sizes: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
    say: Callable[[str], None] = say,
) -> Backbone:
    """Trains a model's backbone on data and writes it to a file.

    Raises:
        InputError: if data or model are not there or do not suit each other, a number is out of
            range, or the file is there already.
    """
    import torch

    from trainables.learning.pretraining import pretrain, write_backbone

    if os.path.lexists(output) or not output.parent.is_dir():
        there = os.path.lexists(output)
        why = "is there already" if there else "is in a folder that is not there"
        raise InputError(f"--output: {output} {why}; name another file.")
    if output.suffix != ".safetensors":
        raise InputError(f"--output: got {output}, expected a file that ends in .safetensors.")
    _require_from_to("--epochs", epochs, 1, 10_000)
    _require_from_to("--seed", seed, 0, LARGEST_SEED)
    _require_device(device)
    spec = DataSpec(located(data), seed=seed, options=options or {})
    backbone = pretrain(spec, model, epochs, seed, torch.device(device), sizes, say)
    write_backbone(output, backbone)
    return backbone


def _require_from_to(flag: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise InputError(f"{flag}: got {value}, expected a whole number from {low} to {high}.")


def _require_device(device: str) -> None:
    if device not in _devices().split(", "):
        raise InputError(f"--device: '{device}' is not here; allowed: {_devices()}.")


def _devices() -> str:
    import torch

    return "cpu, cuda" if torch.cuda.is_available() else "cpu"
