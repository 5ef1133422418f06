"""
One signed call to an address that somebody typed in: never to a private one, never redirected, never for long.

The name is looked up once, each address of it is checked, and the call goes to the address that was checked: a name
that points elsewhere a moment later leads nowhere.
"""

import hashlib
import hmac
import http.client
import ipaddress
import socket
import ssl
from contextlib import suppress
from datetime import datetime
from threading import Timer
from typing import Any
from urllib.parse import urlsplit

CONNECT_SECONDS = 5
ANSWER_SECONDS = 10
WHOLE_SECONDS = 20
MOST_BYTES = 64 * 1024
SIGNATURE = "Clausebook-Signature"
# IPv6 addresses that carry an IPv4 address a gateway would call in their stead.
_TRANSLATED = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("64:ff9b:1::/48"))


class CallFailed(Exception):
    """The platform was not told; the sentence says why."""


def signature(secret: str, body: bytes, *, at: datetime) -> str:
    """`t=<seconds>,v1=<hex>`: HMAC-SHA256 over the seconds, a dot and the body."""
    seconds = int(at.timestamp())
    signed = f"{seconds}.".encode() + body
    return f"t={seconds},v1={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}"


def is_public(address: str) -> bool:
    """Whether an address is one that the whole world can reach; and none that hides another."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return is_public(str(ip.ipv4_mapped))
        if ip.sixtofour is not None or ip.teredo is not None or any(ip in network for network in _TRANSLATED):
            return False
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def post_signed(url: str, body: bytes, *, secret: str, at: datetime, may_be_local: bool = False) -> int:
    """
    POST a body and return the status, which is 2xx.

    `may_be_local` lets plain http and this machine itself through, for a demo on one's own machine; no other address.

    :raises CallFailed: whatever else happened, a redirect too
    """
    parts = urlsplit(url)
    host, is_plain = parts.hostname or "", parts.scheme == "http"
    if not host or parts.scheme not in ("http", "https") or (is_plain and not may_be_local):
        raise CallFailed("The platform is told over https only.")
    try:
        port = parts.port or (80 if is_plain else 443)
        address = _checked_address(host, port, is_plain=is_plain, may_be_local=may_be_local)
        connection = _Plain(host, port, address) if is_plain else _Secure(host, port, address)
        path = parts._replace(scheme="", netloc="", fragment="").geturl() or "/"
        return _exchange(connection, path, body, {SIGNATURE: signature(secret, body, at=at)})
    except (OSError, http.client.HTTPException, ValueError) as trouble:
        raise CallFailed(f"{type(trouble).__name__}: {trouble}"[:500]) from trouble


def _checked_address(host: str, port: int, *, is_plain: bool, may_be_local: bool) -> str:
    """The first address of the host, once all of them were found to be such as may be called."""
    found = [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    for address in found:
        is_loopback = ipaddress.ip_address(address.partition("%")[0]).is_loopback
        if is_loopback and may_be_local:
            continue
        if is_plain or not is_public(address):
            raise CallFailed(f"{host} leads to {address}, which is no public address. Nothing was sent.")
    return found[0]


def _exchange(connection: "_Plain", path: str, body: bytes, headers: dict[str, str]) -> int:
    timer = Timer(WHOLE_SECONDS, _hang_up, [connection])
    timer.daemon = True
    timer.start()
    try:
        headers |= {"Content-Type": "application/json", "User-Agent": "Clausebook", "Connection": "close"}
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        said = answer.read(MOST_BYTES)
    finally:
        timer.cancel()
        connection.close()
    if 200 <= answer.status < 300:
        return answer.status
    if 300 <= answer.status < 400:
        raise CallFailed(f"The platform answered {answer.status}, a redirect, which is not followed.")
    words = " ".join(said.decode(errors="replace").split())[:200]
    raise CallFailed(f"The platform answered {answer.status}: {words}")


def _hang_up(connection: "_Plain") -> None:
    """Whoever answers a byte at a time does not keep us."""
    if connection.line is not None:
        with suppress(OSError):  # it has ended by itself meanwhile
            connection.line.shutdown(socket.SHUT_RDWR)


def _dialled(address: str, port: int) -> socket.socket:
    made = socket.create_connection((address, port), CONNECT_SECONDS)
    made.settimeout(ANSWER_SECONDS)
    return made


class _Plain(http.client.HTTPConnection):
    """Calls the address that was checked, and names the host."""

    def __init__(self, host: str, port: int, address: str) -> None:
        super().__init__(host, port, timeout=ANSWER_SECONDS)
        self.address = address
        # The connection hands its socket over to the answer and forgets it.
        self.line: socket.socket | None = None

    def connect(self) -> None:
        self.sock: Any = _dialled(self.address, self.port)
        self.line = self.sock


class _Secure(_Plain):
    """The same over TLS, with the host's own certificate."""

    default_port = 443

    def connect(self) -> None:
        super().connect()
        self.sock = self.line = ssl.create_default_context().wrap_socket(self.sock, server_hostname=self.host)
