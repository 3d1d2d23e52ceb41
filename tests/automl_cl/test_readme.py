"""The README's example, run as it stands, and the table of algorithms in the docs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from automl_cl.command.catalogue import entries, markdown_table
from automl_cl.results.tuned import Tuned
from search_spaces import to_config
from trainables.parts.optimizers.adamw import AdamW
from trainables.parts.schedules.one_cycle import OneCycle
from trainables.scenarios.curriculum.algorithms.easy_to_hard import EasyToHard
from trainables.scenarios.curriculum.algorithms.meta_weight_net import MetaWeightNet
from trainables.scenarios.curriculum.algorithms.screener_net import ScreenerNet
from trainables.scenarios.curriculum.algorithms.self_paced import SelfPaced
from trainables.scenarios.curriculum.algorithms.superloss import SuperLoss
from trainables.scenarios.curriculum.recipe import Recipe

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def example() -> str:
    found = re.search(r"<!-- example.*?```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert found, "the README has no example"
    return found.group(1)


def test_it_is_short() -> None:
    body = example().partition("def teach")[2]
    assert len(body.partition("\n\n")[0].splitlines()) < 10


class Clouds(torch.utils.data.Dataset[tuple[torch.Tensor, int]]):
    """Somebody's own data set: items made one at a time, with a transform that draws."""

    def __init__(self) -> None:
        self.inputs = torch.randn(300, 4)
        self.labels = self.inputs[:, :3].argmax(1)

    def __len__(self) -> int:
        return 300

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return self.inputs[index] + 0.01 * torch.randn(4), int(self.labels[index])


@pytest.mark.parametrize(
    "algorithm", [SuperLoss(), SelfPaced(), EasyToHard(), MetaWeightNet(), ScreenerNet()]
)
def test_it_teaches(algorithm: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = Recipe(algorithm=algorithm, optimizer=AdamW(lr=0.01), schedule=OneCycle())  # type: ignore[arg-type]
    config = to_config(recipe)
    shape = {"classes": 3, "input_shape": [4]}
    Tuned("curriculum", config, {}, shape, {}, {}).write(tmp_path / "tuned.yaml")
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {}
    exec(example(), namespace)
    torch.manual_seed(0)
    dataset = Clouds()
    model = torch.nn.Sequential(torch.nn.Linear(4, 32), torch.nn.ReLU(), torch.nn.Linear(32, 3))
    namespace["teach"](model, dataset)  # type: ignore[operator]
    assert (model(dataset.inputs).argmax(1) == dataset.labels).float().mean() > 0.8


def test_the_table_of_algorithms_is_the_one_that_the_command_prints() -> None:
    assert markdown_table(entries("algorithms")) in (ROOT / "docs" / "algorithms.md").read_text()


def test_the_readme_is_one_that_is_read_to_its_end() -> None:
    assert len(README.read_text().splitlines()) < 150


@pytest.mark.parametrize(
    "page", sorted(ROOT.glob("*.md")) + sorted(ROOT.glob("docs/**/*.md")), ids=str
)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        led_to = page.parent / path if path else page
        assert led_to.exists(), target
        if anchor:
            titles = re.findall(r"^#+ (.*)$", led_to.read_text(), re.M)
            assert anchor in {
                re.sub(r"[^\w -]", "", t.lower()).replace(" ", "-") for t in titles
            }, target
