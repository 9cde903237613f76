"""A transport of a package of its own, for tests: frames over TCP, and confirmations that come when the partner likes.

to a partner    DELIVERY <id> <size>, and the bytes; the partner says OK, LATER, NEVER or WAIT <seconds>
from a partner  PUT <id> <size>, and the bytes; the gateway says OK <payload id> after the commit, else NO
from a partner  CONFIRM <reference> <verdict>; the gateway says what that came to, else NO
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from pydantic import Field

from gateway.config import Section
from gateway.errors import DeliveryDeferred, DeliveryRefused, GatewayError
from gateway.model import Agreement, Delivery
from gateway.transports.base import Arrival, Awaiting, Evidence, Receiver, Record
from gateway.transports.plugin import Means, Options, Transport


class CourierOptions(Options):
    """Where a partner listens."""

    host: str = Field(min_length=1, description="Host that deliveries are sent to")
    port: str = Field(pattern="^[0-9]{1,5}$", description="Port that deliveries are sent to")


class CourierSettings(Section):
    """Where the gateway listens."""

    port: int = Field(0, description="Port on loopback to listen on; 0 listens on none", ge=0, le=65535)
    partner: str = Field("", description="Id of the partner who sends to it")


class CourierSender:
    """Sends each delivery over a connection of its own."""

    def find_address(self, agreement: Agreement) -> str:
        """The agreement's `host` and `port`."""
        return f"{agreement.options['host']}:{agreement.options['port']}"

    async def send(self, delivery: Delivery, agreement: Agreement, record: Record) -> Evidence | Awaiting:
        """Send the delivery; its id is the reference that its confirmation names."""
        options = agreement.options
        record.tell_sent(self.find_address(agreement), (("delivery", delivery.id),))
        try:
            reader, writer = await asyncio.open_connection(options["host"], int(options["port"]))
            try:
                writer.write(b"DELIVERY %s %d\n" % (delivery.id.encode(), len(delivery.body)))
                await writer.drain()
                whole = memoryview(delivery.body)
                for start in range(0, len(whole), 65_536):
                    writer.write(whole[start : start + 65_536])
                    await writer.drain()
                said = (await reader.readline()).decode().split()
            finally:
                writer.close()
        except OSError as error:
            raise DeliveryDeferred(f"{type(error).__name__}: {error.strerror}") from error
        record.tell_answered(" ".join(said))
        match said:
            case ["OK"]:
                return Evidence("delivered", "courier_ok", answer=b"OK")
            case ["WAIT", seconds]:
                return Awaiting(delivery.id, datetime.now(UTC) + timedelta(seconds=float(seconds)), "WAIT")
            case ["NEVER"]:
                raise DeliveryRefused("NEVER")
        raise DeliveryDeferred(" ".join(said) or "The partner said nothing.")

    async def close(self) -> None:
        """Nothing is kept open."""


class CourierReceiver:
    """Listens for one partner."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._under_way: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Listen until cancelled; whoever is answered then is let go without a word, and sends again."""
        server = await asyncio.start_server(self._answer, "127.0.0.1", self._means.own.port)
        try:
            await server.serve_forever()
        finally:
            server.close()
            for task in self._under_way:
                task.cancel()
            await asyncio.gather(*self._under_way, return_exceptions=True)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._under_way.add(task)
        try:
            writer.write(await self._take(reader))
        finally:
            self._under_way.discard(task)
            writer.close()

    async def _take(self, reader: asyncio.StreamReader) -> bytes:
        means, partner = self._means, self._means.own.partner
        try:
            match (await reader.readline()).decode().split():
                case ["PUT", id_, size]:
                    async with means.spool.taking(partner, int(size)) as taking:
                        for start in range(0, int(size), 65_536):
                            await taking.add(await reader.readexactly(min(65_536, int(size) - start)))
                        got = await taking.finished()
                        arrival = Arrival(
                            partner, "courier", got.body, id_, sha256=got.sha256, path=got.path, size=got.size
                        )
                        accepted = await means.intake(arrival)
                    return f"OK {accepted.payload_id}\n".encode()
                case ["CONFIRM", reference, verdict]:
                    evidence = Evidence(verdict, "courier_word", f"the courier says {verdict}")
                    return f"{await means.confirm(partner, reference, evidence)}\n".encode()
        except (GatewayError, ValueError, EOFError):
            pass
        return b"NO\n"


def open_receivers(means: Means) -> Mapping[str, Receiver]:
    """One, where a port is set."""
    return {"listener": CourierReceiver(means)} if means.own.port else {}


TRANSPORT = Transport(
    "courier",
    options=CourierOptions,
    settings=CourierSettings,
    open_sender=lambda _means: CourierSender(),
    open_receivers=open_receivers,
)
