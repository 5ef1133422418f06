"""
Who may open and who may send what, over every URL of the console.

The cells are made from the URL configuration: a page that is new and has no cell fails here.
"""

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from accounts.models import Account, ApiToken, AuditEntry, Contact, Decision
from invoicing import models as rooms
from tests.billingsite.console.conftest import signed_in
from tests.invoicing.console_seed import seed_console
from tests.invoicing.money_seed import seed_money

STAFF = {"agent", "manager", "auditor"}
WORK = {"agent", "manager"}
MANAGER = {"manager"}
NOBODY: set[str] = set()

READ_ONLY = {
    *("accounts_account", "accounts_contact", "accounts_decision", "accounts_auditentry"),
    *("invoicing_price", "invoicing_delivery", "invoicing_document", "invoicing_invoice", "invoicing_creditnote"),
    *("invoicing_ledgerentry", "invoicing_posting", "invoicing_run", "invoicing_runitem", "invoicing_subscription"),
    *("invoicing_oneoffcharge", "invoicing_exemption", "invoicing_payment", "invoicing_paymentmethod"),
    *("invoicing_chargeback", "invoicing_webhookevent", "invoicing_letter", "invoicing_prepaidbalance"),
    *("invoicing_topup", "invoicing_topupagreement", "invoicing_hold", "invoicing_suspension", "invoicing_reminder"),
    *("invoicing_platformnotice", "invoicing_platformendpoint", "invoicing_placement", "invoicing_placementbatch"),
    *("invoicing_order", "accounts_apitoken"),
}
EDITED = {
    *("invoicing_product", "invoicing_plan", "invoicing_vendor", "invoicing_billingterms", "invoicing_taxrate"),
    *("invoicing_seller", "invoicing_numberseries", "invoicing_cardfeerate"),
}
SUPERUSERS = {
    *("auth_user", "auth_group", "mfa_authenticator"),
    *("django_celery_beat_periodictask", "django_celery_beat_intervalschedule", "django_celery_beat_crontabschedule"),
}
# (who may open it, who may send it)
OF_ANY_STAFF = (STAFF, STAFF)
PAGES = {
    "index": OF_ANY_STAFF,
    "search": OF_ANY_STAFF,
    "app_list": OF_ANY_STAFF,
    "jsi18n": OF_ANY_STAFF,
    "password_change": OF_ANY_STAFF,
    "password_change_done": OF_ANY_STAFF,
    "import_book": (MANAGER, MANAGER),
    "reports": OF_ANY_STAFF,
    "report_download": OF_ANY_STAFF,
    "report_export": OF_ANY_STAFF,
    **{
        f"report_{name}": OF_ANY_STAFF
        for name in (
            "receivables",
            "cash",
            "revenue",
            "tax",
            "deposits",
            "prepaid",
            "card_fees",
            "unallocated",
            "vendors",
        )
    },
    "accounts_account_export": OF_ANY_STAFF,
    "accounts_account_request": (WORK, WORK),
    "accounts_account_invite": (WORK, WORK),
    "auth_user_password_change": (NOBODY, NOBODY),
    "invoicing_invoice_pdf": OF_ANY_STAFF,
    "invoicing_invoice_send": (WORK, WORK),
    "invoicing_invoice_credit": (MANAGER, MANAGER),
    "invoicing_creditnote_pdf": OF_ANY_STAFF,
    "invoicing_creditnote_send": (WORK, WORK),
    "invoicing_creditnote_credit": (MANAGER, MANAGER),
    "invoicing_run_progress": OF_ANY_STAFF,
    "invoicing_run_differences": OF_ANY_STAFF,
    "invoicing_run_items": OF_ANY_STAFF,
    "invoicing_run_approve": (MANAGER, MANAGER),
    "invoicing_run_discard": (MANAGER, MANAGER),
    "invoicing_run_retry": (WORK, WORK),
    "invoicing_run_continue": (MANAGER, MANAGER),
    "invoicing_run_propose_again": (WORK, WORK),
    "invoicing_run_start_a_run": (MANAGER, MANAGER),
    "invoicing_letter_pdf": OF_ANY_STAFF,
    "invoicing_placementbatch_file": OF_ANY_STAFF,
    **dict.fromkeys(
        (
            *("invoicing_payment_allocate", "invoicing_payment_take_back", "invoicing_payment_look"),
            *("invoicing_payment_book", "invoicing_payment_charge", "invoicing_hold_lift", "invoicing_hold_place"),
            *("invoicing_platformnotice_retry", "invoicing_platformnotice_by_hand"),
            "invoicing_letter_statement",
            *("invoicing_order_start", "invoicing_order_finish", "invoicing_order_cancel"),
        ),
        (WORK, WORK),
    ),
    **dict.fromkeys(
        (
            *(
                "invoicing_payment_refund",
                "invoicing_payment_give_up",
                "invoicing_payment_deposit",
                "invoicing_topup_refund",
                "invoicing_webhookevent_resolve",
                "invoicing_webhookevent_book_refund",
                "invoicing_webhookevent_retry",
            ),
            *("invoicing_prepaidbalance_top_up", "invoicing_prepaidbalance_migrate"),
            *("invoicing_suspension_restore", "invoicing_suspension_suspend", "invoicing_suspension_sweep"),
            *("invoicing_reminder_remind", "invoicing_placement_hand_off", "invoicing_placement_approve_all"),
            *("invoicing_placement_approve", "invoicing_placement_decline", "invoicing_placement_recall"),
            *("invoicing_placement_remittance", "invoicing_placement_write_off"),
            *("invoicing_placement_reverse_remittance", "invoicing_placement_recover"),
            *("invoicing_placement_write_off_invoice", "invoicing_platformendpoint_new"),
            *("invoicing_platformendpoint_edit", "invoicing_platformendpoint_renew"),
            *("accounts_apitoken_new", "accounts_apitoken_revoke"),
        ),
        (MANAGER, MANAGER),
    ),
}
# Signing in and out is everybody's; `autocomplete` and `view_on_site` answer for the models, with their permissions.
EVERYBODYS = {"login", "logout", "autocomplete", "view_on_site"}
VERBS = {
    "read only": {
        "changelist": (STAFF, STAFF), "add": (NOBODY, NOBODY), "change": (STAFF, NOBODY), "delete": (NOBODY, NOBODY),
        "history": (STAFF, STAFF),
    },
    "edited": {
        "changelist": (STAFF, STAFF), "add": (MANAGER, MANAGER), "change": (STAFF, MANAGER),
        "delete": (MANAGER, MANAGER), "history": (STAFF, STAFF),
    },
    "superusers": dict.fromkeys(("changelist", "add", "change", "delete", "history"), (NOBODY, NOBODY)),
}  # fmt: skip
# Never deleted, by anybody: what was issued under them refers to them.
EXCEPTIONS = {
    "invoicing_billingterms_delete": (NOBODY, NOBODY),
    "invoicing_seller_delete": (NOBODY, NOBODY),
    "invoicing_numberseries_delete": (NOBODY, NOBODY),
    # Numbers were taken from the seeded ones (BILL-6).
    "invoicing_numberseries_change": (STAFF, NOBODY),
    # A page of its own, which takes nothing in.
    "accounts_account_change": (STAFF, STAFF),
}


def cell(name: str) -> tuple[set[str], set[str]]:
    """:raises LookupError: for a page that has none"""
    if name in EXCEPTIONS | PAGES:
        return (EXCEPTIONS | PAGES)[name]
    model, _, verb = name.rpartition("_")
    for models, kind in ((READ_ONLY, "read only"), (EDITED, "edited"), (SUPERUSERS, "superusers")):
        if model in models and verb in VERBS[kind]:
            return VERBS[kind][verb]
    raise LookupError(f"The page “{name}” has no cell in the permission matrix. Say who may open it.")


def console_urls(patterns=None, before: str = "") -> list[tuple[str, str, list[str]]]:
    """Each page of the console: its name, its name with its namespace, and the names of its arguments."""
    found = []
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        route = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            found += console_urls(pattern.url_patterns, route)
        elif isinstance(pattern, URLPattern) and route.startswith("admin/") and pattern.name:
            found.append((pattern.name, route, list(pattern.pattern.converters)))
    return found


def address_of(name: str, route: str) -> str:
    """Its address, for the first row that there is of its model."""
    sample = {
        "<int:row_id>": _first_of(name),
        "<path:file_name>": "hand-over.csv",
        "<int:run_id>": rooms.Run.objects.latest("pk").pk,
        "<int:account_id>/contacts/<int:contact_id>": "{0.account_id}/contacts/{0.pk}".format(
            Contact.objects.earliest("pk")
        ),
        "<int:account_id>": Account.objects.earliest("pk").pk,
        "<int:invoice_id>": rooms.Invoice.objects.filter(status="ISSUED").earliest("pk").pk,
        "<slug:kind>": "account-data",
        "<slug:report_name>": "cash",
        "<int:export_id>": 1,
        "<id>": 1,
        "<path:object_id>": _first_of(name),
    }
    for part, value in sample.items():
        route = route.replace(part, str(value))
    return "/" + route.replace("^(?P<app_label>accounts|invoicing|auth|mfa|django_celery_beat)/$", "accounts/")


def _first_of(name: str) -> int:
    own = {"accounts_account": Account, "accounts_contact": Contact, "accounts_decision": Decision,
           "accounts_auditentry": AuditEntry, "accounts_apitoken": ApiToken}  # fmt: skip
    of_rooms = {f"invoicing_{model.lower()}": getattr(rooms, model) for model in rooms.__all__}
    model = (own | of_rooms).get("_".join(name.split("_")[:2]))
    row = model.objects.order_by("pk").first() if model else None
    return row.pk if row else 1


def answer(client: Client, method: str, address: str) -> str:
    """In, out (403, or sent back with the permission it needs), nothing there (404, 405), or off to sign in."""
    response = getattr(client, method)(address)
    if response.status_code == 302 and "/login/" in response.headers["Location"]:
        return "sign in"
    told = [str(message) for message in get_messages(response.wsgi_request)]
    if response.status_code == 302 and any("it needs the permission" in sentence for sentence in told):
        return "out"
    return {403: "out", 404: "nothing", 405: "nothing"}.get(response.status_code, "in")


def test_each_page_has_a_cell():
    for name, _, _ in console_urls():
        if name not in EVERYBODYS:
            cell(name)


@pytest.fixture
def pages(db):
    seed_console()
    seed_money()
    Contact.objects.create(account=Account.objects.earliest("pk"), name="Pat", email="pat@x.example")
    return [(name, address_of(name, route), cell(name)) for name, route, _ in console_urls() if name not in EVERYBODYS]


class TestConsole:
    @pytest.mark.parametrize("who", sorted(STAFF))
    def test_lets_a_group_open_what_it_may(self, pages, who):
        client = signed_in(who)
        wrong = {name: ("out" if who in openers else "in") for name, _, (openers, _) in pages}
        answers = {name: answer(client, "get", address) for name, address, _ in pages}
        assert [name for name in answers if answers[name] == wrong[name]] == []

    @pytest.mark.parametrize("who", sorted(STAFF))
    def test_takes_nothing_from_a_group_that_may_not_send(self, pages, who):
        client = signed_in(who)
        shut = [(name, address) for name, address, (_, senders) in pages if who not in senders]
        taken = " ".join(name for name, address in shut if answer(client, "post", address) == "in")
        assert taken == ""

    @pytest.mark.parametrize("who", ["visitor", "nobody"])
    def test_sends_everybody_else_to_sign_in(self, pages, who):
        client = signed_in(who)
        for method in ("get", "post"):
            answers = {name: answer(client, method, address) for name, address, _ in pages}
            assert answers == dict.fromkeys(answers, "sign in")
