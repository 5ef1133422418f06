"""Handing mails to the mail server, and telling what became of each: above all whether it may have gone out."""

import smtplib
from enum import Enum
from typing import Any, NamedTuple, Self

from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.mail.backends import smtp

TIMEOUT_SECONDS = 60
_CLOSING = 421


class Outcome(Enum):
    ACCEPTED = "the server has taken it over"
    DEFERRED = "not sent, and may be tried again"
    REFUSED = "not sent, and would not be the next time"
    UNKNOWN = "the server had it, and its answer did not come"


class Answer(NamedTuple):
    outcome: Outcome
    words: str = ""


class Unreachable(Exception):
    """The mail server does not answer, or not to us, so no mail can be sent."""


class _HungUp(Exception):
    """The connection broke before the mail was handed over."""


class PostOffice:
    """One connection to the mail server for many mails, opened again where it broke."""

    def __init__(self) -> None:
        timeout = getattr(settings, "EMAIL_TIMEOUT", None) or TIMEOUT_SECONDS
        self._backend: Any = get_connection(timeout=timeout)
        # Of a service or a folder nobody tells how far it came.
        self._tells_steps = isinstance(self._backend, smtp.EmailBackend)
        self._was_handed_over = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self) -> bool:
        """
        See that there is a connection; whether it is a new one.

        :raises Unreachable: if there is none to be had
        """
        if not self._tells_steps:
            return False
        try:
            is_new = bool(self._backend.open())
        except OSError as error:
            raise Unreachable(f"The mail server could not be reached: {error}") from error
        if is_new:
            self._watch(self._backend.connection)
        return is_new

    def close(self) -> None:
        self._backend.close()

    def send(self, message: EmailMultiAlternatives) -> Answer:
        """
        Hand over one mail to one recipient. A connection of before that has broken meanwhile is opened again.

        :raises Unreachable: if it cannot be
        """
        is_new = self.open()
        try:
            return self._hand_over(message)
        except _HungUp as error:
            if is_new:
                return Answer(Outcome.DEFERRED, str(error))
        self.open()
        try:
            return self._hand_over(message)
        except _HungUp as error:
            return Answer(Outcome.DEFERRED, str(error))

    def _hand_over(self, message: EmailMultiAlternatives) -> Answer:
        self._was_handed_over = not self._tells_steps
        try:
            self._backend.send_messages([message])
        except smtplib.SMTPRecipientsRefused as error:
            return self._answered(*next(iter(error.recipients.values())))
        except smtplib.SMTPResponseException as error:
            return self._answered(error.smtp_code, error.smtp_error)
        except (smtplib.SMTPNotSupportedError, ValueError) as error:
            return Answer(Outcome.REFUSED, f"It cannot be put as a mail: {error}")
        except OSError as error:
            # A late answer to this mail must not be taken for one to the next.
            self.close()
            if self._was_handed_over:
                return Answer(Outcome.UNKNOWN, f"The connection broke when the server had the mail: {error}")
            raise _HungUp(f"The mail server hung up: {error}") from error
        return Answer(Outcome.ACCEPTED)

    def _answered(self, code: int, said: bytes | str) -> Answer:
        words = said.decode(errors="replace") if isinstance(said, bytes) else said
        words = f"The mail server said: {code} {' '.join(words.split())}"
        if 500 <= code < 600:
            return Answer(Outcome.REFUSED, words)
        if code == _CLOSING or not 400 <= code < 500:
            self.close()
        if 400 <= code < 500 or not self._was_handed_over:
            return Answer(Outcome.DEFERRED, words)
        return Answer(Outcome.UNKNOWN, words)

    def _watch(self, connection: smtplib.SMTP) -> None:
        """Note the moment from which on a mail may have been accepted."""
        hand_over = connection.data

        def noted(msg: Any) -> tuple[int, bytes]:
            self._was_handed_over = True
            return hand_over(msg)

        connection.data = noted  # type: ignore[method-assign]  # Django makes the connection, of a class it chooses
