CREATE OR REPLACE VIEW mart.stations
(
    tenant LowCardinality(String) COMMENT 'Operator whose data this is',
    station_id String COMMENT 'Charging station',
    valid_from DateTime64(3, 'UTC') COMMENT 'This row holds from here on, UTC',
    name String COMMENT 'Name for people',
    area LowCardinality(String) COMMENT 'Area or site',
    city LowCardinality(String) COMMENT 'City',
    region LowCardinality(String) COMMENT 'Region',
    country LowCardinality(String) COMMENT 'Country',
    latitude Nullable(Decimal(9, 6)) COMMENT 'Latitude, degrees WGS 84',
    longitude Nullable(Decimal(9, 6)) COMMENT 'Longitude, degrees WGS 84',
    time_zone LowCardinality(String) COMMENT 'IANA zone of the site',
    rated_power_w Nullable(UInt32) COMMENT 'Highest power of a connector, W',
    tariff_id String COMMENT 'Tariff of the station; empty: none of its own',
    is_newest UInt8 COMMENT '1: the newest row of the station',
    revision UInt32 COMMENT 'Catalogue revision that wrote the row',
    location_id String COMMENT 'Location in the source, such as an OCPI Location',
    connectors String COMMENT 'Connectors with their power, JSON'
)
AS SELECT
    tenant, station_id, valid_from, name, area, city, region, country, latitude, longitude,
    time_zone, rated_power_w, tariff_id, newest AS is_newest, revision, location_id, connectors
FROM (
    SELECT *, valid_from = max(valid_from) OVER (PARTITION BY tenant, station_id) AS newest
    FROM
    (
        SELECT * FROM ${db}.stations
        WHERE revision <= (SELECT max(revision) FROM mart.catalogue_revisions) OR replaces
        ORDER BY revision > (SELECT max(revision) FROM mart.catalogue_revisions), revision DESC
        LIMIT 1 BY tenant, station_id, valid_from
    )
)
WHERE NOT deleted
COMMENT 'Catalogue of stations, one row a station and time it changed; the newest: is_newest = 1'
