-- Three settlements, each a running sum that stops at a limit, over the sessions of one month in the order
-- of (start, session_id): what the plan includes, what the plan caps, what the company pays. Amounts are
-- integers of a micro-unit here and rounded half up; -1 stands for "no limit". Terms of a month are those
-- in force when it begins, else the first there are.
CREATE OR REPLACE VIEW mart.session_settlement
(
    tenant LowCardinality(String) COMMENT 'Operator whose data this is',
    session_id UUID COMMENT 'The session',
    station_id String COMMENT 'Charging station',
    area LowCardinality(String) COMMENT 'Area or site',
    driver_key String COMMENT 'Who charged: the id token as stored',
    driver_id String COMMENT 'The person behind the token; empty: not in the catalogue',
    company_id String COMMENT 'Company of the driver; empty: none known',
    plan_id LowCardinality(String) COMMENT 'Plan of the session; empty: none',
    payer LowCardinality(String) COMMENT 'Who is asked first: driver, company, partner or nobody',
    payer_id String COMMENT 'Driver, company or partner that is asked first',
    month String COMMENT 'Month whose inclusion and cap apply, YYYY-MM: of the start, in the zone of the plan, else of the station',
    company_month String COMMENT 'Month whose company limits apply, YYYY-MM: of the start, in the zone of the company',
    started_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Start, UTC',
    ended_at Nullable(DateTime64(3, 'UTC')) COMMENT 'End, UTC',
    currency LowCardinality(String) COMMENT 'ISO 4217 code of the amounts',
    amount_excl_vat Decimal(18, 6) COMMENT 'Price without VAT before settlement, in units of currency',
    amount_incl_vat Decimal(18, 6) COMMENT 'Price with VAT before settlement, in units of currency',
    included_session UInt8 COMMENT '1: the whole session is included in the plan',
    included_wh Decimal(18, 3) COMMENT 'Energy the plan includes, Wh',
    included_excl_vat Decimal(18, 6) COMMENT 'What the plan includes, without VAT',
    included_incl_vat Decimal(18, 6) COMMENT 'What the plan includes, with VAT',
    capped_excl_vat Decimal(18, 6) COMMENT 'What is above the monthly cap of the plan, without VAT',
    capped_incl_vat Decimal(18, 6) COMMENT 'What is above the monthly cap of the plan, with VAT',
    share_excl_vat Decimal(18, 6) COMMENT 'What the company leaves to its driver by its share, without VAT',
    share_incl_vat Decimal(18, 6) COMMENT 'What the company leaves to its driver by its share, with VAT',
    limit_excl_vat Decimal(18, 6) COMMENT 'What the company leaves to its driver by its monthly limits, without VAT',
    limit_incl_vat Decimal(18, 6) COMMENT 'What the company leaves to its driver by its monthly limits, with VAT',
    rest_excl_vat Decimal(18, 6) COMMENT 'What the first payer owes after all, exact, without VAT',
    rest_incl_vat Decimal(18, 6) COMMENT 'What the first payer owes after all, exact, with VAT',
    owed_excl_vat Decimal(18, 6) COMMENT 'What the first payer owes, in whole minor units, without VAT',
    owed_incl_vat Decimal(18, 6) COMMENT 'What the first payer owes, in whole minor units, with VAT',
    driver_excl_vat Decimal(18, 6) COMMENT 'What falls back to the driver, in whole minor units, without VAT',
    driver_incl_vat Decimal(18, 6) COMMENT 'What falls back to the driver, in whole minor units, with VAT',
    included_because String COMMENT 'What of it the plan includes, or that the inclusion is used; empty: the plan includes nothing',
    cap_because String COMMENT 'Why the cap cuts it, or cannot; empty: no cap',
    company_because String COMMENT 'What the company pays and what not; empty: no company pays',
    contract_because Array(String) COMMENT 'As in mart.sessions',
    tariff_id String COMMENT 'Tariff the session was priced with'
)
AS WITH
    (n, d) -> sign(n) * intDiv(2 * toInt256(abs(n)) + d, 2 * greatest(d, 1)) AS half_up,  -- both branches of an if are computed
    amount -> toInt256(toDecimal128(amount, 6) * 1000000) AS micro,
    amount -> toDecimal64(toDecimal128(toInt128(amount), 6) / 1000000, 6) AS units,
    (run, part, top) -> least(run, top) - least(run - part, top) AS below,
    amount -> toString(toDecimal128(toInt128(amount), 6) / 1000000) AS said
SELECT
    tenant, session_id, station_id, area, driver_key, driver_id, company_id, plan_id, payer, payer_id,
    month, company_month, started_at, ended_at, currency, units(excl) AS amount_excl_vat, units(incl) AS amount_incl_vat,
    whole AS included_session, toDecimal64(toDecimal128(toInt128(if(whole, mwh, covered)), 3) / 1000, 3) AS included_wh,
    units(in_excl) AS included_excl_vat, units(in_incl) AS included_incl_vat,
    units(cut_excl) AS capped_excl_vat, units(cut_incl) AS capped_incl_vat,
    units(net_excl - share_excl) AS share_excl_vat, units(net_incl - share_incl) AS share_incl_vat,
    units(share_excl - paid_excl) AS limit_excl_vat, units(share_incl - paid_incl) AS limit_incl_vat,
    units(paid_excl) AS rest_excl_vat, units(paid_incl) AS rest_incl_vat,
    units(if(paid_incl = net_incl, all_excl, least(half_up(paid_excl, unit) * unit, all_excl)) AS owed_excl) AS owed_excl_vat,
    units(if(paid_incl = net_incl, all_incl, least(half_up(paid_incl, unit) * unit, all_incl)) AS owed_incl) AS owed_incl_vat,
    units(all_excl - owed_excl) AS driver_excl_vat, units(all_incl - owed_incl) AS driver_incl_vat,
    multiIf(
        whole, concat('Plan ', plan_id, ' includes ', toString(terms.4), if(terms.4 = 1, ' session', ' sessions'), ' a month: this is number ', toString(nth), ' of ', month),
        covered > 0, concat('Plan ', plan_id, ' includes ', said(terms.3), ' kWh a month: ', said(covered), ' of the ', said(mwh),
            ' kWh of this session are in it (', said(least(used, terms.3)), ' used in ', month, ')'),
        terms.3 >= 0 AND used >= terms.3, concat('The ', said(terms.3), ' kWh that plan ', plan_id, ' includes in ', month, ' are used'),
        terms.4 >= 0 AND nth > terms.4, concat('Sessions that plan ', plan_id, ' includes in ', month, ': all ', toString(terms.4), ' are used'),
        '') AS included_because,
    multiIf(
        cut_incl != 0, concat('Plan ', plan_id, ' caps the sessions of a month at ', said(terms.5), ' ', terms.2, ' with VAT: ', month, ' is at ', said(spent)),
        terms.5 >= 0 AND NOT capped, concat('The cap of plan ', plan_id, ' is in ', terms.2, ' and does not apply to ', currency),
        '') AS cap_because,
    if(NOT by_company, '', concat('Company ', payer_id, ' pays', if(rule.5 < 100000000, concat(' ', said(rule.5), ' %'), ''),
        if(paid_incl != share_incl, concat(' up to ', arrayStringConcat(arrayFilter(x -> x != '', [
            if(rule.3 >= 0, concat(said(rule.3), ' ', rule.2, ' a driver'), ''),
            if(rule.4 >= 0, concat(said(rule.4), ' ', rule.2, ' in all'), '')]), ' and '), ' a month with VAT, reached in ', company_month), ''),
        if(paid_incl != net_incl, '; the driver pays the rest', ''),
        if((rule.3 >= 0 OR rule.4 >= 0) AND NOT limited, concat('; its limits are in ', rule.2, ' and do not apply to ', currency), ''))) AS company_because,
    contract_because, tariff_id
FROM
(
    SELECT
        *, if(by_company AND limited AND rule.4 >= 0, below(sum(if(limited, driver_paid, 0)) OVER company, driver_paid, rule.4), driver_paid) AS paid_incl,
        multiIf(paid_incl = net_incl, net_excl, net_incl = 0, net_excl, half_up(net_excl * paid_incl * sign(net_incl), abs(net_incl))) AS paid_excl,
        if(in_incl = 0 AND cut_incl = 0 AND in_excl = 0 AND cut_excl = 0, rounded_incl, least(half_up(net_incl, unit) * unit, rounded_incl)) AS all_incl,
        if(in_incl = 0 AND cut_incl = 0 AND in_excl = 0 AND cut_excl = 0, rounded_excl, least(half_up(net_excl, unit) * unit, rounded_excl)) AS all_excl
    FROM
    (
        SELECT
            *, if(by_company AND limited AND rule.3 >= 0, below(sum(if(limited, share_incl, 0)) OVER driver, share_incl, rule.3), share_incl) AS driver_paid
        FROM
        (
            SELECT
                *, if(capped, rest_incl - below(spent, rest_incl, terms.5), 0) AS cut_incl,
                if(cut_incl = 0, 0, half_up(rest_excl * cut_incl * sign(rest_incl), abs(rest_incl))) AS cut_excl,
                rest_incl - cut_incl AS net_incl, rest_excl - cut_excl AS net_excl,
                if(by_company, half_up(net_incl * rule.5, 100000000), net_incl) AS share_incl,
                if(by_company, half_up(net_excl * rule.5, 100000000), net_excl) AS share_excl
            FROM
            (
                SELECT *, sum(if(capped, rest_incl, 0)) OVER plan AS spent
                FROM
                (
                    SELECT
                        *, if(planned AND terms.3 >= 0 AND NOT whole, below(used, mwh, terms.3), 0) AS covered,
                        multiIf(whole, excl, covered = 0, 0, greatest(0, least(excl, half_up(energy_excl * covered, mwh)))) AS in_excl,
                        multiIf(whole, incl, covered = 0, 0, greatest(0, least(incl, half_up(energy_incl * covered, mwh)))) AS in_incl,
                        excl - in_excl AS rest_excl, incl - in_incl AS rest_incl
                    FROM
                    (
                        SELECT *, sum(if(whole OR NOT planned, 0, mwh)) OVER plan AS used
                        FROM
                        (
                            SELECT
                                *, sum(planned AND incl > 0) OVER plan AS nth,
                                planned AND incl > 0 AND terms.4 >= 0 AND nth <= terms.4 AS whole
                            FROM
                            (
                                SELECT
                                    s.tenant AS tenant, s.session_id AS session_id, s.station_id AS station_id, s.area AS area, s.driver_key AS driver_key,
                                    s.driver_id AS driver_id, s.company_id AS company_id, s.plan_id AS plan_id, s.payer AS payer, s.payer_id AS payer_id,
                                    s.started_at AS started_at, s.ended_at AS ended_at, s.currency AS currency, s.contract_because AS contract_because, s.tariff_id AS tariff_id,
                                    coalesce(s.started_at, s.first_event_at) AS at, toString(s.session_id) AS id,
                                    if(s.driver_id = '', concat('key ', s.driver_key), s.driver_id) AS who,
                                    micro(assumeNotNull(s.amount_excl_vat)) AS excl, micro(assumeNotNull(s.amount_incl_vat)) AS incl,
                                    transform(toString(s.currency), ['BIF', 'CLP', 'DJF', 'GNF', 'ISK', 'JPY', 'KMF', 'KRW', 'PYG', 'RWF', 'UGX', 'UYI', 'VND', 'VUV', 'XAF', 'XOF', 'XPF',
                                        'BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND', 'CLF', 'UYW'],
                                        arrayConcat(arrayWithConstant(17, 1000000), arrayWithConstant(7, 1000), [100, 100]), 10000) AS unit,
                                    ifNull(micro(s.rounded_excl_vat), half_up(excl, unit) * unit) AS rounded_excl,
                                    ifNull(micro(s.rounded_incl_vat), half_up(incl, unit) * unit) AS rounded_incl,
                                    greatest(0, ifNull(toInt256(toDecimal128(s.energy_wh, 3) * 1000), 0)) AS mwh,
                                    micro(c.energy_excl) AS line_excl, micro(c.energy_incl) AS line_incl,
                                    micro(c.before_excl) AS before_excl, micro(c.before_incl) AS before_incl,
                                    if(before_excl > 0, line_excl + half_up(micro(c.discount_excl) * line_excl, before_excl), line_excl) AS energy_excl,
                                    if(before_incl > 0, line_incl + half_up(micro(c.discount_incl) * line_incl, before_incl), line_incl) AS energy_incl,
                                    s.plan_id != '' AND notEmpty(p.versions) AND ifNull(at < p.ended, 1) AND s.payer NOT IN ('partner', 'nobody') AS planned,
                                    s.payer = 'company' AS by_company,
                                    multiIf(planned, p.zone, s.time_zone IN (SELECT time_zone FROM system.time_zones), s.time_zone, 'UTC') AS plan_zone,
                                    formatDateTime(at, '%Y-%m', plan_zone) AS month,
                                    formatDateTime(at, '%Y-%m', if(r.zone = '', plan_zone, r.zone)) AS company_month,
                                    if(planned, p.versions[greatest(1, arrayLastIndex(v -> v.1 <= concat(month, '-01 00:00:00'), p.versions))],
                                        ('', '', toInt256(-1), toInt256(-1), toInt256(-1))) AS terms,
                                    if(notEmpty(r.versions), r.versions[greatest(1, arrayLastIndex(v -> v.1 <= concat(company_month, '-01 00:00:00'), r.versions))],
                                        ('', '', toInt256(-1), toInt256(-1), toInt256(100000000))) AS rule,
                                    planned AND terms.5 >= 0 AND terms.2 = s.currency AS capped,
                                    by_company AND rule.2 = s.currency AS limited
                                FROM
                                (
                                    SELECT * FROM mart.sessions
                                    WHERE quarantine_reason = '' AND amount_incl_vat IS NOT NULL AND (plan_id != '' OR payer = 'company')
                                ) AS s
                                LEFT ANY JOIN
                                (
                                    SELECT
                                        tenant, session_id,
                                        sumIf(amount_excl_vat, dimension = 'ENERGY' AND NOT reservation) AS energy_excl,
                                        sumIf(amount_incl_vat, dimension = 'ENERGY' AND NOT reservation) AS energy_incl,
                                        sumIf(amount_excl_vat, dimension = 'DISCOUNT') AS discount_excl,
                                        sumIf(amount_incl_vat, dimension = 'DISCOUNT') AS discount_incl,
                                        sumIf(amount_excl_vat, dimension != 'DISCOUNT') AS before_excl,
                                        sumIf(amount_incl_vat, dimension != 'DISCOUNT') AS before_incl
                                    FROM mart.session_charges
                                    WHERE (tenant, session_id) IN (SELECT tenant, session_id FROM ${db}.sessions WHERE plan_id != '')
                                    GROUP BY tenant, session_id
                                ) AS c ON c.tenant = s.tenant AND c.session_id = s.session_id
                                LEFT ANY JOIN
                                (
                                    SELECT
                                        tenant, plan_id, any(time_zone) AS zone, any(ends_at) AS ended,
                                        arraySort(groupArray((valid_from_local, currency, ifNull(toInt256(included_wh * 1000), -1), ifNull(toInt256(included_sessions), -1), ifNull(micro(cap_incl_vat), -1)))) AS versions
                                    FROM mart.plan_terms GROUP BY tenant, plan_id
                                ) AS p ON p.tenant = s.tenant AND p.plan_id = s.plan_id
                                LEFT ANY JOIN
                                (
                                    SELECT
                                        tenant, company_id, any(time_zone) AS zone,
                                        arraySort(groupArray((valid_from_local, currency, ifNull(micro(driver_limit_incl_vat), -1), ifNull(micro(limit_incl_vat), -1), micro(share_percent)))) AS versions
                                    FROM mart.company_terms GROUP BY tenant, company_id
                                ) AS r ON r.tenant = s.tenant AND r.company_id = if(s.payer = 'company', s.payer_id, '')
                            )
                            WINDOW plan AS (PARTITION BY tenant, planned, who, plan_id, month ORDER BY at, id ROWS UNBOUNDED PRECEDING)
                        )
                        WINDOW plan AS (PARTITION BY tenant, planned, who, plan_id, month ORDER BY at, id ROWS UNBOUNDED PRECEDING)
                    )
                )
                WINDOW plan AS (PARTITION BY tenant, planned, who, plan_id, month ORDER BY at, id ROWS UNBOUNDED PRECEDING)
            )
        )
        WINDOW driver AS (PARTITION BY tenant, by_company, payer_id, who, company_month ORDER BY at, id ROWS UNBOUNDED PRECEDING)
    )
    WINDOW company AS (PARTITION BY tenant, by_company, payer_id, company_month ORDER BY at, id ROWS UNBOUNDED PRECEDING)
)
COMMENT 'How plans and companies change what priced sessions cost: one row a session that has a plan or that a company pays'
