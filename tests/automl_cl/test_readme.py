"""The README: its example, run as it stands, and its table of algorithms."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from automl_cl.catalogue import entries, markdown_table
from automl_cl.tuned import Tuned
from search_spaces import to_config
from trainables.curriculum._recipe import Recipe
from trainables.curriculum.easy_to_hard import EasyToHard
from trainables.curriculum.self_paced import SelfPaced
from trainables.curriculum.superloss import SuperLoss
from trainables.optimizers.adamw import AdamW
from trainables.schedules.one_cycle import OneCycle

README = Path(__file__).parents[2] / "README.md"


def example() -> str:
    found = re.search(r"<!-- example.*?```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert found, "the README has no example"
    return found.group(1)


def test_it_is_short() -> None:
    body = example().partition("def teach")[2]
    assert len(body.partition("\n\n")[0].splitlines()) <= 15


@pytest.mark.parametrize("algorithm", [SuperLoss(), SelfPaced(), EasyToHard()])
def test_it_teaches(algorithm: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = Recipe(algorithm=algorithm, optimizer=AdamW(lr=0.01), schedule=OneCycle())  # type: ignore[arg-type]
    config = to_config(recipe)
    shape = {"classes": 3, "input_shape": [4]}
    Tuned("curriculum", config, {}, shape, {}, {}).write(tmp_path / "tuned.yaml")
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {}
    exec(example(), namespace)
    torch.manual_seed(0)
    inputs = torch.randn(300, 4)
    labels = inputs[:, :3].argmax(1)
    model = torch.nn.Sequential(torch.nn.Linear(4, 32), torch.nn.ReLU(), torch.nn.Linear(32, 3))
    namespace["teach"](model, inputs, labels)  # type: ignore[operator]
    assert (model(inputs).argmax(1) == labels).float().mean() > 0.8


def test_the_table_of_algorithms_is_the_one_that_the_command_prints() -> None:
    assert markdown_table(entries("algorithms")) in README.read_text()
