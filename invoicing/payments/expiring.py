"""Cards that are about to end: their customers are told in time for the next charge."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Coalesce

from invoicing.documents.letters import LetterDraft, LetterText, write_letters
from invoicing.documents.models import Document, Letter
from invoicing.documents.parties import recipient_of, seller_of
from invoicing.payments.models import PaymentMethod
from invoicing.sellers.models import Seller
from invoicing.subscriptions.models import BillingProfile

PAGE = 300
BEFORE_A_CHARGE = timedelta(days=5)
EXPIRING, BEFORE_CHARGE = "expiring", "before a charge"


@dataclass
class Warned:
    """How many letters were written, by their reason."""

    letters: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        return ", ".join(f"{count} {why}" for why, count in sorted(self.letters.items())) or "nothing to do"

    def as_json(self) -> dict[str, Any]:
        return {"letters": dict(sorted(self.letters.items()))}


def warn_of_expiring_cards(*, on: date, now: datetime, seller: Seller | None = None, dry_run: bool = False) -> Warned:
    """
    Write to the customer of each card that ends this month or the next, and once more where it will have ended by the
    account's next charge, which is at most five days away. Of one seller's accounts, or of all.

    Each letter has its key and is written once, so that any day's sweep does what the 1st's left undone; safe to run
    twice and beside itself. `expiring` and `before a charge` are counted apart.
    """
    warned = Warned()
    for why, cards in ((EXPIRING, _expiring(on)), (BEFORE_CHARGE, _charged_soon(on))):
        after = 0
        if seller is not None:
            cards = cards.filter(account__billing_profile__seller=seller)
        while page := list(cards.filter(pk__gt=after).order_by("pk")[:PAGE]):
            after = page[-1].pk
            with transaction.atomic():
                warned.letters[why] += len(_write(page, why, on=on, now=now))
                if dry_run:
                    transaction.set_rollback(True)
    warned.letters = +warned.letters
    return warned


def _cards() -> QuerySet[PaymentMethod]:
    cards = PaymentMethod.objects.filter(
        kind=PaymentMethod.Kind.CARD, state=PaymentMethod.State.ACTIVE, account__billing_profile__isnull=False
    )
    return cards.select_related("account__billing_profile__seller")


def _expiring(on: date) -> QuerySet[PaymentMethod]:
    """Cards that end in the month of this day or the one after it."""
    first = on.replace(day=1)
    after_next = (first + timedelta(days=62)).replace(day=1)
    return _cards().filter(expires_on__gte=first, expires_on__lt=after_next)


def _charged_soon(on: date) -> QuerySet[PaymentMethod]:
    """Default cards that will have ended when the account is charged next."""
    profiles = BillingProfile.objects.annotate(charged=Coalesce("auto_charge", "terms__auto_charge")).filter(
        charged=True, next_billing_on__gte=on, next_billing_on__lte=on + BEFORE_A_CHARGE
    )
    return _cards().filter(
        Q(expires_on__lt=F("account__billing_profile__next_billing_on")),
        is_default=True,
        account__in=profiles.values("account"),
    )


def _write(cards: Sequence[PaymentMethod], why: str, *, on: date, now: datetime) -> list[Letter]:
    # Each look at a seller's letterhead is a query, and most cards have the same seller.
    sellers = {card.account.billing_profile.seller for card in cards}
    printed = {seller.pk: seller_of(seller) for seller in sellers}
    drafts = [_draft(card, why, printed[card.account.billing_profile.seller_id], on=on) for card in cards]
    return write_letters(drafts, now=now)


def _draft(card: PaymentMethod, why: str, seller: dict[str, Any], *, on: date) -> LetterDraft:
    profile, ends_on = card.account.billing_profile, _ends_on(card)
    charge_on = profile.next_billing_on if why == BEFORE_CHARGE else None
    month = f"{ends_on:%B %Y}"
    then = (
        f"Your next charge is due on {charge_on:%-d %B %Y}, when this card has ended."
        if charge_on
        else "Charges after that will be declined."
    )
    text = LetterText(
        subject=f"Your card ending in {card.last_four} expires in {month}",
        title="Your card expires",
        seller=seller,
        recipient=recipient_of(card.account, home=profile.seller.country),
        paragraphs=(
            f"{card} is good until the end of {month}. {then}",
            "Please add a new card or a bank account in the portal. Adding one charges nothing (FEE-3).",
        ),
        facts=(("Card", str(card)), ("Expires", f"{ends_on:%-d %B %Y}")),
        clauses=("SEAT-5", "FEE-3") if charge_on else ("FEE-3",),
    )
    key = f"card-expiring:{card.pk}:{ends_on:%Y-%m}"
    return LetterDraft(card.account_id, Document.Kind.NOTICE, f"{key}:charge" if charge_on else key, on, text)


def _ends_on(card: PaymentMethod) -> date:
    """:raises ValueError: for a card without a last day, which no query here finds"""
    if card.expires_on is None:
        raise ValueError(f"{card} has no last day.")
    return card.expires_on
