"""The way of a partner that is pushed to by webhooks, as Standard Webhooks 1.0.0 has them, and verifies each by itself."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from aiohttp import web
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gateway.simulators.ways import Arrival, Client, NotProven, NotUnderstood, Pushed

CLOCKS_APART = 300.0
"""Seconds by which the gateway's clock and the partner's may differ; an older event may be a replay."""
_CONTENT = b',"content":'
"""What stands before content that is JSON. It is the last of the data, and no text before it holds quotes as they are."""


class Webhooks(Pushed):
    """Gets deliveries as signed events."""

    def __init__(
        self,
        client: Client,
        port: int,
        trouble: tuple[str, ...],
        keys: Sequence[str],
        tolerance: float = CLOCKS_APART,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`keys` are the gateway's public ones (`whpk_...`); of `trouble` see Pushed."""
        super().__init__(client, port, trouble)
        self._keys = [
            Ed25519PublicKey.from_public_bytes(base64.b64decode(key.removeprefix("whpk_"), validate=True))
            for key in keys
        ]
        self._tolerance = tolerance
        self._now = now

    def read(self, headers: Mapping[str, str], body: bytes) -> Arrival:
        """The delivery that an event tells of, by the bytes that were signed."""
        id_, moment = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
        if not (moment.isascii() and moment.isdigit()) or abs(self._now() - int(moment)) > self._tolerance:
            raise NotProven("webhook-timestamp is not of just now")
        signed = f"{id_}.{moment}.".encode() + body
        if not any(self._holds(one, signed) for one in headers.get("webhook-signature", "").split()):
            raise NotProven("webhook-signature is by none of the gateway's keys")
        try:
            data = json.loads(body)["data"]
            content = _content_of(data, body)
            arrival = Arrival(data["delivery"], data["document"], content)
        except (ValueError, KeyError, TypeError) as error:
            raise NotUnderstood(f"it is no event with a delivery: {error}") from error
        if hashlib.sha256(content).hexdigest() != data["sha256"] or id_ != arrival.delivery:
            raise NotUnderstood("the event says something else of its content than this is")
        return arrival

    def confirm(self, _headers: Mapping[str, str], _body: bytes) -> web.Response:
        """Any 2xx says that the partner has it."""
        return web.Response(status=204)

    def _holds(self, one: str, signed: bytes) -> bool:
        """Whether one of the signatures is an Ed25519 signature by a key of the gateway's."""
        kind, _, text = one.partition(",")
        if kind != "v1a":
            return False
        for key in self._keys:
            try:
                key.verify(base64.b64decode(text, validate=True), signed)
            except (InvalidSignature, ValueError):
                continue
            return True
        return False


def _content_of(data: Mapping[str, Any], body: bytes) -> bytes:
    """The delivery's own bytes: those of base64, or, of JSON, the bytes that stand in the event."""
    if "content_base64" in data:
        return base64.b64decode(data["content_base64"], validate=True)
    _, found, rest = body.partition(_CONTENT)
    if not found or not rest.endswith(b"}}"):
        raise ValueError("it has no content")
    return rest.removesuffix(b"}}")
