"""A live fleet: every charge point reports once a second, sessions of 24 s begin and end all along.

python -m bench.fleet BOOTSTRAP TOPIC RATE SECONDS     prints one JSON line

So many charge points as events a second. All values are written before the first is due; then a
hundredth of them leaves every 10 ms. Told are the rate that was reached, and when the sessions of
the marked stations were said to have begun and ended.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator

import numpy as np
from confluent_kafka import Producer

REPORTS = 24
"""Events of a session: its start, 22 samples, its end."""

MARKED_EVERY = 100
MARK = "MARK-"
WARM_S = 3
"""At the very beginning all sessions begin at once: what happens then is not counted."""

_GROUPS = 100
_RENDER_S = 8e-6
_LEAD_S = 1.0


def station(point: int) -> str:
    """Name of a charge point; the marked ones lie together."""
    return f"{MARK}{point:07d}" if point % MARKED_EVERY == 0 else f"LIVE-{point:07d}"


def said(point: int, second: int) -> tuple[int, int, bool]:
    """What a charge point says in a second: session, number of the event, whether it ends.

    The first sessions are of all lengths, so that later ones begin and end evenly.
    """
    phase = second + point % (REPORTS - 1)
    session, place = divmod(phase, REPORTS)
    number = second if session == 0 else place
    return session, number, place == REPORTS - 1


def values(points: int, seconds: int, begin_ms: int) -> Iterator[list[tuple[bytes, bytes]]]:
    """Keys and values of each 10 ms, in order."""
    names = [station(point).encode() for point in range(points)]
    per_group = -(-points // _GROUPS)
    for second in range(seconds):
        for group in range(_GROUPS):
            at = begin_ms + second * 1000 + group * (1000 // _GROUPS)
            stamp = str(np.datetime64(at, "ms")).encode() + b"Z"
            chosen = range(group * per_group, min(points, (group + 1) * per_group))
            yield [_record(names[point], point, second, stamp) for point in chosen]


def _record(name: bytes, point: int, second: int, stamp: bytes) -> tuple[bytes, bytes]:
    session, number, over = said(point, second)
    register = point * 10 + second * 3
    if number == 0:
        kind, rest = (
            b"session_started",
            b'"id_token":"TOK%07d","meter_start_wh":%d'
            % (
                point,
                register,
            ),
        )
    elif over:
        kind, rest = b"session_ended", b'"meter_stop_wh":%d' % register
    else:
        kind, rest = b"meter_sampled", b'"import_wh":%d,"power_w":11000' % register
    return b"default/" + name, (
        b'{"type":"%s","tenant":"default","station_id":"%s","protocol":"ocpp2.0.1","evse_id":1,'
        b'"connector_id":1,"transaction_id":"%s-%d","timestamp":"%s","seq_no":%d,%s}'
        % (kind, name, name, session, stamp, number, rest)
    )


def main(bootstrap: str, topic: str, rate: int, seconds: int) -> None:
    """Publish the fleet's events at their time."""
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "compression.type": "lz4",
            "linger.ms": 5,
            "partitioner": "murmur2_random",
            "queue.buffering.max.messages": 1_000_000,
        }
    )
    begin = time.time() + rate * seconds * _RENDER_S + _LEAD_S
    ready = list(values(rate, seconds, int(begin * 1000)))
    sent_at, late = [], 0.0
    for number, group in enumerate(ready):
        pause = begin + number / _GROUPS - time.time()
        if pause > 0:
            time.sleep(pause)
        late = max(late, -pause)
        sent_at.append(time.time())
        for key, value in group:
            producer.produce(topic, value, key)
        producer.poll(0)
    lost = producer.flush(60)
    took = time.time() - sent_at[0]
    out = {
        "rate": round(rate * seconds / took),
        "late_s": round(late, 3),
        "lost": lost,
        "marks": marks(rate, seconds, sent_at),
    }
    print(json.dumps(out), flush=True)


def marks(points: int, seconds: int, sent_at: list[float]) -> dict[str, dict[str, float]]:
    """When starts and ends of marked sessions were published, by transaction id."""
    found: dict[str, dict[str, float]] = {"new": {}, "ended": {}}
    per_group = -(-points // _GROUPS)
    for point in range(0, points, MARKED_EVERY):
        for second in range(WARM_S, seconds):
            session, number, over = said(point, second)
            if number == 0 or over:
                at = sent_at[second * _GROUPS + point // per_group]
                found["ended" if over else "new"][f"{station(point)}-{session}"] = at
    return found


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
