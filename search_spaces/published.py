"""Published values that belong to an option of a section: the defaults of its own arm.

An algorithm's paper names its learning rate or batch size as much as its own hyperparameters. The
algorithm states them in `published`, and the space has them as the defaults of the other sections
wherever that algorithm is chosen. What a user narrows is narrowed there too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from search_spaces.errors import unknown_name
from search_spaces.parts import field_types, is_named, is_part, of_type, option
from search_spaces.ranges import in_range
from search_spaces.space import Choice, Fixed, Group, Leaf, Node, Space


def published_defaults(space: Space, recipe: type) -> Space:
    """The space of a recipe with what the options of its sections state in `published`."""
    for section, field in field_types(recipe).items():
        node = space.root.fields[section]
        if is_part(field.hint) and is_named(field.hint) and isinstance(node, Choice):
            for name in node.options:
                values = option(field.hint, name).published
                space = with_published(space, section, name, values) if values else space
    return space


def with_published(
    space: Space, section: str, name: str, values: Mapping[str, Mapping[str, Any]]
) -> Space:
    """The space with the published values that belong to one option of a section.

    Args:
        space: a space that nobody has narrowed yet.
        section: of the option, such as `algorithm`.
        name: the option.
        values: by other section, a part of a config. Of an option that does not suit the data
            nothing is taken.

    Raises:
        InputError: for a section or hyperparameter that does not exist, or an illegal value.
    """
    choice = space.root.fields[section]
    assert isinstance(choice, Choice)
    group = choice.options[name]
    own = replace(space.root, fields={**space.root.fields, **group.sections})
    found = _with_defaults(own, values, "")
    assert isinstance(found, Group)
    sections = {**group.sections, **{other: found.fields[other] for other in values}}
    options = {**choice.options, name: replace(group, sections=sections)}
    return space.with_section(section, replace(choice, options=options))


def _with_defaults(node: Node, given: Any, path: str) -> Node:
    """A node with these values as defaults."""
    match node:
        case Leaf():
            return replace(node, default=in_range(path, given, node.legal or node.allowed))
        case Fixed():
            legal = node.allowed
            value = (
                of_type(path, given, node.type) if legal is None else in_range(path, given, legal)
            )
            return replace(node, value=value)
        case Group():
            fields = dict(node.fields)
            for name, each in given.items():
                below = f"{path}.{name}" if path else name
                if name not in fields:
                    raise unknown_name("key in published values", below, fields)
                fields[name] = _with_defaults(fields[name], each, below)
            return replace(node, fields=fields)
        case Choice():
            name = given.get("name", node.default)
            if name not in node.options:
                return node
            rest = {key: each for key, each in given.items() if key != "name"}
            group = _with_defaults(node.options[name], rest, f"{path}.{name}")
            assert isinstance(group, Group)
            return replace(node, options={**node.options, name: group}, default=name)
