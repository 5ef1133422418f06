"""PRE-3: who will not be able to pay the coming monthly charges from its balance is warned, once."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

from django.conf import settings
from django.db import transaction
from django.urls import reverse

from invoicing.catalog.models import BillingTerms
from invoicing.documents.letters import LetterDraft, LetterTable, LetterText, write_letters
from invoicing.documents.models import Document, Letter
from invoicing.documents.parties import recipient_of, seller_of
from invoicing.money import ZERO, format_money
from invoicing.periods import billing_date_after
from invoicing.prepaid.forecast import Part, coming_charges
from invoicing.prepaid.models import PrepaidBalance, TopUpAgreement
from invoicing.prepaid.policy import enough
from invoicing.sellers.models import Seller
from invoicing.sellers.queries import today_of
from invoicing.subscriptions.models import BillingProfile

ACCOUNTS_A_CHUNK = 500
WAITING = "Monthly charges that wait for credit"


class Shortfall(NamedTuple):
    """
    What an account will be charged on `on`, in parts, and what its balance lacks for it; amounts in `currency`.

    `available` is what may be deducted down to the floor of the terms; negative where a debt is to be made good first.
    """

    profile: BillingProfile
    on: date
    currency: str
    parts: Sequence[Part]
    available: Decimal
    tops_up_by_itself: bool

    @property
    def charges(self) -> Decimal:
        return sum((amount for _, amount in self.parts), ZERO)

    @property
    def missing(self) -> Decimal:
        return self.charges - self.available

    @property
    def to_top_up(self) -> Decimal:
        """What is missing as it can be paid: a part of a cent is a whole one."""
        return enough(self.missing, self.currency)

    @property
    def key(self) -> str:
        return warning_key(self.profile.account_id, self.on)


def warning_key(account_id: int, first_on: date) -> str:
    """PRE-3: one warning an account and month."""
    return f"low-balance:{account_id}:{first_on:%Y-%m}"


def warn_low_balances(*, now: datetime, on: date | None = None, dry_run: bool = False) -> list[Shortfall]:
    """
    Warn the accounts whose terms' days before the 1st have come and whose balance is short; a letter each, once.

    On any of those days: a balance that is used up later is warned of later, and a day without a tick costs nothing.
    `on` is the day it is, unless told each seller's today. A transaction a chunk of accounts.
    """
    warned: list[Shortfall] = []
    for seller in Seller.objects.order_by("pk"):
        today = on or today_of(seller, now=now)
        first_on = billing_date_after(today, 1)
        for profiles in _to_look_at(seller, today, first_on):
            with transaction.atomic():
                short = _short_of(profiles, first_on)
                warned += short
                if not dry_run:
                    write_letters([_letter(shortfall, today) for shortfall in short], now=now)
    return warned


def shortfall_of(profile: BillingProfile, *, today: date) -> Shortfall | None:
    """PRE-3: what one account will lack on the coming 1st, as it stands now, warned of or not; None if nothing."""
    return next(iter(_short_of([profile], billing_date_after(today, 1))), None)


def _to_look_at(seller: Seller, today: date, first_on: date) -> Iterator[Sequence[BillingProfile]]:
    """The prepaid accounts of a seller that are near enough to the 1st, in chunks; those warned before left out."""
    days = (first_on - today).days
    after = 0
    while True:
        found = BillingProfile.objects.filter(
            seller=seller,
            account_id__gt=after,
            terms__settlement=BillingTerms.Settlement.BALANCE,
            terms__low_balance_warning_days__gte=days,
        )
        chunk = list(found.select_related("account", "seller", "terms").order_by("account_id")[:ACCOUNTS_A_CHUNK])
        if not chunk:
            return
        after = chunk[-1].account_id
        keys = [warning_key(profile.account_id, first_on) for profile in chunk]
        written = set(Letter.objects.filter(key__in=keys).values_list("key", flat=True))
        yield [profile for profile, key in zip(chunk, keys, strict=True) if key not in written]


def _short_of(profiles: Sequence[BillingProfile], first_on: date) -> list[Shortfall]:
    account_ids = [profile.account_id for profile in profiles]
    balances = PrepaidBalance.objects.in_bulk(account_ids)
    agreed = set(TopUpAgreement.objects.filter(account__in=account_ids, is_on=True).values_list("pk", flat=True))
    coming = coming_charges(account_ids, first_on) if account_ids else {}
    found = []
    for profile in profiles:
        kept = balances.get(profile.account_id)
        parts: Sequence[Part] = coming[profile.account_id].parts if profile.account_id in coming else ()
        if kept is not None and kept.awaiting:
            parts = (Part(WAITING, kept.awaiting), *parts)
        left = kept.balance if kept else ZERO
        # A debt that a returned payment left is part of what is missing.
        available = left + profile.terms.credit_limit
        short = Shortfall(profile, first_on, profile.currency, parts, available, profile.account_id in agreed)
        if short.charges > ZERO and short.missing > ZERO:
            found.append(short)
    return found


def _letter(short: Shortfall, today: date) -> LetterDraft:
    profile, currency = short.profile, short.currency
    day = f"{short.on:%-d %B %Y}"
    missing = format_money(short.to_top_up, currency)
    text = LetterText(
        subject=f"Your prepaid balance is {missing} short of the charges of {day}",
        title="Low balance",
        seller=seller_of(profile.seller),
        recipient=recipient_of(profile.account, home=profile.seller.country),
        facts=(("Balance available", format_money(short.available, currency)), ("Missing", missing)),
        paragraphs=(
            f"On {day} the monthly charges below will be deducted from your prepaid balance, and it does not cover "
            "them.",
        ),
        table=LetterTable(
            ("Charge", "Amount"),
            tuple((words, format_money(amount, currency)) for words, amount in short.parts),
            (("Total", format_money(short.charges, currency)), ("Missing", missing)),
        ),
        closing=_what_to_do(short, day, missing),
        clauses=("PRE-3",),
    )
    return LetterDraft(profile.account_id, Document.Kind.NOTICE, short.key, today, text)


def _what_to_do(short: Shortfall, day: str, missing: str) -> tuple[str, ...]:
    mail = short.profile.seller.email
    page = f"{settings.SITE_URL}{reverse('my_prepaid', args=[short.profile.account_id])}"
    by_hand = f"Top up your balance by at least {missing} before {day}: at {page}" + (
        f", or write to {mail}." if mail else "."
    )
    if short.tops_up_by_itself:
        by_itself = f"If you do not, your automatic top-up will be tried for what is missing on {day}."
        return (by_hand, by_itself)
    return (by_hand, "If the balance is still short then, nothing is deducted and the service is suspended.")
