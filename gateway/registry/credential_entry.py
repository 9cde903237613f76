"""Credentials as partner files say them: API keys, and all others."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Self

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, field_validator, model_validator

from gateway import model
from gateway.registry.credentials import Public, read_public
from gateway.registry.keys import SCOPES, hash_key

_HASH = r"^[0-9a-f]{64}$"
ID = r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$"
"""How ids of the registry are written."""


class Entry(BaseModel):
    """A table of a partner file."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class _Dated(Entry):
    """What every credential says: its name, what it is for, and when it is valid."""

    id: str = Field("", pattern=f"{ID}|^$", description="Name in the registry; made of what it is where absent")
    scopes: frozenset[str] = Field(frozenset({"send", "read"}), description="What it opens: send, read, admin")
    test: bool = Field(False, description="Whether all that comes under it is test traffic")
    label: str = Field("", max_length=100, description="What it is for; agreements name outgoing ones by it")
    person_id: str = Field(
        "", pattern=f"{ID}|^$", description="Id of the person whose it is; of no person where absent"
    )
    valid_from: datetime | None = Field(None, description="When its validity begins; with offset")
    valid_until: datetime | None = Field(
        None,
        description="When its validity ends; with offset",
        validation_alias=AliasChoices("valid_until", "expires_at"),  # as files of earlier versions say it
    )
    revoked_at: datetime | None = Field(None, description="From when on it is revoked; with offset")

    @field_validator("scopes")
    @classmethod
    def _known(cls, scopes: frozenset[str]) -> frozenset[str]:
        if unknown := scopes - SCOPES:
            raise ValueError(f"no such scope: {', '.join(sorted(unknown))}")
        return scopes

    @field_validator("valid_from", "valid_until", "revoked_at")
    @classmethod
    def _aware(cls, at: datetime | None) -> datetime | None:
        if at is not None and at.tzinfo is None:
            raise ValueError("needs an offset, such as Z")
        return at.astimezone(UTC) if at is not None else None

    @model_validator(mode="after")
    def _lasting(self) -> Self:
        if self.valid_from is not None and self.valid_until is not None and self.valid_from >= self.valid_until:
            raise ValueError("it ends before it begins")
        return self


class KeyEntry(_Dated):
    """An API key, itself or its hash."""

    key: str = Field("", description="The key itself; only its hash is kept", repr=False, pattern="^[ -~]*$")
    hash: str = Field("", pattern=f"{_HASH}|^$", description="SHA-256 of the key, hex")

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if bool(self.key) == bool(self.hash):
            raise ValueError("give either key or hash")
        if self.key and len(self.key) < 32:
            raise ValueError("a key has at least 32 characters, since it is kept as a plain hash")
        return self

    def credential(self, partner_id: str) -> model.Credential:
        """The key as the registry keeps it."""
        hash_ = self.hash or hash_key(self.key)
        return model.Credential(
            id=self.id or f"{partner_id}-{hash_[:8]}",
            partner_id=partner_id,
            hash=hash_,
            scopes=self.scopes,
            test=self.test,
            valid_from=self.valid_from,
            valid_until=self.valid_until,
            label=self.label,
            revoked_at=self.revoked_at,
            person_id=self.person_id,
        )


_USES: Mapping[model.CredentialKind, frozenset[model.CredentialUse]] = {
    model.CredentialKind.CERTIFICATE: frozenset(model.CredentialUse),
    model.CredentialKind.PUBLIC_KEY: frozenset(model.CredentialUse) - {model.CredentialUse.OUT},
    model.CredentialKind.TOKEN: frozenset({model.CredentialUse.OUT}),
    model.CredentialKind.PASSWORD: frozenset({model.CredentialUse.OUT}),
}
"""What each kind can be used for. API keys are `keys`; a password that is shown to us has no place here, since it may be
guessed and is no look-up."""


class CredentialEntry(_Dated):
    """A certificate or public key of the partner's, or where a secret is read from that is shown to it."""

    kind: model.CredentialKind = Field(description="certificate, public_key, token or password")
    use: model.CredentialUse = Field(description="in (shown to us), out (shown by us), sign or encrypt")
    material: str = Field("", description="The certificate (PEM) or public key (PEM or OpenSSH) itself")
    reference: str = Field(
        "",
        pattern=r"^(file:.+|env:[A-Za-z_][A-Za-z0-9_]*)?$",
        description="Where the secret of an outgoing one is read from: file: and a path, or env: and a variable",
    )

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        uses = _USES.get(self.kind)
        if uses is None:
            raise ValueError("an API key is one of keys")
        if self.use not in uses:
            raise ValueError(f"use: a {self.kind} is not used for {self.use}; it is for {', '.join(sorted(uses))}")
        if self.use is model.CredentialUse.OUT:
            if not self.reference or self.material:
                raise ValueError("what is shown by us is a reference, and nothing else of it is kept")
            return self
        if self.reference or not self.material:
            raise ValueError("what is shown to us, signs or encrypts is its material")
        public = read_public(self.kind, self.material)
        if public.valid_until is not None and self.valid_from is not None and self.valid_from >= public.valid_until:
            raise ValueError("valid_from: the certificate has ended by then")
        return self

    def credential(self, partner_id: str) -> model.Credential:
        """The credential as the registry keeps it; a certificate is valid no longer than it says itself."""
        public = read_public(self.kind, self.material) if self.material else Public("")
        of_what = public.hash[:8] or hashlib.sha256(self.reference.encode()).hexdigest()[:8]
        begins = [at for at in (self.valid_from, public.valid_from) if at is not None]
        ends = [at for at in (self.valid_until, public.valid_until) if at is not None]
        return model.Credential(
            id=self.id or f"{partner_id}-{self.kind}-{self.use}-{of_what}",
            partner_id=partner_id,
            hash=public.hash,
            scopes=self.scopes,
            test=self.test,
            valid_from=max(begins, default=None),
            valid_until=min(ends, default=None),
            label=self.label,
            revoked_at=self.revoked_at,
            person_id=self.person_id,
            kind=self.kind,
            use=self.use,
            material=self.material,
            reference=self.reference,
        )
