"""The lock of an account's money: its billing profile's row, as the run takes it."""

from collections.abc import Iterable

from django.db.models import QuerySet

from invoicing.subscriptions.models import BillingProfile


def lock_billing(account_id: int) -> BillingProfile:
    """
    The account's profile, locked until the transaction ends. Whatever changes what an account owes or has takes this
    lock first, then rows of the account; a prepaid balance's row is locked after it.

    :raises BillingProfile.DoesNotExist: for an account that is not billed itself, such as a partner's client
    """
    return _profiles().get(account_id=account_id)


def lock_billings(account_ids: Iterable[int]) -> dict[int, BillingProfile]:
    """The profiles of several accounts, locked in the order of their accounts."""
    return {profile.account_id: profile for profile in _profiles().filter(account_id__in=list(account_ids))}


def _profiles() -> QuerySet[BillingProfile]:
    profiles = BillingProfile.objects.select_for_update(no_key=True, of=("self",))
    return profiles.select_related("terms", "seller", "account").order_by("account_id")
