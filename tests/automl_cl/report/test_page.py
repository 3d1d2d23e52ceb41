from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from automl_cl.results.report.figures import BASELINE_COLOUR, COLOURS, Look

SWITCH = re.compile(r'data-arm="(\w+)" aria-pressed')

WriteRun = Callable[..., Path]
Command = Callable[..., Any]
Refused = Callable[..., None]
LARGEST = 10_000_000

WITHOUT_TORCH = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "ray"):
            raise ImportError(name + " is not to be imported")
sys.meta_path.insert(0, Refuse())
sys.argv = ["automl-cl", "report", sys.argv[1]]
from automl_cl.command.cli import main
main()
"""


class Page(HTMLParser):
    """What a browser would take a page for."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.words: list[str] = []
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside = tag if tag in ("script", "style") else ""
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.scripts[-1] += data
        elif not self._inside:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture
def page_of(command: Command) -> Callable[[Path], Page]:
    def read(path: Path) -> Page:
        outcome = command("report", path)
        assert outcome.code == 0, outcome.err
        assert outcome.out.strip() == str(path / "report.html")
        return Page((path / "report.html").read_text(encoding="utf-8"))

    return read


def test_the_page_needs_nothing_else(run_folder: Path, page_of: Callable[[Path], Page]) -> None:
    page = page_of(run_folder)
    for tag, attributes in page.tags:
        assert tag not in ("link", "img", "iframe", "base")
        assert "src" not in attributes
        target = attributes.get("href") or "#"
        assert target.startswith("#")
        if len(target) > 1:
            assert any(each.get("id") == target[1:] for _, each in page.tags)
    assert sum("plotly.js v" in script[:300] for script in page.scripts) == 1
    assert (run_folder / "report.html").stat().st_size < LARGEST


def test_the_page_says_what_the_run_said(
    run_folder: Path, page_of: Callable[[Path], Page]
) -> None:
    page, verdict = page_of(run_folder), json.loads((run_folder / "verdict.json").read_text())
    assert verdict["reason"] in page.text
    for arm in ("plain", "superloss", "anti_curriculum"):
        assert arm in page.text
    assert f"{verdict['baseline']['mean']:.4f}" in page.text
    figures = json.loads(page.scripts[0])
    names = {each["id"] for _, each in page.tags if str(each.get("id")).startswith("plot-")}
    assert {f"plot-{name}" for name in figures} == names
    for tag, attributes in page.tags:
        if str(attributes.get("id")).startswith("plot-"):
            assert tag == "div" and attributes["role"] == "img" and attributes["aria-label"]


def test_the_same_journal_gives_the_same_page(
    run_folder: Path, page_of: Callable[[Path], Page]
) -> None:
    page_of(run_folder)
    first = (run_folder / "report.html").read_bytes()
    (run_folder / "report.html").write_text("old")
    page_of(run_folder)
    assert (run_folder / "report.html").read_bytes() == first
    assert not list(run_folder.glob(".report*"))


def test_what_users_wrote_is_escaped(
    write_run: WriteRun,
    write_npz: Callable[..., Path],
    tmp_path: Path,
    page_of: Callable[[Path], Page],
) -> None:
    # The path holds </script> as well: its last < ends a folder's name.
    odd = tmp_path / "<script>alert(1)<"
    odd.mkdir()
    data = shutil.move(write_npz(), odd / "script>&amp;.npz")
    reason = "<script>alert(2)</script><!-- {{ 7 * 7 }} 'x' \""
    page = page_of(write_run(data=str(data), reason=reason, trials=40))
    assert len(page.scripts) == 3
    assert "alert" not in page.scripts[0] + page.scripts[2]
    assert str(data) in page.text
    assert "script>&amp;.npz" in page.text
    assert reason in page.text


def test_a_figures_text_cannot_end_its_script() -> None:
    from automl_cl.results.report.page import _embedded

    text = _embedded({"x": "</script><!--&"})
    assert not set("<>&") & set(text)
    assert json.loads(text) == {"x": "</script><!--&"}


def test_two_thousand_trials_make_a_page_that_opens(
    big_run: Path, page_of: Callable[[Path], Page]
) -> None:
    page = page_of(big_run)
    assert (big_run / "report.html").stat().st_size < LARGEST
    drawn = json.loads(page.scripts[0])["learning"]["data"]
    assert len(drawn) < 40
    switches = {each for each in SWITCH.findall((big_run / "report.html").read_text())}
    arms = {trace["meta"] for trace in drawn if trace.get("meta")}
    assert switches == arms and len(arms) >= 9
    assert sum(len(trace["x"]) for trace in drawn) < 500


def test_neither_torch_nor_ray_is_needed(run_folder: Path) -> None:
    code = [sys.executable, "-c", WITHOUT_TORCH, str(run_folder)]
    run = subprocess.run(code, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert "<h1>" in (run_folder / "report.html").read_text()


def test_every_search_ends_with_a_report(finished_run: Path, begun_run: Path) -> None:
    assert "beats" in (finished_run / "report.html").read_text()
    begun = Page((begun_run / "report.html").read_text())
    assert "There is no verdict yet" in begun.text
    assert f"automl-cl resume {begun_run}" in begun.text
    assert json.loads(begun.scripts[0]) == {}


def test_elsewhere_nothing_is_written_over(
    run_folder: Path, command: Command, refused: Refused, tmp_path: Path
) -> None:
    there = tmp_path / "there.html"
    assert command("report", run_folder, "--to", there).code == 0
    refused("report", run_folder, "--to", there, words=["--to", "there.html is there", "--force"])
    there.write_text("old")
    assert command("report", run_folder, "--to", there, "--force").code == 0
    assert "<h1>" in there.read_text()
    absent = tmp_path / "absent" / "x.html"
    refused("report", run_folder, "--to", absent, words=["--to: there is no folder"])
    refused("report", run_folder, "--to", tmp_path, "--force", words=["--to", "is a folder"])
    journal = run_folder / "journal.jsonl"
    refused("report", run_folder, "--to", journal, "--force", words=["inside the run folder"])
    link = tmp_path / "link"
    link.symlink_to(run_folder)
    for run, to in ((run_folder, link), (link, run_folder)):
        to /= "journal.jsonl"
        refused("report", run, "--to", to, "--force", words=["inside the run folder"])
    refused("report", run_folder, "--force", words=["--force is for --to FILE"])


def test_what_is_no_run_is_refused(refused: Refused, run_folder: Path, tmp_path: Path) -> None:
    refused("report", tmp_path / "none", words=["run folder", "there is no such folder"])
    (run_folder / "journal.jsonl").write_text("nonsense\n")
    refused("report", run_folder, words=["line 1 of", "is damaged"])


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("colour", [*COLOURS, BASELINE_COLOUR])
def test_colours_stand_out_from_light_and_dark(colour: str) -> None:
    light, dark, own = 1.0, _luminance("#14171b"), _luminance(colour)
    assert (light + 0.05) / (own + 0.05) >= 3.0
    assert (own + 0.05) / (dark + 0.05) >= 3.0


def test_many_arms_stay_apart() -> None:
    arms = [f"arm{number}" for number in range(30)]
    look = Look([*arms, "base"], "base")
    assert len({(look.colour[arm], look.dash[arm]) for arm in [*arms, "base"]}) == 31
    assert Look(["arm7", "base"], "base").colour["base"] == look.colour["base"]


@pytest.mark.skipif(shutil.which("chromium") is None, reason="there is no chromium")
def test_a_browser_draws_every_figure(
    run_folder: Path, page_of: Callable[[Path], Page], tmp_path: Path
) -> None:
    figures = json.loads(page_of(run_folder).scripts[0])
    browser = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    browser += [f"--user-data-dir={tmp_path / 'profile'}", f"file://{run_folder}/report.html"]
    run = subprocess.run(browser, capture_output=True, text=True, timeout=100)
    drawn = {
        each["id"]
        for _, each in Page(run.stdout).tags
        if "js-plotly-plot" in str(each.get("class"))
    }
    assert drawn == {f"plot-{name}" for name in figures}
