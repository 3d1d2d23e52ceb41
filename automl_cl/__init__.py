"""The application: command line, Python API, search driver, verdict, export and reuse."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from automl_cl.engine.driver import SearchResult
    from automl_cl.results.tuned import Tuned
    from trainables.scenarios.curriculum.teaching import Teaching as Teaching

__version__ = "0.1.0"
__all__ = ["Teaching", "__version__", "load", "search"]

# What these need is imported when they are called: `automl-cl --help` must not wait for torch.


def search(
    scenario: str,
    data: str,
    *,
    output: str | Path | None = None,
    address: str | None = None,
    **settings: Any,
) -> SearchResult:
    """Searches for the best way to teach a model on some data.

    Args:
        scenario: the kind of problem, such as `curriculum`.
        data: a data source's name, a file or folder, `hf:NAME` or `module:function`.
        output: the run folder to make, a path or a URI; None for a new one under `runs/`.
        address: of a Ray cluster; None for Ray on this machine.
        settings: the other fields of `automl_cl.spec.search_spec.SearchSpec`, such as `noise`,
            `trials`, `model` and `data_options` (`{"label_column": "species"}`).

    Raises:
        InputError: if a setting, the data or the space is wrong.
        ClusterError: if the cluster cannot be reached, or a trial does not fit it.

    Warns:
        UserWarning: a file about the run could not be written; the result is whole all the same.
    """
    import warnings

    from automl_cl.engine.driver import start
    from automl_cl.spec.preparation import located
    from automl_cl.spec.search_spec import SearchSpec

    spec = SearchSpec.from_dict({"scenario": scenario, "data": data, **settings}, "search()")
    spec = replace(spec, data=located(spec.data))
    result = start(spec, output, address)
    if result.fault is not None:
        warnings.warn(str(result.fault), stacklevel=2)
    return result


def load(path: str | Path, *, trust_code: bool = False) -> Tuned:
    """Reads a `tuned.yaml`, at a path or a URI.

    Args:
        path: the file.
        trust_code: lets the code run that the file names, by `MODULE:FUNCTION` for data or model.
            Without it whatever needs that code is refused, and nothing of it is imported.

    Raises:
        InputError: if the file is not a tuned config, or something in it is missing or wrong.
    """
    from automl_cl.results.tuned import Tuned
    from trainables.foundation.storage import place

    return Tuned.read(place(path), trust_code)


def __getattr__(name: str) -> Any:
    if name == "Teaching":
        from trainables.scenarios.curriculum.teaching import Teaching

        return Teaching
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
