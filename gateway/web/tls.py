"""TLS for the HTTP side, mutual where an authority for client certificates is configured."""

from __future__ import annotations

import ssl

from gateway.config import Http
from gateway.errors import ConfigurationInvalid


def server_context(http: Http) -> ssl.SSLContext | None:
    """The context for `http`'s certificate; None where none is configured. ConfigurationInvalid where it is unusable."""
    if http.tls_certificate is None:
        if http.tls_key is not None or http.tls_client_ca is not None:
            raise ConfigurationInvalid("http.tls_key and http.tls_client_ca need http.tls_certificate")
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # RFC 9325, 3.1.1
    try:
        context.load_cert_chain(http.tls_certificate, http.tls_key)
        if http.tls_client_ca is not None:
            context.load_verify_locations(http.tls_client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationInvalid(f"http.tls_*: {error}") from error
    return context
