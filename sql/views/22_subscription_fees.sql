-- A day belongs to a subscription from the local day it begins to the day before the one it ends on (at least
-- one day), and of several to the one that began last, so a change of plans bills no day twice. Months up to the
-- current one, or that of the newest session.
CREATE OR REPLACE VIEW mart.subscription_fees
(
    tenant LowCardinality(String) COMMENT 'Operator whose data this is',
    driver_id String COMMENT 'Whose subscription',
    company_id String COMMENT 'Company of the driver; empty: none known',
    plan_id String COMMENT 'Plan',
    starts_at DateTime64(3, 'UTC') COMMENT 'Start of the subscription, UTC',
    ends_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Its end, UTC; null: it goes on',
    month String COMMENT 'Calendar month in the zone of the plan, YYYY-MM',
    time_zone String COMMENT 'IANA zone of the plan',
    held Array(Date) COMMENT 'Days the fee is for',
    days UInt32 COMMENT 'How many days the fee is for; 0: all are in the trial, or another plan has them',
    days_of_month UInt32 COMMENT 'Days of the month',
    currency String COMMENT 'ISO 4217 code of the amounts',
    amount_excl_vat Decimal(18, 6) COMMENT 'Fee without VAT, exact',
    amount_incl_vat Decimal(18, 6) COMMENT 'Fee with VAT, exact',
    owed_excl_vat Decimal(18, 6) COMMENT 'Fee without VAT in whole minor units of currency',
    owed_incl_vat Decimal(18, 6) COMMENT 'Fee with VAT in whole minor units of currency',
    today Date COMMENT 'Last day that has begun: of the clock, or of the newest session where that is later',
    because String COMMENT 'How the fee came about, in a sentence'
)
AS WITH
    (n, d) -> sign(n) * intDiv(2 * toInt256(abs(n)) + d, 2 * d) AS half_up,
    amount -> toInt256(toDecimal128(amount, 6) * 1000000) AS micro,
    amount -> toDecimal64(toDecimal128(toInt128(amount), 6) / 1000000, 6) AS units,
    (at, zone) -> toDate(formatDateTime(at, '%F', zone)) AS day_of
SELECT
    tenant, driver_id, company_id, plan_id, starts_at, ends_at, month, time_zone, held, days, days_of_month, currency,
    units(excl) AS amount_excl_vat, units(incl) AS amount_incl_vat,
    units(half_up(excl, unit) * unit) AS owed_excl_vat, units(half_up(incl, unit) * unit) AS owed_incl_vat, today,
    concat('Plan ', plan_id, ' costs ', toString(terms.3), ' ', currency, ' without VAT a month',
        multiIf(days = 0 AND trial_end > opens, concat('; free in the trial until ', toString(trial_end)),
            days = 0, '; another plan holds',
            terms.5 = 'daily' AND days < days_of_month, concat(', for ', toString(days), ' of ', toString(days_of_month), ' days from ', toString(held[1])),
            days < days_of_month, ', whole for a month begun', '')) AS because
FROM
(
    SELECT
        *, toDate(month_start) AS opens, toDate(addMonths(opens, 1)) AS closes, toUInt32(closes - opens) AS days_of_month,
        formatDateTime(opens, '%Y-%m') AS month,
        versions[greatest(1, arrayLastIndex(v -> v.1 <= concat(month, '-01 00:00:00'), versions))] AS terms,
        versions[greatest(1, arrayLastIndex(v -> v.1 <= concat(formatDateTime(since, '%Y-%m'), '-01 00:00:00'), versions))] AS first_terms,
        addDays(since, first_terms.6) AS trial_end,
        greatest(first, opens, trial_end) AS opened,
        arrayFilter(d -> NOT arrayExists(o -> (o.1 > starts_at OR (o.1 = starts_at AND o.2 < plan_id)) AND d >= o.3 AND d < o.4, others),
            arrayMap(i -> opened + i, range(toUInt32(greatest(0, least(past, closes) - opened))))) AS held,
        toUInt32(length(held)) AS days,
        terms.2 AS currency,
        transform(currency, ['BIF', 'CLP', 'DJF', 'GNF', 'ISK', 'JPY', 'KMF', 'KRW', 'PYG', 'RWF', 'UGX', 'UYI', 'VND', 'VUV', 'XAF', 'XOF', 'XPF',
            'BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND', 'CLF', 'UYW'],
            arrayConcat(arrayWithConstant(17, 1000000), arrayWithConstant(7, 1000), [100, 100]), 10000) AS unit,
        if(terms.5 = 'none', toInt256(days > 0), toInt256(days)) AS parts, if(terms.5 = 'none', toInt256(1), toInt256(days_of_month)) AS whole,
        half_up(micro(terms.3) * parts, whole) AS excl,
        half_up(micro(terms.3) * (100000000 + micro(terms.4)) * parts, whole * 100000000) AS incl
    FROM
    (
        SELECT
            s.tenant AS tenant, s.driver_id AS driver_id, d.company_id AS company_id, s.plan_id AS plan_id,
            s.starts_at AS starts_at, s.ends_at AS ends_at, p.zone AS time_zone, p.versions AS versions,
            day_of(greatest(now64(3, 'UTC'), ifNull(n.newest, toDateTime64(0, 3, 'UTC'))), time_zone) AS today,
            day_of(starts_at, time_zone) AS first,
            min(first) OVER (PARTITION BY tenant, driver_id, plan_id) AS since,
            least(greatest(first + 1, ifNull(day_of(s.ends_at, time_zone), toDate('2149-01-01'))), ifNull(day_of(p.ended, time_zone), toDate('2149-01-01'))) AS past,
            groupArray((starts_at, plan_id, first, past)) OVER (PARTITION BY tenant, driver_id) AS others,
            arrayJoin(arrayMap(i -> addMonths(toStartOfMonth(first), i),
                range(toUInt32(greatest(0, 1 + dateDiff('month', toStartOfMonth(first), toStartOfMonth(least(past - 1, today)))))))) AS month_start
        FROM (SELECT * FROM mart.subscriptions WHERE ends_at IS NULL OR ends_at > starts_at) AS s
        INNER JOIN
        (
            SELECT
                tenant, plan_id, any(time_zone) AS zone, any(ends_at) AS ended,
                arraySort(groupArray((valid_from_local, currency, fee_excl_vat, vat_percent, toString(proration), trial_days))) AS versions
            FROM mart.plan_terms GROUP BY tenant, plan_id
        ) AS p ON p.tenant = s.tenant AND p.plan_id = s.plan_id
        LEFT ANY JOIN
        (
            SELECT tenant, driver_id, argMax(company_id, valid_from) AS company_id FROM mart.drivers
            GROUP BY tenant, driver_id
        ) AS d ON d.tenant = s.tenant AND d.driver_id = s.driver_id
        LEFT ANY JOIN
        (
            SELECT tenant, max(ended_at) AS newest FROM mart.sessions WHERE quarantine_reason = '' GROUP BY tenant
        ) AS n ON n.tenant = s.tenant
    )
)
COMMENT 'Monthly fees: one row a subscription and calendar month begun, with trial and proration'
