"""The runs' doors for workers. Each may come twice, late or not at all: what is due is asked from the database."""

from datetime import date

from celery import shared_task
from django.contrib.auth import get_user_model
from django.utils import timezone

from accounts.actors import Actor, schedule
from accounts.queries import actor_for_user
from invoicing.runs.awaiting import post_what_waited
from invoicing.runs.models import Run
from invoicing.runs.operations import advance, run_billing
from invoicing.runs.schedule import bill_what_is_due
from invoicing.sellers.models import Seller


@shared_task
def bill_due() -> None:
    """The tick: a task a seller, so that one seller's trouble is not another's."""
    for seller_id in Seller.objects.order_by("pk").values_list("pk", flat=True):
        bill_seller.delay(seller_id)


@shared_task
def bill_seller(seller_id: int) -> None:
    """Bill what is due where this seller is, and go on with what stopped half-way."""
    bill_what_is_due(Seller.objects.get(pk=seller_id), actor=schedule(), now=timezone.now())


@shared_task
def start_run_task(seller_id: int, on: str, user_id: int | None) -> None:
    """What the console's button asked for, with the rights that this person has now; nobody's is the schedule."""
    seller = Seller.objects.get(pk=seller_id)
    run_billing(seller=seller, on=date.fromisoformat(on), actor=_actor(user_id), now=timezone.now())


@shared_task
def continue_run(run_id: int, user_id: int | None = None) -> None:
    """Take a run as far as it goes from where it stands."""
    advance(Run.objects.get(pk=run_id), actor=_actor(user_id), now=timezone.now())


@shared_task
def post_awaited(account_id: int | None = None) -> None:
    """PRE-4: the charges of prepaid accounts whose credit has arrived; rung for one, swept for all."""
    post_what_waited(actor=schedule(), now=timezone.now(), account_id=account_id)


def _actor(user_id: int | None) -> Actor:
    return schedule() if user_id is None else actor_for_user(get_user_model().objects.get(pk=user_id))
