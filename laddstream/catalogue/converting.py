"""What converters give and need: a raw entry that knows where it comes from, and the options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from laddstream.catalogue.documents import CSV, Document, Fault, Steps
from laddstream.catalogue.places import zone_at
from streams.core.ocpi.values import number


@dataclass(slots=True)
class Raw:
    """One entry before it is checked. `columns`: where in the source a field of ours stands,
    below `steps`; for our own format that is its own name.
    """

    section: str
    fields: dict[str, Any]
    document: Document
    steps: Steps
    columns: Mapping[str, Steps] | None = None
    faults: list[Fault] = field(default_factory=list)
    flat: bool = False
    """A tariff made of the price columns of a CSV row."""

    def fault(self, steps: Steps, what: str) -> Fault:
        """Something wrong with a field of this entry."""
        if self.columns is not None and steps:
            steps = self.columns.get(str(steps[0]), ())
        if self.document.form == CSV:
            steps = (self._column(steps),)[: len(steps)]
        return self.document.fault((*self.steps, *steps), what)

    def _column(self, steps: Steps) -> str:
        """The CSV column of a field: those of a tariff's prices stand for what is made of them."""
        name = ".".join(str(step) for step in steps if isinstance(step, str))
        prices = "elements.price_components"
        if self.flat and name.startswith(prices):
            return name[len(prices) + 1 :] or "energy"
        return name


@dataclass(frozen=True, slots=True)
class Source:
    """What converters are told: our own party ("SE-LAD"), and the zone where none is known."""

    own_party: str = ""
    zone: str = ""


def settle_zone(raw: Raw, source: Source) -> None:
    """Give a station without time zone the one of its country, else `--tz`, else a fault."""
    fields = raw.fields
    if fields.get("time_zone"):
        return
    country = str(fields.get("country", ""))
    latitude, longitude = number(fields.get("latitude")), number(fields.get("longitude"))
    place = (latitude and latitude.value, longitude and longitude.value)
    zone = zone_at(country, *place) or source.zone
    if zone:
        fields["time_zone"] = zone
    else:
        where = f"country {country} has several time zones" if country else "no country is named"
        raw.faults.append(raw.fault(("time_zone",), f"{where}: say which with --tz ZONE"))
