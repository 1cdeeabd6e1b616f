"""Due sessions, derived and priced many at a time: from the lane to `streams.many_rows`.

What is not ordinary (two starts, odd readings, a tariff with restrictions, a bill that changes) is
left to `streams.session_rows.derive_session`, with the same result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from itertools import compress

import numpy as np

from schemas.units import SLICE_MS
from streams.catalogue import Catalogue
from streams.core.columns import ABSENT, Bits, Ints, Many, Past, Samples, Small
from streams.core.many import derive_many
from streams.core.many_past import NOTHING, Kept, kept_of
from streams.core.resting import Resting
from streams.core.session import Bill, Session, slices_code
from streams.fast_lane import FastLane
from streams.heads import Heads
from streams.lasting import LastingContracts
from streams.many_prices import Prices, bills, payable, prices_of, terms_of, unpriced
from streams.many_rows import ManyRows, slice_bounds
from streams.session_rows import COUNT_BITS, VERSION_BITS
from streams.tails import at_rest, joined


@dataclass(slots=True)
class Outcome:
    """`rows` to write and what they are of; `rest` and `left` are sessions awake and slots at rest
    for the general path.
    """

    rest: list[Session]
    left: list[int] = field(default_factory=list)
    ready: Ready | None = None


@dataclass(slots=True)
class Ready:
    """Rows of sessions, those awake first, and what is to be remembered once they are written."""

    rows: ManyRows
    heads: Heads
    bills: list[Bill | None]
    """Of those awake, where they closed."""
    last_ts: Ints
    """Of the newest sample."""
    kept_from_s: Ints
    """ABSENT: all slices may change."""
    first_shape: Ints
    """-1: no sample."""
    kept: Kept
    """NOTHING also where what is billed may move to another slice."""


def derive_due(
    fast: FastLane,
    resting: Resting,
    due: Sequence[Session],
    slots: Small,
    terms: LastingContracts,
) -> Outcome:
    """The rows of all due sessions, awake and at rest, that are ordinary and have news."""
    heads = Heads(fast, terms)
    rest = [session for session in due if not heads.take(session)]
    known = at_rest(fast.lane, resting, slots, terms.catalogue.revision)
    heads.close(resting, known.slots, known.records)
    if not heads:
        return Outcome(rest)
    whole = len(heads) - len(known.before)
    counts, samples = fast.lane.gather(heads.column("slot")[:whole].astype(np.int32))
    if past := known.past(whole):
        counts = np.concatenate([counts, known.counts])
        samples = joined([samples, known.samples])
    before = np.concatenate([np.zeros(whole, np.int64), known.before])
    work = _Work(resting, terms.catalogue, heads, counts, samples, before, past, Outcome(rest))
    work.leave_what_is_known()
    return work.outcome() if heads else Outcome(rest)


@dataclass(slots=True)
class _Work:
    """One call of `derive_due`, step by step; columns as made so far."""

    resting: Resting
    catalogue: Catalogue
    heads: Heads
    counts: Ints
    samples: Samples
    before: Ints
    """How many samples the past of each session has."""
    past: Past | None
    out: Outcome
    events: Ints = field(init=False)
    versions: Ints = field(init=False)

    def leave_what_is_known(self) -> None:
        """Drop sessions whose stored row knows as much already."""
        heads = self.heads
        self.events = self.counts + self.before + heads.column("events")
        knowledge = 2 * self.events + heads.column("superseded")
        self.versions = (self.catalogue.revision << VERSION_BITS) | knowledge
        news = self.versions > heads.column("version")
        if not news.all():
            self.samples = self.samples.where(np.repeat(news, self.counts))
            self.counts, self.before = self.counts[news], self.before[news]
            self.past = self.past and self.past.where(news)
            self._keep(news)

    def _keep(self, chosen: Bits) -> None:
        self.heads.keep(chosen)
        self.events, self.versions = self.events[chosen], self.versions[chosen]

    def outcome(self) -> Outcome:
        """Derive, choose terms, price; what turns out odd on the way joins the rest."""
        heads, out = self.heads, self.out
        many = derive_many(heads.to_derive(self.counts, self.samples, self.past))
        first_shape = heads.first_shapes(self.counts, self.samples, self.before > 0)
        connector, evse = heads.numbers(first_shape)
        stored = self._stored_until(many)
        last_ts, start_ms = self._last_ts(), heads.column("start_ts")
        billed = (many.quarantine == "") | (many.quarantine == "not_ended")
        terms = terms_of(self.catalogue, heads.said.terms)
        keep = many.ok & self._covers(many) & (~billed | payable(terms))
        prices, refused = prices_of(many, terms, start_ms, keep & billed)
        if refused.any():  # numbers beyond 64 bits: once more without them
            keep &= ~refused
        if not keep.all():
            awake = len(heads.sessions)
            out.rest.extend(compress(heads.sessions, (~keep).tolist()))
            out.left = heads.slots_at_rest[~keep[awake:]].tolist()
            self._keep(keep)
            many = select(many, keep)
            connector, evse, billed, stored, last_ts, first_shape = (
                column[keep] for column in (connector, evse, billed, stored, last_ts, first_shape)
            )
            self.before = self.before[keep]
            terms = terms_of(self.catalogue, heads.said.terms)
            prices, _ = prices_of(many, terms, heads.column("start_ts"), billed)
        if not heads:
            return out
        rows = ManyRows(
            said=heads.said,
            ids=self.resting.ids.take(heads.column("slot"), axis=0),
            start_ms=heads.column("start_ts"),
            versions=self.versions,
            event_counts=self.events,
            connector=connector,
            evse=evse,
            many=many,
            unpriced=unpriced(terms, billed),
            prices=prices,
            slices_from_s=stored,
        )
        _remember_slices(heads.sessions, many)
        kept_from_s = _kept_from_s(many, prices)
        kept = self._kept(many, last_ts, kept_from_s)
        due = bills(rows, len(heads.sessions))
        out.ready = Ready(rows, heads, due, last_ts, kept_from_s, first_shape, kept)
        return out

    def _kept(self, many: Many, last_ts: Ints, kept_from_s: Ints) -> Kept:
        heads = self.heads
        kept = kept_of(
            many, heads.column("start_ts"), heads.column("change_first"), last_ts, self.before > 0
        )
        goes_on = kept_from_s == many.settled_ms // SLICE_MS * (SLICE_MS // 1000)
        return kept._replace(energy_mwh=np.where(goes_on, kept.energy_mwh, NOTHING))

    def _last_ts(self) -> Ints:
        """Of each session's newest sample; ABSENT without any."""
        lasts = np.cumsum(self.counts) - 1
        out = np.full(len(lasts), ABSENT)
        some = self.counts > 0
        out[some] = self.samples.ts[lasts[some]]
        return out

    def _stored_until(self, many: Many) -> Ints:
        """Slices before are stored as they are: since the row was written there came only samples
        later than all others, and no other catalogue. Epoch s; ABSENT: all may have changed.
        """
        heads = self.heads
        version, kept = heads.column("version"), heads.column("kept_from_s")
        before = (version % (1 << COUNT_BITS) >> 1) - heads.column("events")  # samples then
        out = np.where(self.before > 0, kept, ABSENT)
        at = np.flatnonzero(
            (self.before == 0)
            & (kept != ABSENT)
            & (version >> VERSION_BITS == self.catalogue.revision)
            & (before > 0)
            & (before <= self.counts)
            & ~many.closed
        )
        newest_then = (np.cumsum(self.counts) - self.counts)[at] + before[at] - 1
        same = self.samples.ts[newest_then] == heads.column("last_ts")[at]
        out[at[same]] = kept[at[same]]
        return out

    def _covers(self, many: Many) -> Bits:
        """The slices written before are all among the new ones."""
        before_first, before_last = (
            self.heads.column("slice_first"),
            self.heads.column("slice_last"),
        )
        first, last = slice_bounds(many)
        none = (before_first == ABSENT) | (before_last == ABSENT)
        out: Bits = none | ((first != ABSENT) & (first <= before_first) & (last >= before_last))
        return out


def _kept_from_s(many: Many, prices: Prices) -> Ints:
    """See `streams.core.resting.RECORD`. What is rounded up to steps lies in the last slice with a
    volume, and moves on with it: that one is not kept, nor are those after it. While a volume is
    not settled it may also move back: then none is kept.
    """
    out = many.settled_ms // SLICE_MS * (SLICE_MS // 1000)
    settled = many.settled_ms == many.until_ms
    for at, _, priced in prices:
        for line in priced.lines:
            rounded = line.billed != line.quantity
            whose = at[rounded]
            before = np.minimum(out[whose], line.rest_ms[rounded] // 1000)
            out[whose] = np.where(settled[whose], before, ABSENT)
    return out


def _remember_slices(sessions: Sequence[Session], many: Many) -> None:
    first, last = slice_bounds(many)
    shared: dict[tuple[int, int], int] = {}  # an object a number, not a session
    for session, begin, end in zip(sessions, first.tolist(), last.tolist(), strict=False):
        if begin != ABSENT:
            code = shared.get((begin, end))
            if code is None:
                code = shared[(begin, end)] = slices_code(begin, end)
            session.slices = code


def select(many: Many, keep: Bits) -> Many:
    """Some of the sessions, with their slices."""
    slices = np.repeat(keep, many.slice_counts)
    values = {
        f.name: getattr(many, f.name)[
            slices if f.name.startswith("slice_") and f.name != "slice_counts" else keep
        ]
        for f in fields(many)
    }
    return Many(**values)
