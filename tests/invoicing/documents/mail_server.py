"""A real SMTP server on loopback, which does with each mail what its recipient's address says."""

import asyncio
import email
import email.policy
import threading
from collections.abc import Callable
from email.message import EmailMessage

from aiosmtpd.controller import Controller


class Handler:
    """
    `refused@` is refused with 550, `later@` put off with 451, `full@` refused after the data with 552.

    At `lost@` the mail is taken over and the connection breaks; at `hangs-up@` it breaks before the data.
    """

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.connections = 0
        self.on_mail: Callable[[], None] = lambda: None
        self._lock = threading.Lock()

    async def handle_EHLO(self, server, session, envelope, hostname, responses):
        self.connections += 1
        session.host_name = hostname
        return responses

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("refused@"):
            return "550 5.1.1 There is nobody of that name"
        if address.startswith("later@"):
            return "451 4.7.1 Greylisted, come again"
        if address.startswith("hangs-up@"):
            server.transport.abort()
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        recipient = envelope.rcpt_tos[0]
        if recipient.startswith("full@"):
            return "552 5.2.2 The mailbox is full"
        with self._lock:
            self.mails.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
        self.on_mail()
        if recipient.startswith("lost@"):
            server.transport.abort()
        return "250 OK"

    def recipients(self) -> list[str]:
        return sorted(mail["To"] for mail in self.mails)


class MailServer(Controller):
    """Listens on a free port as long as the `with` lasts."""

    def __init__(self) -> None:
        super().__init__(Handler(), hostname="127.0.0.1", port=0)

    def _trigger_server(self) -> None:
        # The controller knocks at its own port to see that it is open; of port 0 it would not know which.
        assert isinstance(self.server, asyncio.Server)
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()
