"""Vinyals' split of Omniglot's characters."""

from __future__ import annotations

from trainables.data.source import PublishedClassSplit

_VALIDATION = {
    "Armenian": 41,
    "Bengali": 46,
    "Early_Aramaic": 22,
    "Hebrew": 22,
    "Mkhedruli_(Georgian)": 41,
}
_TEST = {
    "Kannada": 41,
    "Keble": 26,
    "Malayalam": 47,
    "Manipuri": 40,
    "Mongolian": 30,
    "Old_Church_Slavonic_(Cyrillic)": 45,
    "Oriya": 46,
    "Sylheti": 28,
    "Syriac_(Serto)": 23,
    "Tengwar": 25,
    "Tibetan": 42,
    "ULOG": 26,
}
_DIVIDED, _FIRST_TESTED, _LAST = "Gurmukhi", 42, 45


def vinyals_split() -> PublishedClassSplit:
    """The split of Vinyals et al. (NIPS 2016): 1,028 / 172 / 423 of Omniglot's characters.

    As in the lists of Snell et al.'s repository (jakesnell/prototypical-networks,
    data/omniglot/splits/vinyals), with which those of tristandeleu/pytorch-meta agree. The test is
    the end of the evaluation set in the order of names.
    """
    divided = [_character(_DIVIDED, number) for number in range(_FIRST_TESTED, _LAST + 1)]
    return PublishedClassSplit(
        "vinyals",
        _characters(_VALIDATION),
        (*divided, *_characters(_TEST)),
        f"The split is not by alphabet: {_DIVIDED}'s characters 1-{_FIRST_TESTED - 1} are trained "
        f"on, {_FIRST_TESTED}-{_LAST} are in the test.",
    )


def _characters(alphabets: dict[str, int]) -> tuple[str, ...]:
    return tuple(
        _character(alphabet, number)
        for alphabet, count in alphabets.items()
        for number in range(1, count + 1)
    )


def _character(alphabet: str, number: int) -> str:
    return f"{alphabet}/character{number:02d}"
