"""The Faust agents: what is read, and who gets it. All thinking is in `streams.worker`."""

from __future__ import annotations

from typing import Any

import faust

from streams.flow import Flow


def attach(app: faust.App, flow: Flow, *topics: str) -> None:
    """Register the agents of the app."""
    topic = app.topic(*topics, key_serializer="raw", value_serializer="raw", allow_empty=True)

    async def stitch(stream: Any) -> None:
        """Hand every chunk to the flow, which acks it when all of it is written."""
        async for event in stream.noack().events():
            await flow.take(event.value, event.message.generation_id)

    app.agent(topic, name="stitch")(stitch)
