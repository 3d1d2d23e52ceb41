"""The trial table as a Parquet file."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path

from automl_cl.run.trial_table import TrialTable
from trainables.foundation.storage import writing


def write_trials(path: Path, table: TrialTable, front: Collection[int] = ()) -> None:
    """Writes one row a trial, whole or not at all.

    Args:
        path: the file.
        table: the trials.
        front: the numbers of those on the Pareto front.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [
        {
            "number": trial.number,
            "stage": trial.stage,
            "algorithm": trial.arm,
            "status": trial.status,
            "value": trial.value,
            "compute": trial.compute,
            "memory": trial.memory,
            "out_of_memory": trial.out_of_memory,
            "model_size": trial.model_size,
            "pareto": trial.number in front,
            "seconds": trial.seconds,
            "origin": trial.origin,
            "source": trial.source,
            "forked": trial.forked,
            "seed": trial.seed,
            "reason": trial.reason,
            "config": json.dumps(trial.config),
            "rungs": [
                {
                    "level": rung.level,
                    "value": rung.value,
                    "compute": rung.compute,
                    "metrics": list(rung.metrics.items()),
                }
                for rung in trial.rungs
            ],
        }
        for trial in table.trials
    ]
    with writing(path) as file:
        pq.write_table(pa.Table.from_pylist(rows, schema=_schema()), file)


def _schema() -> object:
    import pyarrow as pa

    numbers = [(name, pa.float64()) for name in ("level", "value", "compute")]
    rung = pa.struct([*numbers, ("metrics", pa.map_(pa.string(), pa.float64()))])
    return pa.schema(
        [
            ("number", pa.int64()),
            ("stage", pa.string()),
            ("algorithm", pa.string()),
            ("status", pa.string()),
            ("value", pa.float64()),
            ("compute", pa.float64()),
            ("memory", pa.int64()),
            ("out_of_memory", pa.int64()),
            ("model_size", pa.int64()),
            ("pareto", pa.bool_()),
            ("seconds", pa.float64()),
            ("origin", pa.string()),
            ("source", pa.int64()),
            ("forked", pa.int64()),
            ("seed", pa.int64()),
            ("reason", pa.string()),
            ("config", pa.string()),
            ("rungs", pa.list_(rung)),
        ]
    )
