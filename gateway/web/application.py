"""The aiohttp application: the routes over the services. It starts and stops nothing; `app` does."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from functools import partial

from aiohttp import web

from gateway import documents
from gateway.metrics import Metrics
from gateway.transports.http import keep_waiting
from gateway.web.api.description import DESCRIPTION, Described
from gateway.web.openapi import build as describe
from gateway.web.page import write_page
from gateway.web.plugged import routes_of
from gateway.web.problems import problems
from gateway.web.request_ids import name_request
from gateway.web.routes import ROUTES, Handler, Route
from gateway.web.services import SERVICES, Services


def application(services: Services) -> web.Application:
    """The application for `services`."""
    app = web.Application(middlewares=[problems], client_max_size=services.settings.limits.payload_bytes)
    app[SERVICES] = services
    app.on_response_prepare.append(name_request)
    routes = (*ROUTES, *routes_of(services.process.transports))
    description = describe(tuple(documents.MODELS.values()), routes)
    app[DESCRIPTION] = Described(json.dumps(description, ensure_ascii=False).encode(), write_page(description))
    methods: dict[str, list[str]] = defaultdict(list)
    for route in routes:
        handler = _counted(route, services.metrics)
        # Whatever is read is asked about, too (RFC 9110, 9.3.2): the handler does the same, and no content leaves.
        for method in (route.method, *(("HEAD",) if route.method == "GET" else ())):
            methods[route.path].append(method)
            app.router.add_route(method, route.path, handler, expect_handler=keep_waiting if route.waits else None)
    for path, known in methods.items():
        app.router.add_route("OPTIONS", path, partial(_tell_methods, ", ".join([*known, "OPTIONS"])))
    return app


async def _tell_methods(allowed: str, _request: web.Request) -> web.Response:
    """What may be asked here (RFC 9110, 9.3.7); nothing for scripts of other sites, which have no business here."""
    return web.Response(status=204, headers={"Allow": allowed})


def _counted(route: Route, metrics: Metrics) -> Handler:
    """The route's handler, counted and timed."""
    handler = route.handler
    seconds = metrics.request_seconds.labels(route.operation)
    done = metrics.requests.labels(route.operation, "done")
    refused = metrics.requests.labels(route.operation, "refused")

    async def counted(request: web.Request) -> web.StreamResponse:
        began = time.perf_counter()
        try:
            response = await handler(request)
        except BaseException:
            refused.inc()
            raise
        done.inc()
        seconds.observe(time.perf_counter() - began)
        return response

    return counted
