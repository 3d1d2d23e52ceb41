"""Data sets of the Hugging Face hub, or in its formats on disk."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from search_spaces.errors import InputError, unknown_name
from trainables.data.images import ImageOptions
from trainables.data.labels.labels import shortened
from trainables.data.options import option, text
from trainables.data.source import RawData, Source
from trainables.data.tables.table import read_tables
from trainables.data.tables.table_options import TableOptions
from trainables.foundation import hub

_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
_TESTS = ("test",)
_VALIDATION = ("validation", "valid", "val", "dev")
_WITHOUT_LABELS = ("unsupervised", "unlabelled", "unlabeled")


@dataclass(frozen=True)
class HubOptions:
    """Which part of a data set."""

    config: str = option("", text, "the data set's configuration, where it has several")
    revision: str = option("", text, "a commit, branch or tag, for the same data for ever")
    train_split: str = option("", text, "the split to learn from; train if not given")
    test_split: str = option("", text, "the split that is the sealed test; test if there is one")
    unlabelled_split: str = option(
        "", text, "a split without labels, such as unsupervised, for semi-supervised searches"
    )


@final
class HuggingFace(Source):
    """A data set of the Hugging Face hub: hf:NAME, or OWNER/NAME; needs the extra hf.

    hf:FOLDER is a folder on disk that `datasets` can load (Parquet, CSV, images, …) or that its
    `save_to_disk` wrote. The split test is the sealed test; without it validation is, which else
    joins the training part. Code that comes with a data set is never run. Columns are as in a
    Parquet table.
    """

    takes = (HubOptions, TableOptions, ImageOptions)
    last_resort = True

    @classmethod
    def addresses(cls) -> str:
        return "hf:NAME"

    @classmethod
    def claims(cls, address: str) -> bool:
        if address.startswith(hub.PREFIX):
            return True
        return _NAME.fullmatch(address) is not None and not os.path.exists(address)

    @classmethod
    def located(cls, address: str) -> str:
        return hub.located(address) if address.startswith(hub.PREFIX) else address

    @property
    def name(self) -> str:
        return self.address.removeprefix(hub.PREFIX).rstrip("/").rpartition("/")[2]

    def load(self) -> RawData:
        where, notes = f"data '{self.address}'", list[str]()
        splits = self._splits(where)
        options = self._chosen(HubOptions)
        first = options.train_split or "train"
        test = options.test_split or _official(splits)
        train = self._split(splits, first, "train_split")
        used, joins = {first, test, options.unlabelled_split}, ""
        if not options.train_split and test in (*_TESTS, ""):
            joins = next((name for name in _VALIDATION if name in splits and name not in used), "")
        if joins and test:
            train = _joined(train, self._split(splits, joins, "train_split"), where, joins)
            used.add(joins)
        parts, named = [train], [f"{where}, split '{first}'"]
        if test:
            parts.append(self._split(splits, test, "test_split"))
            named.append(f"{where}, split '{test}'")
            also = f"; '{joins}' joins '{first}'" if joins else ""
            notes.append(f"split '{test}' is the sealed test{also}")
        notes += _unused(splits, used)
        unlabelled = None
        if options.unlabelled_split:
            unlabelled = self._split(splits, options.unlabelled_split, "unlabelled_split")
            named.append(f"{where}, split '{options.unlabelled_split}'")
        raw = read_tables(
            parts, named, self._chosen(TableOptions), self._chosen(ImageOptions), None, unlabelled
        )
        own = {key: each for key, each in vars(options).items() if each}
        return RawData(
            **{**vars(raw), "options": {**own, **raw.options}, "notes": (*notes, *raw.notes)}
        )

    def _splits(self, where: str) -> dict[str, Any]:
        """The data set's splits, as they were loaded."""
        try:
            import datasets
            from huggingface_hub import constants
        except ImportError as error:
            raise InputError(
                f"{where}: data sets of Hugging Face need the extra hf: "
                "pip install -e '.[hf]' in the checkout."
            ) from error
        datasets.disable_progress_bars()
        place, options = self.address.removeprefix(hub.PREFIX), self._chosen(HubOptions)
        if not place:
            raise InputError(f"{where}: expected hf:NAME or hf:FOLDER.")
        folder = Path(place).expanduser()
        hub.use_what_is_here_if_offline(place)
        datasets.config.HF_HUB_OFFLINE = constants.HF_HUB_OFFLINE
        saved = any(os.path.isfile(folder / name) for name in ("dataset_dict.json", "state.json"))
        try:
            if saved:
                loaded = datasets.load_from_disk(str(folder))
            else:
                loaded = datasets.load_dataset(
                    str(folder) if os.path.isdir(folder) else place,
                    options.config or None,
                    revision=options.revision or None,
                )
        # What the library, its readers and the network may raise has no common base.
        except Exception as error:
            raise _not_loaded(where, place, error) from error
        return dict(loaded) if isinstance(loaded, Mapping) else {"train": loaded}

    def _split(self, splits: Mapping[str, Any], name: str, option_name: str) -> Any:
        """One split as an Arrow table whose schema names the classes."""
        if name not in splits:
            raise unknown_name(f"split of data '{self.address}' ({option_name})", name, splits)
        found = splits[name]
        table = found.with_format("arrow")[:]
        return table.replace_schema_metadata(found.features.arrow_schema.metadata)


def _official(splits: Mapping[str, Any]) -> str:
    """The split that is the sealed test, or nothing."""
    if "train" not in splits:
        return ""
    return next((name for name in (*_TESTS, *_VALIDATION) if name in splits), "")


def _joined(train: Any, validation: Any, where: str, name: str) -> Any:
    """The training part with a validation part behind it, and the training part's schema."""
    import pyarrow

    try:
        both = [train, validation.select(train.column_names).cast(train.schema)]
        return pyarrow.concat_tables(both)
    except (KeyError, pyarrow.ArrowException) as error:
        raise InputError(
            f"{where}: split '{name}' has other columns than 'train' "
            f"({shortened(validation.column_names)}, and {shortened(train.column_names)}); "
            "--data-option train_split=train leaves it out."
        ) from error


def _unused(splits: Mapping[str, Any], used: Collection[str]) -> list[str]:
    left = sorted(set(splits) - set(used))
    if not left:
        return []
    some = next((name for name in left if name in _WITHOUT_LABELS), "")
    hint = ""
    if some:
        hint = f" (--data-option unlabelled_split={some} gives it to semi-supervised searches)"
    return [f"splits that are not used: {shortened(left)}{hint}"]


def _not_loaded(where: str, place: str, error: Exception) -> InputError:
    reason = " ".join(str(error).split())[:300] or "no reason given"
    said = f"{where}: cannot be loaded ({type(error).__name__}: {reason})"
    if os.path.exists(Path(place).expanduser()):
        return InputError(said)
    return InputError(f"{said}; there is no folder of that name here either.")
