"""Contracts that many sessions share: chosen once a station, kept while nothing can change them."""

from __future__ import annotations

from streams.catalogue import NO_TERMS, Catalogue, Owner, Terms
from streams.core.pricing.contract import Contract

_SINCE_EVER = -(2**62)
_MOST = 100_000
"""Contracts kept, about 400 bytes each; a million stations may report in turn."""


class LastingContracts:
    """`Catalogue.contract` under one snapshot, remembered where it depends on the station alone.

    That is so for a token that is no driver's, in a tenant without assignments, from the begin of
    the newest versions of station and tariff on.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._kept: dict[tuple[Owner, str], tuple[Contract, int]] = {}

    def contract(self, owner: Owner, id_token: str, started_ms: int, area: str) -> Contract:
        """See `Catalogue.contract`."""
        terms = self._catalogue.terms.get(owner[0], NO_TERMS)
        if _assigns(terms) or (terms.drivers and id_token.casefold() in terms.drivers):
            return self._catalogue.contract(owner, id_token, started_ms, area)
        found = self._kept.get((owner, area))
        if found is not None and found[1] <= started_ms:
            return found[0]
        contract = self._catalogue.contract(owner, id_token, started_ms, area)
        since = self._since(owner, contract)
        if since is not None and since <= started_ms:
            if len(self._kept) >= _MOST:
                self._kept.clear()
            self._kept[(owner, area)] = (contract, since)
        return contract

    def _since(self, owner: Owner, contract: Contract) -> int | None:
        """From when on no version can give another contract; None: its tariff ends."""
        stations = self._catalogue.stations.get(owner, ())
        tariffs = self._catalogue.tariffs.get((owner[0], contract.tariff_id), ())
        begins = [versions[-1].from_ms for versions in (stations, tariffs) if versions]
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
