"""What every ClickHouse does over HTTP, on the embedded store or on a server."""

from __future__ import annotations

import asyncio
import gzip
import http.client
import json
import shutil
import subprocess
import threading
import uuid
import zlib
from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from urllib.parse import urlencode

import clickhouse_connect
import lz4.frame
import pyarrow as pa
import pytest
import zstandard
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError, StreamFailureError

from tests.embedded.conftest import StoreUnderTest

pytestmark = pytest.mark.integration

ROW = [
    Decimal("123456789012.345"),
    datetime(2026, 3, 29, 1, 59, 59, 999000, tzinfo=UTC),
    uuid.UUID("00112233-4455-6677-8899-aabbccddeeff"),
    None,
    {"größe": 9_007_199_254_740_993},
    ["", "it's\t\\"],
    "Öl",
]
COLUMNS = ["d", "ts", "u", "n", "m", "a", "lc"]
TYPES = (
    "d Decimal(18, 3), ts DateTime64(3, 'UTC'), u UUID, n Nullable(Int32), m Map(String, Int64),"
    " a Array(String), lc LowCardinality(String)"
)


def ask(
    store: StoreUnderTest,
    statement: str = "",
    body: bytes | Iterable[bytes] = b"",
    headers: dict[str, str] | None = None,
    method: str = "POST",
    **params: str,
) -> tuple[int, dict[str, str], bytes]:
    """One request as plain as can be: status, headers in lower case, body."""
    query = urlencode({**params, **({"query": statement} if statement else {})})
    rights = {"X-ClickHouse-User": store.user, "X-ClickHouse-Key": store.password}
    with closing(http.client.HTTPConnection(store.host, store.port, timeout=30)) as connection:
        connection.request(method, f"/?{query}", body, {**rights, **(headers or {})})
        answer = connection.getresponse()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()


def make(client: Client, name: str, columns: str = TYPES) -> str:
    order = columns.split(maxsplit=1)[0]
    client.command(f"CREATE TABLE {name} ({columns}) ENGINE = MergeTree ORDER BY {order}")
    return name


def test_ping_and_the_bare_root_answer_ok(store: StoreUnderTest) -> None:
    for path in ("/ping", "/"):
        with closing(http.client.HTTPConnection(store.host, store.port)) as connection:
            connection.request("GET", path)
            assert connection.getresponse().read() == b"Ok.\n"


def test_an_unknown_path_is_not_found(store: StoreUnderTest) -> None:
    with closing(http.client.HTTPConnection(store.host, store.port)) as connection:
        connection.request("GET", "/nowhere")
        assert connection.getresponse().status == 404


def test_native_rows_come_back_as_they_went_in(client: Client, table: str) -> None:
    make(client, table)
    summary = client.insert(table, [ROW], column_names=COLUMNS)
    assert summary.written_rows == 1
    [(d, ts, u, n, m, a, lc)] = client.query(f"SELECT * FROM {table}").result_rows
    assert (d, ts.replace(tzinfo=UTC), u, n, m, a, lc) == tuple(ROW)


@pytest.mark.parametrize("compress", ["lz4", "zstd", "gzip", False])
def test_the_client_chooses_how_inserts_and_results_are_compressed(
    store: StoreUnderTest, client: Client, table: str, compress: str | bool
) -> None:
    make(client, table, "n Int64, s String")
    with closing(store.client(compress=compress)) as compressing:
        compressing.insert(table, [[n, f"{n:060}"] for n in range(20_000)], column_names=["n", "s"])
        rows = compressing.query(f"SELECT sum(n), count() FROM {table}").result_rows
        assert rows == [(199_990_000, 20_000)]
        assert len(compressing.query(f"SELECT s FROM {table}").result_rows) == 20_000


def test_arrow_goes_both_ways(client: Client, table: str) -> None:
    make(client, table, "n Int64, w Decimal(18, 3), ts DateTime64(3, 'UTC')")
    sent = pa.table({
        "n": pa.array([1, 2, 3]),
        "w": pa.array([Decimal(w) for w in ("0.001", "-1.500", "99.000")], pa.decimal128(18, 3)),
        "ts": pa.array([0, 1, 1_790_000_000_123], pa.timestamp("ms", "UTC")),
    })  # fmt: skip
    assert client.insert_arrow(table, sent).written_rows == 3
    got = client.query_arrow(f"SELECT * FROM {table} ORDER BY n")
    assert got.to_pylist() == sent.to_pylist()


def test_parameters_are_values_and_never_statement_text(client: Client) -> None:
    hostile = "x' OR '1'='1\t\\"
    rows = client.query(
        "SELECT {s:String}, {n:Int64} + 1, {d:DateTime64(3)}, {l:Array(String)}",
        parameters={"s": hostile, "n": -5, "d": datetime(2026, 1, 1), "l": ["a'b"]},
    ).result_rows
    assert rows == [(hostile, -4, datetime(2026, 1, 1), ["a'b"])]


def test_a_missing_parameter_is_said(store: StoreUnderTest) -> None:
    status, headers, body = ask(store, "SELECT {a:UInt8}")
    assert headers["x-clickhouse-exception-code"] == "456"
    assert status >= 400
    assert b"Substitution `a` is not set" in body


@pytest.mark.parametrize(
    ("statement", "code", "status"),
    [
        ("SELEC 1", 62, 400),
        ("SELECT * FROM no_such_table", 60, 404),
        ("SELECT no_such_column", 47, 404),
        ("SELECT no_such_function(1)", 46, 404),
        ("SELECT * FROM no_such_db.t", 81, 404),
        ("SELECT 1 FORMAT NoSuchFormat", 73, 404),
        ("SELECT 1 SETTINGS no_such_setting = 1", 115, 404),
        ("SELECT throwIf(1)", 395, 500),
        ("SELECT 1; SELECT 2", 62, 400),
    ],
)
def test_errors_carry_clickhouse_s_code_and_status(
    store: StoreUnderTest, statement: str, code: int, status: int
) -> None:
    got, headers, body = ask(store, body=statement.encode())
    assert (got, headers["x-clickhouse-exception-code"]) == (status, str(code))
    assert body.decode().startswith(f"Code: {code}. DB::Exception: ")


def test_a_slow_statement_ends_at_its_time_limit(store: StoreUnderTest) -> None:
    statement = "SELECT count() FROM numbers(100000000000) WHERE sipHash64(number) = 1"
    status, headers, _ = ask(store, statement, max_execution_time="0.3")
    assert (status, headers["x-clickhouse-exception-code"]) == (408, "159")


def test_a_setting_counts_for_its_request_only(store: StoreUnderTest) -> None:
    text = "SELECT toInt64(1) AS n FORMAT JSONEachRow"
    assert ask(store, text, output_format_json_quote_64bit_integers="1")[2] == b'{"n":"1"}\n'
    assert ask(store, text, output_format_json_quote_64bit_integers="0")[2] == b'{"n":1}\n'
    status, headers, _ = ask(store, text, no_such_setting="1")
    assert (status, headers["x-clickhouse-exception-code"]) == (404, "115")


def test_the_default_format_comes_from_url_header_or_is_tab_separated(
    store: StoreUnderTest,
) -> None:
    assert ask(store, "SELECT 1, 'a'")[2] == b"1\ta\n"
    assert ask(store, "SELECT 1, 'a'", default_format="CSV")[2] == b'1,"a"\n'
    answer = ask(store, "SELECT 1, 'a'", headers={"X-ClickHouse-Format": "JSONCompactEachRow"})
    assert answer[2] == b'[1, "a"]\n'
    assert answer[1]["x-clickhouse-format"] == "JSONCompactEachRow"


def test_the_statement_may_be_split_between_url_and_body(store: StoreUnderTest) -> None:
    assert ask(store, "SELECT", b"2 + 2")[2] == b"4\n"


def test_get_reads_and_does_not_write(store: StoreUnderTest) -> None:
    assert ask(store, "SELECT 7", method="GET")[2] == b"7\n"
    _, headers, _ = ask(store, "CREATE TABLE never (a Int8) ENGINE = Memory", method="GET")
    assert headers["x-clickhouse-exception-code"] == "164"


def test_the_answer_says_what_was_read_and_in_which_zone(store: StoreUnderTest) -> None:
    _, headers, _ = ask(store, "SELECT count() FROM numbers(1000)", query_id="my-query-1")
    assert headers["x-clickhouse-query-id"] == "my-query-1"
    assert headers["x-clickhouse-timezone"] == "UTC"
    assert headers["x-clickhouse-format"] == "TabSeparated"
    assert json.loads(headers["x-clickhouse-summary"]).keys() >= {"read_rows", "written_rows"}


def test_a_session_keeps_temporary_tables_and_settings(client: Client) -> None:
    client.command("CREATE TEMPORARY TABLE mine (a Int32)")
    client.command("INSERT INTO mine VALUES (7)")
    client.command("SET output_format_json_quote_64bit_integers = 1")
    assert client.query("SELECT a FROM mine").result_rows == [(7,)]
    assert client.raw_query("SELECT toInt64(1) AS n", fmt="JSONEachRow") == b'{"n":"1"}\n'


DATA: list[tuple[str, bytes]] = [
    ("CSV", b'1,"a"\n2,"b"\n'),
    ("CSVWithNames", b'"n","s"\n1,"a"\n2,"b"\n'),
    ("TSV", b"1\ta\n2\tb\n"),
    ("JSONEachRow", b'{"n":1,"s":"a"}\n{"n":2,"s":"b"}'),
    ("JSONCompactEachRow", b'[1,"a"]\n[2,"b"]'),
    ("Values", b"(1,'a'),(2,'b')"),
    ("RowBinary", b"\1\0\0\0\1a\2\0\0\0\1b"),
]


@pytest.mark.parametrize(("fmt", "data"), DATA)
@pytest.mark.parametrize("placement", ["url", "body", "chunked"])
def test_data_follow_the_statement_in_url_or_body(
    store: StoreUnderTest, client: Client, table: str, fmt: str, data: bytes, placement: str
) -> None:
    make(client, table, "n Int32, s String")
    statement = f"INSERT INTO {table} (n, s) " + ("VALUES" if fmt == "Values" else f"FORMAT {fmt}")
    if placement == "url":
        status, _, body = ask(store, statement, data)
    else:
        whole = f"{statement}\n".encode() + data
        pieces = [whole[at : at + 7] for at in range(0, len(whole), 7)]
        status, _, body = ask(store, body=whole if placement == "body" else iter(pieces))
    assert (status, body) == (200, b"")
    assert client.query(f"SELECT n, s FROM {table} ORDER BY n").result_rows == [(1, "a"), (2, "b")]


@pytest.mark.parametrize("fmt", ["Native", "Arrow", "ArrowStream", "Parquet", "ORC"])
def test_a_result_in_a_binary_format_can_be_inserted_again(
    store: StoreUnderTest, client: Client, table: str, fmt: str
) -> None:
    make(client, table, "n UInt64")
    _, _, data = ask(store, f"SELECT number AS n FROM numbers(100000) FORMAT {fmt}")
    assert ask(store, f"INSERT INTO {table} FORMAT {fmt}", data)[0] == 200
    assert ask(store, body=f"INSERT INTO {table} FORMAT {fmt}\n".encode() + data)[0] == 200
    rows = client.query(f"SELECT count(), sum(n) FROM {table}").result_rows
    assert rows == [(200_000, 2 * 4_999_950_000)]


@pytest.mark.parametrize(
    ("encoding", "squeeze"),
    [
        ("gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("zstd", zstandard.compress),
        ("lz4", lz4.frame.compress),
    ],
)
def test_bodies_and_answers_are_compressed_as_the_headers_say(
    store: StoreUnderTest, client: Client, table: str, encoding: str, squeeze: object
) -> None:
    assert callable(squeeze)
    make(client, table, "n Int32")
    lines = b"".join(b"%d\n" % n for n in range(100_000))
    whole = squeeze(f"INSERT INTO {table} FORMAT CSV\n".encode() + lines)
    assert ask(store, body=whole, headers={"Content-Encoding": encoding})[0] == 200
    statement = f"SELECT n FROM {table} ORDER BY n FORMAT CSV"
    _, headers, body = ask(
        store, statement, headers={"Accept-Encoding": encoding}, enable_http_compression="1"
    )
    assert headers["content-encoding"] == encoding
    opened = {
        "gzip": gzip.decompress,
        "deflate": zlib.decompress,
        "zstd": lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data),
        "lz4": lz4.frame.decompress,
    }[encoding](body)
    assert opened == lines


def test_a_bad_row_refuses_the_whole_insert(
    store: StoreUnderTest, client: Client, table: str
) -> None:
    make(client, table, "n Int32")
    status, headers, _ = ask(store, f"INSERT INTO {table} FORMAT CSV", b"1\n2\nthree\n")
    assert status == 400
    assert headers["x-clickhouse-exception-code"] in {"27", "117"}
    assert client.query(f"SELECT count() FROM {table}").result_rows == [(0,)]


def test_an_insert_sent_twice_under_one_token_counts_once(client: Client, table: str) -> None:
    client.command(
        f"CREATE TABLE {table} (n Int32) ENGINE = MergeTree ORDER BY n"
        " SETTINGS non_replicated_deduplication_window = 100"
    )
    for _ in range(3):
        client.insert(
            table, [[1], [2]], ["n"], settings={"insert_deduplication_token": f"{table}:0-1"}
        )
    assert client.query(f"SELECT count() FROM {table}").result_rows == [(2,)]


def test_a_long_result_streams_and_is_whole(client: Client) -> None:
    with client.query_row_block_stream("SELECT number FROM numbers(1500000)") as blocks:
        sizes = [len(block) for block in blocks]
    assert sum(sizes) == 1_500_000
    assert len(sizes) > 5


def test_an_error_in_the_middle_of_a_stream_is_seen(client: Client) -> None:
    statement = "SELECT number, throwIf(number = 900000) FROM numbers(1000000)"
    with (
        pytest.raises(StreamFailureError, match="395"),
        client.query_row_block_stream(statement) as blocks,
    ):
        for _ in blocks:
            pass


def test_readers_and_writers_work_side_by_side(store: StoreUnderTest, table: str) -> None:
    with closing(store.client()) as maker:
        make(maker, table, "n Int64")
    seen: list[int] = []
    failures: list[BaseException] = []

    def write(start: int) -> None:
        with closing(store.client()) as writer:
            for turn in range(5):
                first = (start * 5 + turn) * 2000
                writer.insert(table, [[n] for n in range(first, first + 2000)], ["n"])

    def read() -> None:
        with closing(store.client()) as reader:
            for _ in range(20):
                [(count, total)] = reader.query(f"SELECT count(), sum(n) FROM {table}").result_rows
                assert count % 2000 == 0, "half an insert was seen"
                seen.append(count or total)

    def guarded(work: object, *arguments: object) -> None:
        assert callable(work)
        try:
            work(*arguments)
        except BaseException as error:  # noqa: BLE001
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(write, n)) for n in range(3)]
    threads += [threading.Thread(target=guarded, args=(read,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    with closing(store.client()) as reader:
        rows = reader.query(f"SELECT count(), sum(n), uniqExact(n) FROM {table}").result_rows
    assert rows == [(30_000, 449_985_000, 30_000)]


def test_the_async_client_runs_statements_at_once(store: StoreUnderTest) -> None:
    async def together() -> list[int]:
        opened = await clickhouse_connect.get_async_client(
            host=store.host, port=store.port, username=store.user, password=store.password,
            autogenerate_session_id=False,
        )  # fmt: skip
        answers = await asyncio.gather(*(opened.query(f"SELECT {n}") for n in range(8)))
        await opened.close()
        return [answer.result_rows[0][0] for answer in answers]

    pytest.importorskip("aiohttp")
    assert asyncio.run(together()) == list(range(8))


def test_refused_statements_say_so_through_the_client(client: Client) -> None:
    with pytest.raises(DatabaseError, match="UNKNOWN_TABLE"):
        client.query("SELECT * FROM no_such_table")


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl_reads_writes_and_uncompresses(
    store: StoreUnderTest, client: Client, table: str
) -> None:
    def curl(*arguments: str, data: bytes = b"") -> bytes:
        rights = f"{store.user}:{store.password}"
        line = ["curl", "-sS", "--fail-with-body", "-u", rights, *arguments]
        return subprocess.run(line, input=data, capture_output=True, check=True).stdout

    make(client, table, "n Int32, s String")
    url = f"{store.url}/?" + urlencode({"query": f"INSERT INTO {table} FORMAT CSV"})
    curl(url, "--data-binary", "@-", data=b"1,x\n2,y\n")
    curl(store.url, "-d", f"INSERT INTO {table} VALUES (3, 'z')")
    got = curl("--compressed", store.url, "-d", f"SELECT * FROM {table} ORDER BY n FORMAT CSV")
    assert got == b'1,"x"\n2,"y"\n3,"z"\n'
    asked = urlencode({"query": f"SELECT s FROM {table} WHERE n = {{n:Int32}}", "param_n": "2"})
    assert curl(f"{store.url}/?{asked}") == b"y\n"
