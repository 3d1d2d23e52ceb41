from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from search_spaces import InputError, Space, from_config, read_yaml, to_yaml

Read = Callable[[str], Any]


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Read:
    """What `read_yaml` makes of a text."""
    path = tmp_path_factory.mktemp("yaml") / "given.yaml"

    def read(text: str) -> Any:
        path.write_text(text, encoding="utf-8")
        return read_yaml(path)

    return read


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1e-4", 1e-4),
        ("1E5", 1e5),
        ("-2e+3", -2e3),
        ("1.5e-3", 1.5e-3),
        ("2.e3", 2e3),
        (".5e-2", 0.005),
        ("3.25", 3.25),
    ],
)
def test_numbers_as_a_person_writes_them(read: Read, text: str, number: float) -> None:
    found = read(f"lr: {text}")["lr"]
    assert isinstance(found, float)
    assert found == number


@pytest.mark.parametrize("text", ["1e", "e5", "1e5x", "adam1e5", "'1e5'"])
def test_what_only_looks_like_a_number_is_text(read: Read, text: str) -> None:
    assert isinstance(read(f"name: {text}")["name"], str)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: 1\nb: 2\na: 3\n", 3),
        ("a: 1\nb:\n  c: 1\n  d: 2\n  c: 3\n", 5),
        ("a: {c: 1,\n d: 2,\n c: 3}\n", 3),
    ],
)
def test_a_key_given_twice_is_refused_with_its_line(read: Read, text: str, line: int) -> None:
    with pytest.raises(InputError, match=rf"given\.yaml line {line}: .*'[ac]' is given twice"):
        read(text)


def test_the_same_key_in_two_mappings_is_no_mistake(read: Read) -> None:
    assert read("a: {c: 1}\nb: {c: 2}\n") == {"a": {"c": 1}, "b": {"c": 2}}


# Each name stands for ten of the one before.
LAUGHS = [(", ".join([f"*{chr(97 + i)}"] * 10), chr(98 + i)) for i in range(9)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\nb: [1, 2\nc: 3\n", "line 3: not valid YAML"),
        ("a: 1\n\tb: 2\n", "line 2: not valid YAML"),
        ("? [a, b]\n: 1\n", "not valid YAML"),
        ("a: !!python/object/apply:os.getcwd []\n", "line 1: not valid YAML"),
        ("a: 2024-13-45\n", "not valid YAML"),
        ("a: \x01\n", "not valid YAML"),
        ("a: &x [1, *x]\n", "an alias stands inside of what it stands for"),
        ("a: &x {b: &y [*x]}\n", "an alias stands inside of what it stands for"),
        (
            "a: &a [1, 2]\n" + "".join(f"{b}: &{b} [{a}]\n" for a, b in LAUGHS),
            "its aliases stand for more than",
        ),
    ],
)
def test_what_is_not_yaml_is_refused(read: Read, text: str, said: str) -> None:
    with pytest.raises(InputError) as refused:
        read(text)
    assert "given.yaml" in str(refused.value)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"cannot read .*not UTF-8"):
        read_yaml(binary)
    with pytest.raises(InputError, match=r"cannot read .*absent\.yaml: No such file"):
        read_yaml(tmp_path / "absent.yaml")


# Every character there is: control characters, other line ends, halves of characters.
TROUBLE = [
    "\x85",
    "\u2028",
    "\u2029",
    "\ufeff",
    "\x00",
    "\x1b",
    "\r",
    "\n",
    "\t",
    "\udce9",
    "\xa0",
]
text = st.text(
    st.characters(exclude_categories=[]) | st.sampled_from([*TROUBLE, *" '\"#:-?[{&*!|>%@`"])
)
plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | text


@example("1e5")
@example("12345e678")
@example("-.5E+3")
@example({"on": "yes", "12": [1e-7, 1e22, ""]})
@example(
    {
        "yes\x85": [
            "yes\x85",
            "null",
            "0o7",
            "1_000",
            "1:30",
            "=",
            "<<",
            "~",
            " a ",
            "NO",
            "2024-01-02",
        ]
    }
)
@example({"a" * 2000: "word " * 60, "\udce9": "\ud800\udc00", "<<": "\N{GRINNING FACE}"})
@given(
    st.recursive(
        plain | st.from_regex(r"[-+]?[0-9.]{1,4}[eE][-+]?[0-9]{1,3}", fullmatch=True),
        lambda inner: st.lists(inner) | st.dictionaries(text, inner),
        max_leaves=8,
    )
)
def test_plain_values_come_back_as_they_were(read: Read, value: Any) -> None:
    found = read(to_yaml({"value": value}))["value"]
    assert json.dumps(found) == json.dumps(value)


def test_many_keys_and_many_names_take_no_longer_each(read: Read) -> None:
    given = {f"key {number}": number for number in range(20_000)}
    start = time.perf_counter()
    assert read("".join(f"{key}: {number}\n" for key, number in given.items())) == given
    assert time.perf_counter() - start < 30, "a list of keys is searched for each key"


@pytest.mark.parametrize("text", ["[" * 500_000, "- " * 500_000 + "x", "{a: " * 300_000])
def test_nesting_without_an_end_is_refused(read: Read, text: str) -> None:
    with pytest.raises(InputError, match=r"given\.yaml: not valid YAML: it is nested too deeply"):
        read(text)


def test_every_default_config_survives_yaml(
    read: Read, real_recipe: type, real_space: Space
) -> None:
    tried = []
    for section in ("algorithm", "optimizer", "schedule", "augmentation", "model"):
        for name in real_space.options(section):
            config = real_space.only(section, name).default()
            assert json.dumps(read(to_yaml(config))) == json.dumps(config)
            from_config(real_recipe, config)
            tried.append(config[section]["name"])
    assert {"plain", "superloss", "sgd", "adamw", "cosine", "shift", "cnn"} <= set(tried)


@given(data=st.data())
def test_every_config_survives_yaml(
    data: st.DataObject, read: Read, real_space: Space, configs: Callable[..., Any]
) -> None:
    config = data.draw(configs(real_space))
    assert json.dumps(read(to_yaml(config))) == json.dumps(config)


def test_an_alias_used_twice_is_written_out(read: Read) -> None:
    assert read("a: &x [1]\nb: *x\nc: [*x, *x]\n") == {"a": [1], "b": [1], "c": [[1], [1]]}
