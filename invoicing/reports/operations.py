"""What may be asked of the reports: a statement of account, and a report as a workbook."""

from dataclasses import asdict
from datetime import date, datetime

from django.db import transaction

from accounts.actors import Actor, ActorKind
from accounts.audit import record_change
from accounts.authority import Action
from accounts.decisions import asking
from accounts.models import Account
from accounts.refusals import BadValue
from invoicing.documents.letter_composer import LetterComposer
from invoicing.documents.letters import LetterDraft, LetterText, write_letters
from invoicing.documents.models import Delivery, Document, Letter
from invoicing.documents.operations import MAY_SEND
from invoicing.reports.catalog import REPORTS
from invoicing.reports.models import ReportExport
from invoicing.reports.report import Asked
from invoicing.reports.statement_letter import statement_text
from invoicing.reports.statements import statement_of
from invoicing.sellers.queries import today_of
from invoicing.subscriptions.models import BillingProfile

MAY_VIEW = "invoicing.view_reports"


def request_statement(
    account: Account, from_on: date, to_on: date, *, actor: Actor, now: datetime, currency: str = ""
) -> Letter:
    """
    AUTH-4: write and mail the statement of account from one day to another, both included.

    Asked again for the same days, it is the same letter and is mailed once more, unless the books have moved: then it
    is a new one. Without a `currency`, the account's own.

    :raises NotPermitted: if staff may not send documents
    :raises Refused: unless the actor may see the account's billing information
    :raises BadValue: if the account is billed through another, or the days are in the wrong order or have not come
    """
    if actor.kind == ActorKind.STAFF:
        actor.require(MAY_SEND)
    profile = _profile_for(account, from_on, to_on, now=now)
    with asking(Action.VIEW_BILLING, account, actor=actor, now=now) as authorized:
        currency = currency or profile.currency
        text = _text(profile, from_on, to_on, currency)
        letter = _written_or_sent_again(profile, text, from_on=from_on, to_on=to_on, currency=currency, now=now)
        authorized.audit("statement.request", subject=letter.key, before={}, after={"letter": letter.pk})
        return letter


def statement_pdf(account: Account, from_on: date, to_on: date, *, now: datetime) -> bytes:
    """
    The statement as it stands now, to be looked at: nothing is kept or mailed. The door asked the authority (AUTH-4).

    :raises BadValue: as `request_statement` does
    """
    profile = _profile_for(account, from_on, to_on, now=now)
    details = _as_kept(_text(profile, from_on, to_on, profile.currency))
    letter = Letter(pk=0, account_id=account.pk, kind=Document.Kind.STATEMENT, on=to_on, details=details)
    return LetterComposer(Document.Kind.STATEMENT).drawn_unsaved(letter)


def _profile_for(account: Account, from_on: date, to_on: date, *, now: datetime) -> BillingProfile:
    """:raises BadValue: if the account has no statement of its own, or for these days"""
    profile = BillingProfile.objects.select_related("seller", "account").filter(account_id=account.pk).first()
    if profile is None:
        raise BadValue("account", f"{account} is not billed itself, but through its partner, whose statement it is.")
    if from_on > to_on:
        raise BadValue("from_on", f"A statement's first day is not after its last, {to_on:%-d %B %Y}.")
    if to_on > (today := today_of(profile.seller, now=now)):
        raise BadValue(
            "to_on", f"A statement ends at the latest today, {today:%-d %B %Y}: no later day is in the books."
        )
    return profile


def _text(profile: BillingProfile, from_on: date, to_on: date, currency: str) -> LetterText:
    found = statement_of(profile.account_id, currency=currency, from_on=from_on, to_on=to_on)
    return statement_text(profile, found, currency=currency, from_on=from_on, to_on=to_on)


def _written_or_sent_again(
    profile: BillingProfile, text: LetterText, *, from_on: date, to_on: date, currency: str, now: datetime
) -> Letter:
    """Under the account's lock, so that two who ask at once get one letter."""
    key = f"statement:{profile.account_id}:{from_on}:{to_on}"
    if currency != profile.currency:
        key = f"{key}:{currency}"
    before = list(
        Letter.objects.filter(key__startswith=key, account_id=profile.account_id, kind=Document.Kind.STATEMENT)
        .filter(key__regex=rf"^{key}(:\d+)?$")
        .order_by("pk")
    )
    if before and before[-1].details == _as_kept(text):
        _mail_again(before[-1], profile)
        return before[-1]
    key = f"{key}:{len(before) + 1}" if before else key
    draft = LetterDraft(profile.account_id, Document.Kind.STATEMENT, key, to_on, text)
    (letter,) = write_letters([draft], now=now)
    return letter


def _as_kept(text: LetterText) -> object:
    """The text as it comes back from JSON, where tuples are lists."""
    return _listed(asdict(text))


def _listed(value: object) -> object:
    if isinstance(value, dict):
        return {name: _listed(part) for name, part in value.items()}
    return [_listed(part) for part in value] if isinstance(value, list | tuple) else value


def _mail_again(letter: Letter, profile: BillingProfile) -> None:
    """One more mail of the same document to each of the account's invoice addresses."""
    document = Document.objects.get(kind=letter.kind, subject_id=letter.pk)
    latest = document.deliveries.order_by("-sequence").values_list("sequence", flat=True).first() or 0
    addresses = dict.fromkeys(one.strip().lower() for one in profile.account.invoice_emails if one.strip())
    Delivery.objects.bulk_create(
        [
            Delivery(document=document, account_id=letter.account_id, address=address, sequence=latest + 1)
            for address in addresses
        ]
    )


@transaction.atomic
def request_export(name: str, asked: Asked, *, actor: Actor, now: datetime, user_id: int | None = None) -> ReportExport:
    """
    Have a report written to a workbook in the background.

    :raises NotPermitted: unless the actor may see reports
    :raises BadValue: if there is no such report
    """
    actor.require(MAY_VIEW)
    if name not in REPORTS:
        raise BadValue("name", f"There is no report “{name}”; there are {', '.join(REPORTS)}.")
    export = ReportExport.objects.create(
        name=name, params=asked.as_json(), made_by=actor.name[:200], user_id=user_id, made_at=now
    )
    record_change("report.export", subject=f"report {name}", actor=actor, now=now, detail=export.params)
    return export
