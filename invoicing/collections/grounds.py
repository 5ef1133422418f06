"""What there is to suspend an account for, read for many at once."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date

from django.db.models import Exists, OuterRef, Q, Sum

from invoicing.collections.models import Suspension
from invoicing.collections.policy import LEAVE_SUSPENDED, effective_on, suspension_days
from invoicing.collections.queries import Dunned, UnpaidInvoice, holds_in_force, in_the_way, next_unpaid, unpaid_of
from invoicing.ledger.models import LedgerAccount, Posting
from invoicing.prepaid.models import PrepaidBalance, TopUp, TopUpAgreement
from invoicing.sellers.models import Seller


@dataclass
class Grounds:
    """
    SUSP-1, PRE-4: an account's invoices that are to be warned of, suspend, or keep it suspended; and its balance.

    `effective_on` is when a warning of today would take effect. `wants_credit`: nothing helped and nothing is under
    way; `awaits_credit`: charges wait for credit.
    """

    to_warn: list[UnpaidInvoice] = field(default_factory=list)
    to_suspend: list[UnpaidInvoice] = field(default_factory=list)
    to_stay: bool = False
    effective_on: date | None = None
    wants_credit: bool = False
    awaits_credit: bool = False
    why_lifted: str = "What was overdue is paid."


def grounds_of(people: dict[int, Dunned], *, on: date) -> dict[int, Grounds]:
    """By account. A constant number of queries."""
    found: dict[int, Grounds] = defaultdict(Grounds)
    _not_paid(found, people, on=on)
    _want_credit(found, people, on=on)
    for account_id in _written_off(people):
        # Who did not pay is not restored by our giving up; staff may.
        found[account_id].to_stay = True
    return found


def _not_paid(found: dict[int, Grounds], people: dict[int, Dunned], *, on: date) -> None:
    unpaid = unpaid_of(people)
    left_alone = in_the_way([one.id for invoices in unpaid.values() for one in invoices], on=on)
    for account_id, invoices in unpaid.items():
        terms, grounds = people[account_id].terms, found[account_id]
        for one in invoices:
            days = suspension_days(
                one.due_on, after_days=terms.suspend_after_days, warning_days=terms.suspension_warning_days
            )
            reason = left_alone.get(one.id)
            if days is None or one.owed + one.placed <= 0:
                continue
            if reason is None and one.owed > 0 and days.warn_on <= on:
                grounds.to_warn.append(one)
                takes_effect = effective_on(days, warned_on=on, warning_days=terms.suspension_warning_days)
                grounds.effective_on = min(takes_effect, grounds.effective_on or takes_effect)
            if days.suspend_on <= on:
                if reason is None and one.owed > 0:
                    grounds.to_suspend.append(one)
                if reason is None or reason in LEAVE_SUSPENDED:
                    grounds.to_stay = True
                else:
                    grounds.why_lifted = "What was overdue is held, promised or in dispute."


def _want_credit(found: dict[int, Grounds], people: Collection[int], *, on: date) -> None:
    """PRE-4: charges that wait, no top-up under way, and either none agreed or one tried in vain or a day gone by."""
    tried = TopUp.objects.filter(account=OuterRef("account"), on__gte=OuterRef("awaiting_since_on"))
    under_way = tried.filter(state__in=[TopUp.State.INTENDED, TopUp.State.CHARGED])
    agreed = TopUpAgreement.objects.filter(account=OuterRef("account"), is_on=True)
    rows = PrepaidBalance.objects.filter(account_id__in=list(people), awaiting__gt=0).annotate(
        in_vain=~Exists(under_way) & (~Exists(agreed) | Exists(tried) | Q(awaiting_since_on__lt=on))
    )
    exempt = {account_id for account_id, invoice_id, _ in holds_in_force(people, on=on) if invoice_id is None}
    for account_id, in_vain, since in rows.values_list("account_id", "in_vain", "awaiting_since_on"):
        found[account_id].awaits_credit = True
        found[account_id].wants_credit = in_vain and account_id not in exempt and (since is None or since <= on)


def _written_off(account_ids: Collection[int]) -> set[int]:
    """Accounts of whose debt something was written off since they were suspended for it, and not recovered."""
    suspended = Suspension.objects.filter(
        account_id__in=list(account_ids), state=Suspension.State.ACTIVE, reason=Suspension.Reason.NON_PAYMENT
    )
    since = Posting.objects.filter(
        account=OuterRef("account"), ledger_account=LedgerAccount.BAD_DEBT, entry__at__gte=OuterRef("made_at")
    )
    given_up = since.order_by().values("account").annotate(total=Sum("amount")).filter(total__gt=0)
    return set(suspended.filter(Exists(given_up)).values_list("account_id", flat=True))


def next_to_look_at(after: int, *, seller: Seller | None, limit: int) -> list[int]:
    """The next accounts, in their order, that owe something, are warned or suspended, or wait for credit."""
    in_force = Suspension.objects.exclude(state=Suspension.State.LIFTED)
    awaiting = PrepaidBalance.objects.filter(awaiting__gt=0)
    ids = set(next_unpaid(after, seller=seller, limit=limit))
    for rows in (in_force, awaiting):
        if seller is not None:
            rows = rows.filter(account__billing_profile__seller=seller)
        later = rows.filter(account_id__gt=after).order_by("account_id")
        ids |= set(later.values_list("account_id", flat=True).distinct()[:limit])
    return sorted(ids)[:limit]
