"""The application: command line, Python API, search driver, verdict, export and reuse."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl_cl.spec.settings import Request, takes

if TYPE_CHECKING:
    from automl_cl.engine.driver import SearchResult
    from automl_cl.results.tuned import Tuned
    from trainables.scenarios.curriculum.teaching import Teaching as Teaching

__version__ = "0.1.0"
__all__ = ["Teaching", "__version__", "load", "search"]

# What these need is imported when they are called: `automl-cl --help` must not wait for torch.


@takes(Request)
def search(*given: Any, **settings: Any) -> SearchResult:
    """Searches for the best way to teach a model on some data.

    The arguments have the names and values of the command line's options, with underscores:
    `search("curriculum", "digits", trials=20, space="quick", time_limit="10m")`. What is given
    several times there is a list or a mapping here: `objectives=["compute"]`, and `data_options`
    and `settings` by name. `automl_cl.spec.settings.Settings` lists them all.

    Raises:
        InputError: if a setting, the data or the space is wrong, or a space file names code that
            is not trusted.
        ClusterError: if the cluster cannot be reached, or a trial does not fit it.

    Warns:
        UserWarning: a file about the run could not be written; the result is whole all the same.
    """
    import warnings

    from automl_cl.engine.driver import start
    from automl_cl.spec.asked import asked_in_python
    from trainables.foundation.user_code import guarded

    asked, run = asked_in_python(given, settings)
    with guarded(asked.origin, asked.trusted, asked.named):
        result = start(asked.spec, run.output, run.address, verdict_now=run.verdict_now)
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
