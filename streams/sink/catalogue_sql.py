"""What is published of the catalogue, in SQL: for the worker, the loader and, alike, the views.

A load writes its rows at a revision of its own, then that revision's row in
`catalogue_revisions`; until then readers do not look at them. A row there of 1970 is a load that
goes on or was given up, not a publication. A store from before these rows existed has all it
holds published. FINAL would show rows of a load that goes on: of a key and instant the newest
published row is taken. Only where the store has merged that one away already, for a row that
`replaces` it, that row is taken: what is known must not vanish.
"""

from __future__ import annotations

CLAIMED = 1970
"""Year of the time in a revision that is claimed or given up, not published."""

PUBLISHED = """
SELECT if(any(c.published) > 0, any(c.published),
    maxIf(r.revision, c.claimed = 0 OR r.revision < c.claimed)) AS revision
FROM
(
    SELECT toUInt32(0) AS revision
    UNION ALL SELECT revision FROM stations GROUP BY revision
    UNION ALL SELECT revision FROM tariffs GROUP BY revision
) AS r
CROSS JOIN
(
    SELECT maxIf(revision, published_at >= '1971-01-01') AS published, min(revision) AS claimed
    FROM catalogue_revisions
) AS c
"""
"""One number: the newest published revision, 0 where there is none."""

_FROM = "toUnixTimestamp64Milli(valid_from) AS from_ms"
_SITE = "time_zone, rated_power_w, tariff_id, location_id, connectors"
_CONDITIONS = "priority, tariff_id, free, stations, areas, driver_group, company_id, partner_id"

CATALOGUE: dict[str, tuple[str, str]] = {
    "stations": (
        "tenant, station_id, valid_from",
        f"{_FROM}, name, area, city, region, country, latitude, longitude, {_SITE}",
    ),
    "tariffs": ("tenant, tariff_id, valid_from", f"{_FROM}, ocpi_json"),
    "drivers": (
        "tenant, driver_key, valid_from",
        f"{_FROM}, driver_id, name, company_id, groups, partner_id",
    ),
    "companies": ("tenant, company_id, valid_from", f"{_FROM}, name, company_json"),
    "plans": ("tenant, plan_id, valid_from", f"{_FROM}, name, plan_json"),
    "subscriptions": (
        "tenant, driver_id, plan_id, starts_at",
        "toUnixTimestamp64Milli(starts_at) AS from_ms, toUnixTimestamp64Milli(ends_at) AS until_ms",
    ),
    "assignments": (
        "tenant, assignment_id, valid_from",
        f"{_FROM}, toUnixTimestamp64Milli(valid_until) AS until_ms, {_CONDITIONS}",
    ),
}
"""Table to its key (tenant first, an instant last) and the other columns that are read."""


_ALIKE = "area, city, region, country, time_zone, rated_power_w, tariff_id, from_ms"


def newest_rows(table: str, revision: int) -> str:
    """A SELECT of the row of each key that holds at a revision, deleted ones too."""
    key, columns = CATALOGUE[table]
    names = key.rpartition(", ")[0]
    return (
        f"SELECT {names}, {columns}, revision, deleted FROM {table}"  # noqa: S608 - names of ours
        f" WHERE revision <= {revision} OR replaces"
        f" ORDER BY {key}, revision > {revision}, revision DESC LIMIT 1 BY {key}"
    )


def alike_stations(revision: int) -> str:
    """Of `stations` what a worker needs, alike ones in one row: half a million of them differ in
    little but their names, and it is the reading of rows that takes long.
    """
    return (
        f"SELECT tenant, groupArray(station_id) AS station_ids, {_ALIKE}, revision, deleted"  # noqa: S608 - names of ours
        f" FROM ({newest_rows('stations', revision)})"
        f" GROUP BY tenant, {_ALIKE}, revision, deleted"
    )
