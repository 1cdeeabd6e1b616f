"""Sessions told event by event, with what goes wrong by chance, for `twin_streams`."""

from __future__ import annotations

from random import Random
from typing import Any
from uuid import UUID

from streams.core.identity import transaction_session_id
from tests.streams.core.fleet_kit import DAY_MS

BEGINS = (DAY_MS, 1_774_746_000_000 - 3_600_000, 1_792_890_000_000 - 3_600_000)
"""An ordinary midnight; an hour before Stockholm's clocks go forward, and back."""

Event = dict[str, Any]


class Teller:
    """Tells the events of sessions by chance; `odd` is how often a thing goes wrong."""

    def __init__(self, chance: Random, *, calm: bool = False) -> None:
        self.chance = chance
        self.lengths = (12, 25) if calm else (0, 1, 3, 6, 12)
        """Of sessions, in updates."""
        self.seldom = 0.1 if calm else 1.0
        """How often updates are other than a plain sample, to how often they might be."""
        self.begin = chance.choice(BEGINS) + chance.choice((0, 0, 7_200_000, 1_234_567))
        self.odd = chance.choice((0.0, 0.0, 0.0, 0.02, 0.02, 0.1))
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
        if chance.random() < 0.1:  # where it is, only its samples tell
            out[0] = out[0] | {"evse_id": None, "connector_id": None}
        for _ in range(chance.choice(self.lengths)):
            ts += step if chance.random() < 0.8 else chance.choice((0, 1, 900_000, 4_321_000))
            seq += 1
            rise = chance.choice((0, 100, 250, 37.125, 1_000, 90_000 if self.wrong() else 500))
            register = self._register(register + rise)
            out.append(base | {"timestamp": ts, "seq_no": seq} | self._update(register))
        if chance.random() < 0.8:
            ts += chance.choice((0, step, step, 1_800_000, -step if ts > begin + step else 0))
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
        if chance.random() < 0.15 * self.seldom:
            state = ("Charging", "Charging", "SuspendedEV", "SuspendedEVSE", "EVConnected", None)
            return {"type": "charging_state_changed", "charging_state": chance.choice(state)}
        out: Event = {"type": "meter_sampled"}
        shown: list[Any] = [register] * 6 + [int(register), str(register), f"{register}4", 0]
        number = chance.random()
        if number < 1 - 0.15 * self.seldom:
            strange = chance.random() < 0.4 * self.seldom
            out["import_wh"] = chance.choice(shown) if strange else register
        if out.get("import_wh") == 0 and not self.wrong():
            out["import_wh"] = register
        quoted = chance.random() < self.seldom
        out |= self._some(
            power_w=(0, 3_680, 7_359.99, 11_000, "22000.5" if quoted else 9, 60_000),
            current_a=(0, 16, 15.999, "32" if quoted else 32),
            soc_percent=(40, 55.5, "80" if quoted else 80),
        )  # fmt: skip
        if chance.random() < 0.1 * self.seldom:
            out["context"] = chance.choice(
                ("Transaction.Begin", "Transaction.End", "Trigger", "Sample.Clock", "")
            )
        return out | (self._oddity() if self.wrong() else {})

    def _oddity(self) -> Event:
        return self.chance.choice((
            *({"flags": [flag]} for flag in ("clock_corrected", "unit_guessed") * 2),
            {"export_wh": 5},
            {"import_l1_wh": 5, "import_l2_wh": 6, "import_l3_wh": 7}, {"other": {"a": "b"}},
            {"import_interval_wh": 100}, {"inlet_import_wh": 50}, {"unknown": 1},
            {"message_id": "4111111111111111"}, {"import_wh": 10**12}, {"power_w": 10**8},
            {"evse_id": 2}, {"evse_id": None, "connector_id": None}, {"power_w": -5},
            {"offline": True, "received_at": "2026-03-02T10:00:00Z"}, {"gateway": "g1"},
            {"import_wh": "x"}, {"import_wh": 1e300}, {"timestamp": "2026-03-02T10:00:00"},
            {"seq_no": -1}, {"type": "session_started"}, {"type": "session_ended"},
            {"current_a": "1e3"}, *self._far(),
        ))  # fmt: skip

    def _far(self) -> tuple[Event, ...]:
        """What the lane cannot hold in one session beside the rest: clocks, meters, counts."""
        jumps = (
            {"timestamp": self.begin + 30 * 86_400_000}, {"timestamp": 1_000}, {"seq_no": 40_000},
            {"import_wh": 3_000_000},
        )  # fmt: skip
        return (*jumps, *jumps)

    def stray(self, station: str, at: int) -> Event:
        """What belongs to no session."""
        said = self.chance.choice(
            ({"type": "station_status", "status": "Faulted"},
             {"type": "authorization", "id_token": "4111111111111111"},
             {"type": "meter_sampled", "import_wh": 5},
             {"type": "meter_sampled", "import_wh": 5, "transaction_id": ""}),
        )  # fmt: skip
        base = {"tenant": "t", "station_id": station, "protocol": "ocpp2.1", "timestamp": at}
        return base | said

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
