from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_ssh_public_key
from pydantic import ValidationError

from gateway.config import Limits, Settings, Store
from gateway.errors import DeliveryDeferred, DeliveryRefused, PayloadUnreadable, StoreUnavailable
from gateway.model import (
    Agreement,
    Credential,
    CredentialKind,
    CredentialUse,
    Delivery,
    DeliveryKind,
    Direction,
    Partner,
    Receipt,
    Role,
    Stage,
)
from gateway.registry.credentials import choose, read_public
from gateway.registry.directory import Directory
from gateway.registry.keys import hash_key
from gateway.store.contract import Accepted, Settled
from gateway.transports import sftp
from gateway.transports.base import Arrival, Awaiting, Evidence, Record
from gateway.transports.plugin import Means
from gateway.transports.sftp import SftpOptions, SftpSender, SftpSettings, folder_of
from tests.transports.conformance.kinds import free_port, means_of

BODY = b"UNB+UNOA:3+A+B+260101:1200+1'UNZ+0+1'"
KEY = asyncssh.generate_private_key("ssh-ed25519")


def hash_of(key: asyncssh.SSHKey) -> str:
    """What the registry keeps of a key."""
    public = load_ssh_public_key(key.export_public_key("openssh"))
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    return read_public(CredentialKind.PUBLIC_KEY, pem).hash


CREDENTIALS = (
    Credential("pw", "acme", hash_key("hush"), kind=CredentialKind.PASSWORD),
    Credential("api", "acme", hash_key("gwk_test"), test=True),
    Credential("key", "acme", hash_of(KEY), kind=CredentialKind.PUBLIC_KEY),
    Credential("rival", "rival", hash_key("rivals"), kind=CredentialKind.PASSWORD),
    Credential("read", "acme", hash_key("reads"), scopes=frozenset({"read"})),
    Credential("over", "acme", hash_key("over"), valid_until=datetime(2020, 1, 1, tzinfo=UTC)),
)


class Known(Directory):
    """A registry with two partners and their credentials."""

    def __init__(self, credentials: Sequence[Credential] = CREDENTIALS, *, active: bool = True) -> None:
        super().__init__(None)  # type: ignore[arg-type]
        self._all = credentials
        self._active = active

    async def shown_credential(self, hash_: str) -> Credential | None:
        return next((one for one in self._all if one.hash == hash_), None)

    async def partner(self, partner_id: str) -> Partner:
        return Partner(partner_id, partner_id, frozenset({Role.ENTERPRISE}), active=self._active)

    async def credentials(
        self, partner_id: str, kind: CredentialKind, use: CredentialUse, now: datetime, label: str = ""
    ) -> Sequence[Credential]:
        return choose([one for one in self._all if one.partner_id == partner_id], kind, use, now, label)


class Taking:
    """An intake that keeps what comes, and raises what it is told."""

    def __init__(self) -> None:
        self.arrivals: list[Arrival] = []
        self.contents: list[bytes] = []
        self.error: Exception | None = None
        self.confirmed: list[tuple[str, str, Evidence]] = []

    async def __call__(self, arrival: Arrival) -> Accepted:
        if self.error is not None:
            raise self.error
        self.contents.append(arrival.path.read_bytes() if arrival.path is not None else arrival.body)
        self.arrivals.append(arrival)
        return Accepted("p1", Receipt(1, Stage.RECEIVED, "p1", b'{"receipt":1}'))

    async def confirm(self, partner_id: str, reference: str, evidence: Evidence) -> Settled:
        self.confirmed.append((partner_id, reference, evidence))
        return Settled.COUNTED


@dataclass
class Running:
    """The gateway's server."""

    port: int
    root: Path
    taking: Taking
    means: Means

    @asynccontextmanager
    async def client(
        self, user: str = "acme", password: str | None = "hush", key: Any = None
    ) -> AsyncIterator[asyncssh.SFTPClient]:
        """A partner that has logged in."""
        async with (
            asyncssh.connect(
                "127.0.0.1", self.port, username=user, password=password, client_keys=[key] if key else None,
                known_hosts=None, config=None, agent_path=None,
            ) as connection,
            connection.start_sftp_client() as client,
        ):  # fmt: skip
            yield client

    def box(self, name: str, *, test: bool = False) -> Path:
        return folder_of(self.root, "acme", test=test) / name


@asynccontextmanager
async def server(
    tmp_path: Path, registry: Directory | None = None, taking: Taking | None = None, **own: Any
) -> AsyncIterator[Running]:
    taking, port, root = taking or Taking(), free_port(), tmp_path / "sftp"
    given = SftpSettings(
        **{"listen_port": port, "folder": root, "host_key_file": tmp_path / "host.key", "poll_seconds": 0.02, **own}
    )
    settings = Settings(store=Store(payload_folder=tmp_path / "payloads"), limits=Limits(payload_bytes=3 << 20))
    means = replace(means_of(settings, given, taking), registry=registry or Known(), confirm=taking.confirm)
    assert sftp.TRANSPORT.open_receivers is not None
    running = [asyncio.create_task(one.run()) for one in sftp.TRANSPORT.open_receivers(means).values()]
    for _ in range(300):
        with suppress(OSError):
            (await asyncio.open_connection("127.0.0.1", port))[1].close()
            break
        await asyncio.sleep(0.01)
    try:
        yield Running(port, root, taking, means)
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def until(true: Any, seconds: float = 8.0) -> None:
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 -- files set no event
            await asyncio.sleep(0.01)


async def put(client: asyncssh.SFTPClient, path: str, body: bytes = BODY) -> None:
    async with client.open(path, "wb") as file:
        await file.write(body)


# In, over our own server.


@pytest.mark.parametrize("login", [{"password": "hush"}, {"password": None, "key": KEY}], ids=["password", "key"])
async def test_what_is_uploaded_is_kept_with_its_receipt(tmp_path: Path, login: dict[str, Any]):
    """A file in OutBox is a payload of whoever logged in; it moves to SentBox with the receipt beside it."""
    async with server(tmp_path) as gateway, gateway.client(**login) as client:
        await put(client, "/OutBox/a.edi")
        await until((gateway.box("SentBox") / "a.edi").exists)
        assert sorted(await client.listdir("/SentBox")) == ["a.edi", "a.edi.receipt.json"]
        async with client.open("/SentBox/a.edi.receipt.json", "rb") as file:
            said: Any = await file.read()
            assert said == b'{"receipt":1}'
    (arrival,) = gateway.taking.arrivals
    assert (arrival.partner_id, arrival.transport, arrival.filename, arrival.test) == ("acme", "sftp", "a.edi", False)
    assert gateway.taking.contents == [BODY]


async def test_a_key_for_tests_has_boxes_of_its_own(tmp_path: Path):
    """What comes under a test key is test traffic, and neither side sees the other's files."""
    async with server(tmp_path) as gateway:
        async with gateway.client(password="gwk_test") as client:
            await put(client, "/OutBox/t.edi")
            await until((gateway.box("SentBox", test=True) / "t.edi").exists)
        async with gateway.client() as client:
            assert await client.listdir("/SentBox") == []
    assert gateway.taking.arrivals[0].test


async def test_what_is_refused_comes_back_with_the_reason(tmp_path: Path):
    """A file that is none lands in FailBox, where its sender reads why."""
    async with server(tmp_path) as gateway, gateway.client() as client:
        gateway.taking.error = PayloadUnreadable("The payload is empty.")
        await put(client, "/OutBox/a.edi")
        await until((gateway.box("FailBox") / "a.edi").exists)
        async with client.open("/FailBox/a.edi.reason.json", "rb") as file:
            said: Any = await file.read()
            assert b"The payload is empty." in said
        await client.remove("/FailBox/a.edi")
        assert not (gateway.box("FailBox") / "a.edi").exists()


async def test_what_cannot_be_kept_just_now_is_kept_later(tmp_path: Path):
    """A file waits for the store, under the partner's eyes or not, and is taken once."""
    async with server(tmp_path) as gateway:
        error = StoreUnavailable()
        error.retry_after = 0.02
        gateway.taking.error = error
        async with gateway.client() as client:
            await put(client, "/OutBox/a.edi")
            await asyncio.sleep(0.1)
        gateway.taking.error = None
        await until((gateway.box("SentBox") / "a.edi").exists)
    assert gateway.taking.contents == [BODY]


async def test_an_upload_that_breaks_off_leaves_nothing(tmp_path: Path):
    """Of a file whose connection ends before it is closed nothing is taken, and nothing is left."""
    async with server(tmp_path) as gateway:
        connection = await asyncssh.connect(
            "127.0.0.1", gateway.port, username="acme", password="hush", known_hosts=None, client_keys=None, config=None
        )
        client = await connection.start_sftp_client()
        file = await client.open("/OutBox/half.edi", "wb")
        await file.write(BODY)
        assert await client.listdir("/OutBox") == []
        connection.abort()
        await until(lambda: not any(gateway.box("OutBox").iterdir()))
        async with gateway.client() as other:
            await put(other, "/OutBox/whole.edi")
            await until((gateway.box("SentBox") / "whole.edi").exists)
    assert [arrival.filename for arrival in gateway.taking.arrivals] == ["whole.edi"]


async def test_a_file_under_another_name_waits_for_its_own(tmp_path: Path):
    """Clients that upload as .part and rename are served as well."""
    async with server(tmp_path) as gateway, gateway.client() as client:
        await put(client, "/OutBox/a.edi.part")
        await asyncio.sleep(0.15)
        assert not gateway.taking.arrivals
        await client.rename("/OutBox/a.edi.part", "/OutBox/a.edi")
        await until((gateway.box("SentBox") / "a.edi").exists)
    assert [arrival.filename for arrival in gateway.taking.arrivals] == ["a.edi"]


async def test_what_a_crash_left_is_taken_at_the_next_start(tmp_path: Path):
    """Files that were uploaded and not taken in are found without anybody logging in."""
    outbox = folder_of(tmp_path / "sftp", "acme", test=False) / "OutBox"
    outbox.mkdir(parents=True)
    (outbox / "a.edi").write_bytes(BODY)
    async with server(tmp_path) as gateway:
        await until((gateway.box("SentBox") / "a.edi").exists)
    assert gateway.taking.contents == [BODY]


@pytest.mark.parametrize(
    ("user", "password", "key"),
    [
        ("acme", "wrong", None),
        ("acme", "rivals", None),  # another partner's
        ("rival", "hush", None),
        ("acme", "reads", None),
        ("acme", "over", None),
        ("acme", "schlüssel", None),
        ("nobody", "hush", None),
        ("../acme", "hush", None),
        ("acme", None, asyncssh.generate_private_key("ssh-ed25519")),
    ],
)
async def test_nobody_else_comes_in(tmp_path: Path, user: str, password: str | None, key: Any):
    """A wrong password, another partner's, one without the scope or that is over, another key: none lets in."""
    async with server(tmp_path) as gateway:
        with pytest.raises(asyncssh.PermissionDenied):
            async with gateway.client(user, password, key):
                pass


async def test_an_inactive_partner_does_not_come_in(tmp_path: Path):
    """A partner that was shut out keeps its keys and gets in with none of them."""
    async with server(tmp_path, Known(active=False)) as gateway:
        with pytest.raises(asyncssh.PermissionDenied):
            async with gateway.client():
                pass


@pytest.mark.parametrize(
    "path",
    [
        "/../secret",
        "/OutBox/../../x",
        "/etc/passwd",
        "/OutBox/.upload-x",
        "/OutBox/a/b",
        "/.ssh",
        "/Other/x",
        "/OutBox/.taken-1/x",
    ],
)
async def test_there_is_nothing_but_the_boxes(tmp_path: Path, path: str):
    """Whatever path is asked for, nothing beside the partner's own boxes is read, written, listed or removed."""
    (tmp_path / "secret").write_bytes(b"secret")
    async with server(tmp_path) as gateway, gateway.client() as client:
        for work in (
            lambda: put(client, path),
            lambda: client.stat(path),
            lambda: client.listdir(path),
            lambda: client.remove(path),
            lambda: client.open(path, "rb"),
            lambda: client.rename(path, "/OutBox/x"),
            lambda: client.rename("/OutBox/x", path),
        ):
            with pytest.raises(asyncssh.SFTPError):
                await work()
    assert (tmp_path / "secret").read_bytes() == b"secret"


async def test_links_lead_nowhere(tmp_path: Path):
    """Links cannot be made, and one that lies in a box all the same is not followed."""
    (tmp_path / "secret").write_bytes(b"secret")
    async with server(tmp_path) as gateway, gateway.client() as client:
        with pytest.raises(asyncssh.SFTPError):
            await client.symlink("/secret", "/OutBox/link")
        with pytest.raises(asyncssh.SFTPError):
            await client.mkdir("/OutBox/folder")
        (gateway.box("InBox") / "link").symlink_to(tmp_path / "secret")
        assert await client.listdir("/InBox") == []
        for work in (
            lambda: client.open("/InBox/link", "rb"),
            lambda: client.stat("/InBox/link"),
            lambda: client.remove("/InBox/link"),
        ):
            with pytest.raises(asyncssh.SFTPError):
                await work()
    assert (tmp_path / "secret").read_bytes() == b"secret"


async def test_only_sftp_is_spoken(tmp_path: Path):
    """There is no shell, no command, and no way through to other machines."""
    async with server(tmp_path) as gateway:
        connection = await asyncssh.connect(
            "127.0.0.1", gateway.port, username="acme", password="hush", known_hosts=None, client_keys=None, config=None
        )
        async with connection:
            with pytest.raises(asyncssh.ChannelOpenError):
                await connection.run("id", timeout=5)
            with pytest.raises(asyncssh.ChannelOpenError):
                await connection.open_connection("127.0.0.1", gateway.port)
            with pytest.raises(asyncssh.ChannelListenError):
                await connection.forward_remote_port("127.0.0.1", 0, "127.0.0.1", 9)


async def test_a_file_that_is_too_large_is_refused_as_it_comes(tmp_path: Path):
    """The bound holds while bytes come, and nothing of the file is left."""
    async with server(tmp_path) as gateway, gateway.client() as client:
        with pytest.raises(asyncssh.SFTPError, match="At most"):
            await put(client, "/OutBox/large", bytes(4 << 20))
        await until(lambda: not any(path.name == "large" for path in gateway.box("SentBox").iterdir()))
        await put(client, "/OutBox/small")
        await until((gateway.box("SentBox") / "small").exists)


async def test_one_connection_too_many_is_turned_away(tmp_path: Path):
    """Others go on, and the next one comes in once there is room."""
    async with server(tmp_path, connections=1) as gateway:
        async with gateway.client() as client:
            with pytest.raises((asyncssh.Error, OSError)):
                async with gateway.client():
                    pass
            assert await client.listdir("/InBox") == []
        await asyncio.sleep(0.1)
        async with gateway.client():
            pass


async def test_the_host_key_stays(tmp_path: Path):
    """The key that is made at the first start is the server's at the next; nobody else may read it."""
    keys = []
    for _ in range(2):
        async with server(tmp_path) as gateway:
            key = await asyncssh.get_server_host_key("127.0.0.1", gateway.port)
            assert key is not None
            keys.append(key.get_fingerprint())
    assert keys[0] == keys[1]
    assert (tmp_path / "host.key").stat().st_mode & 0o777 == 0o600


# Out, fetched from our own server.


def delivery(body: bytes = BODY, **changes: Any) -> Delivery:
    made = Delivery(
        id="d" * 32,
        partner_id="acme",
        agreement_id="out",
        lane="lane",
        kind=DeliveryKind.DOCUMENT,
        document_type="clearance",
        format="edifact:CUSRES:D:96B:UN",
        body=body,
        sha256=hashlib.sha256(body).hexdigest(),
    )
    return replace(made, **changes)


def agreement(**options: str) -> Agreement:
    return Agreement("out", "acme", Direction.OUT, "*", "json:response:1", "sftp", options, attempt_timeout=10)


async def test_a_delivery_is_delivered_once_it_was_fetched(tmp_path: Path):
    """It lies in InBox until the partner has read all of it; a part of it is no proof."""
    body = os.urandom(300_000)
    async with server(tmp_path) as gateway:
        waits = await SftpSender(gateway.means).send(delivery(body), agreement(), Record())
        assert isinstance(waits, Awaiting)
        assert waits.reference == f"clearance-{'d' * 32}.edi"
        async with gateway.client() as client:
            (name,) = await client.listdir("/InBox")
            async with client.open(f"/InBox/{name}", "rb") as file:
                await file.read(1000, 0)
            await asyncio.sleep(0.05)
            assert gateway.taking.confirmed == []
            await client.get(f"/InBox/{name}", tmp_path / "got")
            await until(lambda: bool(gateway.taking.confirmed))
            await client.remove(f"/InBox/{name}")
    ((partner, reference, evidence),) = gateway.taking.confirmed
    assert (partner, reference, evidence.outcome, evidence.kind) == (
        "acme",
        waits.reference,
        "delivered",
        "sftp_fetched",
    )
    assert (tmp_path / "got").read_bytes() == body


async def test_a_test_delivery_lies_among_the_tests(tmp_path: Path):
    """Who fetches with a live key does not see it."""
    async with server(tmp_path) as gateway:
        await SftpSender(gateway.means).send(delivery(test=True), agreement(), Record())
        async with gateway.client() as client:
            assert await client.listdir("/InBox") == []
        async with gateway.client(password="gwk_test") as client:
            assert len(await client.listdir("/InBox")) == 1


async def test_without_a_server_nothing_is_put_down(tmp_path: Path):
    """A delivery that nobody could fetch waits for the operator."""
    means = means_of(Settings(), SftpSettings(folder=tmp_path), Taking())
    with pytest.raises(DeliveryDeferred, match="listen_port"):
        await SftpSender(means).send(delivery(), agreement(), Record())


async def test_a_partner_with_many_files_delays_no_other(tmp_path: Path):
    """While one partner's files are taken in, and none of them comes to an end, another's file is kept."""
    ended = asyncio.Event()

    class Slow(Taking):
        async def __call__(self, arrival: Arrival) -> Accepted:
            if arrival.partner_id == "acme":
                await ended.wait()
            return await super().__call__(arrival)

    async with server(tmp_path, taking=Slow()) as gateway:
        async with gateway.client() as client:
            for number in range(20):
                await put(client, f"/OutBox/{number}.edi")
        async with gateway.client("rival", "rivals") as client:
            await put(client, "/OutBox/rival.edi")
        await until(lambda: [one.partner_id for one in gateway.taking.arrivals] == ["rival"])
        ended.set()
        await until(lambda: len(gateway.taking.arrivals) == 21)


async def test_only_so_many_partners_are_looked_at_at_once(tmp_path: Path):
    """More partners with files than are gone through at once wait for their turn, and each has it."""
    at_once, most = 0, 0

    class Counting(Taking):
        async def __call__(self, arrival: Arrival) -> Accepted:
            nonlocal at_once, most
            at_once += 1
            most = max(most, at_once)
            await asyncio.sleep(0.02)
            at_once -= 1
            return await super().__call__(arrival)

    count = 3 * sftp.AT_ONCE
    for number in range(count):
        outbox = folder_of(tmp_path / "sftp", f"partner{number}", test=False) / "OutBox"
        outbox.mkdir(parents=True)
        (outbox / "a.edi").write_bytes(BODY)
    async with server(tmp_path, taking=Counting()) as gateway:
        await until(lambda: len(gateway.taking.arrivals) == count)
    assert most == sftp.AT_ONCE
    assert len({one.partner_id for one in gateway.taking.arrivals}) == count


# Out, to a partner's server.


class Files(asyncssh.SFTPServer):
    """A partner's server, which can lose bytes."""

    lose = False

    def write(self, file_obj: object, offset: int, data: bytes) -> Any:
        return len(data) if self.lose else super().write(file_obj, offset, data)


class Door(asyncssh.SSHServer):
    def begin_auth(self, _username: str) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == ("gate", "theirs")

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return username == "gate" and key.export_public_key() == KEY.export_public_key()


@asynccontextmanager
async def partner(tmp_path: Path) -> AsyncIterator[tuple[dict[str, str], Path]]:
    """A partner's server: what the agreement says of it, and its folder."""
    (tmp_path / "theirs" / "in").mkdir(parents=True)
    host_key = asyncssh.generate_private_key("ssh-ed25519")
    listening = await asyncssh.listen(
        "127.0.0.1", 0, server_factory=Door, server_host_keys=[host_key], config=None,
        sftp_factory=lambda chan: Files(chan, chroot=os.fsencode(tmp_path / "theirs")),
    )  # fmt: skip
    options = {
        "host": "127.0.0.1",
        "port": str(listening.get_port()),
        "user": "gate",
        "folder": "/in",
        "host_key": host_key.export_public_key().decode().strip(),
        "password": "sftp",
    }
    try:
        yield options, tmp_path / "theirs" / "in"
    finally:
        listening.close()
        await listening.wait_closed()


def outgoing(tmp_path: Path) -> Known:
    """The secrets that we show."""
    (tmp_path / "password").write_text("theirs\n")
    (tmp_path / "key").write_bytes(KEY.export_private_key())
    return Known(
        [
            Credential(
                "o1",
                "acme",
                kind=CredentialKind.PASSWORD,
                use=CredentialUse.OUT,
                label="sftp",
                reference=f"file:{tmp_path / 'password'}",
            ),
            Credential(
                "o2",
                "acme",
                kind=CredentialKind.PUBLIC_KEY,
                use=CredentialUse.OUT,
                label="ours",
                reference=f"file:{tmp_path / 'key'}",
            ),
        ]
    )


def sender(tmp_path: Path, *, allow_private: bool = True) -> SftpSender:
    means = replace(means_of(Settings(), SftpSettings(), Taking()), registry=outgoing(tmp_path))
    return SftpSender(means, allow_private=allow_private)


@pytest.mark.parametrize("login", [{"password": "sftp"}, {"password": "", "key": "ours"}], ids=["password", "key"])
async def test_a_delivery_is_uploaded_and_renamed(tmp_path: Path, login: dict[str, str]):
    """The partner finds it whole under its name; sent again it is the same file."""
    body = os.urandom(200_000)
    async with partner(tmp_path) as (options, folder):
        for _ in range(2):
            evidence = await sender(tmp_path).send(delivery(body), agreement(**options | login), Record())
        assert isinstance(evidence, Evidence)
        assert (evidence.outcome, evidence.kind) == ("delivered", "sftp_rename")
        assert hashlib.sha256(body).hexdigest() in evidence.detail
        assert [(path.name, path.read_bytes()) for path in folder.iterdir()] == [(f"clearance-{'d' * 32}.edi", body)]


async def test_another_host_key_is_not_spoken_to(tmp_path: Path):
    """Whoever answers at the address with another key gets no password and no delivery."""
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip()
    async with partner(tmp_path) as (options, folder):
        with pytest.raises(DeliveryDeferred, match="another host key"):
            await sender(tmp_path).send(delivery(), agreement(**options | {"host_key": other}), Record())
        assert not list(folder.iterdir())


async def test_what_does_not_arrive_whole_is_no_delivery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A server that loses bytes and says that all is well is found out by the size."""
    async with partner(tmp_path) as (options, _):
        monkeypatch.setattr(Files, "lose", True)
        with pytest.raises(DeliveryDeferred, match="has 0 bytes"):
            await sender(tmp_path).send(delivery(), agreement(**options), Record())


@pytest.mark.parametrize(
    "changes", [{"user": "nobody"}, {"folder": "/nowhere"}, {"password": "other label"}, {"port": "1"}], ids=str
)
async def test_what_an_operator_can_mend_is_tried_again(tmp_path: Path, changes: dict[str, str]):
    """A wrong name, a missing folder, a missing credential, nobody there: the delivery waits for a better day."""
    async with partner(tmp_path) as (options, _):
        with pytest.raises(DeliveryDeferred):
            await sender(tmp_path).send(delivery(), agreement(**options | changes), Record())


async def test_a_server_in_a_private_network_is_not_spoken_to(tmp_path: Path):
    """A partner's agreement cannot lead us to what only we can reach."""
    async with partner(tmp_path) as (options, _):
        with pytest.raises(DeliveryRefused, match="private network"):
            await sender(tmp_path, allow_private=False).send(delivery(), agreement(**options), Record())


@pytest.mark.parametrize(
    "options",
    [
        {"host": "h"},
        {"host": "h", "user": "u", "host_key": "ssh-ed25519 no", "password": "p"},
        {"host": "h", "user": "u", "host_key": "theirs"},
        {"host": "h", "user": "u", "host_key": "theirs", "password": "p", "key": "k"},
        {"user": "u"},
        {"host": "h", "port": "far"},
    ],
    ids=str,
)
def test_options_that_cannot_work_are_refused(options: dict[str, str]):
    """What an agreement lacks is told when it is imported."""
    if options.get("host_key") == "theirs":
        options = {**options, "host_key": KEY.export_public_key().decode().strip()}
        assert SftpOptions.model_validate({**options, "password": "p", "key": ""})
    with pytest.raises(ValidationError):
        SftpOptions.model_validate(options)


@pytest.mark.parametrize("partner_id", ["acme", "a/b", "..", ".", "a b", "中文", "x%2Fy"])
def test_each_partner_has_a_folder_below_the_root(partner_id: str):
    """Whatever an id is made of, it is one name, and no other partner's."""
    folder = folder_of(Path("/root"), partner_id, test=False)
    assert folder.parent == Path("/root/live")
    assert folder.name not in {".", "..", ""}
    assert folder != folder_of(Path("/root"), partner_id, test=True)
