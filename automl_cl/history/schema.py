"""The content of a history file: one row a finished trial, and never a test value.

A change that an older reader would misread raises the version; readers leave files of another
version out and say so.
"""

from __future__ import annotations

from typing import Any

SCHEMA_VERSION = 1
VERSION_KEY = b"automl_cl.history"


def arrow_schema() -> Any:
    """The Arrow schema of a history file, its version in the metadata."""
    import pyarrow as pa

    text, number, whole = pa.string(), pa.float64(), pa.int64()
    rung = pa.struct([(name, number) for name in ("level", "value", "compute")])
    features = pa.struct(
        [
            ("examples", whole),  # of training
            ("classes", whole),
            ("dimensions", whole),  # numbers in one input
            ("channels", whole),
            ("modality", text),  # vectors or images
            ("imbalance", number),  # 0 balanced, 1 all of one class
            ("noise_rate", number),
        ]
    )
    return pa.schema(
        [
            ("schema_version", pa.int32()),
            ("search", text),
            ("number", whole),  # with `search` it identifies a trial
            ("stage", text),  # search or confirm
            ("scenario", text),
            ("settings", text),  # JSON
            ("metric", text),
            ("mode", text),
            ("data", text),
            ("fingerprint", text),  # of data, split and noise
            ("features", features),
            ("sample", _list(pa.uint64())),  # numbers of some examples that the search saw
            ("algorithm", text),
            ("space", text),  # hash of `coordinates`
            ("coordinates", text),  # JSON: Optuna distributions by name
            ("config", text),  # JSON
            ("point", text),  # JSON
            ("rungs", _list(rung)),
            ("value", number),  # on validation, at the end; null unless done
            ("compute", number),
            ("cap", number),
            ("fidelity", text),
            ("seed", whole),
            ("status", text),  # done, stopped, failed or diverged
            ("origin", text),
            ("source", whole),  # of a confirmation: the trial that it repeats
            ("versions", text),  # JSON
            ("ended", pa.timestamp("us", tz="UTC")),
        ],
        metadata={VERSION_KEY: str(SCHEMA_VERSION)},
    )


def _list(kind: Any) -> Any:
    import pyarrow as pa

    return pa.list_(pa.field("element", kind))  # the name that Parquet gives back
