"""The flat coordinates in which a sampler sees one arm of a conditional space.

Samplers model flat spaces best (multivariate TPE, GP and CMA-ES all need one), so alternatives
share coordinates: the learning rates of all optimizers are one coordinate, `optimizer.lr`. Where
their ranges differ it is the position inside the active option's range, from 0 to 1, so that what
is learnt about "a low learning rate" carries over when the optimizer changes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from search_spaces.configs import Path
from search_spaces.parts import Config
from search_spaces.ranges import (
    Categorical,
    Float,
    LogOrZero,
    Range,
    clip,
    position_of,
    value_at,
)
from search_spaces.space import Choice, Fixed, Group, Leaf, Node, Space, default_of

Coordinates = dict[str, Any]


def coordinates(space: Space) -> dict[str, Range]:
    """Names and ranges of the flat coordinates of a space."""
    found: dict[str, Range] = {}
    for name, ranges in _grouped(space).items():
        found[name] = ranges[0] if _is_shared(ranges) else Float(0.0, 1.0)
    return found


def decode(space: Space, point: Mapping[str, Any]) -> Config:
    """The config at a point; coordinates that have no effect in it are ignored."""
    grouped = _grouped(space)

    def value(name: str, allowed: Range) -> Any:
        if name not in grouped:
            return value_at(allowed, 0.0)  # it has no effect, and is not in the config
        return point[name] if _is_shared(grouped[name]) else value_at(allowed, point[name])

    return space.in_effect(_decode(space.root, (), value))


def encode(space: Space, config: Config) -> Coordinates:
    """The point of a config, a value outside of its range being moved to the nearest in it.

    Coordinates that it does not use are those of the default config.
    """
    grouped = _grouped(space)
    point: Coordinates = {}
    for given in (default_of(space.root), config):
        for path, choice in _active(space.root, given, ()):
            name, allowed = _coordinate(path, choice), _range_of(choice)
            if name in grouped:
                found = _lookup(given, path, choice)
                shared = _is_shared(grouped[name])
                point[name] = clip(found, allowed) if shared else position_of(allowed, found)
    for name, allowed in coordinates(space).items():
        point.setdefault(name, value_at(allowed, 0.5))
    return point


def _grouped(space: Space) -> dict[str, list[Range]]:
    grouped: defaultdict[str, list[Range]] = defaultdict(list)
    unused = space.unused()
    for path, node in _nodes(space.root, ()):
        if path not in unused:
            grouped[_coordinate(path, node)].append(_range_of(node))
    return dict(grouped)


def _coordinate(path: Path, node: Leaf | Choice) -> str:
    """The coordinate of a leaf or choice; alternatives at one path may share it.

    Categories have no order to share positions in, so other choices make another coordinate.
    """
    allowed = _range_of(node)
    if isinstance(allowed, Categorical) and len(path) > 1:
        return ".".join(path) + "{" + "|".join(map(str, allowed.choices)) + "}"
    return ".".join(path)


def _range_of(node: Leaf | Choice) -> Range:
    return node.allowed if isinstance(node, Leaf) else Categorical(sorted(node.options))


def _is_shared(ranges: list[Range]) -> bool:
    """True if a coordinate has the range itself; else it is the position in it."""
    if isinstance(ranges[0], LogOrZero):
        return False
    return all(other == ranges[0] for other in ranges)


def _nodes(node: Node, path: Path) -> Iterator[tuple[Path, Leaf | Choice]]:
    """Every leaf and real choice of the space, active or not."""
    if isinstance(node, Leaf):
        yield path, node
    elif isinstance(node, Group):
        for name, field in node.fields.items():
            yield from _nodes(field, (*path, name))
    elif isinstance(node, Choice):
        if len(node.options) > 1:
            yield path, node
        for group in node.options.values():
            yield from _nodes(group, path)


def _active(node: Node, config: Any, path: Path) -> Iterator[tuple[Path, Leaf | Choice]]:
    """The leaves and choices that a config uses."""
    if isinstance(node, Leaf):
        yield path, node
    elif isinstance(node, Group):
        config = node.read(config)
        for name, field in node.fields.items():
            if name in config:
                yield from _active(field, config[name], (*path, name))
    elif isinstance(node, Choice):
        yield path, node
        yield from _active(node.options[config["name"]], config, path)


def _lookup(config: Any, path: Path, node: Leaf | Choice) -> Any:
    for name in path:
        config = config[name]
    return config["name"] if isinstance(node, Choice) else config


def _decode(node: Node, path: Path, value: Any) -> Any:
    match node:
        case Leaf():
            return _readable(value(_coordinate(path, node), node.allowed), node.allowed)
        case Fixed():
            return node.value
        case Group():
            return node.written(lambda name, field: _decode(field, (*path, name), value))
        case Choice():
            chosen = next(iter(node.options))
            if len(node.options) > 1:
                chosen = value(_coordinate(path, node), _range_of(node))
            return {"name": chosen, **_decode(node.options[chosen], path, value)}


def _readable(value: Any, allowed: Range) -> Any:
    """A number with five significant digits: more say nothing and make configs hard to read."""
    if not isinstance(allowed, Float):
        return value
    return float(clip(float(f"{value:.5g}"), allowed))
