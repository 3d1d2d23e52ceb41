"""YAML as a person writes it: `1e-4` is a number, and a key given twice is a mistake."""

from __future__ import annotations

import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from search_spaces.errors import InputError

LARGEST = 10_000_000
"""Characters of a file, and values that its aliases may stand for."""


class _OwnMappings(yaml.constructor.SafeConstructor):
    """Mappings without a key that is given twice."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        keys = set[Any]()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                break  # refused below, with its place
            if key in keys:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key '{key}' is given twice", key_node.start_mark
                )
            keys.add(key)
        return super().construct_mapping(node, deep)


class _FiniteAliases(yaml.composer.Composer):
    """Documents whose aliases, written out, come to an end, and to a size that fits."""

    def get_single_node(self) -> Any:
        root = super().get_single_node()
        if root is not None:
            _size_written_out(root, {})
        return root


def _size_written_out(node: Any, known: dict[int, int]) -> int:
    """Count the nodes below a node with every alias written out; 0 marks a node under way."""
    if id(node) in known:
        if known[id(node)] == 0:
            raise yaml.composer.ComposerError(
                None, None, "an alias stands inside of what it stands for", node.start_mark
            )
        return known[id(node)]
    known[id(node)], size = 0, 1
    if isinstance(node, yaml.CollectionNode):
        for each in node.value:
            for below in each if isinstance(each, tuple) else (each,):
                size += _size_written_out(below, known)
    if size > LARGEST:
        raise yaml.composer.ComposerError(
            None, None, f"its aliases stand for more than {LARGEST:,} values", node.start_mark
        )
    known[id(node)] = size
    return size


class _Loader(_OwnMappings, _FiniteAliases, yaml.SafeLoader):
    """Safe loading with YAML 1.2 floats; PyYAML alone reads `1e-4` as a string."""


if yaml.__with_libyaml__:

    class _QuickLoader(_OwnMappings, _FiniteAliases, yaml.CSafeLoader):
        """The same, several times as fast: libyaml finds the words.

        Nodes are put together by PyYAML. libyaml would do that by recursion without an end, and
        a text that is nested deeply enough would crash the process.
        """

        def __init__(self, text: str) -> None:
            yaml.CSafeLoader.__init__(self, text)
            yaml.composer.Composer.__init__(self)

else:
    _QuickLoader = _Loader  # type: ignore[misc,assignment]


class _Dumper(yaml.SafeDumper):
    """Safe dumping for `_Loader`: a text such as `1e5` is quoted."""

    def represent_text(self, text: str) -> Any:
        # PyYAML writes U+0085 and its like as they are, and reads them as blanks.
        style = None if text.isprintable() else '"'
        return self.represent_scalar("tag:yaml.org,2002:str", text, style)


_Dumper.add_representer(str, _Dumper.represent_text)

for _either in (_Loader, _QuickLoader, _Dumper):
    _either.add_implicit_resolver(
        "tag:yaml.org,2002:float",
        re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"),
        list("-+0123456789."),
    )

# Half a character, as a path may hold it that is no UTF-8: libyaml refuses to read its escape.
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]|\\U0000[dD][89a-fA-F]")


def read_yaml(path: Path) -> Any:
    """What a YAML file holds.

    Raises:
        InputError: if it cannot be read or is not YAML; names the file and the line.
    """
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(LARGEST + 1)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise InputError(f"cannot read {path}: {reason}.") from error
    if len(text) > LARGEST:
        raise InputError(f"cannot read {path}: it is longer than {LARGEST:,} characters.")
    return parse_yaml(text, str(path))


def parse_yaml(text: str, where: str) -> Any:
    """What a YAML text says.

    Raises:
        InputError: if it is not YAML; names `where` and the line.
    """
    try:
        if _SURROGATE.search(text):
            return yaml.load(text, _Loader)
        return yaml.load(text, _QuickLoader)
    except RecursionError as error:
        raise InputError(f"{where}: not valid YAML: it is nested too deeply.") from error
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date that is none
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise InputError(f"{where}{line}: not valid YAML: {problem}.") from error


def to_yaml(value: Any) -> str:
    """Plain values as YAML text, keys in their own order; read again it gives the same values."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True)
