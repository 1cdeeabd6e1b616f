"""What texts of many plain samples may not be: names with control characters, card numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import compress

import numpy as np

from schemas.card_fields import mask_id
from schemas.cards import mask_text
from streams.core.columns import Bits
from streams.decode import CONTROL
from streams.hot_columns import same
from streams.spans import Bytes

UUID_LENGTH = 36
_IS_HYPHEN = np.isin(np.arange(UUID_LENGTH), (8, 13, 18, 23))


def strike(
    good: Bits, texts: Sequence[str | None], doubtful: Iterable[str], odd: Callable[[str], bool]
) -> None:
    """Unset `good` where a text is odd; only the doubtful ones may be."""
    wrong = {text for text in set(texts).intersection(doubtful) if text is not None and odd(text)}
    if wrong:
        good &= np.array([text not in wrong for text in texts], np.bool_)


def any_control(names: Sequence[str]) -> bool:
    """Whether any name holds one of the characters of `streams.decode.CONTROL`."""
    joined = names[0] if same(names) else "".join(names)
    signs = np.frombuffer(joined.encode(), np.uint8)
    return bool(((signs < 32) | (signs == 127)).any())


def is_uuid(grid: Bytes) -> Bits:
    """Which of n texts of 36 bytes, [n, 36], are UUIDs in their usual form."""
    is_hex = (grid - 48 < 10) | ((grid | 32) - 97 < 6)
    fits = (is_hex != _IS_HYPHEN) & ((grid == 45) == _IS_HYPHEN)
    found: Bits = fits.all(axis=1)
    return found


def no_uuids(texts: list[str]) -> list[str]:
    """Those that are not UUIDs in their usual form, which may look like cards but are none."""
    long = [t for t in texts if len(t) == UUID_LENGTH]
    if not long:
        return texts
    signs = np.frombuffer("".join(long).encode("ascii", "replace"), np.uint8)
    fits = is_uuid(signs.reshape(len(long), UUID_LENGTH))
    rest = [t for t in texts if len(t) != UUID_LENGTH] if len(long) < len(texts) else []
    if not fits.all():
        rest += compress(long, (~fits).tolist())
    return rest


def is_odd_name(name: str) -> bool:
    """It holds a control character."""
    return CONTROL.search(name) is not None


def is_card_id(text: str) -> bool:
    """It is a card number, as a transaction id would be one."""
    return mask_id(text)[0] != text


def has_card(text: str) -> bool:
    """There is a card number in it."""
    return mask_text(text)[0] != text
