"""`gateway ready` asks the gateway of this machine whether it can take messages in: for supervisors and containers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli import output

if TYPE_CHECKING:
    import ssl
    import urllib.request

    from gateway.config import Http


def register(cli: typer.Typer) -> None:
    """Add the command."""
    cli.command()(ready)


def ready(
    seconds: Annotated[float, typer.Option(help="How long it may take to answer.", min=0.1)] = 3.0,
    config: output.ConfigOption = None,
    lang: output.LanguageOption = "",
) -> None:
    """Ask /readyz of the gateway that runs with this configuration: exit 0 where messages are taken in, 1 where not."""
    import urllib.error
    import urllib.request

    from gateway.cli.words import word
    from gateway.config import load

    http = load(config).http
    if not http.port:
        output.stop("http.port is 0, so nobody knows the port; ask at the URL that gateway serve has printed")
    url = f"{'https' if http.tls_certificate else 'http'}://{_host(http)}:{http.port}/readyz"
    try:
        # No proxy of the surroundings stands between a machine and itself.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), *_handlers(http))
        with opener.open(url, timeout=seconds):
            output.say(word("ready", lang, url=url))
    except urllib.error.HTTPError as error:
        output.stop(word("not_ready", lang, url=url, reason=f"HTTP {error.code}"), output.NO)
    except OSError as error:
        reason = getattr(error, "reason", error)
        output.stop(word("not_ready", lang, url=url, reason=str(reason)), output.NO)


def _host(http: Http) -> str:
    """The address at which a server that listens there is reached from this machine."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(http.host, http.host)  # noqa: S104 - read, and not listened on
    return f"[{host}]" if ":" in host else host


def _handlers(http: Http) -> list[urllib.request.BaseHandler]:
    import urllib.request

    return [urllib.request.HTTPSHandler(context=_context(http))] if http.tls_certificate else []


def _context(http: Http) -> ssl.SSLContext:
    """Trusts the one certificate that the server has; its name is the outside's, and not this machine's."""
    import ssl

    context = ssl.create_default_context(cafile=http.tls_certificate)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if http.tls_client_ca is not None and http.tls_key is not None and http.tls_certificate is not None:
        # Where clients must show a certificate, the server's own is the one at hand; whether its authority takes it is
        # the operator's to arrange.
        context.load_cert_chain(http.tls_certificate, http.tls_key)
    return context
