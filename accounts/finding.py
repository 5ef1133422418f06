"""Accounts and contacts by the beginning of what somebody typed: each condition has an index that serves it."""

from django.db.models import Q, QuerySet
from django.db.models.functions import Upper

from accounts.models import Account, Contact


def accounts_beginning_with(words: str, among: QuerySet[Account] | None = None) -> QuerySet[Account]:
    """By number, as it is written or in capitals, or by name in any case."""
    found = Account.objects.all() if among is None else among
    return found.alias(upper_name=Upper("name")).filter(
        Q(number__startswith=words) | Q(number__startswith=words.upper()) | Q(upper_name__startswith=words.upper())
    )


def contacts_beginning_with(words: str, among: QuerySet[Contact] | None = None) -> QuerySet[Contact]:
    """By name or e-mail address, in any case."""
    found = Contact.objects.all() if among is None else among
    upper = words.upper()
    return found.alias(upper_name=Upper("name"), upper_email=Upper("email")).filter(
        Q(upper_name__startswith=upper) | Q(upper_email__startswith=upper)
    )
