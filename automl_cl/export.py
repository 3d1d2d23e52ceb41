"""What leaves a run: the tuned config as a file of its own, and weights."""

from __future__ import annotations

import json
import time
from pathlib import Path

from automl_cl.driver import replayed
from automl_cl.journal import read_events
from automl_cl.run_folder import RunFolder, write_whole
from automl_cl.stages import verdict_trials
from automl_cl.trials import TrialTable
from automl_cl.tuned import Tuned
from search_spaces import InputError
from trainables.data import DataView


def export_run(run: Path, to: Path, weights: bool) -> list[Path]:
    """Writes a run's tuned config to a file, and with it, if wanted, trained weights.

    The weights are those of the recommended config under the verdict's first seed, so not picked
    by their result.

    Returns:
        The files written.

    Raises:
        InputError: if it is no run folder, there is no verdict yet, or a file is there already.
    """
    folder = RunFolder.existing(run)
    table = replayed(read_events(folder.journal))
    if not table.verdicts or not folder.tuned.exists():
        raise InputError(f"{run} has no verdict yet; first: automl-cl resume {run}")
    tuned = Tuned.read(folder.tuned)
    files = [to, to.with_suffix(".safetensors")] if weights else [to]
    for file in files:
        if file.exists():
            raise InputError(f"--to: {file} is there already; name another file.")
    if not to.parent.is_dir():
        raise InputError(f"--to: there is no folder {to.parent}.")
    write_whole(to, folder.tuned.read_text(encoding="utf-8"))
    if weights:
        _copy_weights(_weights_of(folder, table), files[1], tuned)
    return files


def _weights_of(folder: RunFolder, table: TrialTable) -> Path:
    last = table.verdicts[-1]
    number = last["verdict"][last["verdict"]["recommended"]]["trial"]
    trial = verdict_trials(table, last["plan"], number)[0]
    # The path's end only: the run folder may have been moved since.
    return folder.of_trial(trial.number) / Path(trial.weights or "").name


def _copy_weights(source: Path, to: Path, tuned: Tuned) -> None:
    import torch

    from trainables.trial_run import read_weights, write_weights

    weights = read_weights(source, torch.device("cpu"))
    write_weights(to, weights, about(tuned.view()))


def about(view: DataView) -> dict[str, str]:
    """What somebody who loads the weights has to know: how inputs were scaled, and the classes."""
    return {
        "input_mean": json.dumps(view.mean.ravel().tolist()),
        "input_scale": json.dumps(view.scale.ravel().tolist()),
        "classes": json.dumps(view.classes),
    }


def train_tuned(
    path: Path, data: str | None, seed: int, device: str, output: Path | None
) -> tuple[Path, dict[str, float]]:
    """Trains a tuned config and writes its weights, metrics and config to a new folder.

    Returns:
        The folder, and the metrics on the validation examples.

    Raises:
        InputError: if the file is no tuned config, the data cannot be read, there is no such
            device, or the folder is not empty.
    """
    import torch

    from trainables.trial_run import write_weights

    tuned = Tuned.read(path)
    RunFolder.require_free(output)
    if device not in ("cpu", "cuda") or (device == "cuda" and not torch.cuda.is_available()):
        raise InputError(f"--device: '{device}' is not here; allowed: {_devices()}.")
    fitted = tuned.fit(data, seed, device)
    name = tuned.config["algorithm"]["name"]
    folder = output or Path("runs") / f"{time.strftime('%Y%m%d-%H%M%S')}-train-{name}"
    folder.mkdir(parents=True, exist_ok=True)
    write_weights(folder / "weights.safetensors", fitted.learner.weights(), about(fitted.view))
    result = {"seed": seed, "compute": fitted.compute, "validation": fitted.metrics}
    write_whole(folder / "metrics.json", json.dumps(result, indent=2) + "\n")
    tuned.write(folder / "tuned.yaml")
    return folder, fitted.metrics


def _devices() -> str:
    import torch

    return "cpu, cuda" if torch.cuda.is_available() else "cpu"
