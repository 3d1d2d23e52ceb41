"""The page of a report: one HTML file that needs nothing else and no network."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import jinja2
import plotly.graph_objects as go
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from automl_cl.results.report.figures import STAGE_WORDS, Look
from automl_cl.results.report.findings import Findings
from automl_cl.results.report.importances import importance_rows
from automl_cl.results.report.space_rows import UNSEARCHED
from search_spaces import to_yaml

PARTS = files("automl_cl.results.report")


def page(found: Findings, figures: Mapping[str, go.Figure]) -> str:
    """The whole page. Every text in it is escaped, whoever it came from."""
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"number": number, "signed": signed, "count": count}
    environment.filters |= {"setting": setting, "duration": duration}
    template = environment.from_string(_text("page.html.jinja"))
    known = [each for each in found.importances if each.shares]
    drawn = {name: figure.to_plotly_json() for name, figure in figures.items()}
    return template.render(
        found=found,
        figures=figures,
        drawn=Markup(_embedded(drawn)),
        known=known,
        importance_rows=importance_rows(known),
        look=Look(found.problem.arms, found.problem.baseline),
        stage_words=STAGE_WORDS,
        settings=settings_of(found),
        notes=[note for note in found.notes if note not in found.sentences],
        unsearched=UNSEARCHED,
        style=Markup(_text("page.css")),
        script=Markup(_text("page.js")),
        plotly=Markup(get_plotlyjs()),
    )


def settings_of(found: Findings) -> dict[str, Any]:
    """The spec, without the space, which has a section of its own."""
    return {k: v for k, v in found.spec.to_dict().items() if k != "space"}


def number(value: float | None) -> str:
    """A metric's value; nothing for none."""
    if value is None:
        return ""
    return f"{value:{_precision(value)}}"


def signed(value: float) -> str:
    """A difference."""
    return f"{value:+{_precision(value)}}"


def _precision(value: float) -> str:
    return ".4f" if value == 0 or 1e-3 <= abs(value) < 1000 else ".3g"


def count(value: float) -> str:
    """An amount of compute."""
    return f"{value:,.0f}" if value >= 10 or value == 0 else f"{value:.2g}"


def duration(seconds: float) -> str:
    """A time in its largest fitting unit."""
    for unit, size in (("h", 3600.0), ("min", 60.0)):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"


def setting(value: Any) -> str:
    """A setting or hyperparameter as YAML would say it, on one line."""
    if value is None or value == {}:
        return "–"
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return f"{value:.4g}"
    return to_yaml(value).removesuffix("...\n").strip().replace("\n", "; ")


def _embedded(value: Any) -> str:
    """JSON that cannot end the script element that it stands in."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _text(name: str) -> str:
    return (PARTS / name).read_text(encoding="utf-8")
