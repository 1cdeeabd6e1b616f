"""Terms that many sessions share: chosen once for all stations alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from streams.catalogue import NO_STATION, NO_TERMS, Catalogue, Owner, StationInfo, Terms
from streams.core.pricing.contract import Contract

UNSHARED = -1
_UNKNOWN: Mapping[str, object] = {}
_SINCE_EVER = -(2**62)
_MOST = 10_000
"""Kept of terms shared, a few hundred bytes each."""


class Found(NamedTuple):
    """A station and the contract of a session there; the contract's reasons may say `HERE`.

    `code`: where `LastingContracts.shared` has them for every later session there that says the
    same area, until there is another catalogue; UNSHARED where they are this session's own.
    """

    info: StationInfo
    contract: Contract
    code: int = UNSHARED


class LastingContracts:
    """`Catalogue.contract` under one snapshot, remembered where it depends on the station alone.

    That is so for a token that is no driver's, in a tenant without assignments, from the begin of
    the newest versions of station and tariff on.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.shared: list[Found] = []
        self._codes: dict[tuple[str, int, str], tuple[int, int]] = {}
        """By tenant, identity of the info and area: code, and the instant it holds from."""
        self._drivers: dict[str, Mapping[str, object] | None] = {}
        """By tenant: tokens whose terms are their own; None: all are."""

    def find(self, owner: Owner, id_token: str, started_ms: int, area: str) -> Found:
        """Under which terms a session is that began there and then."""
        versions = self.catalogue.stations.get(owner)
        tenant = owner[0]
        drivers = self._drivers.get(tenant, _UNKNOWN)
        if drivers is _UNKNOWN:
            drivers = self._drivers[tenant] = self._special(tenant)
        if (
            (versions and versions[-1].from_ms > started_ms)
            or drivers is None
            or (drivers and id_token.casefold() in drivers)
        ):
            return self._own(owner, id_token, started_ms, area)
        info = (versions and versions[-1].value) or NO_STATION
        code, since = self._codes.get((tenant, id(info), area), (UNSHARED, 0))
        if code != UNSHARED and since <= started_ms:
            return self.shared[code]
        found = self._own(owner, id_token, started_ms, area)
        begins = self._since(tenant, found.contract)
        if code != UNSHARED or begins is None or begins > started_ms or len(self.shared) >= _MOST:
            return found
        self._codes[tenant, id(info), area] = (len(self.shared), begins)
        found = found._replace(code=len(self.shared))
        self.shared.append(found)
        return found

    def _special(self, tenant: str) -> Mapping[str, object] | None:
        terms = self.catalogue.terms.get(tenant, NO_TERMS)
        return None if _assigns(terms) else terms.drivers

    def _own(self, owner: Owner, id_token: str, started_ms: int, area: str) -> Found:
        contract = self.catalogue.shared_contract(owner, id_token, started_ms, area)
        return Found(self.catalogue.station(owner, started_ms), contract)

    def _since(self, tenant: str, contract: Contract) -> int | None:
        """From when on no version of its tariff can give another contract; None: it ends."""
        tariffs = self.catalogue.tariffs.get((tenant, contract.tariff_id), ())
        begins = [tariffs[-1].from_ms] if tariffs else []
        tariff = contract.tariff
        if tariff is not None:
            if tariff.valid_until_ms is not None:
                return None
            begins.append(tariff.valid_from_ms or _SINCE_EVER)
        elif tariffs:
            return None
        return max(begins, default=_SINCE_EVER)


def _assigns(terms: Terms) -> bool:
    known = terms.assignments
    return bool(known.anywhere or known.by_station or known.by_area or known.by_driver)
