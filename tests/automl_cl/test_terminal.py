"""Text of others on a terminal: whole, escaped, never as markup; secrets of URIs masked."""

from __future__ import annotations

import ast
import io
import json
import shlex
import sys
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

import automl_cl
from automl_cl import terminal
from automl_cl.terminal import Screen, escaped, line, say, say_error, say_log, say_table, shown
from search_spaces import InputError
from search_spaces.secrets import without_secrets
from trainables.foundation.storage import place

from .conftest import Command

# What steers a terminal, turns text around, or is markup of rich.
NASTY = (
    "\x1b[31mred\x1b[0m[/x][bold]\r\x07\x9b2J\u202eabc\u2066\u200b\u2028\x85\ud800\x00\t:smile:"
)
TEXTS = st.text(st.characters()) | st.lists(st.sampled_from(NASTY)).map("".join)


class Terminal(io.StringIO):
    """What claims to be a terminal of 40 columns."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def is_safe(text: str) -> bool:
    """Whether nothing in a text does anything but show, in one line."""
    return not any(unicodedata.category(each) in ("Cc", "Cf", "Cs", "Zl", "Zp") for each in text)


@given(TEXTS)
def test_any_text_is_escaped_and_whole(text: str) -> None:
    found = escaped(text)
    assert is_safe(found)
    assert found == "".join(map(escaped, text)), "each character for itself"
    for each in text:
        if escaped(each) != each:
            assert escaped(each).encode().decode("unicode_escape") == each
            assert not each.isprintable()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain [bold]text[/]", "plain [bold]text[/]"),
        ("\x1b[2J", "\\x1b[2J"),
        ("a\rb\nc\td", "a\\rb\\nc\\td"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\U000e0041"),
        ("naïve 日本 🎉\u00a0é", "naïve 日本 🎉\u00a0é"),
        ("C:\\new\\x1b", "C:\\new\\x1b"),
    ],
)
def test_what_is_written_out(text: str, expected: str) -> None:
    assert escaped(text) == expected


@given(TEXTS)
def test_a_line_stays_a_line(text: str) -> None:
    for tty in (False, True):
        out, err = (Terminal() if tty else io.StringIO() for _ in range(2))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "stdout", out)
            patch.setattr(sys, "stderr", err)
            say(text)
            say_error(text)
        assert out.getvalue() == err.getvalue() == shown(text) + "\n"


@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=4))
def test_a_table_shows_its_cells_whole(rows: list[tuple[str, str]]) -> None:
    out = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", out)
        say_table(["one", "two"], rows, right=[0])
    lines = out.getvalue().splitlines()
    assert len(lines) == len(rows) + 1
    for printed, row in zip(lines[1:], rows, strict=True):
        assert is_safe(printed)
        for cell in row:
            assert shown(cell).strip() in printed


def test_a_table_too_wide_for_a_terminal_is_folded_and_not_cut(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = Terminal()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("NO_COLOR", "1")
    words = [f"word{number}" for number in range(20)]
    say_table(["name", "what"], [["first", " ".join(words)]])
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= 40 and len(lines) > 4
    assert " ".join(lines).split() == ["name", "what", "first", *words]


@given(TEXTS)
def test_a_screen_shows_text_of_others_as_text(text: str) -> None:
    assert line(text).plain == shown(text)
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, color_system="truecolor", width=10_000)
    Screen(console).say(text)
    assert out.getvalue() == shown(text) + "\n", "neither markup nor emoji nor highlighting"


def test_a_log_keeps_its_lines(capsys: pytest.CaptureFixture[str]) -> None:
    for part in ("first\nsec", "ond\x1b[2J\n", "last"):
        say_log(part)
    assert capsys.readouterr().out == "first\nsecond\\x1b[2J\nlast"


def test_an_old_encoding_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    say("3 · 日")
    assert raw.getvalue() == b"3 \\xb7 \\u65e5\n"


def test_only_one_module_prints() -> None:
    root = Path(automl_cl.__file__).parent
    for path in root.rglob("*.py"):
        if path == Path(terminal.__file__):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            where = f"{path}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.Import | ast.ImportFrom):
                modules = [each.name for each in node.names]
                modules += [getattr(node, "module", None) or ""]
                assert not any(each.partition(".")[0] == "rich" for each in modules), where
            if isinstance(node, ast.Name):
                assert node.id != "print", where
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "os.write":
                assert ast.unparse(node.args[0]) not in ("1", "2"), where
            if isinstance(node, ast.Attribute):
                whole = ast.unparse(node)
                assert whole not in ("typer.echo", "typer.secho", "typer.style"), where
                assert not whole.startswith(("sys.stdout.", "sys.stderr.")), where


# Text of others, through the command line.


def assert_clean(*printed: str) -> None:
    for text in printed:
        for each in text.split("\n"):
            assert is_safe(each), repr(each)


def test_a_run_folder_with_marks_of_markup_in_its_name(
    command: Command, run_folder: Path, tmp_path: Path
) -> None:
    for name in ("run[a]x", "run[bold red]", "run[]", "run\x1b[31m"):
        folder = tmp_path / name
        run_folder = run_folder.rename(folder)
        outcome = command("report", folder)
        assert outcome.code == 0, outcome
        assert outcome.out == f"{escaped(str(folder / 'report.html'))}\n"
        outcome = command("export", folder, "--to", "new.yaml", "--weights")
        assert outcome.code == 0, outcome
        for file in ("new.yaml", "new.safetensors"):
            (tmp_path / file).unlink()
        assert command("history", folder / "nothing").code == 2


def test_a_command_to_copy_names_the_folder_and_does_nothing_else(
    command: Command, run_folder: Path, tmp_path: Path
) -> None:
    folder = run_folder.rename(tmp_path / "run; touch $(x) 'y'")
    for name in ("verdict.json", "tuned.yaml"):
        (folder / name).unlink()
    outcome = command("export", folder, "--to", "new.yaml")
    assert outcome.code == 2
    assert shlex.split(outcome.err.partition("first: ")[2]) == ["automl-cl", "resume", str(folder)]


def test_names_in_the_data_are_shown_and_not_obeyed(command: Command, tmp_path: Path) -> None:
    name = "evil\x1b[2J[/x]\u202e"
    rows = [f"{0.1 * i},{('ant', 'bee')[i % 2]}" for i in range(60)]
    table = tmp_path / "table.csv"
    table.write_text("\n".join([f"{name},label", *rows]))
    outcome = command("search", "curriculum", "--data", table, "--label-column", "nowhere")
    assert outcome.code == 2
    assert escaped(name) in outcome.err
    assert_clean(outcome.out, outcome.err)
    table.write_text("\n".join(["size,label", *rows[:-1], f"1.0,{name}"]))
    outcome = command("search", "curriculum", "--data", table)  # a class of one example
    assert outcome.code == 2
    assert_clean(outcome.out, outcome.err)


def test_keys_and_arguments_are_shown_and_not_obeyed(command: Command, tmp_path: Path) -> None:
    key = "evil\x1b[2J[/x]\u202e"
    space = tmp_path / "space.yaml"
    space.write_text(json.dumps({key: 1}))
    for arguments in (
        ["search", "curriculum", "--data", "digits", "--space", space],
        ["search", key, "--data", "digits"],
        ["search", "curriculum", "--data", key],
        ["describe", key],
        ["list", key],
        ["train", space],
        ["resume", tmp_path / key.replace("/", "")],
        ["history", tmp_path / key.replace("/", "")],
        [key],
        ["list", f"--{key}"],
    ):
        outcome = command(*arguments)
        assert outcome.code == 2, outcome
        assert len(outcome.err.splitlines()) == 1, outcome.err
        assert "Traceback" not in outcome.err
        assert_clean(outcome.out, outcome.err)
        assert "\\x1b[2J" in outcome.err


def test_notes_and_reasons_of_a_journal_are_shown_and_not_obeyed(
    command: Command, run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from automl_cl.command.cli import _report
    from automl_cl.engine.driver import SearchResult
    from automl_cl.run.folder import RunFolder
    from automl_cl.run.journal import read_events
    from automl_cl.run.trial_table import replayed
    from trainables.scenarios.scenario import load_scenario

    table = replayed(read_events(run_folder / "journal.jsonl"))
    judged: Any = table.verdicts[-1].verdict
    judged["notes"] = [NASTY]
    for trial in table.trials:
        trial.arm = trial.arm if trial.arm == "plain" else "evil\x1b[2J[/x]"
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    folder = RunFolder(run_folder)
    _report(SearchResult(folder, load_scenario("curriculum"), table, judged))
    assert escaped(NASTY) in out.getvalue()
    assert "evil\\x1b[2J[/x]" in out.getvalue()
    assert_clean(out.getvalue())


def test_a_fault_of_ours_is_printed_the_same_way(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> None:
        raise KeyError(NASTY + " s3://user:pw@bucket")

    monkeypatch.setattr("automl_cl.command.catalogue.described", fail)
    outcome = command("describe", "csv")
    assert outcome.code == 1 and "Traceback" in outcome.err
    assert "pw@" not in outcome.err
    assert_clean(outcome.err)


def test_json_is_json_whatever_is_in_it(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.say_json({NASTY: [NASTY]})
    printed = capsys.readouterr().out
    assert_clean(printed)
    assert json.loads(printed) == {NASTY: [NASTY]}


# Secrets.

WITH_SECRETS = {
    "s3://user:pw@bucket/run": "s3://***@bucket/run",
    "s3://b/x?access_key=pw&secret_key=pw&region=eu": "s3://b/x?access_key=***&secret_key=***&region=eu",
    "s3://b/x?ACCESS%5FKEY=pw": "s3://b/x?ACCESS%5FKEY=***",
    "s3://b/x?%73ecret_key=pw": "s3://b/x?%73ecret_key=***",
    "s3://b/x?a=1;session_token=pw": "s3://b/x?a=1;session_token=***",
    "s3://b/x?endpoint_override=http%3A%2F%2Fuser%3Apw%40host%3A9000":
        "s3://b/x?endpoint_override=http%3A%2F%2F***%40host%3A9000",
    "s3://b/x?endpoint_override=http%3a%2f%2fpw%40host": "s3://b/x?endpoint_override=http%3a%2f%2f***%40host",
    "s3://b/x?u=http%253A%252F%252Fuser%253Apw%2540host": "s3://b/x?u=http%253A%252F%252F***%2540host",
    "s3://b/x?u=http%3A%2F%2Fh%2F%3Fsecret%3Dpw%26q%3D1": "s3://b/x?u=http%3A%2F%2Fh%2F%3Fsecret%3D***%26q%3D1",
    "abfs://container:pw@account/x": "abfs://***@account/x",
}  # fmt: skip
WITHOUT = [
    "s3://bucket/run?region=eu&endpoint_override=http%3A%2F%2Fhost%3A9000",
    "abfss://container@account.dfs.core.windows.net/run",
    "--set: got 'keys=3'",
    "key=value, token=x",
    "100% of a@b",
]


@pytest.mark.parametrize("text", WITH_SECRETS)
def test_secrets_of_uris_are_masked(command: Command, text: str) -> None:
    assert without_secrets(f"at {text} there") == f"at {WITH_SECRETS[text]} there"
    assert without_secrets(WITH_SECRETS[text]) == WITH_SECRETS[text]
    with pytest.raises(InputError) as refused:
        place(text, "--output")
    assert "pw" not in str(refused.value) and "credentials" in str(refused.value)
    for arguments in (
        ["resume", text],
        ["report", text],
        ["history", text],
        ["train", text],
        ["search", "curriculum", "--data", text],
        ["search", "curriculum", "--data", "digits", "--output", text],
        ["search", "curriculum", "--data", "digits", "--warm-start", text],
        ["search", "curriculum", "--data", "digits", "--history", text],
        ["search", "curriculum", "--data", "digits", "--model", text],
        ["search", "curriculum", "--data", "digits", "--address", text],
        ["search", text],
        ["submit", "nothing.yaml", "--address", text],
        ["list", text],
        [text],
    ):
        outcome = command(*arguments)
        assert outcome.code == 2, outcome
        assert "pw" not in outcome.err + outcome.out


@pytest.mark.parametrize("text", WITHOUT)
def test_what_is_no_secret_stays(text: str) -> None:
    assert without_secrets(text) == text


def test_a_uri_that_is_none_does_not_echo_what_it_holds() -> None:
    for text in ("s3://user:pw@[::1/x", "s3://user:pw@bu℀cket/x"):
        with pytest.raises(InputError) as refused:
            place(text)
        assert "pw" not in str(refused.value)


def test_numbers_to_the_right_count_in_places(capsys: pytest.CaptureFixture[str]) -> None:
    say_table(["a", "n"], [["日本", "1"], ["x", "22"]], right=[1])
    assert capsys.readouterr().out == "a      n\n日本   1\nx     22\n"
