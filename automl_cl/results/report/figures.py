"""The figures of a report. Colours of text and grid are the page's, for light and dark alike."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import plotly.graph_objects as go

from automl_cl.results.report.arms import STAGES
from automl_cl.results.report.curves import Curve, Point
from automl_cl.results.report.findings import Findings
from automl_cl.results.report.trade_offs import Axis
from automl_cl.run.trial import CONFIRM, SEARCH, VERDICT

# Each stands out from a white and from a nearly black page, at 3 : 1 or more.
BASELINE_COLOUR = "#7d868f"
COLOURS = (
    "#2f7ed8",
    "#d4700c",
    "#25945a",
    "#d64550",
    "#9461d1",
    "#128fa0",
    "#cf4f97",
    "#a0703c",
    "#80861c",
    "#6674e0",
)
DASHES = ("solid", "dash", "dot", "dashdot")
STAGE_OPACITY = {SEARCH: 1.0, CONFIRM: 0.6, VERDICT: 0.3}
STAGE_WORDS = {SEARCH: "search", CONFIRM: "confirmation", VERDICT: "verdict"}
ROW = 44


class Look:
    """The colour of each arm, the same in all figures, and its dash where colours run out."""

    def __init__(self, arms: Iterable[str], baseline: str) -> None:
        others = sorted(set(arms) - {baseline})
        self.colour = {
            name: COLOURS[index % len(COLOURS)] for index, name in enumerate(others)
        } | {baseline: BASELINE_COLOUR}
        self.dash = {
            name: DASHES[index // len(COLOURS) % len(DASHES)] for index, name in enumerate(others)
        } | {baseline: "solid"}


def figures_of(found: Findings) -> dict[str, go.Figure]:
    """All figures that there is something to show in, by the name of their section."""
    look = Look(found.problem.arms, found.problem.baseline)
    drawn: dict[str, go.Figure] = {}
    if found.contrasts:
        drawn["differences"] = forest(found, look)
    if found.learning.curves:
        drawn["learning"] = learning(found, look)
    if found.pacings:
        drawn["pacing"] = pacing(found, look)
    if any(arm.trials for arm in found.arms):
        drawn["compute"] = compute(found, look)
    if any(each.ranking.pairs for each in found.rungs):
        drawn["rungs"] = rungs(found)
    for axis in found.trade_offs.axes:
        drawn[f"trade-off-{axis.objective.name}"] = trade_off(found, axis, look)
    return drawn


def forest(found: Findings, look: Look) -> go.Figure:
    """Each contestant's difference from the baseline, with its interval."""
    figure = _figure(ROW * (len(found.contrasts) + 1) + 50)
    rows = [(each.arm, each.role) for each in found.contrasts]
    labels = [f"{arm} ({role})" for arm, role in rows]
    for each, label in zip(found.contrasts, labels, strict=True):
        figure.add_scatter(
            x=[each.difference],
            y=[label],
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [each.high - each.difference],
                "arrayminus": [each.difference - each.low],
                "thickness": 2.5,
                "width": 7,
            },
            mode="markers",
            marker={"size": 11, "color": look.colour[each.arm]},
            hovertemplate=f"{label}: {each.difference:+.4g} [{each.low:+.4g}, {each.high:+.4g}], "
            f"p = {each.p_value:.3g}<extra></extra>",
        )
    label = f"{found.problem.baseline} (baseline)"
    figure.add_scatter(
        x=[0.0],
        y=[label],
        mode="markers",
        marker={"size": 11, "symbol": "diamond", "color": BASELINE_COLOUR},
        hovertemplate=f"{label}: 0, by definition<extra></extra>",
    )
    figure.add_vline(x=0.0, line={"color": BASELINE_COLOUR, "width": 1.5, "dash": "dot"})
    figure.update_xaxes(zeroline=False)
    figure.update_yaxes(categoryarray=[label, *reversed(labels)], categoryorder="array")
    return figure


def learning(found: Findings, look: Look) -> go.Figure:
    """Validation metric by compute: a line a trial, the best one thick."""
    figure, metric = _figure(440), found.problem.metric
    band = found.learning.band
    if band is not None:
        figure.add_scatter(
            x=[*band.compute, *reversed(band.compute)],
            y=[*band.high, *reversed(band.low)],
            fill="toself",
            fillcolor="rgba(125, 134, 143, 0.18)",
            line={"width": 0},
            mode="lines",
            hoverinfo="skip",
        )
    for arm in [each.name for each in reversed(found.arms)]:
        mine = [curve for curve in found.learning.curves if curve.arm == arm]
        others = [curve for curve in mine if not curve.best]
        if others:
            figure.add_scatter(**_lines(arm, others, look, metric), opacity=0.5)
    for curve in found.learning.curves:
        if curve.best:
            drawn = _lines(curve.arm, [curve], look, metric)
            drawn["line"] = drawn["line"] | {"width": 4}
            drawn["marker"] = drawn["marker"] | {"size": 9}
            figure.add_scatter(**drawn)
    figure.update_xaxes(rangemode="tozero")
    figure.update_yaxes(title=f"validation {metric}", range=found.learning.window)
    return figure


def _lines(arm: str, curves: Sequence[Curve], look: Look, metric: str) -> dict[str, Any]:
    """One trace for all curves, with gaps: a page with thousands of traces would not open."""
    xs, ys, texts = _joined(
        (curve.points, f"trial {curve.number}, {arm}, {curve.status}") for curve in curves
    )
    return {
        "x": xs,
        "y": ys,
        "text": texts,
        "mode": "lines+markers",
        "meta": arm,
        "line": {"color": look.colour[arm], "width": 1.5, "dash": look.dash[arm]},
        "marker": {"size": 5, "color": look.colour[arm]},
        "hovertemplate": f"%{{text}}<br>{metric} %{{y:.4g}} after %{{x:.3g}} epochs"
        "<extra></extra>",
    }


def _joined(
    curves: Iterable[tuple[Sequence[Point], str]],
) -> tuple[list[float | None], list[float | None], list[str]]:
    xs: list[float | None] = []
    ys: list[float | None] = []
    texts: list[str] = []
    for points, text in curves:
        for x, y in points:
            xs.append(x)
            ys.append(y)
            texts.append(text)
        xs.append(None)
        ys.append(None)
        texts.append("")
    return xs, ys, texts


def pacing(found: Findings, look: Look) -> go.Figure:
    """The share of the data that the arms' best configs let in, by progress."""
    figure = _figure(340)
    for curve in sorted(found.pacings, key=lambda each: each.first):
        figure.add_scatter(
            x=[x for x, _ in curve.points],
            y=[y for _, y in curve.points],
            mode="lines",
            meta=curve.arm,
            opacity=1.0 if curve.first else 0.55,
            line={
                "color": look.colour[curve.arm],
                "width": 3 if curve.first else 1.2,
                "dash": look.dash[curve.arm],
            },
            hovertemplate=f"trial {curve.number}, {curve.arm}, {curve.name}<br>"
            "%{y:.0%} let in at progress %{x:.2f}<extra></extra>",
        )
    figure.update_xaxes(range=[0, 1])
    figure.update_yaxes(title="share let in", range=[0, 1.03], tickformat=".0%")
    return figure


def compute(found: Findings, look: Look) -> go.Figure:
    """Compute by arm and stage, with the fair share of the search."""
    arms = list(reversed(found.arms))
    figure = _figure(30 * len(arms) + 80)
    for stage in STAGES:
        figure.add_bar(
            x=[arm.compute[stage] for arm in arms],
            y=[arm.name for arm in arms],
            orientation="h",
            marker={
                "color": [look.colour[arm.name] for arm in arms],
                "opacity": STAGE_OPACITY[stage],
            },
            hovertemplate=f"%{{y}}: %{{x:,.1f}} epochs of {STAGE_WORDS[stage]}<extra></extra>",
        )
    figure.add_vline(x=found.fair_share, line={"color": BASELINE_COLOUR, "dash": "dash"})
    figure.update_layout(barmode="stack", bargap=0.35)
    return figure


def rungs(found: Findings) -> go.Figure:
    """Kendall's tau between the values at each rung and at the end."""
    known = [each for each in found.rungs if each.ranking.pairs]
    figure = _figure(ROW * len(known) + 60)
    figure.add_scatter(
        x=[each.ranking.tau for each in known],
        y=[each.name for each in known],
        error_x={
            "type": "data",
            "array": [each.ranking.standard_error for each in known],
            "thickness": 2.5,
            "width": 7,
        },
        mode="markers",
        marker={"size": 11, "color": COLOURS[0]},
        text=[f"{e.ranking.pairs} pairs" for e in known],
        hovertemplate="rung at %{y}: tau %{x:.2f}, %{text}<extra></extra>",
    )
    figure.add_vline(x=0.0, line={"color": BASELINE_COLOUR, "width": 1.5, "dash": "dot"})
    low = min(each.ranking.tau - each.ranking.standard_error for each in known)
    figure.update_xaxes(zeroline=False, range=[min(-0.05, low - 0.05), 1.05])
    figure.update_yaxes(autorange="reversed")
    return figure


def trade_off(found: Findings, axis: Axis, look: Look) -> go.Figure:
    """The metric against one objective: a dot a finished trial, and the front of the two."""
    figure, metric = _figure(360), found.problem.metric
    for arm in [each.name for each in reversed(found.arms)]:
        dots = [dot for dot in axis.dots if dot.arm == arm]
        if dots:
            figure.add_scatter(
                x=[dot.cost for dot in dots],
                y=[dot.value for dot in dots],
                text=[f"trial {dot.number}, {arm}" for dot in dots],
                mode="markers",
                meta=arm,
                marker={
                    "color": look.colour[arm],
                    "size": [10 if dot.on_front else 6 for dot in dots],
                    "opacity": [1.0 if dot.on_front else 0.45 for dot in dots],
                },
                hovertemplate=f"%{{text}}<br>{metric} %{{y:.4g}}, {axis.name} %{{x:.4s}}"
                "<extra></extra>",
            )
    front = sorted((dot.cost, dot.value) for dot in axis.dots if dot.on_front)
    figure.add_scatter(
        x=[cost for cost, _ in front],
        y=[value for _, value in front],
        mode="lines",
        line={"color": BASELINE_COLOUR, "width": 1.2, "shape": "hv"},
        hoverinfo="skip",
    )
    if axis.objective.is_cost:
        figure.update_xaxes(rangemode="tozero")
    figure.update_yaxes(title=f"validation {metric}", range=found.learning.window)
    return figure


def _figure(height: int) -> go.Figure:
    figure = go.Figure()
    figure.update_layout(
        template=None,
        height=height,
        showlegend=False,
        margin={"l": 8, "r": 16, "t": 12, "b": 8},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        hovermode="closest",
        dragmode=False,
    )
    figure.update_xaxes(automargin=True, ticks="outside", ticklen=4)
    figure.update_yaxes(automargin=True, ticks="outside", ticklen=4)
    return figure
