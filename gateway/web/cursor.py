"""Opaque cursors: a place in a list, in a form that invites nobody to compute with it."""

from __future__ import annotations

import base64

from gateway.web.problems import BadRequest

_LONGEST = 400
"""Characters of a place: the longest has an id and four numbers."""


def encode(kind: str, place: str | int) -> str:
    """A cursor for `place` in the list named `kind`."""
    return base64.urlsafe_b64encode(f"{kind}\n{place}".encode()).decode().rstrip("=")


def decode(kind: str, cursor: str) -> str:
    """The place in `cursor`; BadRequest where it was not made for the list named `kind`.

    Every place is short and printable, as those are that were given out, so that each store can be asked for it.
    """
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except ValueError as error:  # no ASCII, no base64, no UTF-8
        raise BadRequest("The cursor was not given out by this gateway.") from error
    of, separator, place = text.partition("\n")
    if not separator or of != kind:
        raise BadRequest("The cursor belongs to another list.")
    if len(place) > _LONGEST or not place.isprintable():
        raise BadRequest("The cursor was not given out by this gateway.")
    return place
