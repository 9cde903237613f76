"""Which language a caller reads: Accept-Language first, then what the caller's partner record says."""

from __future__ import annotations

from functools import lru_cache

from aiohttp import web

from gateway.languages import ENGLISH, choose_language, maybe_language


@lru_cache(maxsize=256)
def choose(accept: str, fallback: str) -> str:
    """`en` or `zh` by an Accept-Language header (RFC 9110, 12.5.4); `fallback` where it names neither."""
    best, best_weight = fallback, 0.0
    for part in accept.split(","):
        tag, _, parameters = part.strip().partition(";")
        name = maybe_language(tag)
        weight = 1.0
        if parameters.strip().startswith("q="):
            try:
                weight = float(parameters.strip()[2:])
            except ValueError:
                continue
        if name is not None and weight > best_weight:
            best, best_weight = name, weight
    return choose_language(best)


def preferred(request: web.Request, fallback: str = ENGLISH) -> str:
    """The language of `request`'s caller."""
    return choose(request.headers.get("Accept-Language", ""), fallback)
