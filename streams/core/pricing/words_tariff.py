"""A whole tariff in one paragraph: what a driver will pay, in Swedish ("sv") or English ("en").

True to OCPI's order: per dimension the first element that matches holds, so each further price
is said after "otherwise"; what is never reached is left out, and a condition that "otherwise"
already says is not repeated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from streams.core.pricing.model import (
    DIMENSIONS,
    ENERGY,
    FLAT,
    NO_RESTRICTIONS,
    PARKING_TIME,
    RESERVATION,
    RESERVATION_EXPIRES,
    TAX_EXCLUDED,
    TAX_INCLUDED,
    TIME,
    WHEN_CHARGED,
    Component,
    PriceLimit,
    Tariff,
)
from streams.core.pricing.reach import Placed, box_of, left_for, placed, rest_of
from streams.core.pricing.words import (
    component_words,
    listed,
    money_words,
    price_words,
    restriction_words,
    step_words,
    tax_words,
)
from streams.core.pricing.words_paragraph import paragraph

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def explain(tariff: Tariff, lang: str = "en") -> str:
    """The paragraph. Prices are said as the tariff has them: with or without taxes."""
    return " ".join(
        [
            *_for_whom(tariff, lang),
            *_prices(tariff, lang),
            *_rounding(tariff, lang),
            *_reservation(tariff, lang),
            *_taxes(tariff, lang),
            *_limits(tariff, lang),
            *_validity(tariff, lang),
        ]
    )


def _for_whom(tariff: Tariff, lang: str) -> list[str]:
    table = paragraph(lang)
    return [table[tariff.tariff_type]] if tariff.tariff_type in table else []


def _prices(tariff: Tariff, lang: str) -> list[str]:
    """A sentence a dimension, and one for all that costs nothing."""
    table = paragraph(lang)
    chains = {name: _chain(placed(tariff, name)) for name in DIMENSIONS}
    charged = [
        name for name in (FLAT, ENERGY, TIME, PARKING_TIME) if any(c.price for c, _ in chains[name])
    ]
    if not charged:
        return [table["all_free"]]
    said = [_chain_words(tariff, name, chains[name], lang) for name in charged]
    return [*said, *_free_words({ENERGY, TIME, PARKING_TIME} - set(charged), lang)]


def _free_words(rest: set[str], lang: str) -> list[str]:
    """What of energy and time costs nothing."""
    table = paragraph(lang)
    if len(rest) == 1:
        return [table[f"only_{name}"] for name in rest]
    if not rest:
        return []
    return [table["time_free" if rest == {TIME, PARKING_TIME} else "others_free"]]


def _chain(items: Sequence[Placed]) -> list[tuple[Component, Placed]]:
    """The components that can be reached, the last without conditions where nothing is left."""
    kept: list[Placed] = []
    rest = [box_of(NO_RESTRICTIONS, measured=True)]
    for i, item in enumerate(items):
        if not left_for(item, items[:i], measured=False):
            continue
        after = rest_of(rest, box_of(item.restrictions, measured=True))
        if rest and not after:
            plain = replace(NO_RESTRICTIONS, reservation=item.restrictions.reservation)
            kept = _without_same(kept, item.component)
            kept.append(item._replace(restrictions=plain))
        elif rest or item.component.price:
            kept.append(item)
        rest = after
    return [(item.component, item) for item in kept]


def _without_same(kept: list[Placed], last: Component) -> list[Placed]:
    """A price that is the same as the one for all that is left need not be said."""
    while kept and _same_price(kept[-1].component, last):
        kept = kept[:-1]
    return kept


def _same_price(one: Component, other: Component) -> bool:
    return (one.price, one.taxes, max(one.step_size, 1)) == (
        other.price,
        other.taxes,
        max(other.step_size, 1),
    )


def _open_end(chain: Sequence[tuple[Component, Placed]]) -> bool:
    """Whether situations remain in which no component of the chain holds."""
    rest = [box_of(NO_RESTRICTIONS, measured=True)]
    for _, item in chain:
        rest = rest_of(rest, box_of(item.restrictions, measured=True))
    return bool(rest)


def _chain_words(
    tariff: Tariff, name: str, chain: Sequence[tuple[Component, Placed]], lang: str
) -> str:
    """Such as "Energy costs 0.20 EUR per kWh …, otherwise 0.35 EUR per kWh …"."""
    table = paragraph(lang)
    same_step = len({c.step_size for c, _ in chain}) == 1
    parts = []
    for component, item in chain:
        words = [_price(tariff, component, lang)]
        words += restriction_words(replace(item.restrictions, reservation=""), lang)
        if not same_step:
            words += [f"({step})" for step in _step(component, lang)]
        parts.append(" ".join(words))
    if _open_end(chain):
        parts.append(table["zero" if name == FLAT else "nothing"])
    text = table["otherwise"].join(parts)
    steps = _step(chain[0][0], lang) if same_step else []
    if name == FLAT and len(parts) > 1:
        once = table["at_start" if tariff.flat_at_start else "first_fee"]
        return f"{table['FLAT_CHAIN'].format(text)} {once}"
    join = table["steps_of_all" if len(parts) > 1 else "step_join"]
    return table[name].format(join.join([text, *steps]))


def _step(component: Component, lang: str) -> list[str]:
    if component.dimension == FLAT or component.step_size <= 1 or not component.price:
        return []
    return [paragraph(lang)["steps"].format(step_words(component, lang))]


def _price(tariff: Tariff, component: Component, lang: str) -> str:
    if not component.price:
        return paragraph(lang)["zero" if component.dimension == FLAT else "nothing"]
    if _common_tax(tariff) or not any(c.taxes for e in tariff.elements for c in e.components):
        return price_words(component, tariff.currency, lang)
    return component_words(component, tariff.currency, tariff.tax_included, lang)


def _rounding(tariff: Tariff, lang: str) -> list[str]:
    """What step_size does at the end of a session, where that is not what one would think."""
    table = paragraph(lang)
    steps = {
        name: {c.step_size for c, _ in _chain(placed(tariff, name)) if c.step_size > 1 and c.price}
        for name in (ENERGY, TIME, PARKING_TIME)
    }
    said = []
    if any(len(found) > 1 for found in steps.values()):
        said.append(table["last_step"])
    if steps[TIME] and placed(tariff, PARKING_TIME):
        said.append(table["parking_step"])
    return said


def _reservation(tariff: Tariff, lang: str) -> list[str]:
    table = paragraph(lang)
    kinds = {
        kind: {name: _chain(placed(tariff, name, kind)) for name in (FLAT, TIME)}
        for kind in (RESERVATION, RESERVATION_EXPIRES)
    }

    def words(kind: str) -> str:
        said = []
        for name, chain in kinds[kind].items():
            parts = []
            for component, item in chain:
                pieces = [_price(tariff, component, lang)]
                pieces += restriction_words(replace(item.restrictions, reservation=""), lang)
                steps = [f"({step})" for step in _step(component, lang)]
                parts.append(" ".join([*pieces, *steps]))
            if parts and _open_end(chain):
                parts.append(table["zero" if name == FLAT else "nothing"])
            if parts:
                said.append(table[f"reserved_{name}"].format(table["otherwise"].join(parts)))
        return listed(said, lang)

    plain, expired = words(RESERVATION), words(RESERVATION_EXPIRES)
    out = [table["reserving"].format(plain)] if plain else []
    if expired:
        both = [n for n in (FLAT, TIME) if all(kinds[k][n] for k in kinds)]
        more = [n for n in (FLAT, TIME) if kinds[RESERVATION][n] and n not in both]
        key = "expired" if not plain else "expired_more" if more else "expired_instead"
        out.append(table[key].format(expired))
    return out


def _limits(tariff: Tariff, lang: str) -> list[str]:
    table = paragraph(lang)
    low, high = (_limit(tariff, p, lang) for p in (tariff.min_price, tariff.max_price))
    if low and tariff.min_price_applies == WHEN_CHARGED:
        found = [table["at_least_if"].format(low)]
        return [*found, table["at_most"].format(high)] if high else found
    if low and high:
        return [table["at_least_at_most"].format(low, high)]
    if low:
        return [table["at_least"].format(low)]
    return [table["at_most"].format(high)] if high else []


def _limit(tariff: Tariff, limit: PriceLimit | None, lang: str) -> str:
    """Such as "0.50 EUR (0.55 EUR including VAT)"."""
    if limit is None:
        return ""
    table = paragraph(lang)
    excl, incl = (
        None if bound is None else money_words(bound, tariff.currency, lang)
        for bound in (limit.excl, limit.incl)
    )
    if excl is not None and incl is not None:
        return excl if excl == incl else table["both"].format(excl, incl)
    if excl is not None:
        return table["excl"].format(excl)
    return "" if incl is None else table["incl"].format(incl)


def _taxes(tariff: Tariff, lang: str) -> list[str]:
    table, common = paragraph(lang), _common_tax(tariff)
    prices = [c for e in tariff.elements for c in e.components if c.price]
    if not prices and not tariff.min_price:
        return []
    if common:
        key = "tax_in_all" if tariff.tax_included == TAX_INCLUDED else "tax_on_all"
        return [table[key].format(tax_words(common, lang))]
    if any(c.taxes for c in prices):
        return []
    return [table[f"no_tax_{tariff.tax_included}"]]


def _common_tax(tariff: Tariff) -> Component | None:
    """Any of the components, where all that cost something have the same taxes."""
    if tariff.tax_included not in {TAX_EXCLUDED, TAX_INCLUDED}:
        return None
    prices = [c for e in tariff.elements for c in e.components if c.price]
    same = prices and prices[0].taxes and len({c.taxes for c in prices}) == 1
    return prices[0] if same else None


def _validity(tariff: Tariff, lang: str) -> list[str]:
    table = paragraph(lang)
    start, end = (
        None if ms is None else _instant(ms) for ms in (tariff.valid_from_ms, tariff.valid_until_ms)
    )
    if start and end:
        return [table["valid_between"].format(start, end)]
    if start:
        return [table["valid_from"].format(start)]
    return [table["valid_until"].format(end)] if end else []


def _instant(ms: int) -> str:
    at = _EPOCH + timedelta(milliseconds=ms)
    return f"{at:%Y-%m-%d %H:%M}" + (f":{at:%S}" if at.second else "") + " UTC"
