"""Documents and mails that are asked for: by an issue, for many at once, and by a person, for one."""

from collections.abc import Sequence
from datetime import datetime

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import connection, transaction
from django.db.models import Max

from accounts.actors import Actor
from accounts.audit import record_change
from accounts.policy import email_addresses
from accounts.refusals import BadValue
from invoicing.bulk import array_of
from invoicing.documents.models import Delivery, Document

MAY_SEND = "invoicing.resend_invoice"
FIELD = "addresses"

_REQUEST = """
WITH made AS (
    INSERT INTO invoicing_document (account_id, kind, subject_id, state, attempts, error, path, sha256)
    SELECT account_id, %(kind)s, subject_id, 'PENDING', 0, '', '', ''
    FROM unnest(%(subjects)s::bigint[], %(accounts)s::bigint[]) WITH ORDINALITY
        AS asked(subject_id, account_id, position)
    ORDER BY position
    ON CONFLICT (subject_id, kind) DO NOTHING
    RETURNING id, account_id
)
INSERT INTO invoicing_delivery (document_id, account_id, address, sequence, state, attempts, error, message_id)
SELECT DISTINCT made.id, made.account_id, lower(btrim(address)), 1, 'PENDING', 0, '', ''
FROM made
JOIN accounts_account account ON account.id = made.account_id
CROSS JOIN unnest(account.invoice_emails) AS address
WHERE btrim(address) <> ''
ORDER BY 1, 3
ON CONFLICT (document_id, address, sequence) DO NOTHING
"""


def request_documents(kind: str, subject_ids: Sequence[int], account_ids: Sequence[int]) -> None:
    """
    Ask for a document of each subject, and for its mail to each invoice address of the account beside it.

    One statement in the caller's transaction, however many. A subject whose document was asked for before is
    left as it is, its mails too.
    """
    with connection.cursor() as cursor:
        asked = {"kind": kind, "subjects": array_of(subject_ids), "accounts": array_of(account_ids)}
        cursor.execute(_REQUEST, asked)


class NotForRetry(Exception):
    """Only what is parked or uncertain can be tried again by a person."""

    def __init__(self, row: Delivery | Document) -> None:
        super().__init__(f"{row} is not parked ({row.get_state_display().lower()}), so there is nothing to retry.")


@transaction.atomic
def resend(
    *, document: Document, addresses: Sequence[str], actor: Actor, now: datetime, why: str = ""
) -> list[Delivery]:
    """
    Mail a document once more, to these addresses; as soon as it is drawn, if it is not yet.

    :raises NotPermitted: unless the actor may send invoices again
    :raises BadValue: if there is no address, or at the first that is none
    """
    actor.require(MAY_SEND)
    given = [address.lower() for address in _checked(addresses)]
    document = Document.objects.select_for_update(no_key=True).get(pk=document.pk)
    last = Delivery.objects.filter(document=document).aggregate(last=Max("sequence"))["last"] or 0
    deliveries = [
        Delivery(document=document, account_id=document.account_id, address=address, sequence=last + 1)
        for address in given
    ]
    Delivery.objects.bulk_create(deliveries)
    record_change(
        "document.resend",
        subject=f"document {document.pk}",
        actor=actor,
        now=now,
        account=document.account_id,
        why=why,
        detail={"kind": document.kind, "subject_id": document.subject_id, "addresses": given, "sequence": last + 1},
    )
    return deliveries


def _checked(addresses: Sequence[str]) -> list[str]:
    found = email_addresses(FIELD, addresses)
    if not found:
        raise BadValue(FIELD, "Give the address to which it is to be sent.")
    for address in found:
        try:
            validate_email(address)
        except ValidationError as error:
            raise BadValue(FIELD, f"“{address}” is not an e-mail address that a mail can be sent to.") from error
    return found


@transaction.atomic
def retry_delivery(*, delivery: Delivery, actor: Actor, now: datetime, why: str = "") -> Delivery:
    """
    Send a parked or an uncertain mail after all. What is uncertain may so arrive twice: a person has decided it.

    :raises NotPermitted: unless the actor may send invoices again
    :raises NotForRetry: if it is neither
    """
    actor.require(MAY_SEND)
    delivery = Delivery.objects.select_for_update(no_key=True).get(pk=delivery.pk)
    if delivery.state not in (Delivery.State.PARKED, Delivery.State.UNCERTAIN):
        raise NotForRetry(delivery)
    was = {"state": delivery.state, "error": delivery.error, "attempts": delivery.attempts}
    delivery.state, delivery.error, delivery.attempts = Delivery.State.PENDING, "", 0
    delivery.next_attempt_at = delivery.leased_until = None
    delivery.save(update_fields=["state", "error", "attempts", "next_attempt_at", "leased_until"])
    subject = f"delivery {delivery.pk}"
    record_change(
        "delivery.retry", subject=subject, actor=actor, now=now, account=delivery.account_id, why=why, detail=was
    )
    return delivery


@transaction.atomic
def retry_document(*, document: Document, actor: Actor, now: datetime, why: str = "") -> Document:
    """
    Draw a parked document after all; its mails follow.

    :raises NotPermitted: unless the actor may send invoices again
    :raises NotForRetry: if it is not parked
    """
    actor.require(MAY_SEND)
    document = Document.objects.select_for_update(no_key=True).get(pk=document.pk)
    if document.state != Document.State.PARKED:
        raise NotForRetry(document)
    was = {"error": document.error, "attempts": document.attempts}
    document.state, document.error, document.attempts, document.leased_until = Document.State.PENDING, "", 0, None
    document.save(update_fields=["state", "error", "attempts", "leased_until"])
    subject = f"document {document.pk}"
    record_change(
        "document.retry", subject=subject, actor=actor, now=now, account=document.account_id, why=why, detail=was
    )
    return document
