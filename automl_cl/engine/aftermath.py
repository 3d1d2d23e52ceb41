"""What is left to do for a run whose driver cannot go on: its table, its report, one line.

Without its raylet or its head much of Ray hangs, and Ray ends its drivers in the middle of a call,
with its own log on the terminal. So the driver's process is replaced, all its threads at once, by
one that needs no Ray: it makes the files from the journal and ends with the driver's exit code.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NoReturn

from automl_cl.engine.interruption import descendants, end_at_once
from automl_cl.terminal import flush, say_error, say_last_words

KEPT_LINES = 500
OF_RAY = ("raylet.out", "raylet.err", "gcs_server.out", "gcs_server.err")


@dataclass(frozen=True)
class Loss:
    """How a driver lost its Ray.

    Attributes:
        run: the run folder.
        words: what happened.
        go_on: how to go on with the run, as the end of a sentence.
        status: the exit code.
        logs: the folder of Ray's logs on this machine; nothing if there is none.
        raylet: the process id of the raylet that has ended here; 0 for none.
    """

    run: str
    words: str
    go_on: str
    status: int
    logs: str = ""
    raylet: int = 0


def replace_process(loss: Loss) -> NoReturn:
    """Ends this process, whatever its threads do, and has its files made by what replaces it."""
    flush()
    root = str(Path(__file__).parents[1])
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    # -P: a module of the working folder is not to be found before ours.
    command = [sys.executable, "-P", "-m", "automl_cl.engine.aftermath", json.dumps(asdict(loss))]
    try:
        os.execve(sys.executable, command, {**os.environ, "PYTHONPATH": path})
    except OSError:
        end_at_once(_last_line(loss), loss.status)


def main() -> None:
    """Carries it out in the process that has replaced the driver."""
    loss = Loss(**json.loads(sys.argv[1]))
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_DFL)
    end_all(descendants(os.getpid()) | workers_of(loss.raylet))
    try:
        _make_files(loss)
    # Whatever it is, the line about how to go on counts more.
    except Exception as error:
        say_error(f"Error: table or report could not be written: {error}")
    say_last_words(_last_line(loss))
    os._exit(loss.status)


def _last_line(loss: Loss) -> str:
    return f"Error: {loss.words}. What was reported is safe; {loss.go_on}"


def _make_files(loss: Loss) -> None:
    from automl_cl.results.report import write_report
    from automl_cl.results.trials_file import write_trials
    from automl_cl.run.folder import RunFolder, write_whole
    from automl_cl.run.journal import read_events
    from automl_cl.run.trial_table import replayed
    from automl_cl.spec.search_spec import spec_of
    from automl_cl.strategy.objectives import WITHOUT_ANY, objectives_of, pareto_front

    folder = RunFolder.existing(loss.run)
    if loss.logs:
        write_whole(folder.path / "ray.log", last_of_logs(Path(loss.logs)))
    events = read_events(folder.journal)
    table, spec = replayed(events), spec_of(events, folder)
    front: set[int] = set()
    if (problem := table.problem) is not None:
        names = spec.objectives or WITHOUT_ANY
        sought = objectives_of(problem.metric, problem.secondary, names)
        front = {t.number for t in pareto_front(table.trials, problem.mode, sought)}
    write_trials(folder.trials, table, front)
    write_report(folder, events)
    folder.publish()


def last_of_logs(folder: Path) -> str:
    """The last lines of what Ray's own processes have logged."""
    parts = []
    for name in OF_RAY:
        with suppress(OSError), (folder / name).open(encoding="utf-8", errors="replace") as file:
            if lines := deque(file, maxlen=KEPT_LINES):
                parts.append(f"{folder / name}, its last {len(lines)} lines:\n{''.join(lines)}")
    return "\n".join(parts)


def workers_of(raylet: int) -> set[int]:
    """The processes that a raylet began. They are nobody's children once it has ended."""
    found: set[int] = set()
    mark = f"RAY_RAYLET_PID={raylet}".encode()
    for environment in Path("/proc").glob("[0-9]*/environ") if raylet else ():
        with suppress(OSError):
            if mark in environment.read_bytes().split(b"\0"):
                found.add(int(environment.parent.name))
    return found - {os.getpid()}


def end_all(processes: Iterable[int]) -> None:
    """Ends processes at once."""
    for each in processes:
        with suppress(OSError):
            os.kill(each, signal.SIGKILL)


if __name__ == "__main__":
    main()
