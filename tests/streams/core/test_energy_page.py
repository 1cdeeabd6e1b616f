"""docs/energy.md names every status, flag and reason the core can give."""

from __future__ import annotations

import re
from pathlib import Path

import streams.core
from streams.convert import CORE_FLAGS
from streams.core import facts

CORE = Path(streams.core.__file__).parent
PAGE = (CORE.parents[1] / "docs" / "energy.md").read_text(encoding="utf-8")


def table(title: str) -> set[str]:
    """The first column of the table below a heading."""
    section = PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    return set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE))


def words(pattern: str, *modules: str) -> set[str]:
    """Every text the pattern finds in the core's modules."""
    sources = [(CORE / f"{name}.py").read_text(encoding="utf-8") for name in modules]
    found = [m for text in sources for m in re.findall(pattern, text)]
    return {word for part in found for word in re.findall(r'"(\w+)"', part)}


def test_every_flag_is_explained_and_none_that_does_not_exist() -> None:
    given = words(r"(?:flags|found)\.append\([^)]*\)|flags=\[[^]]*\]", "order", "curve", "verdict")

    assert table("Flags") == given | set(CORE_FLAGS)


def test_every_reason_is_explained_and_none_that_does_not_exist() -> None:
    given = words(r'return "\w+"', "verdict") - {"set_aside", "estimated", "exact", "flagged"}

    assert table("Why a session is set aside") == given | {facts.RELEASED}


def test_every_status_and_grade_is_explained() -> None:
    assert table("Status") == (facts.CLOSED | {facts.PENDING, facts.ACTIVE}) - {facts.RELEASED}
    assert table("Grade") == {"exact", "flagged", "estimated", "set_aside"}
