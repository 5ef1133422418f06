"""Statements of account for the collections agency: drawn beside its file, and mailed to nobody."""

from collections.abc import Sequence
from dataclasses import asdict

from invoicing.collections.statements import Period
from invoicing.documents.drawing.letter import render_letter
from invoicing.documents.letter_composer import printed
from invoicing.documents.models import Document, Letter
from invoicing.reports.statement_letter import statement_text
from invoicing.reports.statements import statement_of
from invoicing.subscriptions.models import BillingProfile


def agency_statements(periods: Sequence[Period]) -> dict[int, bytes]:
    """The PDF of each, by account; the same books give the same bytes. A handful of queries each."""
    profiles = BillingProfile.objects.select_related("seller", "account").in_bulk([one.account_id for one in periods])
    letters = [_letter(profiles[one.account_id], one) for one in periods]
    return {
        one.account_id: render_letter(letter) for one, letter in zip(periods, printed(letters), strict=True)
    }  # fmt: skip


def _letter(profile: BillingProfile, asked: Period) -> Letter:
    """Not kept: it says what the books say of those days, and the agency's folder holds it."""
    found = statement_of(
        profile.account_id, currency=asked.currency, from_on=asked.from_on, to_on=asked.to_on
    )  # fmt: skip
    text = statement_text(profile, found, currency=asked.currency, from_on=asked.from_on, to_on=asked.to_on)
    return Letter(
        account_id=profile.account_id, kind=Document.Kind.STATEMENT, on=asked.to_on, details=asdict(text)
    )  # fmt: skip
