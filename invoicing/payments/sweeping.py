"""
SEAT-5: what was invoiced is charged to the account's default method by itself, and tried again on the terms' days.

Which accounts: those whose own setting says so, or, where they have none, their terms. One account's trouble is not the
others'.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

import structlog
from django.db import InterfaceError, OperationalError
from django.db.models import F, QuerySet
from django.db.models.functions import Coalesce

from accounts.actors import Actor
from invoicing.invoices.models import OpenInvoice
from invoicing.ledger.models import LedgerEntry
from invoicing.money import ZERO, format_money, round_money
from invoicing.payments.asked import MoneyRefused
from invoicing.payments.charging import charge
from invoicing.payments.excluding import excluded
from invoicing.payments.fees import fee_of_method
from invoicing.payments.models import Chargeback, Payment, PaymentMethod, PaymentTarget, Refund
from invoicing.payments.policy import PastAttempt, next_attempt
from invoicing.payments.queries import being_paid, credit_of, default_method
from invoicing.payments.recording import NEVER_REACHED, NOT_NEEDED
from invoicing.sellers.models import Seller
from invoicing.subscriptions.models import BillingProfile

log = structlog.get_logger(__name__)
PAGE = 100


class ChargeTried(NamedTuple):
    """One account's charge, or what it would be; `state` is empty in a dry run."""

    account: str
    currency: str
    amount: Decimal
    fee: Decimal
    state: str
    payment_id: int | None = None


@dataclass
class Sweep:
    """What a sweep charged, and for each account or invoice that it left out the reason; amounts as text in JSON."""

    on: date
    charged: list[ChargeTried] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)
    last_account_id: int | None = None

    def totals(self) -> dict[str, dict[str, tuple[int, Decimal, Decimal]]]:
        """By currency and state: how many charges, their amount and their fees."""
        found: dict[str, dict[str, tuple[int, Decimal, Decimal]]] = {}
        for tried in self.charged:
            state = tried.state or "WOULD_BE_CHARGED"
            count, amount, fee = found.setdefault(tried.currency, {}).get(state, (0, ZERO, ZERO))
            found[tried.currency][state] = (count + 1, amount + tried.amount, fee + tried.fee)
        return found

    def as_json(self) -> dict[str, Any]:
        return {
            "on": self.on.isoformat(),
            "charged": [
                {
                    "account": one.account, "currency": one.currency, "amount": _text(one.amount, one.currency),
                    "fee": _text(one.fee, one.currency), "state": one.state, "payment": one.payment_id,
                }
                for one in self.charged
            ],
            "totals": {
                currency: {
                    state: {"count": count, "amount": _text(amount, currency), "fee": _text(fee, currency)}
                    for state, (count, amount, fee) in sorted(states.items())
                }
                for currency, states in sorted(self.totals().items())
            },
            "skipped": [{"account": account, "why": why} for account, why in self.skipped],
            "failed": [{"account": account, "why": why} for account, why in self.failed],
        }  # fmt: skip


def _text(amount: Decimal, currency: str) -> str:
    return f"{round_money(amount, currency):f}"


def charge_due(
    *,
    on: date,
    now: datetime,
    actor: Actor,
    seller: Seller | None = None,
    account_id: int | None = None,
    dry_run: bool = False,
    after: int = 0,
    limit: int | None = None,
) -> Sweep:
    """
    Charge what was invoiced by the day and is open, account by account; a dry run says what it would charge.

    `after` and `limit` take so many accounts of higher ids; `last_account_id` of the answer is where to go on, None
    when there are no more. Outside of any transaction.

    :raises NotPermitted: for staff who may not take payments
    :raises OperationalError: and InterfaceError, where the database is gone, which is no account's fault
    """
    actor.require("invoicing.take_payment")
    sweep = Sweep(on)
    done = 0
    while page := _accounts(on, seller=seller, account_id=account_id, after=after)[: _room(limit, done)]:
        for profile in page:
            _tried(profile, sweep, actor=actor, now=now, dry_run=dry_run)
        after, done = page[-1].account_id, done + len(page)
        if limit is not None and done >= limit:
            sweep.last_account_id = after
            break
    return sweep


def _room(limit: int | None, done: int) -> int:
    return PAGE if limit is None else min(PAGE, limit - done)


def _accounts(on: date, *, seller: Seller | None, account_id: int | None, after: int) -> Sequence[BillingProfile]:
    """The next page of accounts that are charged by themselves and owe something invoiced by the day."""
    owing = _owing(on).values("account_id")
    wanted = BillingProfile.objects.annotate(automatic=Coalesce("auto_charge", F("terms__auto_charge"))).filter(
        automatic=True, account_id__in=owing, account_id__gt=after
    )
    if seller is not None:
        wanted = wanted.filter(seller=seller)
    if account_id is not None:
        wanted = wanted.filter(account_id=account_id)
    return list(wanted.select_related("terms", "account", "seller").order_by("account_id")[:PAGE])


def _owing(on: date) -> "QuerySet[OpenInvoice]":
    return OpenInvoice.objects.filter(amount__gt=0, invoice__issued_on__lte=on)


def _tried(profile: BillingProfile, sweep: Sweep, *, actor: Actor, now: datetime, dry_run: bool) -> None:
    number = profile.account.number
    try:
        _charge_account(profile, sweep, actor=actor, now=now, dry_run=dry_run)
    except MoneyRefused as refused:
        sweep.skipped.append((number, str(refused)))
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:
        log.exception("an account could not be charged; the others are", account=number)
        sweep.failed.append((number, f"{type(error).__name__}: {error}"))


def _charge_account(profile: BillingProfile, sweep: Sweep, *, actor: Actor, now: datetime, dry_run: bool) -> None:
    number = profile.account.number
    method = default_method(profile.account_id)
    if method is None:
        sweep.skipped.append((number, "There is no payment method that may be charged."))
        return
    rows = list(_owing(sweep.on).filter(account_id=profile.account_id).select_related("invoice").order_by("invoice_id"))
    stops = _stops(rows, method, profile, on=sweep.on)
    sweep.skipped += [(number, f"Invoice {row.invoice.number}: {stops[row.pk]}") for row in rows if row.pk in stops]
    free = [row for row in rows if row.pk not in stops]
    for currency in sorted({row.currency for row in free}):
        held = credit_of(profile.account_id, currency)
        if held > ZERO:
            money = format_money(held, currency)
            sweep.skipped.append((number, f"{money} of the account's own money is on no invoice: allocate it first."))
            continue
        chosen = [row for row in free if row.currency == currency]
        try:
            sweep.charged.append(_charged(profile, method, chosen, sweep.on, actor=actor, now=now, dry_run=dry_run))
        except MoneyRefused as refused:
            # Of one currency it says nothing about the others.
            sweep.skipped.append((number, str(refused)))


def _charged(
    profile: BillingProfile,
    method: PaymentMethod,
    rows: Sequence[OpenInvoice],
    on: date,
    *,
    actor: Actor,
    now: datetime,
    dry_run: bool,
) -> ChargeTried:
    number, currency = profile.account.number, rows[0].currency
    if dry_run:
        whole = sum((row.amount for row in rows), ZERO)
        fee = fee_of_method(profile, method, whole, currency=currency, on=on)
        return ChargeTried(number, currency, whole, fee.amount, "")
    past = _past_attempts([row.pk for row in rows], method)
    attempt = 1 + max(len(past.get(row.pk, ())) for row in rows)
    payment = charge(
        profile.account_id, method, invoices=[row.pk for row in rows], actor=actor, now=now, automatic=True,
        attempt=attempt, on=on,
    )  # fmt: skip
    return ChargeTried(number, currency, payment.amount, payment.fee, payment.state, payment.pk)


def _stops(rows: Sequence[OpenInvoice], method: PaymentMethod, profile: BillingProfile, *, on: date) -> dict[int, str]:
    """The invoices that are not charged today, each with the first reason."""
    ids = [row.pk for row in rows]
    stops: dict[int, str] = {}
    past = _past_attempts(ids, method)
    for pk in ids:
        following = next_attempt(past.get(pk, ()), retry_days=profile.terms.retry_days)
        if following.why_not:
            stops[pk] = following.why_not
        elif following.from_on > on:
            stops[pk] = f"Attempt {following.number} is due on {following.from_on:%-d %B %Y}."
    stops |= dict.fromkeys(_given_back(ids), "It was paid, and given or taken back: a person decides.")
    stops |= excluded(ids, on=on)
    stops |= dict.fromkeys((row.pk for row in rows if row.placed), "It is with the agency (COLL-1).")
    under_way = being_paid(ids)
    stops |= {pk: f"Payment {payment.pk} for it is under way." for pk, payment in under_way.items()}
    return stops


def _past_attempts(invoice_ids: Sequence[int], method: PaymentMethod) -> dict[int, list[PastAttempt]]:
    """By invoice, the automatic charges of this method that brought nothing, in their order."""
    targets = (
        PaymentTarget.objects.filter(
            invoice_id__in=invoice_ids,
            payment__method=method,
            payment__automatic=True,
            payment__state__in=[Payment.State.FAILED, Payment.State.RETURNED],
        )
        .exclude(payment__failure_code__in=[NEVER_REACHED, NOT_NEEDED])
        .select_related("payment")
        .order_by("payment_id")
    )
    payments = [target.payment for target in targets]
    returned_on = dict(
        LedgerEntry.objects.filter(source__in=[f"return:{one.pk}" for one in payments]).values_list("source", "on")
    )
    past: dict[int, list[PastAttempt]] = {}
    for target in targets:
        payment = target.payment
        failed_on = returned_on.get(f"return:{payment.pk}", payment.on)
        returned = payment.failure_code if payment.kind == Payment.Kind.ACH else ""
        past.setdefault(target.invoice_id, []).append(PastAttempt(payment.on, failed_on, payment.hard, returned))
    return past


def _given_back(invoice_ids: Sequence[int]) -> set[int]:
    """Invoices that a payment was meant for which was refunded, or charged back by the bank."""
    meant = PaymentTarget.objects.filter(invoice_id__in=invoice_ids, payment__state=Payment.State.SUCCEEDED)
    refunded = Refund.objects.exclude(state=Refund.State.FAILED).values("payment_id")
    charged_back = Chargeback.objects.exclude(state=Chargeback.State.WON).values("payment_id")
    found = meant.filter(payment_id__in=refunded) | meant.filter(payment_id__in=charged_back)
    return set(found.values_list("invoice_id", flat=True))
