"""Whether an account is in good standing, and if not, why and under which clause: for console, portal and API alike."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from accounts.models import Account
from invoicing.collections.models import Suspension
from invoicing.collections.policy import Reason
from invoicing.collections.queries import UnpaidInvoice, in_the_way, unpaid_of, with_agency
from invoicing.collections.wording import sums
from invoicing.money import format_money
from invoicing.payments.models import Payment, PaymentMethod, PaymentTarget
from invoicing.prepaid.models import PrepaidBalance

PAY = "Pay what is open."
# What staff have agreed to wait for is not held against the account.
EXCUSED = frozenset({Reason.DISPUTE, Reason.HOLD, Reason.PROMISE, Reason.EXEMPTION, Reason.PENDING_PAYMENT})


class Matter(StrEnum):
    """What may be wrong."""

    OVERDUE = "OVERDUE"
    SUSPENDED = "SUSPENDED"
    SUSPENSION_NEAR = "SUSPENSION_NEAR"
    WITH_AGENCY = "WITH_AGENCY"
    DECLINED = "DECLINED"
    SHORT_BALANCE = "SHORT_BALANCE"


@dataclass(frozen=True)
class StandingReason:
    """One thing that is wrong, in the words that staff and customer read, and what would put it right."""

    matter: Matter
    clause: str
    sentence: str
    way_out: str


@dataclass(frozen=True)
class Standing:
    """Good, unless there is a reason."""

    reasons: tuple[StandingReason, ...] = ()

    @property
    def is_good(self) -> bool:
        return not self.reasons

    def as_json(self) -> dict[str, Any]:
        return {"good": self.is_good, "reasons": [asdict(reason) for reason in self.reasons]}


def standing_of(account_id: int, *, on: date) -> Standing:
    """The standing of one account on a day."""
    return standings_of([account_id], on=on)[account_id]


def standings_of(account_ids: Collection[int], *, on: date) -> dict[int, Standing]:
    """
    The standing of each account on a day; a client's is its partner's, which is billed for it.

    A constant number of queries, however many accounts.
    """
    rows = Account.objects.filter(pk__in=list(account_ids)).values_list("pk", "parent_id")
    billed = {pk: parent_id or pk for pk, parent_id in rows}
    found: dict[int, list[StandingReason]] = defaultdict(list)
    asked = set(billed.values())
    unpaid = unpaid_of(asked)
    _suspended(found, asked)
    _agency(found, asked)
    _overdue(found, unpaid, on=on)
    _declined(found, asked, unpaid)
    _short(found, asked)
    return {pk: Standing(tuple(found[billed.get(pk, pk)])) for pk in account_ids}


def _suspended(found: dict[int, list[StandingReason]], account_ids: Collection[int]) -> None:
    ways_out = {Suspension.Reason.NON_PAYMENT: PAY, Suspension.Reason.WANT_OF_CREDIT: "Top up the balance."}
    rows = Suspension.objects.filter(account_id__in=account_ids).exclude(state=Suspension.State.LIFTED)
    for one in rows.order_by("pk"):
        way_out = ways_out.get(Suspension.Reason(one.reason), "Call the billing team.")
        if one.state == Suspension.State.ACTIVE:
            reason = StandingReason(Matter.SUSPENDED, one.clause, f"Service is suspended: {one.why}.", way_out)
        else:
            sentence = f"Service will be suspended on {one.effective_on:%-d %B %Y}: {one.why}."
            reason = StandingReason(Matter.SUSPENSION_NEAR, one.clause, sentence, way_out)
        found[one.account_id].append(reason)


def _agency(found: dict[int, list[StandingReason]], account_ids: Collection[int]) -> None:
    for account_id in with_agency(account_ids):
        sentence = "Unpaid invoices were handed to the collections agency."
        found[account_id].append(StandingReason(Matter.WITH_AGENCY, "COLL-1", sentence, PAY))


def _overdue(found: dict[int, list[StandingReason]], unpaid: dict[int, list[UnpaidInvoice]], *, on: date) -> None:
    late = [one for invoices in unpaid.values() for one in invoices if one.owed > 0 and one.due_on < on]
    excused = {pk for pk, reason in in_the_way([one.id for one in late], on=on).items() if reason in EXCUSED}
    by_account: dict[int, list[UnpaidInvoice]] = defaultdict(list)
    for one in late:
        if one.id not in excused:
            by_account[one.account_id].append(one)
    for account_id, invoices in by_account.items():
        amounts = ", ".join(format_money(amount, currency) for currency, amount in sorted(sums(invoices).items()))
        since = min(one.due_on for one in invoices)
        sentence = f"{amounts} is overdue since {since:%-d %B %Y}, on {', '.join(one.number for one in invoices)}."
        found[account_id].append(StandingReason(Matter.OVERDUE, "SUSP-1", sentence, PAY))


def _declined(
    found: dict[int, list[StandingReason]], account_ids: Collection[int], unpaid: dict[int, list[UnpaidInvoice]]
) -> None:
    """A charge of what is still open that failed, or no method left that can be charged."""
    still_open = {one.id for invoices in unpaid.values() for one in invoices if one.owed > 0}
    failed = PaymentTarget.objects.filter(invoice_id__in=still_open, payment__state=Payment.State.FAILED)
    methods = PaymentMethod.objects.filter(account_id__in=account_ids).values_list("account_id", "state").distinct()
    states: dict[int, set[str]] = defaultdict(set)
    for account_id, state in methods:
        states[account_id].add(state)
    blocked = {
        account_id
        for account_id, held in states.items()
        if PaymentMethod.State.BLOCKED in held and PaymentMethod.State.ACTIVE not in held
    }
    for account_id in sorted({*failed.values_list("payment__account_id", flat=True), *blocked}):
        sentence = "The last charge of the payment method was declined."
        way_out = "Add another payment method, or pay another way."
        found[account_id].append(StandingReason(Matter.DECLINED, "SEAT-5", sentence, way_out))


def _short(found: dict[int, list[StandingReason]], account_ids: Collection[int]) -> None:
    for one in PrepaidBalance.objects.filter(account_id__in=account_ids, awaiting__gt=0):
        sentence = f"{format_money(one.awaiting, one.currency)} of charges wait for credit on the prepaid balance."
        found[one.account_id].append(StandingReason(Matter.SHORT_BALANCE, "PRE-4", sentence, "Top up the balance."))
