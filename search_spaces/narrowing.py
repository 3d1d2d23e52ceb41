"""Narrowing a space by a mapping, as a YAML file writes it.

Keys are paths, dotted or nested; a path may name an option to mean only its field::

    algorithm: [superloss, self_paced]        # these options only
    optimizer.lr: {low: 1e-4, high: 1e-2}     # of every optimizer, as far as its own range goes
    optimizer.sgd.momentum: 0.9               # fixed, of one of them
    training.batch_size: [32, 64]             # these values only

A range has the keys `low`, `high`, `log` and `default`, each optional; `default` is tried first.
Ranges lie inside the one that is searched; values given by hand may be any that are legal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from search_spaces.errors import InputError, unknown_name
from search_spaces.parts import of_type
from search_spaces.ranges import (
    Categorical,
    Float,
    Int,
    LogOrZero,
    Range,
    clip,
    describe_range,
    in_range,
)
from search_spaces.space import Choice, Fixed, Group, Leaf, Node, Space
from search_spaces.yaml_text import read_yaml

Narrowing = Mapping[str, Any]
PRESETS = Path(__file__).parent / "presets"
RANGE_KEYS = ("low", "high", "log", "default")


def read_narrowing(name: str) -> Narrowing:
    """What a space file says, or a preset of this package, such as `quick`.

    Raises:
        InputError: if there is no such file or preset, or it holds no mapping.
    """
    path, presets = Path(name), {path.stem: path for path in PRESETS.glob("*.yaml")}
    if name in presets and not path.exists():
        path = presets[name]
    elif not name or (not path.exists() and not path.suffix):
        raise unknown_name("space file or preset", name, presets)
    read = read_yaml(path)
    if not isinstance(read, Mapping):
        raise InputError(f"{path}: expected a mapping that narrows the space, got {read!r}.")
    return read


def narrowed(space: Space, narrowing: Narrowing, kept: Mapping[str, str] | None = None) -> Space:
    """The part of a space that a mapping leaves.

    Args:
        space: the space.
        narrowing: the mapping.
        kept: by section, an option that stays whatever the mapping says, as the default.

    Raises:
        InputError: for a key that is not in the space, or values outside its ranges.
    """
    if not isinstance(narrowing, Mapping):
        raise InputError(f"the space file must hold a mapping, got {narrowing!r}.")
    for key, value in narrowing.items():
        steps = str(key).split(".")
        root = _narrow(space.root, steps, value, ())
        assert isinstance(root, Group)
        before, space = space, Space(root)
        for section, name in (kept or {}).items():
            space = space.with_option(section, name, before)
        space = Space(_with_sections_narrowed(space.root, steps, value))
    return space


def _with_sections_narrowed(root: Group, steps: Sequence[str], value: Any) -> Group:
    """Narrows a section also as it is with each option that has it as its own."""
    step, rest = steps[0], steps[1:]
    fields: dict[str, Node] = dict(root.fields)
    for name, node in root.fields.items():
        if not isinstance(node, Choice):
            continue
        options = dict(node.options)
        for option, group in node.options.items():
            if step in group.sections:
                own = _narrow(group.sections[step], rest, value, (step,))
                if _lost_its_default(group.sections[step], own):
                    own = root.fields[step]
                options[option] = replace(group, sections={**group.sections, step: own})
        fields[name] = replace(node, options=options)
    return replace(root, fields=fields)


def _lost_its_default(before: Node, after: Node) -> bool:
    return isinstance(after, Choice) and getattr(before, "default", None) not in after.options


def refuse_unused(before: Space, after: Space) -> None:
    """Refuses a narrowing of what no config of the narrowed space has an effect of.

    Raises:
        InputError: naming the hyperparameter and what decides in its place.
    """
    for path, why in after.unused().items():
        was = _nodes_at(before.root, path)
        if any(node not in was for node in _nodes_at(after.root, path)):
            raise InputError(f"{'.'.join(path)}: {why}; leave it out.")


def _nodes_at(node: Node, path: Sequence[str]) -> list[Node]:
    """The nodes at a path of configs, one for each option that has it."""
    if isinstance(node, Choice):
        return [each for group in node.options.values() for each in _nodes_at(group, path)]
    if not path:
        return [node]
    fields = node.fields if isinstance(node, Group) else {}
    return _nodes_at(fields[path[0]], path[1:]) if path[0] in fields else []


def _narrow(node: Node, steps: Sequence[str], value: Any, path: tuple[str, ...]) -> Node:
    """Follows `steps` down from `node` and narrows what is there; returns the new node."""
    if isinstance(node, Fixed) and node.unused is not None:
        raise InputError(f"{'.'.join(path)}: got {value!r}, but {node.unused}; leave it out.")
    if not steps:
        if isinstance(value, Mapping) and isinstance(node, Group | Choice):
            for key, below in value.items():
                node = _narrow(node, str(key).split("."), below, path)
            return node
        return _narrow_here(node, value, ".".join(path))
    step, rest = steps[0], steps[1:]
    here = (*path, step)
    if isinstance(node, Group) and step in node.fields:
        below = _narrow(node.fields[step], rest, value, here)
        return replace(node, fields={**node.fields, step: below})
    if isinstance(node, Choice):
        return _narrow_choice(node, step, rest, value, path)
    if isinstance(node, Leaf):
        return _narrow_here(node, {".".join(steps): value}, ".".join(path))
    raise unknown_name("key in the space", ".".join(here), _keys(node, path))


def _narrow_choice(
    node: Choice, step: str, rest: Sequence[str], value: Any, path: tuple[str, ...]
) -> Choice:
    if step == "name" and not rest:
        return _chosen(node, value, ".".join(path))
    here = (*path, step)
    new = dict(node.options)
    if step in node.options:
        narrowed_option = _narrow(node.options[step], rest, value, here)
        assert isinstance(narrowed_option, Group)
        new[step] = narrowed_option
        return Choice(node.kind, new, node.default)
    named = [name for name, group in node.options.items() if step in group.fields]
    if not named:
        raise unknown_name("key in the space", ".".join(here), _keys(node, path))
    if any(isinstance(node.options[name].fields[step], Choice) for name in named):
        if rest == ["name"]:
            rest = []
        if not rest and isinstance(value, Mapping):
            for key, below in value.items():
                node = _narrow_choice(node, step, str(key).split("."), below, path)
            return node
    # What no option has is refused below; else it is meant for those that have it.
    having = [n for n in named if _has(node.options[n].fields[step], rest)] or named
    fields = {name: node.options[name].fields[step] for name in having}
    for name, field in fields.items():
        below = here if rest or len(having) == 1 else (*path, name, step)
        mine = value
        if not rest and isinstance(field, Choice):
            mine = _names_of(value, field, fields.values(), ".".join(here))
        elif not rest:
            mine = _cut(value, field, fields.values())
        inside = {**node.options[name].fields, step: _narrow(field, rest, mine, below)}
        new[name] = replace(node.options[name], fields=inside)
    return Choice(node.kind, new, node.default)


def _has(node: Node, steps: Sequence[str]) -> bool:
    """True if there is something below a node at the end of these steps."""
    if not steps or isinstance(node, Leaf | Fixed):
        return True
    step, rest = steps[0], steps[1:]
    if isinstance(node, Group):
        return step in node.fields and _has(node.fields[step], rest)
    if step in node.options:
        return _has(node.options[step], rest)
    return any(_has(group, steps) for group in node.options.values())


def _names_of(value: Any, field: Choice, fields: Iterable[Node], path: str) -> Any:
    """Names given for the choices of several options, cut to those that one of them has.

    One that has none of them stays as it is.
    """
    names = value if isinstance(value, list) else [value]
    known = [name for each in fields if isinstance(each, Choice) for name in each.options]
    for name in names:
        if name not in known:
            raise unknown_name(f"{field.kind} in {path}", name, set(known))
    return names and ([name for name in names if name in field.options] or list(field.options))


def _cut(value: Any, field: Node, fields: Iterable[Node]) -> Any:
    """A range given for the fields of several options, cut to the range of one of them.

    What lies in none of their ranges, or leaves this one nothing, stays as it is: to be refused.
    """
    own, *others = (_numbers(each) for each in (field, *fields))
    if own is None or not isinstance(value, Mapping):
        return value
    given = {key: value[key] for key in ("low", "high", "default") if key in value}
    for number in given.values():
        if not any(_within(number, allowed) for allowed in others):
            return value
    if given.get("low", own.low) > own.high or given.get("high", own.high) < own.low:
        return value
    return {**value, **{key: clip(number, own) for key, number in given.items()}}


def _numbers(node: Node) -> Float | Int | None:
    allowed = node.allowed if isinstance(node, Leaf) else None
    return allowed if isinstance(allowed, Float | Int) else None


def _within(number: Any, allowed: Float | Int | None) -> bool:
    return (
        allowed is not None
        and isinstance(number, int | float)
        and allowed.low <= number <= allowed.high
    )


def _narrow_here(node: Node, value: Any, path: str) -> Node:
    if isinstance(node, Choice):
        return _chosen(node, value, path)
    if isinstance(node, Leaf):
        if isinstance(value, Mapping):
            allowed = _range(node.allowed, value, path)
            default = clip(node.default, allowed)
            if "default" in value:
                default = in_range(f"{path}.default", value["default"], allowed)
            return Leaf(allowed, default, only=node.only)
        legal = node.allowed if node.legal is None else node.legal
        if isinstance(value, list):
            choices = [in_range(path, each, legal) for each in value]
            if not choices:
                raise InputError(f"{path}: got an empty list, expected at least one value.")
            allowed = Categorical(choices)
            return Leaf(allowed, clip(node.default, allowed), only=node.only)
        fixed = in_range(path, value, legal)
        return Fixed(fixed, type(fixed), legal, only=node.only)
    if isinstance(node, Fixed):
        if node.allowed is not None:
            return replace(node, value=in_range(path, value, node.allowed))
        return replace(node, value=of_type(path, value, node.type))
    raise InputError(f"{path}: got {value!r}, expected a mapping of its fields.")


def _chosen(node: Choice, value: Any, path: str) -> Choice:
    names = value if isinstance(value, list) else [value]
    if not names:
        raise InputError(f"{path}: got an empty list, expected at least one {node.kind}.")
    for name in names:
        if name not in list(node.options):
            raise unknown_name(f"{node.kind} in {path}", name, node.options)
    default = node.default if node.default in names else names[0]
    return Choice(node.kind, {name: node.options[name] for name in sorted(set(names))}, default)


def _range(old: Range, given: Mapping[str, Any], path: str) -> Range:
    if isinstance(old, Categorical):
        raise InputError(f"{path}: got {dict(given)!r}, expected {describe_range(old)}.")
    assert isinstance(old, Float | Int)
    for key in given:
        if key not in RANGE_KEYS:
            raise unknown_name(f"key in {path}", key, RANGE_KEYS)
    or_zero = isinstance(old, LogOrZero)
    low = in_range(f"{path}.low", given.get("low", 0.0 if or_zero else old.low), old)
    high = in_range(f"{path}.high", given.get("high", old.high), old)
    log = of_type(f"{path}.log", given.get("log", old.log), bool)
    if low > high:
        raise InputError(f"{path}: low {low:g} is greater than high {high:g}.")
    if or_zero and log and low == 0 < high:
        return LogOrZero(min(old.low, high), high)
    if log and low <= 0:
        raise InputError(f"{path}: low {low:g} must be greater than 0 on a log scale.")
    return Int(low, high, log=log) if isinstance(old, Int) else Float(low, high, log=log)


def _keys(node: Node, path: tuple[str, ...]) -> list[str]:
    """What could have been written at this place."""
    names: set[str] = set()
    if isinstance(node, Group):
        names |= set(node.fields)
    if isinstance(node, Choice):
        names |= set(node.options)
        names |= {field for group in node.options.values() for field in group.fields}
    return [".".join((*path, name)) for name in names]
