"""Server-sent events: what happens in any thread is told to every page that listens."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from typing import Any

PING_SECONDS = 10.0
_MOST_WAITING = 1000


class EventHub:
    """Publishes events to all listeners; one that does not read loses the oldest ones."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: dict[asyncio.Queue[str | None], asyncio.AbstractEventLoop] = {}
        self._closed = False

    @property
    def watched(self) -> bool:
        """Whether any page listens."""
        return bool(self._listeners)

    def publish(self, event: str, data: dict[str, Any]) -> None:
        """Tell all listeners, from any thread."""
        self._send(f"event: {event}\ndata: {json.dumps(data)}\n\n")

    def close(self) -> None:
        """End all streams, so that a server which stops does not wait for them."""
        self._closed = True
        self._send(None)

    async def stream(self) -> AsyncIterator[str]:
        """The events from now on, as ``text/event-stream``; a comment when there is none for ``PING_SECONDS``."""
        queue: asyncio.Queue[str | None] = asyncio.Queue(_MOST_WAITING)
        with self._lock:
            self._listeners[queue] = asyncio.get_running_loop()
        try:
            yield ": limpet\n\n"
            while not self._closed:
                try:
                    text = await asyncio.wait_for(queue.get(), PING_SECONDS)
                except TimeoutError:
                    text = ": ping\n\n"
                if text is None:
                    return
                yield text
        finally:
            with self._lock:
                del self._listeners[queue]

    def _send(self, text: str | None) -> None:
        with self._lock:
            for queue, loop in self._listeners.items():
                if not loop.is_closed():
                    loop.call_soon_threadsafe(_put, queue, text)


def _put(queue: asyncio.Queue[str | None], text: str | None) -> None:
    if queue.full():
        queue.get_nowait()
    queue.put_nowait(text)
