"""What a statement without rights may and may not say; the engine runs none of these here."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from laddstream.embedded.guard import GuardError, check_setting, check_statement

HOSTILE = [
    "SELECT file('/etc/passwd')",
    "select File('/etc/passwd')",
    "SELECT `file`('/etc/passwd')",
    "SELECT \"file\" /* */ ('/etc/passwd')",
    "SELECT `fi\\x6ce`('/etc/passwd')",
    "SELECT * APPLY file FROM (SELECT '/etc/passwd')",
    "SELECT * APPLY(file) FROM (SELECT '/etc/passwd')",
    "SELECT arrayMap(file, ['/etc/passwd'])",
    "SELECT arrayMap(x -> file(x), ['/etc/passwd'])",
    "WITH (SELECT file('/etc/passwd')) AS x SELECT x",
    "DESCRIBE TABLE file('/etc/passwd')",
    "DESC fileCluster('c', '/etc/passwd')",
    "EXPLAIN SELECT * FROM file('/etc/passwd', 'TSV', 'a String')",
    "SELECT 1 INTO OUTFILE '/tmp/x'",
    "SELECT 1 INTO/**/OUTFILE '/tmp/x' FORMAT CSV",
    "SELECT 1 into outfile '/tmp/x' TRUNCATE",
    "SELECT * FROM merge('db', '^t$')",
    "SELECT * FROM mergeTreeIndex('db', 't')",
    "SELECT * FROM `mergeTreeIndex`('db', 't')",
    "SELECT * FROM mergeTreeProjection('db', 't', 'p')",
    "SELECT * FROM url('http://127.0.0.1:1/')",
    "SELECT * FROM urlCluster('c', 'http://127.0.0.1:1/')",
    "SELECT * FROM s3('http://x/y')",
    "SELECT * FROM S3Cluster('c', 'http://x/y')",
    "SELECT * FROM gcs('http://x/y')",
    "SELECT * FROM remote('127.0.0.1', system.one)",
    "SELECT * FROM remoteSecure('127.0.0.1', system.one)",
    "SELECT * FROM cluster('default', system.one)",
    "SELECT * FROM clusterAllReplicas('default', system.one)",
    "SELECT * FROM mysql('h:1', 'd', 't', 'u', 'p')",
    "SELECT * FROM postgresql('h:1', 'd', 't', 'u', 'p')",
    "SELECT * FROM sqlite('/tmp/x', 't')",
    "SELECT * FROM mongodb('h', 'd', 'c', 'u', 'p', 's')",
    "SELECT * FROM odbc('d', 's', 't')",
    "SELECT * FROM executable('cat /etc/passwd', 'TSV', 'a String')",
    "SELECT * FROM python(x)",
    "SELECT * FROM Python('x')",
    "SELECT * FROM arrowstream(1)",
    "SELECT * FROM icebergLocal('/tmp')",
    "SELECT * FROM deltaLakeLocal('/tmp')",
    "SELECT * FROM hdfs('hdfs://x', 'TSV', 'a String')",
    "SELECT * FROM eval('SELECT 1')",
    "SELECT * FROM loop(system.one)",
    "SELECT 1 IN file('/x', 'TSV', 'a UInt8')",
    "SELECT aiGenerate('x')",
    "SELECT AIClassify('x')",
    "SELECT * FROM system.stack_trace",
    "INSERT INTO t VALUES (1)",
    "/* SELECT */ INSERT INTO t VALUES (1)",
    "-- SELECT 1\nDROP TABLE t",
    "WITH 1 AS x INSERT INTO t SELECT x",
    "EXPLAIN INSERT INTO t SELECT 1",
    "DROP TABLE t",
    "CREATE TABLE t (a Int8) ENGINE = Memory",
    "CREATE USER u",
    "CREATE ROW POLICY p ON t USING 1",
    "CREATE QUOTA q",
    "CREATE SETTINGS PROFILE p",
    "CREATE TEMPORARY TABLE t (a Int8)",
    "ALTER TABLE t DELETE WHERE 1",
    "DELETE FROM t WHERE 1",
    "UPDATE t SET a = 1 WHERE 1",
    "TRUNCATE TABLE t",
    "RENAME TABLE t TO u",
    "OPTIMIZE TABLE t FINAL",
    "SYSTEM SHUTDOWN",
    "KILL QUERY WHERE 1",
    "USE system",
    "SET readonly = 0",
    "GRANT ALL ON *.* TO default",
    "EXECUTE AS admin SELECT 1",
    "BACKUP DATABASE default TO File('/tmp/x')",
    "ATTACH DATABASE d ENGINE = Filesystem",
    "SELECT 1; SELECT 2",
    "SELECT 1;DROP TABLE t",
    "SELECT 1 -- \n; DROP TABLE t",
    "SELECT ‘a’ ’ FROM t",
    "SELECT 'unclosed",
    "SELECT /* unclosed",
    "SELECT `unclosed",
    "",
    "   -- nothing",
    "garbage",
    "1 + 1",
]

GOOD = [
    "SELECT 1",
    "  select 1 ;  ",
    "(SELECT 1) UNION ALL (SELECT 2)",
    "FROM system.one SELECT *",
    "WITH 1 AS x SELECT x",
    "SELECT * FROM mart.sessions WHERE area = 'file' LIMIT 10 FORMAT JSON",
    "SELECT 'INTO OUTFILE ; DROP TABLE t', '-- no comment', '/* nor this'",
    "SELECT 'it''s', 'it\\'s; file(1)'",
    "SELECT $x$ file('/etc/passwd'); $x$",
    'SELECT energy_wh / 1000 AS "kWh / day" FROM mart.sessions',
    "SELECT sum(amount_incl_vat) AS `Umsatz (brutto)` FROM mart.sessions",
    "SELECT deltaSum(number), fuzzBits('a', 0.1), format('{}', 1) FROM numbers(10)",
    "SELECT URLHash('http://x'), URLHierarchy('http://x/y'), filesystemAvailable()",
    "SELECT url FROM t WHERE merge = 1",
    "SELECT now() -- a remark; DROP TABLE t",
    "SELECT 1 /* ; */",
    "SHOW TABLES FROM mart",
    "SHOW CREATE TABLE mart.sessions",
    "DESCRIBE TABLE mart.sessions",
    "DESC mart.sessions",
    "EXISTS TABLE mart.sessions",
    "EXPLAIN PIPELINE SELECT 1",
    "SELECT name, value FROM system.settings WHERE name LIKE '%file%'",
    "SELECT {name:String}, {n:UInt8}",
    "SELECT 'Größe' AS x",
]


@pytest.mark.parametrize("statement", HOSTILE)
def test_a_hostile_statement_is_refused(statement: str) -> None:
    with pytest.raises(GuardError) as refused:
        check_statement(statement)
    assert refused.value.code in {62, 164}


@pytest.mark.parametrize("statement", GOOD)
def test_a_reading_statement_passes(statement: str) -> None:
    check_statement(statement)


def test_a_statement_above_the_size_limit_is_refused() -> None:
    with pytest.raises(GuardError, match="256 KiB"):
        check_statement("SELECT '" + "x" * 300_000 + "'")


@pytest.mark.parametrize(
    "name",
    ["readonly", "max_execution_time", "max_threads", "output_format_json_quote_64bit_integers",
     "join_use_nulls", "session_timezone", "date_time_output_format", "extremes"],
)  # fmt: skip
def test_a_harmless_setting_passes(name: str) -> None:
    check_setting(name)


@pytest.mark.parametrize(
    "name",
    ["output_format_schema", "format_schema", "format_template_row", "format_schema_source",
     "user_files_path", "allow_experimental_eval_table_function", "allow_ddl", "no_such",
     "allow_introspection_functions", "max_threads; DROP TABLE t", "max_insert_threads"],
)  # fmt: skip
def test_a_setting_that_opens_a_door_is_refused(name: str) -> None:
    with pytest.raises(GuardError):
        check_setting(name)


@given(st.text(alphabet="ab1 '\"`\\$-/*#;().,\n", max_size=40))
def test_whatever_the_text_a_call_of_file_behind_it_is_found(text: str) -> None:
    """Either the call is inside quotes or a comment that our reading closes, or it is refused."""
    try:
        check_statement(f"SELECT {text} , file('/etc/passwd')")
    except GuardError:
        return
    assert set(text) & set("'\"`$-/#"), "nothing could hide the call"
