"""The room's doors for workers. Each may come twice, late or not at all: what is due is asked from the database."""

from celery import shared_task
from django.utils import timezone

from accounts.actors import schedule
from invoicing.prepaid.topping_up import top_up_due, top_up_if_due
from invoicing.prepaid.warnings import warn_low_balances


@shared_task
def top_up_account(account_id: int) -> None:
    """A balance ran low this moment, or so it was said."""
    top_up_if_due(account_id, actor=schedule(), now=timezone.now())


@shared_task
def top_up_balances() -> None:
    """The tick: credit what was charged, and top up whoever calls for it."""
    top_up_due(actor=schedule(), now=timezone.now())


@shared_task
def warn_of_low_balances() -> None:
    """PRE-3: the tick: a letter to whoever will be short on the 1st, once."""
    warn_low_balances(now=timezone.now())
