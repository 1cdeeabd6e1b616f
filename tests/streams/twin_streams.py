"""Scripts by chance, the same for the same seed: small fleets with everything that can go wrong."""

from __future__ import annotations

import functools
import json
from random import Random
from typing import Any
from uuid import UUID

from schemas.units import iso_ms
from streams.catalogue import Catalogue
from streams.catalogue_rows import build_catalogue
from streams.core.identity import transaction_session_id
from tests.streams.core.fleet_kit import DAY_MS, NOW_MS
from tests.streams.twin_kit import Script

STATIONS = ("S1", "S2", "S3", "S4")
"""S2 and S4 are of partition 1."""

BEGINS = (DAY_MS, 1_774_746_000_000, 1_792_890_000_000)
"""An ordinary midnight; an hour before Stockholm's clocks go forward, and back."""

Event = dict[str, Any]


# terms ------------------------------------------------------------------------------------


def _element(*parts: tuple[str, float, int | None, int], **restrictions: Any) -> dict[str, Any]:
    components = [
        {"type": kind, "price": price, "step_size": step} | ({} if vat is None else {"vat": vat})
        for kind, price, vat, step in parts
    ]
    more = {"restrictions": restrictions} if restrictions else {}
    return {"price_components": components} | more


KWH = _element(("ENERGY", 2.5, 25, 1), ("FLAT", 1.5, 25, 1))
TARIFFS: dict[str, dict[str, Any]] = {
    "kwh": {"elements": [KWH]},
    "exact": {"currency": "EUR", "elements": [_element(("ENERGY", 0.3339, None, 0))]},
    "steps": {"elements": [_element(
        ("FLAT", 0.5, 6, 1), ("ENERGY", 3.339, 25, 1000), ("PARKING_TIME", 7.77, 25, 300))]},
    "time": {"currency": "EUR", "tax_included": "YES",
             "elements": [_element(("TIME", 3.6, 25, 60), ("ENERGY", 0, None, 1))]},
    "yen": {"currency": "JPY", "tax_included": "NO",
            "elements": [_element(("ENERGY", 33, 10, 1), ("PARKING_TIME", 100, 10, 60))]},
    "night": {"elements": [_element(("ENERGY", 1, 25, 1), start_time="22:00", end_time="02:30"),
                           _element(("ENERGY", 2, 25, 1), ("TIME", 1, 25, 60))]},
    "least": {"min_price": {"excl_vat": 20, "incl_vat": 25}, "elements": [KWH]},
    "refused": {"elements": []},
}  # fmt: skip


def _tariff(name: str, revision: int) -> dict[str, Any]:
    document = {"id": name, "currency": "SEK"} | TARIFFS[name]
    if revision > 1 and name in ("kwh", "night"):  # dearer now
        document["elements"] = [*document["elements"][:-1], _element(("ENERGY", 4, 25, 1))]
    row = {"tenant": "t", "tariff_id": name, "revision": revision}
    return row | {"ocpi_json": json.dumps(document)}


WORLDS = (
    ("kwh", "steps", "time", "yen"),
    ("kwh", "kwh", "exact", "steps"),
    ("night", "kwh", "least", "kwh"),
    ("", "nowhere", "refused", "kwh"),
    ("time", "yen", "steps", "night"),
)
"""The tariffs of the stations."""


@functools.cache
def catalogue(world: int, revision: int) -> Catalogue:
    """Card C1 has a plan with a discount; C2 is an employee's; S4 of world 1 is free for all. With
    revision 2 stations change tariffs, with 3 they change back.
    """
    names = WORLDS[world]
    if revision == 2:
        names = (names[1] or "kwh", names[0] or "kwh", *names[2:])
    stations = [
        {"tenant": "t", "station_id": station, "area": "North" if i % 2 else "", "city": "Lund",
         "region": "", "country": "SE", "time_zone": ("Europe/Stockholm", "Asia/Tokyo", "")[i % 3],
         "rated_power_w": (22_000, None, 3_700, 350_000)[i], "tariff_id": names[i]}
        for i, station in enumerate(STATIONS)
    ]  # fmt: skip
    free = {"tenant": "t", "assignment_id": "free", "tariff_id": "", "free": 1, "stations": ["S4"]}
    return build_catalogue(
        revision, stations if world != 3 or revision > 1 else stations[1:],
        [_tariff(name, revision) for name in TARIFFS],
        drivers=[{"tenant": "t", "driver_key": "C1", "driver_id": "d1", "company_id": ""},
                 {"tenant": "t", "driver_key": "C2", "driver_id": "d2", "company_id": "acme"}],
        companies=[{"tenant": "t", "company_id": "acme",
                    "company_json": json.dumps({"currency": "SEK", "pays": {}})}],
        plans=[{"tenant": "t", "plan_id": "p",
                "plan_json": json.dumps({"discount_percent": "10"})}],
        subscriptions=[{"tenant": "t", "driver_id": "d1", "plan_id": "p", "from_ms": 0}],
        assignments=[free] if world == 1 else [],
    )  # fmt: skip


# sessions ---------------------------------------------------------------------------------


class Teller:
    """Tells the events of sessions by chance; `odd` is how often a thing goes wrong."""

    def __init__(self, chance: Random) -> None:
        self.chance = chance
        self.begin = chance.choice(BEGINS) + chance.choice((0, 0, 7_200_000, 1_234_567))
        self.odd = chance.choice((0.0, 0.0, 0.02, 0.02, 0.1))
        self.ids = 0

    def wrong(self) -> bool:
        """Whether something goes wrong here."""
        return self.chance.random() < self.odd

    def session(self, station: str, begin: int) -> list[Event]:
        """All events of one session, in order."""
        kind = self.chance.random()
        self.ids += 1
        if kind < 0.08:
            return self._session16(station, begin)
        return self._session2(station, begin, "import" if kind > 0.97 else "")

    def _base(self, station: str, protocol: str, transaction: str) -> Event:
        return {
            "tenant": "t", "station_id": station, "protocol": protocol,
            "transaction_id": transaction,
        }  # fmt: skip

    def _transaction(self) -> str:
        ids = (
            str(UUID(int=self.ids + (self.chance.getrandbits(60) << 64), version=4)),
            f"tx-{self.ids}", f"tx-{self.ids}", f"41111111111111{self.ids:02}", f"å{self.ids}",
        )  # fmt: skip
        return self.chance.choice(ids if self.wrong() else ids[:3])

    def _session2(self, station: str, begin: int, protocol: str) -> list[Event]:
        chance = self.chance
        protocol = protocol or chance.choice(("ocpp2.0.1", "ocpp2.1"))
        base = self._base(station, protocol, self._transaction())
        if chance.random() < 0.9:
            base["evse_id"] = chance.choice((1, 1, 2))
        if chance.random() < 0.5:
            base["connector_id"] = 1
        step = chance.choice((60_000, 300_000, 300_000, 900_000, 77_777))
        step *= 3 if self.wrong() else 1
        register = chance.choice((0, 1_234, 1_000_000, 999.5))
        ts, seq = begin, 0
        out = [base | {"type": "session_started", "timestamp": ts, "seq_no": seq}
               | self._some(id_token=("C1", "C2", "C3", "4111111111111111"),
                            charging_state=("Charging", "EVConnected", "SuspendedEVSE"),
                            meter_start_wh=(register, register, str(register)),
                            area=("Yard",))]  # fmt: skip
        for _ in range(chance.choice((0, 1, 3, 6, 12))):
            ts += step if chance.random() < 0.8 else chance.choice((0, 1, 900_000, 4_321_000))
            seq += 1
            rise = chance.choice((0, 100, 250, 37.125, 1_000, 90_000 if self.wrong() else 500))
            register = self._register(register + rise)
            out.append(base | {"timestamp": ts, "seq_no": seq} | self._update(register))
        if chance.random() < 0.8:
            ts += chance.choice((0, step, 1_800_000))
            end = {"type": "session_ended", "timestamp": ts, "seq_no": seq + 1}
            known = self._some(
                meter_stop_wh=(register, register + 10), reason=("EVDisconnected",),
                charging_state=("EVConnected", "Idle"), id_token=("C1",),
            )  # fmt: skip
            if protocol == "import" and chance.random() < 0.7:
                known |= {"energy_wh": 4_321, "paid_amount": "12.5", "paid_currency": "SEK"}
            out.append(base | end | known)
        elif chance.random() < 0.3:
            out.append(self._expired(base, ts + 86_400_000))
        return self._without_seq(out)

    def _register(self, register: float) -> float:
        if self.wrong():
            return self.chance.choice((register / 3, register - 1, 5, -3))
        return round(register, 3)

    def _update(self, register: float) -> Event:
        chance = self.chance
        if chance.random() < 0.15:
            state = ("Charging", "Charging", "SuspendedEV", "SuspendedEVSE", "EVConnected", None)
            return {"type": "charging_state_changed", "charging_state": chance.choice(state)}
        out: Event = {"type": "meter_sampled"}
        shown: list[Any] = [register] * 6 + [int(register), str(register), f"{register}4", 0]
        number = chance.random()
        if number < 0.85:
            out["import_wh"] = chance.choice(shown) if chance.random() < 0.4 else register
        if out.get("import_wh") == 0 and not self.wrong():
            out["import_wh"] = register
        out |= self._some(
            power_w=(0, 3_680, 7_359.99, 11_000, "22000.5", 60_000),
            current_a=(0, 16, 15.999, "32"), soc_percent=(40, 55.5, "80"),
        )  # fmt: skip
        if chance.random() < 0.1:
            out["context"] = chance.choice(
                ("Transaction.Begin", "Transaction.End", "Trigger", "Sample.Clock", "")
            )
        return out | (self._oddity() if self.wrong() else {})

    def _oddity(self) -> Event:
        return self.chance.choice((
            {"flags": ["clock_corrected"]}, {"flags": ["unit_guessed"]}, {"export_wh": 5},
            {"import_l1_wh": 5, "import_l2_wh": 6, "import_l3_wh": 7}, {"other": {"a": "b"}},
            {"import_interval_wh": 100}, {"inlet_import_wh": 50}, {"unknown": 1},
            {"message_id": "4111111111111111"}, {"import_wh": 10**12}, {"power_w": 10**8},
            {"evse_id": 2}, {"evse_id": None, "connector_id": None}, {"power_w": -5},
            {"offline": True, "received_at": "2026-03-02T10:00:00Z"}, {"gateway": "g1"},
            {"import_wh": "x"}, {"import_wh": 1e300}, {"timestamp": "2026-03-02T10:00:00"},
            {"seq_no": -1}, {"type": "session_started"}, {"type": "session_ended"},
            {"protocol": "ocpp2.1"}, {"protocol": "import"}, {"current_a": "1e3"},
        ))  # fmt: skip

    def _some(self, **choices: tuple[Any, ...]) -> Event:
        """Some of the fields, each with one of its values."""
        chance = self.chance
        return {n: chance.choice(values) for n, values in choices.items() if chance.random() < 0.6}

    def _without_seq(self, events: list[Event]) -> list[Event]:
        """Sequences without numbers, or with jumps."""
        kind = self.chance.random()
        if kind < 0.15:
            events = [{n: v for n, v in e.items() if n != "seq_no"} for e in events]
        elif self.wrong():
            for event in events:
                if "seq_no" in event and self.chance.random() < 0.2:
                    event["seq_no"] += 7
        return events

    def _expired(self, base: Event, ts: int) -> Event:
        key = (base["tenant"], base["station_id"], base["transaction_id"])
        found = transaction_session_id(*key)
        return base | {"type": "session_expired", "timestamp": ts, "session_id": str(found),
                       "silence_s": 86_400}  # fmt: skip

    def _session16(self, station: str, begin: int) -> list[Event]:
        chance = self.chance
        base = self._base(station, "ocpp1.6", str(self.ids)) | {"connector_id": 1}
        start = {"type": "session_started", "id_token": "C1", "meter_start_wh": 100}
        out = [base | start | {"timestamp": begin}]
        ts = begin
        for i in range(chance.choice((0, 2, 5))):
            ts += 300_000
            tag = {} if chance.random() < 0.7 else {"transaction_id": None}
            out.append(
                base | {"type": "meter_sampled", "timestamp": ts, "import_wh": 200 * i} | tag
            )
        if chance.random() < 0.8:
            stop = {"type": "session_ended", "timestamp": ts + 60_000, "meter_stop_wh": 2_000}
            out.append(base | stop)
        return out


# what happens to them ---------------------------------------------------------------------


def _fleet(teller: Teller) -> list[Event]:
    """Sessions of one to four stations, told one after the other or at the same time."""
    chance = teller.chance
    clocks = dict.fromkeys(STATIONS[: chance.randint(1, 4)], teller.begin)
    out = []
    for _ in range(chance.choice((1, 2, 3, 5, 8))):
        station = chance.choice(list(clocks))
        begin = clocks[station]
        out += teller.session(station, begin)
        clocks[station] += chance.choice((600_000, 3_600_000, 7_200_000, 0))
    out.sort(key=lambda event: event["timestamp"] if isinstance(event["timestamp"], int) else 0)
    return out


def _rough(teller: Teller, events: list[Event]) -> list[Event]:
    """Lost, twice, late, contradicted, out of order."""
    chance = teller.chance
    rate = chance.choice((0.0, 0.01, 0.05, 0.15))
    placed: list[tuple[float, Event]] = []
    for at, event in enumerate(events):
        if chance.random() < rate:
            continue
        place = at + (chance.uniform(-4, 4) if chance.random() < rate else 0)
        placed.append((len(events) + at if chance.random() < rate else place, event))
        if chance.random() < rate:
            placed.append((at + chance.choice((0, 1, 20, 2 * len(events))), event))
        if chance.random() < rate:
            other = event | chance.choice(
                ({"import_wh": 77}, {"power_w": 1}, {"meter_stop_wh": 99_999}, {"message_id": "m"})
            )
            placed.append((place + chance.choice((0, 1, len(events))), other))
    placed.sort(key=lambda pair: pair[0])
    return [event for _, event in placed]


POISON: tuple[bytes | None, ...] = (None, b"", b"{", b"[]", b"[1]", b'{"type":"?"}', b"\xff", b"7")


def _values(teller: Teller, events: list[Event]) -> list[bytes | None]:
    """As a producer would send them: one by one, or several in an array."""
    chance = teller.chance
    arrays = chance.random() < 0.1
    out: list[bytes | None] = []
    batch: list[Event] = []
    for event in events:
        if isinstance(event["timestamp"], int):
            text = iso_ms(event["timestamp"])
            if teller.wrong():
                text = text.replace("Z", chance.choice(("+00:00", "999Z", "+02:00", "")))
            event = event | {"timestamp": text}  # noqa: PLW2901
        batch.append(event)
        if not arrays or chance.random() < 0.5:
            encoded = json.dumps(batch[0] if len(batch) == 1 else batch, ensure_ascii=False)
            out.append(encoded.encode())
            batch = []
        if teller.wrong() and teller.wrong():
            out.append(chance.choice(POISON))
    return [*out, json.dumps(batch).encode()] if batch else out


def _steps(chance: Random, sizes: tuple[int, int]) -> list[tuple[str, int]]:
    """Chunks, flushes, and what befalls workers."""
    rough = chance.random() < 0.4
    left, out = list(sizes), []
    most = chance.choice((3, 10, 40, 40))
    while any(left):
        p = chance.choice([p for p in (0, 1) if left[p]])
        count = min(left[p], chance.randint(1, most))
        left[p] -= count
        out.append(("take", 10 * count + p))
        what = chance.random()
        if what < 0.5:
            out.append(("flush", 0))
        elif what < 0.6:
            out.append(("wait", chance.choice((4_000, 70_000, 400_000))))
        elif rough and what < 0.8:
            name = chance.choice(("crash", "restart", "forget", "lend", "revise", "revise"))
            numbers = {"crash": chance.randint(0, 6), "lend": 10 * chance.randint(1, 9) + p}
            numbers |= {"forget": p, "revise": chance.randint(0, 2)}
            out.append((name, numbers.get(name, 0)))
            if name in ("crash", "restart", "forget", "lend"):
                left = [min(size, n + most) for size, n in zip(sizes, left, strict=True)]
                rough = chance.random() < 0.7
    return out


def script_of(seed: int) -> Script:
    """The script of a seed."""
    chance = Random(seed)
    teller = Teller(chance)
    events = _rough(teller, _fleet(teller))
    log0, log1 = (
        tuple(_values(teller, [e for e in events if STATIONS.index(e["station_id"]) % 2 == p]))
        for p in (0, 1)
    )
    world = chance.randrange(len(WORLDS))
    return Script(
        logs=(log0, log1),
        steps=tuple(_steps(chance, (len(log0), len(log1)))),
        catalogues=tuple(catalogue(world, revision) for revision in (1, 2, 3)),
        keep_s=chance.choice((0, 0, 10, 300)),
        live_s=chance.choice((0, 0, 5, 60)),
        stride=chance.choice((4000, 4000, 2, 7)),
        packed=chance.choice((100_000, 100_000, 0, 1, 3)),
        clock_ms=NOW_MS if chance.random() < 0.8 else teller.begin + 3 * 86_400_000,
    )
