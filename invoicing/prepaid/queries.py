"""Which balances call for something, asked of the database."""

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery, Sum

from invoicing.catalog.models import BillingTerms
from invoicing.ledger.models import LedgerAccount, Posting
from invoicing.payments.models import Refund
from invoicing.prepaid.models import TopUp, TopUpAgreement
from invoicing.subscriptions.models import BillingProfile


def is_prepaid(account_id: int) -> bool:
    """PRE-1: whether the account's terms are settled from a balance, opened or not yet."""
    settled = BillingTerms.Settlement.BALANCE
    return BillingProfile.objects.filter(account_id=account_id, terms__settlement=settled).exists()


def accounts_to_top_up() -> list[int]:
    """PRE-2: accounts with an agreement that is on, and a balance below its threshold or short of what waits."""
    balance = "account__prepaid_balance"
    low = Q(**{f"{balance}__balance__lt": F("threshold")})
    limit = F("account__billing_profile__terms__credit_limit")
    short = Q(**{f"{balance}__awaiting__gt": 0}) & Q(**{f"{balance}__awaiting__gt": F(f"{balance}__balance") + limit})
    agreements = TopUpAgreement.objects.filter(low | short, is_on=True)
    return list(agreements.order_by("account_id").values_list("account_id", flat=True))


def charged_top_ups() -> list[int]:
    """Top-ups whose money came and that are not on the balance."""
    charged = TopUp.objects.filter(state=TopUp.State.CHARGED)
    return list(charged.order_by("pk").values_list("pk", flat=True))


def top_ups_not_refunded() -> list[int]:
    """Top-ups of which a refund failed and the money was not put back: it lies with the payment, as a credit."""
    failed = Refund.objects.filter(payment=OuterRef("payment"), state=Refund.State.FAILED)
    credit = Posting.objects.filter(payment_id=OuterRef("payment_id"), ledger_account=LedgerAccount.CUSTOMER_CREDIT)
    left = credit.order_by().values("payment_id").annotate(total=Sum("amount")).values("total")
    credited = TopUp.objects.filter(Exists(failed), state=TopUp.State.CREDITED).annotate(left=Subquery(left))
    return list(credited.filter(left__lt=0).order_by("pk").values_list("pk", flat=True))


def stuck_top_ups() -> QuerySet[TopUp]:
    """What waits for a person: charged and not credited, and the account's latest where that failed."""
    later = TopUp.objects.filter(account=OuterRef("account"), pk__gt=OuterRef("pk"))
    failed = Q(state=TopUp.State.FAILED) & ~Exists(later)
    return TopUp.objects.filter(Q(state=TopUp.State.CHARGED) | failed)
