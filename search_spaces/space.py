"""Conditional search spaces, composed from classes.

A recipe is a dataclass whose fields are families of parts. Its space is a tree: a `Choice` where
a family has several options, a `Group` where a class has several fields, a `Leaf` where a field
has a range. Choosing an algorithm brings its own hyperparameters with it and no others.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from search_spaces.configs import Path, in_effect, without_effect
from search_spaces.errors import InputError
from search_spaces.overrides import Only, Override
from search_spaces.parts import (
    Config,
    Part,
    field_types,
    hyperparameters,
    is_named,
    is_part,
    options,
)
from search_spaces.ranges import (
    Categorical,
    Float,
    Int,
    Legal,
    LogOrZero,
    Range,
    in_range,
)


@dataclass(frozen=True)
class Leaf:
    """A field that is searched.

    Attributes:
        allowed: the range that is searched.
        default: the published default.
        legal: what it may be fixed to by hand; None for the range that is searched.
        only: where it has an effect; None if that is everywhere.
    """

    allowed: Range
    default: Any
    legal: Legal | None = None
    only: Only | None = None


@dataclass(frozen=True)
class Fixed:
    """A field that is not searched; a value given by hand is of its type, or legal.

    Attributes:
        only: as of a `Leaf`.
        unused: why no value can be given, as the end of a sentence, where none has a meaning.
    """

    value: Any
    type: type
    allowed: Legal | None = None
    unused: str | None = None
    only: Only | None = None


@dataclass(frozen=True)
class Group:
    """All fields of one class.

    Attributes:
        implied: what is meant where a config leaves the group out; None if it may not. Configs
            are written without a group that is as implied.
        part: the class; None for a group of none.
        sections: of an option of a section, other sections as they are with it: with the
            published values that belong to it as their defaults.
    """

    fields: Mapping[str, Node]
    implied: Config | None = None
    part: type | None = None
    sections: Mapping[str, Node] = dataclasses.field(default_factory=dict)

    def written(self, value: Callable[[str, Node], Any]) -> Config:
        """The config of the group in which each field has the value that a function gives."""
        found = {name: value(name, field) for name, field in self.fields.items()}
        implied = self._implied()
        return {k: v for k, v in found.items() if k not in implied or v != implied[k]}

    def read(self, config: Config) -> Config:
        """A config of the group with what it leaves out."""
        return {**self._implied(), **config}

    def _implied(self) -> Config:
        groups = {n: field for n, field in self.fields.items() if isinstance(field, Group)}
        return {n: group.implied for n, group in groups.items() if group.implied is not None}


@dataclass(frozen=True)
class Choice:
    """One of several options, each with fields of its own."""

    kind: str
    options: Mapping[str, Group]
    default: str


Node = Leaf | Fixed | Group | Choice
Keep = Callable[[type[Part]], bool]


@dataclass(frozen=True)
class Space:
    """The conditional space of a recipe."""

    root: Group

    @classmethod
    def of(cls, recipe: type, keep: Keep = lambda part: True) -> Space:
        """The whole space of a recipe, with the options for which `keep` is true."""
        return cls(_group(recipe, None, keep))

    def options(self, section: str) -> list[str]:
        """The names that a section can take, the default first."""
        choice = self.root.fields[section]
        assert isinstance(choice, Choice)
        return [choice.default, *sorted(set(choice.options) - {choice.default})]

    def only(self, section: str, name: str) -> Space:
        """The space with one option of a section, other sections being as they are with it."""
        choice = self.root.fields[section]
        assert isinstance(choice, Choice)
        group = choice.options[name]
        single = Choice(choice.kind, {name: replace(group, sections={})}, name)
        fields = {**self.root.fields, **group.sections, section: single}
        return Space(replace(self.root, fields=fields))

    def with_option(self, section: str, name: str, wider: Space) -> Space:
        """The space with one option of a section put back from a wider space, as the default."""
        choice, other = self.root.fields[section], wider.root.fields[section]
        assert isinstance(choice, Choice)
        assert isinstance(other, Choice)
        options = {name: other.options[name], **choice.options}
        with_name = Choice(choice.kind, options, name)
        return self.with_section(section, with_name)

    def leaving_out(self, section: str, names: Collection[str]) -> Space:
        """The space without some options of a section, of which the default is none.

        They are left out as well where another option of the section combines them; one that then
        has nothing to combine is left out itself.
        """
        choice = self.root.fields[section]
        assert isinstance(choice, Choice)
        left = _without_options(choice, choice.kind, names)
        assert left is not None
        return self.with_section(section, left)

    def without(self, section: str, name: str, field: str, why: str) -> Space:
        """The space in which a field of one option of a section has no meaning."""
        choice = self.root.fields[section]
        assert isinstance(choice, Choice)
        group = choice.options[name]
        old = group.fields[field]
        assert isinstance(old, Leaf)
        fixed = Fixed(old.default, type(old.default), old.allowed, why, old.only)
        options = {**choice.options, name: replace(group, fields={**group.fields, field: fixed})}
        changed = Choice(choice.kind, options, choice.default)
        return self.with_section(section, changed)

    def range_of(self, section: str, field: str) -> Range | None:
        """The range of one field of a section without options, or None where it is fixed."""
        group = self.root.fields[section]
        assert isinstance(group, Group)
        leaf = group.fields[field]
        return leaf.allowed if isinstance(leaf, Leaf) else None

    def with_section(self, section: str, node: Node) -> Space:
        """The space with another node for a section."""
        return Space(replace(self.root, fields={**self.root.fields, section: node}))

    def with_default(self, path: Path, value: Any) -> Space:
        """The space with another default at a path, names of options included.

        Raises:
            InputError: if the value is not in the range that is searched.
        """
        root = _with_default(self.root, path, value, ".".join(path))
        assert isinstance(root, Group)
        return Space(root)

    def with_defaults(self, fixed: Callable[[tuple[str, ...]], bool]) -> Space:
        """The space with its default in place of every choice and range whose path is `fixed`.

        Args:
            fixed: of paths such as `("optimizer",)` or `("optimizer", "sgd", "lr")`.
        """
        root = _with_defaults(self.root, (), fixed)
        assert isinstance(root, Group)
        return Space(root)

    def default(self) -> Config:
        """The config of published defaults, as near to them as the space allows."""
        return self.in_effect(default_of(self.as_chosen({})))

    def as_chosen(self, config: Config) -> Group:
        """The root, its sections being as they are with the options that a config names.

        A config that names none has the default.
        """
        fields = dict(self.root.fields)
        for section, node in self.root.fields.items():
            if isinstance(node, Choice):
                given = config.get(section)
                named = isinstance(given, dict) and given.get("name")
                group = node.options.get(str(named) if named else node.default)
                fields |= {} if group is None else group.sections
        return replace(self.root, fields=fields)

    def in_effect(self, config: Config) -> Config:
        """A config without the hyperparameters that have no effect in it."""
        return config if self.root.part is None else in_effect(self.root.part, config)

    def unused(self) -> dict[Path, str]:
        """Hyperparameters that have no effect in any config of the space, and why they have none.

        Paths are those in configs, such as `("optimizer", "momentum")`.
        """
        return dict(_unused(self.root, ()))

    def contains(self, config: Any) -> bool:
        """True if a config lies in the space: what is fixed included, and nothing besides."""
        part, unused = self.root.part, set()
        try:
            unused = set() if part is None else without_effect(part, config)
        except InputError:
            return False
        return isinstance(config, dict) and _contains(self.as_chosen(config), config, (), unused)

    def describe(self, implied: bool = False) -> dict[str, Any]:
        """The space as plain values, for files and hashes.

        Args:
            implied: whether to tell as well what configs leave out.
        """
        described = _describe(self.root, implied, (), self.unused())
        assert isinstance(described, dict)
        return described

    def fingerprint(self) -> str:
        """A hash of everything in the space: equal spaces have equal fingerprints."""
        text = json.dumps(self.describe(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def _contains(node: Node, config: Any, path: Path, unused: Collection[Path]) -> bool:
    match node:
        case Leaf():
            try:
                in_range("", config, node.allowed)
            except InputError:  # a default need not be searched
                return type(config) is type(node.default) and bool(config == node.default)
            return True
        case Fixed():
            return bool(config == node.value)
        case Choice():
            if not isinstance(config, dict) or config.get("name") not in node.options:
                return False
            rest = {key: value for key, value in config.items() if key != "name"}
            return _contains(node.options[config["name"]], rest, path, unused)
        case Group():
            if not isinstance(config, dict):
                return False
            config = node.read(config)
            expected = {name for name in node.fields if (*path, name) not in unused}
            return set(config) == expected and all(
                _contains(node.fields[name], config[name], (*path, name), unused)
                for name in expected
            )


def _unused(node: Node, path: Path) -> dict[Path, str]:
    """What has no effect whatever is chosen below a node, and why."""
    if isinstance(node, Choice):
        each = [_unused(group, path) for group in node.options.values()]
        common = set.intersection(*(set(found) for found in each))
        return {where: why for where, why in each[0].items() if where in common}
    if not isinstance(node, Group):
        return {}
    found: dict[Path, str] = {}
    for name, field in node.fields.items():
        found |= _unused(field, (*path, name))
        only = field.only if isinstance(field, Leaf | Fixed) else None
        if only is not None and not _may_be(node.fields[only.sibling], only.values):
            found[*path, name] = f"it has an effect only with {only}"
    return found | {
        tuple(override.path.split(".")): _why(node.part, override)
        for override in getattr(node.part, "overrides", ())
        if all(_must_be(node.fields[name], value) for name, value in override.when.items())
    }


def _may_be(node: Node, values: Collection[Any]) -> bool:
    if isinstance(node, Leaf) and not isinstance(node.allowed, Categorical):
        return True
    return any(value in values for value in _choices(node))


def _must_be(node: Node, value: Any) -> bool:
    return set(_choices(node)) == {value}


def _choices(node: Node) -> Collection[Any]:
    """What a field without order may be; nothing for another."""
    if isinstance(node, Fixed):
        return (node.value,)
    if isinstance(node, Leaf) and isinstance(node.allowed, Categorical):
        return node.allowed.choices
    return ()


def _why(part: type | None, override: Override) -> str:
    assert part is not None
    assert issubclass(part, Part)
    with_values = "".join(f" with {name} {value}" for name, value in override.when.items())
    return f"{part.kind} '{part.part_name()}'{with_values} leaves it without effect"


def _with_default(node: Node, path: Path, value: Any, whole: str) -> Node:
    if isinstance(node, Leaf):
        return replace(node, default=in_range(whole, value, node.allowed))
    step, rest = path[0], path[1:]
    if isinstance(node, Group):
        below = _with_default(node.fields[step], rest, value, whole)
        return replace(node, fields={**node.fields, step: below})
    assert isinstance(node, Choice)
    group = _with_default(node.options[step], rest, value, whole)
    assert isinstance(group, Group)
    return replace(node, options={**node.options, step: group})


def _with_defaults(
    node: Node, path: tuple[str, ...], fixed: Callable[[tuple[str, ...]], bool]
) -> Node:
    if isinstance(node, Leaf) and fixed(path):
        return Fixed(node.default, type(node.default), node.allowed, only=node.only)
    if isinstance(node, Group):
        below = node.fields.items()
        fields = {name: _with_defaults(n, (*path, name), fixed) for name, n in below}
        own = node.sections.items()
        sections = {name: _with_defaults(n, (name,), fixed) for name, n in own}
        return replace(node, fields=fields, sections=sections)
    if isinstance(node, Choice):
        chosen = [node.default] if fixed(path) else list(node.options)
        kept = {n: _with_defaults(node.options[n], (*path, n), fixed) for n in chosen}
        return Choice(node.kind, cast("dict[str, Group]", kept), node.default)
    return node


def _without_options(node: Node, kind: str, names: Collection[str]) -> Node | None:
    """A node without some options of the choices of a kind; None where one has no other."""
    if isinstance(node, Group):
        fields = {name: _without_options(n, kind, names) for name, n in node.fields.items()}
        left = {name: n for name, n in fields.items() if n is not None}
        return replace(node, fields=left) if len(left) == len(fields) else None
    if not isinstance(node, Choice):
        return node
    gone = names if node.kind == kind else ()
    options = {
        name: group
        for name, each in node.options.items()
        if name not in gone and isinstance(group := _without_options(each, kind, names), Group)
    }
    if not options:
        return None
    default = node.default if node.default in options else next(iter(options))
    return replace(node, options=options, default=default)


def default_of(node: Node) -> Any:
    """The published default of a part of the space."""
    match node:
        case Leaf():
            return node.default
        case Fixed():
            return node.value
        case Group():
            return node.written(lambda _, field: default_of(field))
        case Choice():
            return {"name": node.default, **default_of(node.options[node.default])}


def _group(cls: type, instance: Any, keep: Keep) -> Group:
    fields: dict[str, Node] = {}
    for field in hyperparameters(cls):
        default: Any = getattr(instance, field.name) if instance is not None else field.default
        kind = field_types(cls)[field.name]
        if is_part(kind.hint):
            fields[field.name] = _part(kind.hint, default, keep)
        elif kind.searched is not None:
            legal = None if kind.legal is kind.searched else kind.legal
            fields[field.name] = Leaf(kind.searched, default, legal, kind.only)
        else:
            fields[field.name] = Fixed(default, kind.hint, kind.legal, only=kind.only)
    group = Group(fields, part=cls)
    if not (issubclass(cls, Part) and cls.optional):
        return group
    return replace(group, implied=default_of(group))


def _part(base: type[Part], default: Part, keep: Keep) -> Node:
    if not is_named(base):
        return _group(base, default, keep)
    found: dict[str, Group] = {}
    for name, cls in options(base).items():
        if keep(cls):
            found[name] = _group(cls, default if type(default) is cls else None, keep)
    name = default.part_name()
    return Choice(base.kind, found, name if name in found else next(iter(found)))


def _describe(node: Node, implied: bool, path: Path, unused: Collection[Path]) -> Any:
    def described(name: str, below: Node) -> Any:
        return _describe(below, implied, (*path, name), unused)

    match node:
        case Leaf():
            return {**describe_leaf(node.allowed), "default": node.default}
        case Fixed():
            return node.value
        case Group():
            fields = {n: field for n, field in node.fields.items() if (*path, n) not in unused}
            if implied:
                return {name: described(name, field) for name, field in fields.items()}
            return replace(node, fields=fields).written(described)
        case Choice():
            options = {
                name: _describe(group, implied, path, unused)
                for name, group in node.options.items()
            }
            own = {
                name: {
                    it: _describe(each, implied, (it,), unused) for it, each in sections.items()
                }
                for name, group in node.options.items()
                if (sections := group.sections)
            }
            found = {"default": node.default, "options": options}
            return {**found, "sections": own} if own else found


def describe_leaf(allowed: Range) -> dict[str, Any]:
    """A range as the mapping that a space file writes for it."""
    if isinstance(allowed, Categorical):
        return {"choices": list(allowed.choices)}
    assert isinstance(allowed, Float | Int)
    low = 0.0 if isinstance(allowed, LogOrZero) else allowed.low
    return {"low": low, "high": allowed.high, "log": allowed.log}
