"""No code of ours reads what can run code: the whole source is looked through."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from search_spaces import yaml_text

ROOT = Path(__file__).parents[1]
PACKAGES = ("automl_cl", "trainables", "search_spaces", "cluster")
MODULES = {"pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal", "jsonpickle"}
NAMES = {"eval", "exec", "read_pickle", "unsafe_load", "full_load", "FullLoader", "UnsafeLoader"}
# What each loader must be told, to read plain values only.
SAFE = {"torch.load": ("weights_only", True), "np.load": ("allow_pickle", False)}


def found_in(source: str) -> Iterator[str]:
    """What in a source could unpickle or run what it reads."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = node.module if isinstance(node, ast.ImportFrom) else None
            names = [each.name for each in node.names] if module is None else [module]
            yield from (name for name in names if name.partition(".")[0] in MODULES)
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called.rpartition(".")[2] in NAMES and not called.endswith(".eval"):
                yield called
            given = {each.arg: ast.unparse(each.value) for each in node.keywords}
            if called in SAFE and given.get(SAFE[called][0]) != str(SAFE[called][1]):
                yield called
            loader = [ast.unparse(each) for each in node.args[1:]]
            if called == "yaml.load" and loader not in (["_Loader"], ["_QuickLoader"]):
                yield called


@pytest.mark.parametrize("package", PACKAGES)
def test_no_source_reads_what_could_run(package: str) -> None:
    sources = list((ROOT / package).rglob("*.py"))
    assert sources
    for path in sources:
        unsafe = list(found_in(path.read_text()))
        assert not unsafe, f"{path.relative_to(ROOT)}: {unsafe}"


@pytest.mark.parametrize("loader", [yaml_text._Loader, yaml_text._QuickLoader])
def test_yaml_is_read_by_a_safe_loader(loader: Any) -> None:
    assert issubclass(loader, yaml.constructor.SafeConstructor)
    assert not any("python" in str(tag) for tag in loader.yaml_constructors)


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from joblib import load",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "np.load(path)",
        "yaml.load(text, yaml.Loader)",
        "yaml.unsafe_load(text)",
        "eval(text)",
    ],
)
def test_what_is_looked_for_is_found(source: str) -> None:
    assert list(found_in(source))
