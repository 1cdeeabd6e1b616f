"""One request of a station while it is being translated, and what all its events share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from producers.ocpp.clock import Stamp, settle
from producers.ocpp.fields import object_of
from producers.ocpp.model import Clock, Context, Flag, Flags, Frame
from producers.ocpp.readings import Sample, samples
from schemas.errors import Reason, Rejection
from schemas.events import Protocol
from schemas.units import iso_ms
from schemas.wire import MeterSampled


@dataclass(frozen=True, slots=True)
class Message:
    """A CALL with its payload; handlers turn it into events."""

    action: str
    message_id: str
    payload: Mapping[str, object]
    protocol: Protocol
    frame: Frame
    context: Context
    clock: Clock
    flags: Flags

    def stamp(self, value: object) -> Stamp | None:
        """The event time for a time stamp of this message, None where there is none."""
        return settle(value, self.clock, self.frame.received_ms, self.context.zone)

    def base(self, stamp: Stamp, *flags: str) -> dict[str, Any]:
        """The fields that every event has; the caller adds what is special."""
        received = self.frame.received_ms
        return {
            "tenant": self.context.tenant,
            "station_id": self.context.station_id,
            "protocol": self.protocol.value,
            "timestamp": iso_ms(stamp.ms),
            "received_at": None if received is None else iso_ms(received),
            "message_id": self.message_id,
            "gateway": self.context.gateway,
            "flags": tuple(dict.fromkeys((*self.flags, *stamp.flags, *flags))),
        }

    def unusable(self, detail: str, field: str) -> Rejection:
        """The rejection of this message for what `payload.<field>` lacks."""
        return Rejection(
            Reason.INVALID_PAYLOAD, f"{self.action} {detail}", f"payload.{field}".rstrip(".")
        )

    def no_time(self) -> Rejection:
        """The rejection of a message that nobody can place in time."""
        return self.unusable("has no readable time, and its receipt is unknown", "timestamp")


def meter_events(
    message: Message, entries: Iterable[object], **fields: object
) -> tuple[list[MeterSampled], bool]:
    """The samples of meterValue or transactionData entries, and whether an entry was unusable.

    Entries without a readable time are left out where the receipt is unknown too; the
    others carry a flag then.
    """
    usable: list[tuple[Stamp, Sample]] = []
    lost = False
    for entry in entries:
        content = object_of(entry)
        stamp = message.stamp(content.get("timestamp")) if content else None
        if stamp is None:
            lost = True
        else:
            usable.extend((stamp, sample) for sample in samples(content))
    extra = (Flag.ENTRY_UNREADABLE.value,) if lost else ()
    events = []
    for stamp, sample in usable:
        values: dict[str, Any] = {**message.base(stamp, *extra, *sample.flags), **fields}
        values |= sample.values
        events.append(
            MeterSampled(
                **values,
                context=sample.context,
                signed_data=sample.signed_data,
                other=sample.other,
            )
        )
    return events, lost
