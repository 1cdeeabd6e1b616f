CREATE OR REPLACE VIEW mart.catalogue_revisions
(
    revision UInt32 COMMENT 'Number of the published change; the highest is in force',
    published_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was published, UTC; null: before revisions were published',
    summary String COMMENT 'How many rows of which lists it wrote'
)
AS SELECT revision, at AS published_at, words AS summary
FROM
(
    SELECT revision, max(published_at)::Nullable(DateTime64(3, 'UTC')) AS at, argMax(summary, published_at) AS words
    FROM ${db}.catalogue_revisions
    WHERE published_at >= '1971-01-01'
    GROUP BY revision
    UNION ALL
    SELECT max(r.revision) AS revision, NULL AS at, '' AS words
    FROM (SELECT revision FROM ${db}.stations UNION ALL SELECT revision FROM ${db}.tariffs) AS r
    CROSS JOIN
    (
        SELECT countIf(published_at >= '1971-01-01') AS published, min(revision) AS claimed
        FROM ${db}.catalogue_revisions
    ) AS c
    WHERE c.published = 0 AND (c.claimed = 0 OR r.revision < c.claimed)
    HAVING max(r.revision) > 0
)
COMMENT 'Published changes of the catalogue; rows of a load that goes on are in no view'
