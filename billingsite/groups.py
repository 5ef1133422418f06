"""The three groups of a billing team: made with their defaults, each given once; what is changed afterwards stays."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from django.apps import AppConfig, apps
from django.db import connections
from django.db.models import Q, QuerySet

if TYPE_CHECKING:
    from django.contrib.auth.models import Permission

AGENT = "Billing agent"
MANAGER = "Billing manager"
AUDITOR = "Auditor"

OURS = ("accounts", "invoicing")
# Requests are recorded by whoever may change accounts and contacts; their admin pages have no bare forms.
AGENT_MAY = (
    "accounts.change_account", "accounts.add_contact", "accounts.change_contact", "accounts.delete_contact",
    "accounts.invite_contact",
    "invoicing.resend_invoice", "invoicing.retry_parked",
    "invoicing.take_payment", "invoicing.book_payment", "invoicing.allocate_payment",
    "invoicing.place_hold", "invoicing.retry_notice", "invoicing.work_order",
)  # fmt: skip
EDITED = ("billingterms", "product", "plan", "price", "vendor", "taxrate", "seller", "numberseries", "cardfeerate")
MANAGER_MAY = (
    *AGENT_MAY,
    "invoicing.start_run", "invoicing.approve_run", "invoicing.issue_credit_note", "invoicing.import_book",
    "invoicing.change_subscription", "invoicing.top_up", "invoicing.migrate_credit", "accounts.manage_tokens",
    "invoicing.refund_payment", "invoicing.resolve_event",
    "invoicing.suspend_account", "invoicing.approve_placement", "invoicing.book_remittance", "invoicing.write_off",
    "invoicing.add_platformendpoint", "invoicing.change_platformendpoint",
    *(f"invoicing.{verb}_{model}" for verb in ("add", "change") for model in EDITED),
    *(f"invoicing.delete_{model}" for model in ("product", "plan", "price", "vendor", "taxrate", "cardfeerate")),
)  # fmt: skip
MAY = {AGENT: AGENT_MAY, MANAGER: MANAGER_MAY, AUDITOR: ()}


def make_groups(sender: AppConfig, using: str, **kwargs: object) -> None:
    """
    After each migration: a group that is not there is made, and each gets the defaults that it was never given.

    What was given before and is gone was taken away by somebody, and is not given again; a group that is gone and made
    anew begins from the start.
    """
    # Asked for by name: the app's configuration imports this module before any model is loaded.
    group_model, given_model = apps.get_model("auth", "Group"), apps.get_model("billingsite", "GivenPermission")
    if given_model._meta.db_table not in connections[using].introspection.table_names():
        # A migration back to before the record: there is nothing to go by.
        return
    for name, named in MAY.items():
        group, is_new = group_model.objects.using(using).get_or_create(name=name)
        records = given_model.objects.using(using).filter(group=name)
        if is_new:
            records.delete()
        known = set(records.values_list("permission", flat=True))
        wanted = {full_name_of(permission): permission for permission in _permissions(named, using)}
        new = sorted(set(wanted) - known)
        group.permissions.add(*(wanted[one] for one in new))
        given_model.objects.using(using).bulk_create([given_model(group=name, permission=one) for one in new])


def full_name_of(permission: "Permission") -> str:
    """`invoicing.start_run`."""
    return f"{permission.content_type.app_label}.{permission.codename}"


def _permissions(named: Iterable[str], using: str) -> "QuerySet[Permission]":
    """Everything of ours to look at, and what is named."""
    wanted = Q(content_type__app_label__in=OURS, codename__startswith="view_")
    for full_name in named:
        app, codename = full_name.split(".")
        wanted |= Q(content_type__app_label=app, codename=codename)
    found = apps.get_model("auth", "Permission").objects.using(using).filter(wanted)
    return found.select_related("content_type")
