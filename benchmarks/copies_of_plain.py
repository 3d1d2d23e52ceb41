"""The plain baseline under other names, as arms of a search."""

from __future__ import annotations

from pathlib import Path

import trainables.scenarios.curriculum.algorithms

TEXT = '''"""The plain baseline under another name."""

from dataclasses import dataclass

from trainables.scenarios.curriculum.curriculum import Curriculum


@dataclass(frozen=True)
class Copy(Curriculum):
    """No curriculum, as `plain`; only its name is another."""
'''


def add_copies(folder: Path, count: int) -> list[str]:
    """Makes copies of `plain` that this process finds as it finds every algorithm: by its file.

    Args:
        folder: where their files go; has to last as long as they are used.
        count: how many.

    Returns:
        Their names.
    """
    names = [f"copy_{number}" for number in range(1, count + 1)]
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / f"{name}.py").write_text(TEXT)
    if str(folder) not in trainables.scenarios.curriculum.algorithms.__path__:
        trainables.scenarios.curriculum.algorithms.__path__.append(str(folder))
    return names
