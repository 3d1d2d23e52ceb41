"""Secrets in texts that are shown or written down: those of URIs are masked."""

from __future__ import annotations

import re
from urllib.parse import unquote

MASK = "***"
_COLON, _SLASH, _AT = (
    rf"(?:{sign}|%(?:25)*{code})" for sign, code in ((":", "3A"), ("/", "2F"), ("@", "40"))
)
_URI = re.compile(rf"[A-Za-z][A-Za-z0-9+.-]*{_COLON}{_SLASH}{{2}}[^\s'\"<>`]*", re.IGNORECASE)
_USER = re.compile(
    rf"([A-Za-z][A-Za-z0-9+.-]*)({_COLON}{_SLASH}{{2}})"
    r"((?:(?!%(?:25)*(?:2F|3F|26))[^\s/?#&])*)"
    rf"({_AT})",
    re.IGNORECASE,
)
_SEPARATORS = re.compile(r"([?&;#]|%(?:25)*(?:3F|26|3B|23))", re.IGNORECASE)
_EQUALS = re.compile(r"(=|%(?:25)*3D)", re.IGNORECASE)
_SECRET = re.compile("key|secret|token|passw|pwd|credential|sig|authori[sz]ation", re.IGNORECASE)
_MOST_CODINGS = 8


def without_secrets(text: str) -> str:
    """A text in whose URIs users, passwords and keys are masked, however often encoded."""
    if "://" not in text and "%" not in text:
        return text
    return _URI.sub(lambda found: _masked(found[0]), text)


def _masked(uri: str) -> str:
    uri = _USER.sub(_without_user, uri)
    address, *options = _SEPARATORS.split(uri)
    for place in range(1, len(options), 2):
        name, *rest = _EQUALS.split(options[place], maxsplit=1)
        if rest and rest[1] and _SECRET.search(_decoded(name)):
            options[place] = f"{name}{rest[0]}{MASK}"
    return "".join([address, *options])


def _without_user(found: re.Match[str]) -> str:
    """A URI's beginning up to its host; what Azure names before the sign is a container."""
    scheme, slashes, user, at = found.groups()
    container = scheme.lower() in ("abfs", "abfss") and ":" not in _decoded(user)
    return found[0] if container or not user else f"{scheme}{slashes}{MASK}{at}"


def _decoded(text: str) -> str:
    for _ in range(_MOST_CODINGS):
        before, text = text, unquote(text)
        if text == before:
            break
    return text
