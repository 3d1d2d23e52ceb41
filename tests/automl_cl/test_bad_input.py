"""Mistakes of the user: told in one line, before Ray starts, and with nothing touched."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from automl_cl.results.tuned import Tuned
from automl_cl.run.events import Start
from automl_cl.run.journal import Journal
from automl_cl.spec import preparation

RANDOM = np.random.default_rng(0).normal(size=(50, 4))
TWO = np.arange(50) % 2
WITH_NAN = np.where(np.arange(200).reshape(50, 4) == 7, np.nan, RANDOM)

Refused = Callable[..., None]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["serch"], ["'serch'", "search"]),
        (["search"], ["scenario"]),
        (["search", "curriculum"], ["--data"]),
        (["search", "curriculum", "--data", "digits", "--modle", "mlp"], ["--modle", "--model"]),
        (["search", "curriculum", "--data", "digits", "--trials", "ten"], ["--trials"]),
        (["search", "curriculum", "--data", "digits", "--max-epochs", "x"], ["--max-epochs"]),
        (["resume"], ["run"]),
        (["export", "run"], ["--to"]),
        (["train"], ["tuned"]),
        (["train", "tuned.yaml", "--seed", "1.5"], ["--seed"]),
        (["history"], ["folder"]),
        (["list"], ["kind"]),
        (["describe"], ["name"]),
    ],
)
def test_a_call_that_cannot_be_parsed(
    refused: Refused, arguments: list[str], words: list[str]
) -> None:
    refused(*arguments, words=words, usage=True)


@pytest.mark.parametrize(
    ("flag", "given", "words"),
    [
        ("--noise", "1.5", ["--noise", "1.5", "0 <= RATE < 1"]),
        ("--noise", "-0.1", ["--noise", "-0.1"]),
        ("--noise", "nan", ["--noise", "nan"]),
        ("--noise", "symetric:0.2", ["--noise", "Did you mean 'symmetric'?"]),
        ("--noise", "", ["--noise"]),
        ("--noise", "pair_flip:1", ["--noise", "pair_flip:1", "0 <= RATE < 1"]),
        ("--noise", "column:people", ["array of", "'people'", "Allowed: x, y"]),
        ("--noise", "column:", ["--noise", "column:NAME"]),
        ("--noise-map", "0=1", ["--noise-map", "asymmetric:RATE"]),
        ("--noise-map", "0", ["--noise-map", "'0'", "CLASS=CLASS"]),
        ("--noise-map", "0=1,0=2", ["--noise-map", "class '0' is given twice"]),
        ("--noise-map", "{0: 1", ["--noise-map", "not valid YAML"]),
        ("--imbalance", "longtail:5", ["--imbalance", "Did you mean 'long_tail'?"]),
        ("--imbalance", "step:0", ["--imbalance 'step:0'", "at least 1"]),
        ("--imbalance", "step:1000", ["--imbalance 'step:1000'", "class '2' would keep no"]),
        ("--imbalance", "", ["--imbalance", "''"]),
        ("--clean", 30, ["--clean 30", "without --noise"]),
        ("--clean", -1, ["--clean", "-1", "a share of them below 1"]),
        ("--clean", "nan", ["--clean", "nan"]),
        (
            "--model",
            "mpl",
            ["model", "Did you mean 'mlp'?", "Allowed: MODULE:FUNCTION, cnn, hf:NAME"],
        ),
        (
            "--model",
            "cnn",
            ["--model", "'cnn' does not suit", "[4]", "allowed: MODULE:FUNCTION, mlp"],
        ),
        ("--model", "", ["model", "''", "Allowed: MODULE:FUNCTION"]),
        ("--trials", 0, ["--trials", "0", "from 1 to"]),
        ("--trials", -1, ["--trials", "-1", "from 1 to"]),
        ("--seeds", 1, ["--seeds", "1", "from 3 to 1000"]),
        ("--seed", -1, ["--seed", "-1", "from 0"]),
        ("--max-epochs", 0, ["--max-epochs", "0", "from 0.01 to 10000"]),
        ("--max-epochs", "nan", ["--max-epochs", "nan"]),
        ("--max-epochs", "inf", ["--max-epochs", "inf"]),
        ("--time-limit", 0, ["--time-limit", "0", "from 1 to"]),
        ("--cpus-per-trial", 0, ["--cpus-per-trial", "0", "from 0.01"]),
        ("--gpus-per-trial", -1, ["--gpus-per-trial", "-1", "from 0"]),
        ("--workers-per-trial", 0, ["--workers-per-trial", "0", "from 1"]),
        ("--precision", "float16", ["--precision 'float16'", "Allowed: bfloat16, float32"]),
        ("--compile", "alway", ["--compile 'alway'", "Did you mean 'always'?"]),
        ("--workers-per-trial", "4-2", ["--workers-per-trial", "4-2", "fewest first: 2-4"]),
        ("--gpus-per-trial", 1.5, ["1.5 GPUs for 1 worker", "whole ones"]),
        ("--fidelity", "prefx", ["--fidelity", "Did you mean 'prefix'?", "compressed, prefix"]),
        ("--scheduler", "asah", ["scheduler 'asah'", "Did you mean 'asha'?", "trusted_rungs"]),
        ("--scheduler", "", ["scheduler ''", "hyperband"]),
        ("--sampler", "tpee", ["sampler 'tpee'", "Did you mean 'tpe'?", "forest"]),
        ("--prior-share", 0.8, ["--prior-share", "0.8", "from 0 to 0.7"]),
        ("--prior-share", "nan", ["--prior-share", "nan"]),
        ("--total-compute", 0, ["--total-compute", "0", "from 0.01"]),
        ("--max-compute", -3, ["--max-compute", "-3", "from 0.01"]),
        ("--max-compute", "nan", ["--max-compute", "nan"]),
        ("--max-memory", "much", ["--max-memory", "'much'", "1.5GB"]),
        ("--max-memory", 0, ["--max-memory", "0", "from 1"]),
        ("--max-memory", "", ["--max-memory", "''"]),
        ("--hang-seconds", "soon", ["--hang-seconds", "'soon'", "none for no limit"]),
        ("--hang-seconds", 0, ["--hang-seconds", "0", "from 1"]),
        ("--objective", "comput", ["--objective", "Did you mean 'compute'?", "loss, memory"]),
        ("--objective", "forgetting", ["'forgetting'", "Allowed: compute, loss, memory"]),
        ("--objective", "accuracy", ["'accuracy'", "what the verdict is about"]),
        ("--set", "", ["--set", "NAME=VALUE"]),
        ("--set", "=3", ["--set", "NAME=VALUE"]),
        ("--set", "foo=3", ["'foo'", "Allowed: none"]),
        ("--set", "foo=[1", ["--set foo", "not valid YAML"]),
        ("--space", "", ["space file or preset", "quick"]),
        ("--max-epochs", "1e309", ["--max-epochs", "inf"]),
        ("--time-limit", "nan", ["--time-limit", "nan"]),
        ("--cpus-per-trial", "inf", ["--cpus-per-trial", "inf"]),
        ("--gpus-per-trial", "nan", ["--gpus-per-trial", "nan"]),
        ("--trials", 10**20, ["--trials", str(10**20)]),
        ("--seed", 10**20, ["--seed", str(10**20)]),
        ("--warm-start", "absent", ["--warm-start", "absent", "no such folder"]),
        ("--warm-start", "full", ["--warm-start", "full", "no history in it", "--history DIR"]),
        ("--warm-start", "toy.npz", ["--warm-start", "toy.npz", "a file and no folder"]),
        ("--history", "toy.npz", ["--history", "toy.npz is a file", "--no-history"]),
        ("--history", "toy.npz/more", ["--history", "toy.npz is a file", "--no-history"]),
        ("--history", "h" * 300, ["--history", "hhh", "name too long"]),
        ("--output", "full", ["--output", "full", "not empty"]),
        ("--output", "toy.npz", ["--output", "toy.npz is a file"]),
        ("--output", "toy.npz/run", ["--output", "toy.npz is not a folder"]),
        ("--output", "r" * 300, ["--output", "rrr", "name too long"]),
    ],
)
def test_a_wrong_setting_of_a_search(
    refused: Refused,
    write_npz: Callable[..., Path],
    tmp_path: Path,
    flag: str,
    given: object,
    words: list[str],
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("precious")
    refused("search", "curriculum", "--data", write_npz(), flag, given, words=words)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--noise", "0.4", "--clean", 2], ["--clean: got 2", "at least 3, one a class"]),
        (["--noise", "0.4", "--clean", 73], ["--clean: got 73", "at most the 72"]),
        (["--clean-validation"], ["--clean-validation", "without --noise"]),
        (["--noise", "asymmetric:0.4", "--noise-map", "0=7"], ["--noise-map '7'", "0, 1, 2"]),
        (["--noise", "asymmetric:0.4", "--noise-map", "0=0"], ["'0' becomes itself"]),
        (
            ["--noise", "0.4", "--data-option", "noisy_label_column=y"],
            ["--noise '0.4'", "column 'y'", "give one of them"],
        ),
    ],
)
def test_wrong_settings_of_labels(
    refused: Refused, write_npz: Callable[..., Path], arguments: list[object], words: list[str]
) -> None:
    refused("search", "curriculum", "--data", write_npz(), *arguments, words=words)


@pytest.mark.parametrize("output", [[], ["--output", "mine/run"]])
def test_a_place_that_cannot_be_written_to(
    refused: Refused,
    tuned: Tuned,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    output: list[str],
) -> None:
    tuned.write(tmp_path / "tuned.yaml")
    # Root, as whom tests may run, can write wherever the mode says no.
    monkeypatch.setattr(os, "access", lambda place, mode, **more: not mode & os.W_OK)
    words = ["--output", f"{tmp_path} cannot be written to"]
    refused("search", "curriculum", "--data", tuned.data["source"], *output, words=words)
    refused("train", "tuned.yaml", *output, words=words)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("digts", ["'digts'", "Did you mean 'digits'?", "*.npz, *.parquet", "hf:NAME"]),
        ("absent.npz", ["'absent.npz'", "no such file"]),
        ("absent.parquet", ["'absent.parquet'", "no such file"]),
        ("folder.npz", ["folder.npz'", "no such file"]),
        (".", ["no images found", "one folder of images for each class"]),
        ("table.xlsx", ["table.xlsx'", "Allowed: *.arrow"]),
        ("text.npz", ["text.npz'", "NumPy archive"]),
        ("text.parquet", ["text.parquet'", "Parquet"]),
        ("d" * 300 + ".npz", ["ddd", "there is no such file"]),
        ("", ["data", "''"]),
    ],
)
def test_data_that_cannot_be_found_or_read(
    refused: Refused, tuned: Tuned, tmp_path: Path, data: str, words: list[str]
) -> None:
    (tmp_path / "folder.npz").mkdir()
    for name in ("table.xlsx", "text.npz", "text.parquet"):
        (tmp_path / name).write_text("1, 2\n")
    refused("search", "curriculum", "--data", data, words=words)
    tuned.write(tmp_path / "tuned.yaml")
    refused("train", "tuned.yaml", "--data", data, words=words)


@pytest.mark.parametrize(
    ("inputs", "labels", "words"),
    [
        (RANDOM[:0], TWO[:0], ["empty"]),
        (RANDOM, 0 * TWO, ["every label is '0'", "two classes"]),
        (WITH_NAN, TWO, ["NaN", "row 1", "column"]),
        (RANDOM, np.arange(50) > 46, ["3 examples", "at least 5"]),
    ],
)
def test_data_that_cannot_be_used(
    refused: Refused,
    write_npz: Callable[..., Path],
    tmp_path: Path,
    inputs: np.ndarray,
    labels: np.ndarray,
    words: list[str],
) -> None:
    archive = write_npz("mine.npz", x=inputs, y=labels)
    columns = {f"f{i}": inputs[:, i] for i in range(4)} | {"label": labels.astype(int)}
    pq.write_table(pa.table(columns), tmp_path / "mine.parquet")
    for path in (archive, tmp_path / "mine.parquet"):
        refused("search", "curriculum", "--data", path, words=[path.name, *words])


TABLE = "\n".join(["a,b,kind", *(f"{x},{-x},{'ab'[i % 2]}" for i, x in enumerate(RANDOM[:, 0]))])
MINE = """
import torch
def load(): return [[0.0, 1.0]] * 20, [0, 1] * 10
def broken(): return {}["x"]
def three(): return 1, 2, 3
def wide(shape, classes):
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(shape[0], classes + 1))
def nothing(shape, classes): pass
"""


def write_own_things(folder: Path) -> None:
    """A table, images and a module of the user's own, and damaged ones of each."""
    tables = {
        "t.csv": TABLE,
        "semicolon.csv": TABLE.replace(",", ";"),
        "missing.csv": TABLE.replace("\n", "\n,1,a\n", 1),
        "unlabelled.csv": TABLE + "\n1,2,",
        "one.csv": TABLE.replace(",b\n", ",a\n"),
        "twice.csv": TABLE.replace("a,b,kind", "a,a,kind"),
        "ragged.csv": TABLE + "\n1,2,3,a",
        "text.csv": TABLE.replace("a,b,kind", "a,kind,b").replace("-", "minus "),
        "empty.csv": "",
        "head.csv": "a,b,kind\n",
    }
    for name, text in tables.items():
        (folder / name).write_text(text)
    (folder / "latin.csv").write_bytes(TABLE.replace("kind", "Größe").encode("latin-1"))
    (folder / "zipped.csv.gz").write_bytes(b"no zip")
    (folder / "t.arrow").write_text("hello")
    for root in ("ragged", "corrupt", "single", "loose"):
        for name in ("cat", "dog")[: 1 if root == "single" else 2]:
            (folder / root / name).mkdir(parents=True)
            for number in range(5):
                side = 9 if (root, name, number) == ("ragged", "dog", 3) else 8
                Image.new("L", (side, side)).save(folder / root / name / f"{number}.png")
    (folder / "corrupt" / "dog" / "2.png").write_text("no image")
    Image.new("L", (8, 8)).save(folder / "loose" / "stray.png")
    (folder / "nothing").mkdir()
    (folder / "bad_input_module.py").write_text(MINE)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["t.csv", "--label-column", "knd"], ["'knd'", "Did you mean 'kind'?", "a, b, kind"]),
        (["t.csv", "--feature-columns", "a,c"], ["'c'", "--feature-columns", "a, b, kind"]),
        (["t.csv", "--feature-columns", "a,a"], ["--feature-columns", "'a' is named twice"]),
        (["t.csv", "--feature-columns", ""], ["--feature-columns", "a name is empty"]),
        (["t.csv", "--drop-columns", "bb"], ["'bb'", "--drop-columns", "Did you mean 'b'?"]),
        (["t.csv", "--drop-columns", "a,b"], ["at least one feature", "'kind'"]),
        (["t.csv", "--label-column", "a", "--drop-columns", "a"], ["'a' is the label column"]),
        (["t.csv", "--label-column", "a"], ["column 'a'", "whole numbers or strings"]),
        (["t.csv", "--image-size", "8"], ["--image-size is nothing", "--label-column"]),
        (["t.csv", "--data-option", "missing"], ["--data-option", "'missing'", "NAME=VALUE"]),
        (["t.csv", "--data-option", "mising=mean"], ["'mising'", "Did you mean 'missing'?"]),
        (["t.csv", "--data-option", "missing=zero"], ["missing", "'zero'", "mean, refuse"]),
        (["t.csv", "--data-option", "separator=;"], ["separator ';'", "one column only"]),
        (["t.csv", "--data-option", "separator=ab"], ["separator", "'ab'", "semicolon"]),
        (["t.csv", "--data-option", "encoding=klingon"], ["encoding", "'klingon'", "utf-8"]),
        (["t.csv", "--data-option", "categories={a: 3"], ["categories", "not valid YAML"]),
        (["t.csv", "--label-column", "b", "--data-option", "label_column=a"], ["given twice"]),
        (["missing.csv"], ["column 'a'", "1 of 51", "row 0", "--drop-columns", "missing=mean"]),
        (["unlabelled.csv"], ["column 'kind' (guessed", "1 labels are missing", "row 50"]),
        (["one.csv"], ["column 'kind'", "class 'b' has 1 examples", "at least 5"]),
        (["twice.csv"], ["several columns are called 'a'"]),
        (["ragged.csv"], ["Expected 3 columns, got 4"]),
        (["text.csv"], ["column 'a'", "text with 50 different values", "text=hash"]),
        (["empty.csv"], ["the file is empty"]),
        (["head.csv"], ["no rows"]),
        (["latin.csv"], ["line 1", "encoding=latin-1"]),
        (["zipped.csv.gz"], ["zipped.csv.gz", "gzip"]),
        (["t.arrow"], ["t.arrow", "Arrow table"]),
        (["absent.csv"], ["absent.csv", "no such file"]),
        (["digits", "--label-column", "y"], ["--label-column", "'digits' takes no options"]),
        (["ragged"], ["2 sizes", "8x8 (9), 9x9 (1)", "3.png", "--image-size 8"]),
        (["ragged", "--image-size", "big"], ["--image-size", "'big'", "HEIGHTxWIDTH"]),
        (["ragged", "--label-column", "y"], ["--label-column is nothing", "--image-size"]),
        (["corrupt"], ["dog/2.png", "cannot be read as an image"]),
        (["single"], ["every label is 'cat'", "two classes"]),
        (["loose"], ["stray.png", "outside the folders of the classes"]),
        (["nothing"], ["no images found", "one folder of images for each class"]),
        (["hf:"], ["hf:NAME"]),
        (["bad_input_modul:load"], ["'bad_input_modul'", "Did you mean 'bad_input_module'?"]),
        (["bad_input_module:lod"], ["'lod'", "Did you mean 'load'?"]),
        (["bad_input_module:broken"], ["bad_input_module.py:4", "KeyError: 'x'"]),
        (["bad_input_module:three"], ["a tuple of 3", "expected (x, y)"]),
        (["t.csv", "--model", "bad_input_module:wide"], ["[2, 3]", "logits of shape [2, 2]"]),
        (["t.csv", "--model", "bad_input_module:nothing"], ["NoneType", "torch.nn.Module"]),
        (["t.csv", "--model", "bad_input_module:wid"], ["'wid'", "Did you mean 'wide'?"]),
        (["t.csv", "--model", "hf:nobody/nothing"], ["does not suit inputs of shape [2]"]),
    ],
)
def test_data_and_models_of_ones_own(
    refused: Refused,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    words: list[str],
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.delitem(sys.modules, "bad_input_module", raising=False)
    write_own_things(tmp_path)
    refused("search", "curriculum", "--data", *arguments, words=words)


def test_how_data_is_read_for_a_tuned_config(
    refused: Refused, tuned: Tuned, tmp_path: Path
) -> None:
    write_own_things(tmp_path)
    options = {"label_column": "kind", "feature_columns": ["a", "b"], "classes": ["a", "b"]}
    data = {"source": str(tmp_path / "t.csv"), "options": options}
    dataclasses.replace(tuned, data=data).write(tmp_path / "tuned.yaml")
    (tmp_path / "other.csv").write_text(TABLE.replace("kind", "sort"))
    (tmp_path / "more.csv").write_text(TABLE.replace(",b", ",c").replace("c,kind", "b,kind"))
    train = ("train", "tuned.yaml", "--data")
    refused(*train, "other.csv", words=["other.csv", "no column 'kind'", "a, b, sort"])
    refused(*train, "more.csv", words=["more.csv", "class 'c'", "chosen before, a, b"])
    refused("train", "tuned.yaml", "--label-column", "b", words=["--label-column", "--data"])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("optimizr: adamw", ["'optimizr'", "Did you mean 'optimizer'?", "schedule, training"]),
        ("optimizer.lrr: 0.1", ["'optimizer.lrr'", "Did you mean 'optimizer.lr'?"]),
        ("algorithm: superlos", ["'superlos'", "Did you mean 'superloss'?", "self_paced"]),
        ("algorithm: [plain, superlos]", ["'superlos'", "Did you mean 'superloss'?"]),
        ("algorithm: [[superloss]]", ["algorithm", "['superloss']"]),
        ("algorithm: []", ["algorithm", "empty list"]),
        ("optimizer.adamw.lr: []", ["optimizer.adamw.lr", "empty list"]),
        ("optimizer.adamw.lr: {low: 0.01, high: 0.001}", ["low 0.01 is greater than high 0.001"]),
        ("optimizer.adamw.lr: {lo: 0.01}", ["'lo'", "Did you mean 'low'?", "default, high, log"]),
        ("optimizer.adamw.lr: {low: .nan}", ["optimizer.adamw.lr.low", "nan", "1e-05 to 0.1"]),
        ("optimizer.adamw.lr: fast", ["optimizer.adamw.lr", "'fast'", "a number above 0"]),
        ("optimizer.adamw.lr: 2020-99-99", ["space.yaml", "not valid YAML"]),
        ("algorithm.superloss.lam: -2", ["algorithm.superloss.lam", "-2", "above 0"]),
        ("training.epochs: {high: 5000}", ["training.epochs.high", "5000", "0.01 to 30"]),
        ("training.batch_size: 4.5", ["training.batch_size", "4.5", "whole number from 1"]),
        ("training: 5", ["training", "5", "mapping"]),
        ("model: cnn", ["'cnn'", "Allowed: mlp"]),
        ("model.width: wide", ["model.width", "'wide'", "whole number"]),
        ("algorithm: plain\nalgorithm: superloss", ["space.yaml line 2", "given twice"]),
        ("algorithm: [plain", ["space.yaml line", "not valid YAML"]),
        ("[" * 5000, ["space.yaml", "not valid YAML", "too deep"]),
        ("!!python/object:os.system {}", ["space.yaml line 1", "not valid YAML"]),
        ("a: &x [superloss]\nalgorithm: *x", ["'a'", "Allowed: algorithm"]),
        ("algorithm: &x [superloss, *x]", ["line 1", "an alias stands inside of what"]),
        ("optimizer:\n\tlr: 1", ["space.yaml line 2", "not valid YAML"]),
        ("<<: {algorithm: plain}", ["space.yaml line 1", "not valid YAML"]),
        ("null: 3", ["'None'", "Allowed: algorithm"]),
        ("? [a, b]\n: 3", ["space.yaml line 1", "unhashable key"]),
        ("algorithm: plain\n---\nalgorithm: plain", ["space.yaml line 2", "another document"]),
        ("- algorithm", ["space.yaml", "['algorithm']", "mapping"]),
        ("[]", ["space.yaml", "[]", "mapping"]),
        ("false", ["space.yaml", "False", "mapping"]),
    ],
)
def test_a_wrong_space_file(
    refused: Refused, write_npz: Callable[..., Path], tmp_path: Path, text: str, words: list[str]
) -> None:
    (tmp_path / "space.yaml").write_text(text)
    arguments = ("--data", write_npz(), "--space", "space.yaml")
    refused("search", "curriculum", *arguments, words=words)


@pytest.mark.parametrize("place", ["absent.yaml", ".", "binary.yaml", "/dev/zero"])
def test_a_space_file_that_cannot_be_read(refused: Refused, tmp_path: Path, place: str) -> None:
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    words = [f"cannot read {place}"]
    refused("search", "curriculum", "--data", "digits", "--space", place, words=words)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["search", "curiculum", "--data", "digits"], ["'curiculum'", "'curriculum'?"]),
        (["list", "algorithm"], ["'algorithm'", "'algorithms'?", "data, models, optimizers"]),
        (["list", "models", "--scenario", "curiculum"], ["'curiculum'", "'curriculum'?"]),
        (["describe", "superlos"], ["'superlos'", "'superloss'?", "adamw"]),
        (["describe", ""], ["''", "adamw"]),
    ],
)
def test_an_unknown_name(refused: Refused, arguments: list[str], words: list[str]) -> None:
    refused(*arguments, words=words)


@pytest.mark.parametrize("arguments", [["resume"], ["fork"], ["export", "--to", "new.yaml"]])
@pytest.mark.parametrize(
    ("run", "words"),
    [
        ("absent", ["absent", "no such folder"]),
        ("toy.npz", ["toy.npz is not a run folder", "search.yaml"]),
        (".", [". is not a run folder", "search.yaml"]),
    ],
)
def test_what_is_not_a_run_folder(
    refused: Refused,
    write_npz: Callable[..., Path],
    arguments: list[str],
    run: str,
    words: list[str],
) -> None:
    write_npz()
    refused(*arguments, run, words=words)


def flipped(content: bytes) -> bytes:
    """One bit of the fifth line's middle is another."""
    lines = content.splitlines(keepends=True)
    line = bytearray(lines[4])
    line[len(line) // 2] ^= 1
    return b"".join([*lines[:4], line, *lines[5:]])


@pytest.mark.parametrize("arguments", [["resume"], ["fork"], ["export", "--to", "new.yaml"]])
@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda content: b"", ["journal.jsonl", "not a journal"]),
        (lambda content: content[:20], ["journal.jsonl", "not a journal"]),
        (lambda content: b"\xff\xfe\n", ["line 1 of", "journal.jsonl", "damaged"]),
        (flipped, ["line 5 of", "journal.jsonl", "damaged"]),
    ],
)
def test_a_damaged_journal(
    refused: Refused,
    run_folder: Path,
    arguments: list[str],
    damage: Callable[[bytes], bytes],
    words: list[str],
) -> None:
    journal = run_folder / "journal.jsonl"
    journal.write_bytes(damage(journal.read_bytes()))
    refused(*arguments, run_folder, words=words)


@pytest.mark.parametrize("arguments", [["resume"], ["export", "--to", "new.yaml"]])
def test_a_journal_of_something_else(
    refused: Refused, run_folder: Path, arguments: list[str]
) -> None:
    journal = run_folder / "journal.jsonl"
    journal.unlink()
    with Journal.create(journal) as other:
        other.append(Start(pid=1))
    refused(
        *arguments, run_folder, words=["line 1", "journal.jsonl", "a run begins with 'search'"]
    )


def test_an_objective_given_twice(refused: Refused) -> None:
    twice = ("--objective", "compute", "--objective", "compute")
    refused("search", "curriculum", "--data", "digits", *twice, words=["'compute'", "twice"])


@pytest.mark.parametrize(
    ("flag", "given", "words"),
    [
        ("--scheduler", "asah", ["scheduler 'asah'", "'asha'"]),
        ("--trials", 0, ["--trials", "got 0"]),
        ("--space", "absent.yaml", ["absent.yaml"]),
        ("--max-memory", "1XB", ["--max-memory", "'1XB'"]),
        ("--objective", "speed", ["--objective", "'speed'", "compute"]),
        ("--output", "toy.npz", ["--output", "toy.npz is a file"]),
        ("--space", "other.yaml", ["nothing to fork", "new search"]),
    ],
)
def test_a_wrong_setting_of_a_fork(
    refused: Refused,
    write_npz: Callable[..., Path],
    run_folder: Path,
    tmp_path: Path,
    flag: str,
    given: object,
    words: list[str],
) -> None:
    write_npz()
    # No trial of the run has a batch as large as this.
    (tmp_path / "other.yaml").write_text(
        "training.batch_size: 1024\nalgorithm: [plain, superloss]\n"
    )
    refused("fork", run_folder, flag, given, words=words)


def test_a_fork_of_what_has_found_nothing(refused: Refused, begun_run: Path) -> None:
    refused("fork", begun_run, words=["nothing to fork", "none of its 0 search trials"])


def test_a_fork_of_a_run_whose_data_has_changed(
    refused: Refused, begun_run: Path, write_npz: Callable[..., Path]
) -> None:
    write_npz(x=RANDOM, y=TWO)
    refused("fork", begun_run, words=["toy.npz", "not what it was", "fingerprint"])


@pytest.mark.parametrize(
    ("flag", "given", "words"),
    [
        ("--total-compute", 0, ["--total-compute", "got 0", "from 0.01"]),
        ("--time-limit", "nan", ["--time-limit", "nan"]),
        ("--total-compute", "inf", ["--total-compute", "inf"]),
    ],
)
def test_a_wrong_extension(
    refused: Refused, run_folder: Path, flag: str, given: object, words: list[str]
) -> None:
    refused("resume", run_folder, flag, given, words=words)


@pytest.mark.parametrize("trials", [6, 0, -1])
def test_fewer_trials_than_there_were(refused: Refused, run_folder: Path, trials: int) -> None:
    words = ["--trials", str(trials), "at least the 7"]
    refused("resume", run_folder, "--trials", trials, words=words)


def test_a_history_and_none(refused: Refused) -> None:
    arguments = ("search", "curriculum", "--data", "digits", "--history", "h", "--no-history")
    refused(*arguments, words=["--history", "--no-history", "give one of them"])


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("absent", ["absent", "no such folder"]),
        ("toy.npz", ["toy.npz", "a file and no folder"]),
        (".", ["no history in it"]),
    ],
)
def test_no_history_to_show(
    refused: Refused, write_npz: Callable[..., Path], place: str, words: list[str]
) -> None:
    write_npz()
    refused("history", place, words=["history", *words])


def test_a_model_to_divide_among_one_worker(refused: Refused) -> None:
    words = ["--shard-model", "--workers-per-trial 2"]
    refused("search", "curriculum", "--data", "digits", "--shard-model", words=words)


def test_a_model_to_divide_where_it_must_be_whole(refused: Refused) -> None:
    flags = ("--workers-per-trial", 2, "--shard-model")
    words = ["--shard-model", "continual", "whole model", "grows"]
    refused("search", "continual", "--data", "digits", *flags, words=words)


@pytest.mark.parametrize("more", [["--set", "a=1"], ["--labels", "5"]])
def test_a_setting_given_twice(refused: Refused, more: list[str]) -> None:
    name = "a" if "a=1" in more else "labels"
    arguments = ("search", "semi_supervised", "--data", "digits", *more, "--set", f"{name}=2")
    refused(*arguments, words=["--set", f"'{name}' is given twice"])


def test_a_verdict_now_that_nothing_can_come_of(refused: Refused, begun_run: Path) -> None:
    words = ["--verdict-now", "no trial of the baseline 'plain' has finished", "automl-cl resume"]
    refused("resume", begun_run, "--verdict-now", words=words)


def test_a_verdict_now_and_more_trials(refused: Refused, run_folder: Path) -> None:
    arguments = ("resume", run_folder, "--verdict-now", "--trials", 50)
    refused(*arguments, words=["--verdict-now", "--trials", "give one of them"])


def test_a_run_in_use(refused: Refused, run_folder: Path) -> None:
    with Journal.open(run_folder / "journal.jsonl"):
        refused("resume", run_folder, words=["journal.jsonl", "in use by process"])


def test_data_that_changed_since_the_search_began(
    refused: Refused, begun_run: Path, write_npz: Callable[..., Path]
) -> None:
    write_npz(x=RANDOM, y=TWO)
    refused("resume", begun_run, words=["toy.npz", "not what it was", "fingerprint"])
    (begun_run.parent / "toy.npz").unlink()
    refused("resume", begun_run, words=["toy.npz", "no such file"])


def test_a_space_that_changed_since_the_search_began(
    refused: Refused, begun_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparation, "SHORTEST", 0.5)
    refused("resume", begun_run, words=["search space is not what it was"])


def test_no_verdict_to_export_yet(refused: Refused, begun_run: Path) -> None:
    words = [str(begun_run), "no verdict yet", f"automl-cl resume {begun_run}"]
    refused("export", begun_run, "--to", "new.yaml", words=words)


@pytest.mark.parametrize(
    ("to", "words"),
    [
        ("there.yaml", ["--to", "there.yaml is there already"]),
        ("weights.yaml", ["--to", "weights.safetensors is there already"]),
        (".", ["--to", ". is there already"]),
        ("nowhere/tuned.yaml", ["--to", "no folder nowhere"]),
        ("there.yaml/tuned.yaml", ["--to", "no folder there.yaml"]),
        ("tuned.safetensors", ["--to", "tuned.safetensors", ".yaml"]),
    ],
)
def test_a_wrong_place_for_an_export(
    refused: Refused, run_folder: Path, tmp_path: Path, to: str, words: list[str]
) -> None:
    for name in ("there.yaml", "weights.safetensors"):
        (tmp_path / name).write_text("precious")
    refused("export", run_folder, "--weights", "--to", to, words=words)


def test_weights_that_are_gone(refused: Refused, run_folder: Path) -> None:
    for path in run_folder.glob("checkpoints/*/*.safetensors"):
        path.unlink()
    refused(
        "export", run_folder, "--weights", "--to", "new.yaml", words=["cannot read the weights"]
    )


@pytest.mark.parametrize(
    ("flag", "given", "words"),
    [
        ("--epochs", 0, ["--epochs", "got 0", "from 1 to 10000"]),
        ("--epochs", 10**20, ["--epochs", str(10**20), "from 1 to 10000"]),
        ("--seed", -1, ["--seed", "got -1", "from 0"]),
        ("--seed", 10**20, ["--seed", str(10**20)]),
        ("--output", "backbone.txt", ["--output", "backbone.txt", ".safetensors"]),
        ("--output", "", ["--output", "is there already"]),
        ("--model", "nope", ["'nope'", "Allowed: MODULE:FUNCTION, cnn, hf:NAME, mlp"]),
        ("--device", "tpu", ["--device", "'tpu'"]),
    ],
)
def test_a_wrong_setting_of_a_pretraining(
    refused: Refused, flag: str, given: object, words: list[str]
) -> None:
    right = {"--data": "digits", "--model": "mlp", "--output": "backbone.safetensors"}
    arguments = [part for pair in ({**right, flag: given}).items() for part in pair]
    refused("pretrain", *arguments, words=words)


def test_a_seed_of_a_training_that_no_generator_takes(
    refused: Refused, tuned: Tuned, tmp_path: Path
) -> None:
    tuned.write(tmp_path / "tuned.yaml")
    refused("train", "tuned.yaml", "--seed", 10**20, words=["--seed", str(10**20)])
