"""The aiohttp application: the routes over the services. It starts and stops nothing; `app` does."""

from __future__ import annotations

import json
import time

from aiohttp import web

from gateway import documents
from gateway.metrics import Metrics
from gateway.transports.http import keep_waiting
from gateway.web.api.description import DESCRIPTION
from gateway.web.openapi import build as describe
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
    app[DESCRIPTION] = json.dumps(description, ensure_ascii=False).encode()
    for route in routes:
        handler = _counted(route, services.metrics)
        for method in (route.method, *(("HEAD",) if route.head else ())):
            app.router.add_route(method, route.path, handler, expect_handler=keep_waiting if route.waits else None)
    return app


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
