"""The figures as one table on the screen, beside what is aimed at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Figures = Mapping[str, Any]

_LINES = (
    ("Job A, worker", "job_a", "cpu_s_per_million", "CPU s/M", 2.0),
    ("  events a second", "job_a", "events_per_s", "", None),
    ("  to a bare read", "ratios", "job_a_to_bare_read", "x", None),
    ("  to stock Faust", "ratios", "job_a_to_stock_faust", "x", 0.025),
    ("Bare read, record batches", "bare_read", "cpu_s_per_million", "CPU s/M", None),
    ("  librdkafka loop", "bare_read", "librdkafka_cpu_s_per_million", "CPU s/M", None),
    ("Stock Faust, a tenth", "stock_faust", "cpu_s_per_million", "CPU s/M", None),
    ("Job B, worker", "job_b", "cpu_s_per_million", "CPU s/M", 5.0),
    ("  events a second", "job_b", "events_per_s", "", None),
    ("  store", "job_b", "store_cpu_s_per_million", "CPU s/M", None),
    ("  bare insert, same rows", "job_b", "raw_insert_cpu_s_per_million", "CPU s/M", None),
    ("  store to bare insert", "job_b", "store_ratio_to_raw", "x", 2.0),
    ("Freshness, median", "freshness_ms", "p50", "ms", 700),
    ("  99 of 100 within", "freshness_ms", "p99", "ms", 2_000),
    ("  events a second", "freshness_ms", "rate", "", None),
    ("Memory per open session", "", "bytes_per_open_session", "bytes", 1_200),
    ("  the worker, all of them open", "memory", "resident_mb", "MB", 1_536),
)
"""Label, part, figure, unit, target (at most)."""


def ratios(found: Figures) -> dict[str, float]:
    """CPU over CPU within this run, where both were measured."""
    pairs = {
        "job_a_to_bare_read": ("job_a", "bare_read"),
        "job_a_to_stock_faust": ("job_a", "stock_faust"),
        "job_b_to_bare_read": ("job_b", "bare_read"),
        "job_b_to_stock_faust": ("job_b", "stock_faust"),
    }
    out = {}
    for name, (part, reference) in pairs.items():
        if part in found and reference in found:
            base = found[reference]["cpu_s_per_million"]
            out[name] = round(found[part]["cpu_s_per_million"] / base, 4)
    return out


def show(found: Figures) -> None:
    """One line a figure; 80 columns."""
    machine = found["machine"]
    print(f"{machine['processor'][:50]}, {machine['cores']} cores, broker {machine['broker']}")
    print(f"{'':32}{'measured':>14}{'at most':>12}")
    for label, part, figure, unit, target in _LINES:
        value = (found.get(part) or {}).get(figure) if part else found.get(figure)
        if value is None:
            continue
        text = f"{value:,}" if isinstance(value, int) else f"{value:.3f}"
        aim = "" if target is None else f"{target:,}"
        over = "  over" if target is not None and value > target else ""
        print(f"{label:32}{text:>14}{aim:>12} {unit:8}{over}".rstrip())
    for part in ("job_a", "stock_faust", "job_b"):
        if part in found:
            right = "equals the plain pass" if found[part]["right"] else "is WRONG"
            print(f"{part}: the answer {right}")
    if missing := found.get("freshness_ms", {}).get("missing"):
        print(f"freshness: {missing} sessions were never seen")
    print(f"{found['events']:,} events; {found['took_s']} s in all")
