"""Sessions priced per CPU second on one core, beside the test oracle on the same sessions.

    python -m bench.pricing [--sessions 2000] [--out build/bench-pricing.json]

A session has 25 samples with power and current, charges for four hours and stands for forty
minutes. Counted is everything between its facts and its rows: its stretches, the price, the
amounts of its quarter hours. Asked are a plain tariff (energy and a start fee) and each tariff of
../shared/data, of which the slowest is told; without that folder only the plain one.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import time
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from schemas.units import SLICE_MS
from streams.core.derive import derive
from streams.core.events import (
    CURRENT,
    ENDED,
    SAMPLE,
    STARTED,
    STATE,
    Ended,
    Sample,
    Started,
    StateChanged,
)
from streams.core.facts import Facts
from streams.core.ocpi.tariffs import read_tariff
from streams.core.pricing.accrual import accrue
from streams.core.pricing.compiled import Compiled, compile_tariff
from streams.core.pricing.engine import price
from streams.core.pricing.priced import MICRO, Money
from streams.core.slices import Slice, slice_session
from streams.session_usage import usage_of_facts
from tests.oracle.price_oracle import Oracle, Session, Stretch, rounded

ZONE = ZoneInfo("Europe/Stockholm")
PLAIN = {
    "id": "plain",
    "currency": "SEK",
    "elements": [
        {
            "price_components": [
                {"type": "ENERGY", "price": Decimal("3.16"), "vat": 25, "step_size": 1},
                {"type": "FLAT", "price": Decimal("2.00"), "vat": 25, "step_size": 1},
            ]
        }
    ],
}
SHARED = Path(__file__).parents[2] / "shared" / "data"
TARGETS = {"plain": 20_000, "slowest": 3_000}
_FRIDAY_MS = 1_772_804_400_000
"""2026-03-06T13:40Z: the sessions meet a change of price at 17:00, 18:00 and 20:00 local time."""

_SAMPLES, _STEP_MS, _IDLE_MS = 25, 600_000, 2_400_000
_ORACLE_SESSIONS = 100

Ready = list[tuple[Facts, list[Slice]]]
Json = Mapping[str, Any]


def main() -> int:
    """Run the benchmark; exit code 1 where engine and oracle disagree."""
    parser = argparse.ArgumentParser(prog="python -m bench.pricing", description=__doc__)
    parser.add_argument("--sessions", type=int, default=2_000)
    parser.add_argument("--out", type=Path, default=Path("build/bench-pricing.json"))
    options = parser.parse_args()
    ready = [_session(number) for number in range(options.sessions)]
    rates = {name: _rate(_compiled(d), ready[: len(ready) // 4]) for name, d in _shared().items()}
    chosen: dict[str, tuple[str, Json]] = {"plain": ("plain", PLAIN)}
    if rates:
        slowest = min(rates, key=lambda name: rates[name])
        chosen["slowest"] = (slowest, _shared()[slowest])
    result = {kind: _measure(name, document, ready) for kind, (name, document) in chosen.items()}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result | {"all": rates}, indent=2) + "\n")
    _show(result)
    return 0 if all(one["right"] for one in result.values()) else 1


def _shared() -> dict[str, Json]:
    """Every tariff of the shared examples that can be priced, by its file."""
    files = [*SHARED.glob("ocpi_spec_examples/tariff*.json"), *SHARED.glob("*/*/tariff.json")]
    found = {
        str(file.relative_to(SHARED)): json.loads(file.read_text("utf-8"), parse_float=Decimal)
        for file in sorted(files)
    }
    return {name: document for name, document in found.items() if read_tariff(document).tariff}


def _compiled(document: Json) -> Compiled:
    tariff = read_tariff(document).tariff
    assert tariff is not None
    return compile_tariff(tariff)


def _session(number: int) -> tuple[Facts, list[Slice]]:
    """Facts and slices of the n-th session: other minutes, energies, powers and currents."""
    begin = _FRIDAY_MS + number * 37_000
    register = 1_000_000_000 + number * 7_919
    events: list[Any] = [
        Started(STARTED, begin, 0, register, connector=1),
        StateChanged(STATE, begin + 9_000, 1, "Charging"),
    ]
    for k in range(1, _SAMPLES + 1):
        amps = 10_000 + (number * 3 + k * k) % 30_000
        register += amps * 690 // 6 // 1000 * 1000
        sample = Sample(SAMPLE, begin + k * _STEP_MS, k + 1, "Sample.Periodic", register)
        events.append(sample._replace(power_mw=amps * 690, extra=((CURRENT, amps),)))
    full = begin + _SAMPLES * _STEP_MS
    events.append(StateChanged(STATE, full, _SAMPLES + 2, "SuspendedEV"))
    events.append(Ended(ENDED, full + _IDLE_MS, _SAMPLES + 3, register))
    facts = derive(events, rated_power_w=22_000)
    return facts, slice_session(facts)


def _price(compiled: Compiled, facts: Facts, slices: list[Slice]) -> tuple[Money, list[Money]]:
    usage = usage_of_facts(facts, ZONE)
    priced = price(compiled, usage)
    return priced.micro, accrue(priced, usage, slices)


def _rate(compiled: Compiled, ready: Ready) -> int:
    def work() -> None:
        for facts, slices in ready:
            _price(compiled, facts, slices)

    return round(len(ready) / _best(work))


def _best(work: Callable[[], None], times: int = 3) -> float:
    """CPU seconds of the quickest of some runs, without garbage collection."""
    took = []
    gc.disable()
    try:
        for _ in range(times):
            begun = time.process_time()
            work()
            took.append(time.process_time() - begun)
            gc.collect()
    finally:
        gc.enable()
    return min(took)


def _measure(name: str, document: Json, ready: Ready) -> dict[str, Any]:
    compiled = _compiled(document)
    rate = _rate(compiled, ready)
    sessions = [
        Session([Stretch(*flow) for flow in usage_of_facts(facts, ZONE).flows()], ZONE)
        for facts, _ in ready[:_ORACLE_SESSIONS]
    ]
    borders = [[s.start for s in slices] for _, slices in ready]
    found: list[tuple[int, int]] = []

    def asked() -> None:
        oracle = Oracle(document, ZONE)
        found.clear()
        for session, windows in zip(sessions, borders, strict=False):
            bill = oracle.bill(session, windows)
            bill.windows(windows)
            found.append((rounded(bill.excl * MICRO), rounded(bill.incl * MICRO)))

    oracle_rate = round(len(sessions) / _best(asked, 1))
    expected = [_price(compiled, *one)[0] for one in ready[:_ORACLE_SESSIONS]]
    return {
        "tariff": name,
        "sessions_per_cpu_s": rate,
        "oracle_sessions_per_cpu_s": oracle_rate,
        "ratio_to_oracle": round(rate / oracle_rate, 1),
        "stretches": sum(len(one.stretches) for one in sessions) // len(sessions),
        "slices": sum(len(slices) for _, slices in ready) // len(ready),
        "right": [*map(tuple, expected)] == found,
    }


def _show(result: Mapping[str, Mapping[str, Any]]) -> None:
    print(f"{'':10}{'sessions/s':>12}{'target':>10}{'oracle/s':>10}{'ratio':>8}  tariff")
    for kind, one in result.items():
        print(
            f"{kind:10}{one['sessions_per_cpu_s']:>12,}{TARGETS[kind]:>10,}"
            f"{one['oracle_sessions_per_cpu_s']:>10,}{one['ratio_to_oracle']:>8}  {one['tariff']}"
            f"{'' if one['right'] else '  DIFFERS from the oracle'}"
        )
    shape = next(iter(result.values()))
    print(
        f"25 samples, {shape['stretches']} stretches, {shape['slices']} quarter hours a session;"
        f" CPU seconds of one core, slices of {SLICE_MS // 60_000} minutes"
    )


if __name__ == "__main__":
    sys.exit(main())
