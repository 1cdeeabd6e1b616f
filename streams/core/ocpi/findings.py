"""What was noticed in a document: a value for people and programs, never an exception."""

from __future__ import annotations

from typing import NamedTuple

ERROR, WARNING = "error", "warning"
"""An error makes the document unusable; a warning says what was understood all the same."""


class Finding(NamedTuple):
    """One thing. `code` is stable (`unknown_dimension`), `pointer` is RFC 6901 into the document,
    `message` a sentence, `likely` what was probably meant (a field name, a value), or empty.
    """

    code: str
    pointer: str
    message: str
    severity: str = WARNING
    likely: str = ""
