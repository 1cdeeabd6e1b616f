"""Card numbers: where a text holds one, and the text with all but its last four digits starred.

A card number is 13 to 19 digits, of a length that its scheme uses, with a scheme's prefix and
a valid check digit (ISO/IEC 7812-1, Luhn). Digits of any script count, also as JSON escapes,
with blanks, hyphens, dots or slashes between groups. What is part of a UUID, of a decimal
fraction or of a longer mixture of letters and digits (a hash, a signature) is none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

CARD_MASKED: Final = "card_masked"
"""Flag of an event or payment: a card number was in one of its texts."""

_SCHEMES: Final = (
    # lowest and highest prefix, lengths
    ("30", "30", (14, 16, 17, 18, 19)),  # Diners Club
    ("34", "34", (15,)),  # American Express
    ("3528", "3589", (16, 17, 18, 19)),  # JCB
    ("36", "36", (14, 15, 16, 17, 18, 19)),  # Diners Club
    ("37", "37", (15,)),  # American Express
    ("38", "39", (14, 16, 17, 18, 19)),  # Diners Club
    ("4", "4", (13, 16, 19)),  # Visa
    ("50", "50", tuple(range(13, 20))),  # Maestro
    ("51", "55", (16,)),  # Mastercard
    ("56", "58", tuple(range(13, 20))),  # Maestro
    ("2200", "2204", (16, 17, 18, 19)),  # Mir
    ("2221", "2720", (16,)),  # Mastercard
    ("6", "6", tuple(range(13, 20))),  # Discover, UnionPay, RuPay, Maestro
)
_LONGEST = 19

_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|[tnr/])")
_NOTHING = "\x00\u00ad\u200b-\u200d\u2060\ufeff"
_UNSEEN = frozenset("\x00\u00ad\u200b\u200c\u200d\u2060\ufeff")
"""Signs that a reader does not see, and the zero bytes of UTF-16."""

_GAPS = r"\s\-./_\u2010-\u2015\u2212"
_RUN = re.compile(rf"\d[{_NOTHING}]*(?:(?:[{_GAPS}][{_NOTHING}]*){{0,3}}\d[{_NOTHING}]*){{12,}}")
_LOOSE = re.compile(rf"[ \t\-\u00a0\u2000-\u200a\u2010-\u2015\u202f\u2212\u3000{_NOTHING}]*")
"""Gaps that may part digits anyhow; others part only groups as cards print them."""

_PRINTED = ((4, 4, 4, 4), (4, 6, 5), (4, 6, 4), (4, 4, 4, 4, 3))
_UUID = re.compile(r"(?<![0-9A-Za-z])[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}(?!\w)")
_BEFORE = re.compile(r"(?:^|[^0-9A-Za-z])[A-Za-z]{0,12}\Z")
_AFTER = re.compile(r"[A-Za-z]{0,12}\d{0,6}(?![0-9A-Za-z])")
_WRITTEN = re.compile(r"\\u[0-9a-fA-F]{4}|\d")
_ENDLESS = 10_000
"""A run of so many digits is no text: all of it is starred, for looking through it takes long."""

_UUID_LENGTH = 36
_AROUND = 20
_BREAK = "|"
_NO_DIGIT = bytes(b for b in range(128) if not 48 <= b <= 57 and b != 92)
_MAYBE = re.compile(rb"[0-9](?:[\s\-./_]{0,3}[0-9]){12}")


class _Group(NamedTuple):
    """Digits with nothing between them, and where each stands; `gap` is what stood before."""

    gap: str
    digits: str
    places: Sequence[int]


def is_card_number(digits: str) -> bool:
    """Whether these ASCII digits have a scheme's prefix and length, and the check digit."""
    if not any(
        len(digits) in lengths and low <= digits[: len(low)] <= high
        for low, high, lengths in _SCHEMES
    ):
        return False
    plain, doubled = digits[-1::-2], digits[-2::-2]
    return (sum(map(int, plain)) + sum(int(d) * 2 - 9 * (d > "4") for d in doubled)) % 10 == 0


def may_hold_card(text: str) -> bool:
    """A glance: False where there are not digits enough (an escape or a letter beyond ASCII
    counts as one).
    """
    return len(text.encode("utf-8", "replace").translate(None, _NO_DIGIT)) > 12


def mask_text(text: str) -> tuple[str, int]:
    """The text with every card number starred but for its last four digits, and how many.

    A digit (or the escape that it is written as) becomes one star; all else stays in place.
    """
    if not may_hold_card(text):
        return text, 0
    if len(text) == _UUID_LENGTH and _UUID.fullmatch(text):
        return text, 0
    shadow = _ESCAPE.sub(_unescaped, text) if "\\" in text else text
    parts: list[str] = []
    at = count = 0
    for run in _RUN.finditer(shadow):
        end = -1
        hidden: set[int] = set()
        if run.end() - run.start() > _ENDLESS:
            parts += [text[at : run.start()], _WRITTEN.sub("*", text[run.start() : run.end()])]
            at, count = run.end(), count + 1
            continue
        for places in _cards(shadow, run):
            count += places[0] > end
            end = max(end, places[-1])
            hidden.update(places[:-4])
        for place in sorted(hidden):
            parts += [text[at:place], "*"]
            at = place + (6 if text[place] == "\\" else 1)
    return ("".join([*parts, text[at:]]), count) if count else (text, 0)


def mask_bytes(raw: bytes) -> tuple[bytes, int]:
    """`mask_text` for bytes of any kind; those that are no UTF-8 stay as they are."""
    plain = raw.isascii() and b"\\" not in raw and b"\x00" not in raw
    if len(raw) < 13 or (plain and not _MAYBE.search(raw)):
        return raw, 0
    masked, count = mask_text(raw.decode("utf-8", "surrogateescape"))
    return (masked.encode("utf-8", "surrogateescape"), count) if count else (raw, 0)


def _unescaped(escape: re.Match[str]) -> str:
    """What a JSON escape means, filled up with nothing to the escape's own length."""
    code = escape[1]
    sign = chr(int(code, 16)) if code else " "
    kept = sign if sign.isdecimal() or re.match(f"[{_GAPS}{_NOTHING}]", sign) else "\ue000"
    return kept.ljust(len(escape[0]), "\x00")


def _cards(text: str, run: re.Match[str]) -> Iterator[Sequence[int]]:
    """The places of the digits of every card number in a run of digits and gaps."""
    groups = list(_groups(text, run))
    opens = bool(_BEFORE.search(text[max(0, run.start() - _AROUND) : run.start()]))
    closes = bool(_AFTER.match(text[run.end() : run.end() + _AROUND]))
    if groups and not closes and groups[-1].places[-1] + 1 == run.end():
        groups.pop()
    for first, group in enumerate(groups):
        fraction = group.gap == "." and len(group.digits) > 6
        if not fraction and (opens or group.places[0] > run.start()):
            yield from _starting(groups, first)


def _starting(groups: Sequence[_Group], first: int) -> Iterator[Sequence[int]]:
    """The card numbers that begin with this group."""
    digits, loose = "", True
    places: tuple[int, ...] = ()
    sizes: list[int] = []
    for group in groups[first : first + _LONGEST]:
        if sizes and group.gap == _BREAK:
            return
        loose = loose and (not sizes or _LOOSE.fullmatch(group.gap) is not None)
        digits += group.digits
        if len(digits) > _LONGEST:
            return
        places = (*places, *group.places)
        sizes.append(len(group.digits))
        if len(digits) > 12 and _grouped(sizes, loose=loose) and is_card_number(digits):
            yield places


def _groups(text: str, run: re.Match[str]) -> Iterator[_Group]:
    """The digits of a run, cut at its gaps; those of a UUID are left out and part the others."""
    begin = max(0, run.start() - _UUID_LENGTH)
    near = text[begin : run.end() + _UUID_LENGTH]
    uuids = [(m.start() + begin, m.end() + begin) for m in _UUID.finditer(near)]
    before = gap = digits = ""
    places: list[int] = []
    for place in range(run.start(), run.end()):
        sign = text[place]
        if any(low <= place < high for low, high in uuids):
            sign, gap = "", _BREAK
        elif sign in _UNSEEN:
            continue
        if not sign.isdecimal():
            if digits:
                yield _Group(before, digits, places)
                digits, places = "", []
            gap = gap if gap == _BREAK else gap + sign
            continue
        if not digits:
            before, gap = gap, ""
        digits += str(int(sign))
        places.append(place)
    if digits:
        yield _Group(before, digits, places)


def _grouped(sizes: Sequence[int], *, loose: bool) -> bool:
    """Whether somebody would write a card number in groups of these sizes."""
    if len(sizes) == 1 or tuple(sizes) in _PRINTED:
        return True
    return loose and (sizes[0] >= 4 or len(set(sizes[:-1])) == 1)
