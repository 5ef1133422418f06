"""
Mails are sent by workers that sweep delivery rows.

A row says SENDING, committed, before the mail server is spoken to. Whoever finds it so later cannot know whether the
mail went out, and nobody gets a second one by itself.
"""

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import parseaddr
from typing import Any, NamedTuple

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMultiAlternatives
from django.core.validators import validate_email
from django.db import transaction
from django.db.models import F, Q

from invoicing.documents.composers import MailText, composer_for
from invoicing.documents.files import in_a_sentence
from invoicing.documents.models import Delivery
from invoicing.documents.outdated import outdated
from invoicing.documents.policy import DELIVERY_TRANSITIONS, LEASE, OUTAGE_PAUSE, retry_after, states_before
from invoicing.documents.postoffice import Answer, Outcome, PostOffice, Unreachable
from invoicing.documents.reading import DocumentChanged, read_document
from invoicing.documents.rendering import read_inputs

# Few, since the last of them must be handed over before the lease of all runs out.
BATCH = 20

INTERRUPTED = (
    "The worker stopped while it sent this mail, which may have gone out. Ask whether it arrived; if not, retry."
)

logger = logging.getLogger(__name__)
State = Delivery.State


class Sending(NamedTuple):
    """How many deliveries came to which state; `waiting` ones are tried again by themselves."""

    sent: int = 0
    waiting: int = 0
    parked: int = 0
    uncertain: int = 0


@dataclass(frozen=True)
class _Letter:
    """What is to be sent with a delivery; or why it cannot be."""

    mail: MailText
    file_name: str
    pdf: bytes


class _Unsendable(Exception):
    """This delivery cannot be sent, whenever it is tried."""


def send_pending(*, limit: int, now: datetime) -> Sending:
    """
    Send at most `limit` of the mails that are due and whose documents are drawn. Not from inside a transaction.

    A server that cannot be reached is no fault of the deliveries: they wait, and no attempt is counted.
    """
    ended: Counter[State | None] = Counter({State.UNCERTAIN: _give_up_interrupted(now)})
    with PostOffice() as office:
        for batch in _claimed_batches(limit, now):
            try:
                office.open()
                for delivery, letter in _letters(batch):
                    ended[_deliver(delivery, letter, office, now)] += 1
            except Unreachable as error:
                ended[State.PENDING] += _put_off(batch, error, now)
                break
    return Sending(ended[State.SENT], ended[State.PENDING], ended[State.PARKED], ended[State.UNCERTAIN])


def _give_up_interrupted(now: datetime) -> int:
    """Waldur's second mail: what was being sent when its worker died is not sent again by itself."""
    stale = Delivery.objects.filter(state=State.SENDING, leased_until__lte=now)
    count = stale.update(state=State.UNCERTAIN, error=INTERRUPTED)
    if count:
        logger.error("%s deliveries were interrupted and are uncertain", count)
    return count


def _claimed_batches(limit: int, now: datetime) -> Iterator[list[Delivery]]:
    after = 0
    while limit > 0 and (claimed := _claim(after, min(limit, BATCH), now)):
        limit -= len(claimed)
        after = claimed[-1].pk
        yield claimed


@transaction.atomic
def _claim(after: int, limit: int, now: datetime) -> list[Delivery]:
    """The next due ones that nobody else is at, by id and leased to us."""
    due = Delivery.objects.filter(
        Q(next_attempt_at=None) | Q(next_attempt_at__lte=now),
        Q(leased_until=None) | Q(leased_until__lte=now),
        state=State.PENDING,
        document__state="RENDERED",
        pk__gt=after,
    )
    next_ones = due.select_related("document").order_by("pk")[:limit]
    claimed = list(next_ones.select_for_update(of=("self",), skip_locked=True, no_key=True))
    for delivery in claimed:
        delivery.leased_until = now + LEASE
    Delivery.objects.filter(pk__in=[delivery.pk for delivery in claimed]).update(leased_until=now + LEASE)
    return claimed


def _letters(deliveries: Sequence[Delivery]) -> Iterator[tuple[Delivery, _Letter | _Unsendable]]:
    """Each with what is to be sent; the rows are read once for all of a kind."""
    subjects: dict[str, list[int]] = {}
    for delivery in deliveries:
        subjects.setdefault(delivery.document.kind, []).append(delivery.document.subject_id)
    read = {kind: read_inputs(composer_for(kind), ids) for kind, ids in subjects.items()}
    late = {kind: outdated(kind, ids) for kind, ids in subjects.items()}
    for delivery in deliveries:
        document = delivery.document
        if why := late[document.kind].get(document.subject_id):
            yield delivery, _Unsendable(why)
            continue
        try:
            yield delivery, _letter(delivery, read[document.kind].get(document.subject_id))
        except _Unsendable as error:
            yield delivery, error


def _letter(delivery: Delivery, plain: Any) -> _Letter:
    if plain is None or isinstance(plain, Exception):
        raise _Unsendable(in_a_sentence(plain) if plain else "What it shows is not there, or is not issued.")
    try:
        pdf = read_document(delivery.document)
    except DocumentChanged as error:
        raise _Unsendable(str(error)) from error
    composer = composer_for(delivery.document.kind)
    return _Letter(composer.mail(plain), composer.path(plain).rpartition("/")[2], pdf)


def _deliver(delivery: Delivery, letter: _Letter | _Unsendable, office: PostOffice, now: datetime) -> State | None:
    """
    Send one, and say where it stands then; None where somebody else had it meanwhile.

    :raises Unreachable: if there is no mail server any more
    """
    try:
        if isinstance(letter, _Unsendable):
            raise letter
        message = message_for(delivery, letter.mail, letter.file_name, letter.pdf)
    except _Unsendable as error:
        return _settle(delivery, State.PARKED, error=str(error))
    if not _mark_as_sending(delivery, message.extra_headers["Message-ID"]):
        return None
    try:
        answer = office.send(message)
    except Unreachable as error:
        _settle(delivery, State.PENDING, error=str(error), attempts=F("attempts") - 1)
        raise
    return _record(delivery, answer, now)


def message_for(delivery: Delivery, mail: MailText, file_name: str, pdf: bytes) -> EmailMultiAlternatives:
    """The mail itself. The same delivery has the same Message-ID, however often it is tried."""
    sender = mail.sender or settings.DEFAULT_FROM_EMAIL
    domain = parseaddr(sender)[1].rpartition("@")[2]
    headers = {
        "Message-ID": f"<delivery.{delivery.pk}.{delivery.sequence}@{domain}>",
        "Auto-Submitted": "auto-generated",
    }
    message = EmailMultiAlternatives(mail.subject, mail.text, sender, [delivery.address], headers=headers)
    message.attach_alternative(mail.html, "text/html")
    message.attach(file_name, pdf, "application/pdf")
    try:
        validate_email(delivery.address)
        message.message()
    except (ValidationError, ValueError) as error:
        raise _Unsendable(f"No mail can be sent to this address: {in_a_sentence(error)}") from error
    return message


@transaction.atomic(durable=True)
def _mark_as_sending(delivery: Delivery, message_id: str) -> bool:
    """Committed before a word is said to the mail server; False where the row is no longer ours."""
    delivery.attempts += 1
    return _move(delivery, State.SENDING, attempts=delivery.attempts, message_id=message_id)


def _record(delivery: Delivery, answer: Answer, now: datetime) -> State | None:
    if answer.outcome is Outcome.ACCEPTED:
        return _settle(delivery, State.SENT, error="", sent_at=now, next_attempt_at=None)
    if answer.outcome is Outcome.UNKNOWN:
        return _settle(delivery, State.UNCERTAIN, error=answer.words)
    wait = retry_after(delivery.attempts) if answer.outcome is Outcome.DEFERRED else None
    if wait is None:
        return _settle(delivery, State.PARKED, error=answer.words, next_attempt_at=None)
    return _settle(delivery, State.PENDING, error=answer.words, next_attempt_at=now + wait, leased_until=None)


def _settle(delivery: Delivery, state: State, *, error: str, **values: Any) -> State | None:
    if not _move(delivery, state, error=error, **values):
        return None
    if error:
        logger.warning("delivery %s is %s: %s", delivery.pk, state, error)
    return state


def _move(delivery: Delivery, state: State, **values: Any) -> bool:
    """Change the state, unless the row has gone another way: the lease is ours as long as it reads as we wrote it."""
    before = states_before(DELIVERY_TRANSITIONS, state)
    ours = Delivery.objects.filter(pk=delivery.pk, leased_until=delivery.leased_until, state__in=before)
    return ours.update(state=state, **values) == 1


def _put_off(batch: Sequence[Delivery], error: Unreachable, now: datetime) -> int:
    """Those of the batch that were not begun wait for the server to come back."""
    logger.error("%s", error)
    ours = Delivery.objects.filter(pk__in=[one.pk for one in batch], leased_until=batch[0].leased_until)
    unsent = ours.filter(state=State.PENDING)
    return unsent.update(leased_until=None, next_attempt_at=now + OUTAGE_PAUSE, error=str(error))
