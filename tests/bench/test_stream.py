"""The benchmark's stream: what it promises, and that its two answers agree."""

from __future__ import annotations

import hashlib
import json
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.answer import Answer, expected
from bench.job_b import expected as expected_b
from bench.peers import summary
from bench.stitch import StitchWorker, epoch_ms
from bench.stock import Stitched
from bench.stream import ENDED, STARTED, Stream, job_a, job_b, make
from streams.chunk import Chunk, TopicPartition
from streams.decode import decode_chunk

EVENTS = 20_000


@pytest.fixture(scope="module")
def stream() -> Stream:
    return make(EVENTS)


def stitched(values: list[bytes], sizes: list[int]) -> Answer:
    """What the columnar worker counts when the values come in chunks of these sizes."""
    worker, at, turn = StitchWorker(flush_events=3_000), 0, 0
    while at < len(values):
        part = values[at : at + sizes[turn % len(sizes)]]
        turn += 1
        at += len(part)
        tp = TopicPartition("t", turn % 4)
        worker.accept(Chunk(tp, range(len(part)), part, [None] * len(part), at), turn)
        if worker.wants_flush(turn):
            batch = worker.prepare(turn)
            assert batch is not None
            worker.done(batch, turn)
    return worker.answer()


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    digests = []
    for seed in (7, 7, 8):
        digest = hashlib.sha256()
        for key, value in job_a(make(2_000, seed)):
            digest.update(key + value)
        digests.append(digest.digest())
    assert digests[0] == digests[1] != digests[2]


def test_a_stream_has_exactly_the_events_asked_for_of_the_size_told(stream: Stream) -> None:
    for form in (job_a, job_b):
        values = [value for _, value in form(stream)]
        assert len(values) == stream.events == EVENTS
        assert 230 < sum(map(len, values)) / EVENTS < 290


def test_sessions_are_whole_and_go_on_in_time_and_register(stream: Stream) -> None:
    for begin, end in zip(stream.first[:-1], stream.first[1:], strict=True):
        kinds = stream.kind[begin:end].tolist()
        assert (kinds[0], kinds[-1]) == (STARTED, ENDED)
        assert set(kinds[1:-1]) <= {1}
        assert stream.seq[begin:end].tolist() == list(range(end - begin))
        assert (stream.time[begin + 1 : end] > stream.time[begin : end - 1]).all()
        assert (stream.register[begin + 1 : end] >= stream.register[begin : end - 1]).all()


def test_a_stations_sessions_do_not_overlap_and_its_register_goes_on(stream: Stream) -> None:
    over: dict[int, tuple[int, int]] = {}
    for session, station in enumerate(stream.station.tolist()):
        begin, end = stream.first[session], stream.first[session + 1] - 1
        if station in over:
            assert over[station][0] < stream.time[begin]
            assert over[station][1] == stream.register[begin]
        over[station] = (stream.time[end], stream.register[end])


def test_one_event_in_a_hundred_comes_twice_and_some_come_late(stream: Stream) -> None:
    times = Counter(stream.order.tolist())
    assert set(times) == set(range(len(stream.session)))
    assert sum(times.values()) - len(times) == pytest.approx(EVENTS / 100, rel=0.2)
    newest: dict[int, int] = {}
    seen: set[int] = set()
    late = 0
    for row in stream.order.tolist():
        session, seq = int(stream.session[row]), int(stream.seq[row])
        late += row not in seen and seq < newest.get(session, -1)
        newest[session] = max(seq, newest.get(session, -1))
        seen.add(row)
    assert 0.002 < late / EVENTS < 0.01


def test_each_session_stays_on_its_stations_key(stream: Stream) -> None:
    for key, value in job_a(stream):
        assert json.loads(value)["station_id"].encode() == key


def test_the_product_takes_every_event_of_job_b(stream: Stream) -> None:
    pairs = list(job_b(stream))
    chunk = Chunk(
        TopicPartition("charging.events", 0),
        range(len(pairs)),
        [value for _, value in pairs],
        [key for key, _ in pairs],
        len(pairs),
    )
    decoded = decode_chunk(chunk)
    assert not decoded.dead
    assert len(decoded.events) == EVENTS
    assert expected_b(stream)["sessions"] == len({e.transaction_id for e in decoded.events})


@settings(max_examples=20, deadline=None)
@given(sizes=st.lists(st.integers(1, 5_000), min_size=1, max_size=5))
def test_the_columnar_worker_counts_as_the_plain_pass_in_any_chunks(sizes: list[int]) -> None:
    stream = make(5_000, seed=sum(sizes) % 50)
    assert stitched([value for _, value in job_a(stream)], sizes) == expected(stream)


def test_the_columnar_worker_counts_as_the_plain_pass(stream: Stream) -> None:
    values = [value for _, value in job_a(stream)]
    assert stitched(values, [4_000]) == expected(stream)
    assert stitched(values[::-1], [777]) == expected(stream)


def test_what_stock_faust_runs_counts_the_same(stream: Stream) -> None:
    work, worker = Stitched(), StitchWorker()
    for _, value in job_a(stream):
        work.add(worker.decode(value))
    assert Answer(**work.answer()) == expected(stream)


def test_time_stamps_are_read_exactly_and_other_forms_refused() -> None:
    texts = ["1970-01-01T00:00:00.000Z", "2024-02-29T23:59:59.999Z", "2026-12-31T12:00:00.001Z"]
    assert epoch_ms(texts).tolist() == [0, 1_709_251_199_999, 1_798_718_400_001]
    for wrong in ("2026-03-01T00:00:00.0000Z", "2026-03-01 00:00:00.000Z", "2026-03-01T00:00:00Z"):
        with pytest.raises(ValueError, match="form"):
            epoch_ms([wrong])


def test_a_peers_figures_are_medians_and_one_wrong_run_makes_it_wrong() -> None:
    rows = [
        {"evs": evs, "cpu_per_m": cpu, "maxrss_mb": 10, "right": right}
        for evs, cpu, right in ((10, 3.0, True), (30, 1.0, False), (20, 2.0, True))
    ]
    found = summary(rows)
    assert (found["events_per_s"], found["cpu_s_per_million"], found["right"]) == (20, 2.0, False)
