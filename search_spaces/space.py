"""Conditional search spaces, composed from classes.

A recipe is a dataclass whose fields are families of parts. Its space is a tree: a `Choice` where
a family has several options, a `Group` where a class has several fields, a `Leaf` where a field
has a range. Choosing an algorithm brings its own hyperparameters with it and no others.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from search_spaces.errors import InputError
from search_spaces.parts import (
    Config,
    Part,
    field_types,
    hyperparameters,
    is_named,
    is_part,
    options,
)
from search_spaces.ranges import Categorical, Float, Int, Range, in_range


@dataclass(frozen=True)
class Leaf:
    """A field with a range."""

    allowed: Range
    default: Any


@dataclass(frozen=True)
class Fixed:
    """A field that is not searched; a value given by hand is of its type, or in its range.

    Attributes:
        unused: why no value can be given, as the end of a sentence, where none has a meaning.
    """

    value: Any
    type: type
    allowed: Range | None = None
    unused: str | None = None


@dataclass(frozen=True)
class Group:
    """All fields of one class.

    Attributes:
        implied: what is meant where a config leaves the group out; None if it may not. Configs
            are written without a group that is as implied.
    """

    fields: Mapping[str, Node]
    implied: Config | None = None

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
        """The space with one option of a section."""
        choice = self.root.fields[section]
        assert isinstance(choice, Choice)
        single = Choice(choice.kind, {name: choice.options[name]}, name)
        return Space(Group({**self.root.fields, section: single}))

    def with_option(self, section: str, name: str, wider: Space) -> Space:
        """The space with one option of a section put back from a wider space, as the default."""
        choice, other = self.root.fields[section], wider.root.fields[section]
        assert isinstance(choice, Choice)
        assert isinstance(other, Choice)
        options = {name: other.options[name], **choice.options}
        with_name = Choice(choice.kind, options, name)
        return Space(Group({**self.root.fields, section: with_name}))

    def leaving_out(self, section: str, names: Collection[str]) -> Space:
        """The space without some options of a section, of which the default is none.

        They are left out as well where another option of the section combines them; one that then
        has nothing to combine is left out itself.
        """
        choice = self.root.fields[section]
        assert isinstance(choice, Choice)
        left = _without_options(choice, choice.kind, names)
        assert left is not None
        return Space(Group({**self.root.fields, section: left}))

    def without(self, section: str, name: str, field: str, why: str) -> Space:
        """The space in which a field of one option of a section has no meaning."""
        choice = self.root.fields[section]
        assert isinstance(choice, Choice)
        group = choice.options[name]
        old = group.fields[field]
        assert isinstance(old, Leaf)
        fixed = Fixed(old.default, type(old.default), old.allowed, why)
        options = {**choice.options, name: Group({**group.fields, field: fixed})}
        changed = Choice(choice.kind, options, choice.default)
        return Space(Group({**self.root.fields, section: changed}))

    def range_of(self, section: str, field: str) -> Range | None:
        """The range of one field of a section without options, or None where it is fixed."""
        group = self.root.fields[section]
        assert isinstance(group, Group)
        leaf = group.fields[field]
        return leaf.allowed if isinstance(leaf, Leaf) else None

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
        return default_of(self.root)

    def contains(self, config: Any) -> bool:
        """Whether a config lies in the space: what is fixed included, and nothing besides."""
        return _contains(self.root, config)

    def describe(self, implied: bool = False) -> dict[str, Any]:
        """The space as plain values, for files and hashes.

        Args:
            implied: whether to tell as well what configs leave out.
        """
        described = _describe(self.root, implied)
        assert isinstance(described, dict)
        return described

    def fingerprint(self) -> str:
        """A hash of everything in the space: equal spaces have equal fingerprints."""
        text = json.dumps(self.describe(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def _contains(node: Node, config: Any) -> bool:
    match node:
        case Leaf():
            try:
                in_range("", config, node.allowed)
            except InputError:
                return False
            return True
        case Fixed():
            return bool(config == node.value)
        case Choice():
            if not isinstance(config, dict) or config.get("name") not in node.options:
                return False
            rest = {key: value for key, value in config.items() if key != "name"}
            return _contains(node.options[config["name"]], rest)
        case Group():
            if not isinstance(config, dict) or set(node.read(config)) != set(node.fields):
                return False
            config = node.read(config)
            return all(_contains(field, config[name]) for name, field in node.fields.items())


def _with_defaults(
    node: Node, path: tuple[str, ...], fixed: Callable[[tuple[str, ...]], bool]
) -> Node:
    if isinstance(node, Leaf) and fixed(path):
        return Fixed(node.default, type(node.default), node.allowed)
    if isinstance(node, Group):
        below = node.fields.items()
        fields = {name: _with_defaults(n, (*path, name), fixed) for name, n in below}
        return replace(node, fields=fields)
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
        elif kind.allowed is not None and kind.searched:
            fields[field.name] = Leaf(kind.allowed, default)
        else:
            fields[field.name] = Fixed(default, kind.hint, kind.allowed)
    group = Group(fields)
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


def _describe(node: Node, implied: bool) -> Any:
    match node:
        case Leaf():
            return {**describe_leaf(node.allowed), "default": node.default}
        case Fixed():
            return node.value
        case Group():
            if implied:
                return {name: _describe(field, implied) for name, field in node.fields.items()}
            return node.written(lambda _, field: _describe(field, implied))
        case Choice():
            options = {name: _describe(group, implied) for name, group in node.options.items()}
            return {"default": node.default, "options": options}


def describe_leaf(allowed: Range) -> dict[str, Any]:
    """A range as the mapping that a space file writes for it."""
    if isinstance(allowed, Categorical):
        return {"choices": list(allowed.choices)}
    assert isinstance(allowed, Float | Int)
    return {"low": allowed.low, "high": allowed.high, "log": allowed.log}
