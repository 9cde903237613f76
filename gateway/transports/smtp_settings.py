"""What agreements and gateway.toml say of mail."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from gateway.config import MIB, MaybePath, Reference, Section
from gateway.registry.credentials import read_reference
from gateway.transports.own_keys import OwnKey
from gateway.transports.plugin import Options

SCHEME = "smtp"
"""The scheme of partners' identifiers whose values are the mail addresses that they send from, in small letters."""
KEYS = "transports.smtp.keys"
"""The setting that names our certificates and their keys."""
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_{|}~-]{1,64}@[A-Za-z0-9.-]{1,255}")
"""An address as RFC 5321, 4.1.2 has it without quotes, which no partner's mailbox needs."""


def _address(value: str) -> str:
    if not _ADDRESS.fullmatch(value):
        raise ValueError("a mail address is name@domain, without words around it")
    return value


Address = Annotated[str, AfterValidator(_address)]


class SmtpOptions(Options):
    """Which mailbox a partner reads, and which server takes mail for it."""

    to: Address = Field(description="Mail address that deliveries go to")
    host: str = Field(
        "",
        description="The partner's own mail server, whose 250 is delivery; over the relay of the settings where empty",
    )
    port: str = Field("", pattern="^[0-9]{0,5}$", description="Its port; 25 where empty, 465 with TLS from the start")
    security: Literal["starttls", "tls", "none"] = Field(
        "starttls", description="starttls, tls from the start, or none: the mail can be read on its way then"
    )

    sign: Literal["", "sha256", "sha384", "sha512"] = Field(
        "", description="Digest of our signature (S/MIME), or empty"
    )
    encrypt: Literal["", "aes128-cbc", "aes256-cbc", "aes128-gcm", "aes256-gcm"] = Field(
        "", description="Cipher, or empty; the partner's certificate for encryption stands in the registry"
    )
    report: Literal["", "dsn", "receipt"] = Field(
        "",
        description="What is waited for: dsn, the report of mail servers on a mail that a relay took; receipt, a receipt that "
        "the partner's system has signed; nothing where empty",
    )

    @model_validator(mode="after")
    def _of_a_host(self) -> Self:
        if not self.host and (self.port or self.security != "starttls"):
            raise ValueError("port and security are those of host, which is not given")
        if self.host and self.report == "dsn":
            raise ValueError("report dsn is what a relay is asked for; the 250 of host is delivery already")
        if self.report == "receipt" and not self.sign:
            raise ValueError("report receipt needs sign: the receipt says what was signed")
        return self


class SmtpSettings(Section):
    """Our relay, and the mailbox that partners send to."""

    sender: str = Field("", description="Address that deliveries come from; nothing is sent without one")
    relay: str = Field("", description="Mail server that takes what goes to partners without a server of their own")
    relay_port: int = Field(587, description="Its port", gt=0, le=65535)
    relay_security: Literal["starttls", "tls", "none"] = Field("starttls", description="starttls, tls, or none")
    user: str = Field("", description="Name to log in with at the relay; no login where empty")
    password: Reference = Field(
        "", description="Where its password is read from: file: and a path, or env: and a variable"
    )
    ca_file: MaybePath = Field(
        None, description="PEM of authorities whose servers are trusted; the system's where absent"
    )
    listen_port: int = Field(0, description="Port on which partners' mail is taken; 0 takes none", ge=0, le=65535)
    listen_host: str = Field("127.0.0.1", description="Address to listen on", min_length=1)
    mailbox: str = Field(
        "", description="Address that partners send to; no other recipient is taken, nothing is relayed"
    )
    tls_certificate: MaybePath = Field(None, description="PEM certificate chain of the mailbox's server (STARTTLS)")
    tls_key: MaybePath = Field(None, description="PEM key of the certificate")
    plain_login: bool = Field(False, description="Let partners log in without TLS: on a network of your own alone")
    mail_bytes: int = Field(
        24 * MIB,
        description="Largest mail, which is in memory whole: an attachment of 16 MiB in base64; larger ones go by "
        "HTTP, AS2 or SFTP",
        gt=0,
    )
    connections: int = Field(
        16, description="Connections of partners' mail at once: so many of the largest mails may be in memory", gt=0
    )

    without_login: bool = Field(
        False,
        description="Take mail of other mail servers without login: what a registered partner has signed, and reports on "
        "deliveries of ours, which come to sender as well",
    )
    signed_only: bool = Field(False, description="Take mail that its partner has signed alone, with login or without")
    report_key: Reference = Field(
        "",
        description="Where the secret is read from by which reports are known to be about deliveries of ours, the same on all "
        "nodes; file: and a path, or env: and a variable",
    )
    report_hours: float = Field(
        120.0,
        description="Hours in which a report or a receipt is waited for; then the mail is sent again",
        gt=0,
        le=720,
    )
    keys: tuple[OwnKey, ...] = ()

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key go together")
        if self.listen_port and not self.mailbox:
            raise ValueError("listen_port needs mailbox, the address that partners send to")
        if self.listen_port and self.tls_certificate is None and not self.plain_login:
            raise ValueError("listen_port needs tls_certificate, since partners log in with their keys; or plain_login")
        for name in ("sender", "mailbox"):
            if value := getattr(self, name):
                _address(value)
        return self


def read_report_key(own: SmtpSettings) -> bytes:
    """The secret by which reports are known; SecretUnreadable where it is not there just now."""
    return read_reference(own.report_key, "The secret of transports.smtp.report_key").encode()
