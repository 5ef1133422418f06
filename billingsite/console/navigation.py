"""The side of every page: where to go, in the order of a billing team's day."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse


@dataclass(frozen=True)
class Link:
    """A page, by its URL's name, and the permission without which it is not offered."""

    title: str
    icon: str
    url_name: str
    permission: str = ""
    query: str = ""


@dataclass(frozen=True)
class Group:
    """Some links under a heading that folds; `open` says whether they are seen before anybody folds them."""

    title: str
    links: tuple[Link, ...]
    open: bool = True


MAY_REPORT = "invoicing.view_reports"

_FAILED, _BACK, _REST = "queue=failed", "queue=returned", "queue=unallocated"
_OPEN, _PARKED = "state__exact=OPEN", "state__exact=PARKED"
NAVIGATION = (
    Group("Work", (
        Link("Dashboard", "space_dashboard", "index"),
        Link("Runs", "event_repeat", "invoicing_run_changelist", "invoicing.view_run"),
        Link("Parked accounts", "report", "invoicing_runitem_changelist", "invoicing.view_runitem"),
        Link(
            "Failed deliveries", "unsubscribe", "invoicing_delivery_changelist", "invoicing.view_delivery", "failed=1"
        ),
        Link("Failed payments", "credit_card_off", "invoicing_payment_changelist", "invoicing.view_payment", _FAILED),
        Link("Returned payments", "keyboard_return", "invoicing_payment_changelist", "invoicing.view_payment", _BACK),
        Link("Chargebacks", "gpp_bad", "invoicing_chargeback_changelist", "invoicing.view_chargeback", _OPEN),
        Link("Unallocated money", "savings", "invoicing_payment_changelist", "invoicing.view_payment", _REST),
        Link("Gateway notices", "inbox", "invoicing_webhookevent_changelist", "invoicing.view_webhookevent", _PARKED),
        Link("Stuck top-ups", "battery_alert", "invoicing_topup_changelist", "invoicing.view_topup", "queue=stuck"),
        Link("Suspensions", "block", "invoicing_suspension_changelist", "invoicing.view_suspension"),
        Link("Hand-over", "outbound", "invoicing_placement_changelist", "invoicing.view_placement"),
        Link("Platform notices", "campaign", "invoicing_platformnotice_changelist", "invoicing.view_platformnotice"),
        Link("Orders", "assignment", "invoicing_order_changelist", "invoicing.view_order"),
    )),
    Group("Book", (
        Link("Accounts", "apartment", "accounts_account_changelist", "accounts.view_account"),
        Link("Contacts", "contacts", "accounts_contact_changelist", "accounts.view_contact"),
        Link("Subscriptions", "layers", "invoicing_subscription_changelist", "invoicing.view_subscription"),
        Link("One-off charges", "receipt", "invoicing_oneoffcharge_changelist", "invoicing.view_oneoffcharge"),
        Link("Import", "upload_file", "import_book", "invoicing.import_book"),
    )),
    Group("Money", (
        Link("Invoices", "receipt_long", "invoicing_invoice_changelist", "invoicing.view_invoice"),
        Link("Credit notes", "assignment_return", "invoicing_creditnote_changelist", "invoicing.view_creditnote"),
        Link("Payments", "payments", "invoicing_payment_changelist", "invoicing.view_payment"),
        Link("Payment methods", "credit_card", "invoicing_paymentmethod_changelist", "invoicing.view_paymentmethod"),
        Link("Prepaid balances", "account_balance_wallet", "invoicing_prepaidbalance_changelist",
             "invoicing.view_prepaidbalance"),
        Link("Top-ups", "add_card", "invoicing_topup_changelist", "invoicing.view_topup"),
        Link("Top-up agreements", "autorenew", "invoicing_topupagreement_changelist",
             "invoicing.view_topupagreement"),
        Link("Holds and promises", "front_hand", "invoicing_hold_changelist", "invoicing.view_hold"),
        Link("Reminders", "notifications", "invoicing_reminder_changelist", "invoicing.view_reminder"),
        Link("Agency batches", "folder_zip", "invoicing_placementbatch_changelist", "invoicing.view_placementbatch"),
        Link("Letters", "mail", "invoicing_letter_changelist", "invoicing.view_letter"),
        Link("Ledger", "menu_book", "invoicing_ledgerentry_changelist", "invoicing.view_ledgerentry"),
        Link("Postings", "compare_arrows", "invoicing_posting_changelist", "invoicing.view_posting"),
    )),
    Group("Reports", (
        Link("Receivables by age", "hourglass_top", "report_receivables", MAY_REPORT),
        Link("Cash received", "account_balance", "report_cash", MAY_REPORT),
        Link("Revenue", "bar_chart", "report_revenue", MAY_REPORT),
        Link("Tax by jurisdiction", "percent", "report_tax", MAY_REPORT),
        Link("Deposits held", "savings", "report_deposits", MAY_REPORT),
        Link("Prepaid balances", "account_balance_wallet", "report_prepaid", MAY_REPORT),
        Link("Card fees", "credit_card", "report_card_fees", MAY_REPORT),
        Link("Unallocated money", "help_center", "report_unallocated", MAY_REPORT),
        Link("Vendors owed", "handshake", "report_vendors", MAY_REPORT),
    ), open=False),
    Group("Catalog", (
        Link("Products", "inventory_2", "invoicing_product_changelist", "invoicing.view_product"),
        Link("Plans and prices", "sell", "invoicing_plan_changelist", "invoicing.view_plan"),
        Link("Vendors", "storefront", "invoicing_vendor_changelist", "invoicing.view_vendor"),
        Link("Billing terms", "gavel", "invoicing_billingterms_changelist", "invoicing.view_billingterms"),
        Link("Card fee rates", "percent", "invoicing_cardfeerate_changelist", "invoicing.view_cardfeerate"),
    ), open=False),
    Group("Tax", (
        Link("Rates", "percent", "invoicing_taxrate_changelist", "invoicing.view_taxrate"),
        Link("Exemptions", "verified", "invoicing_exemption_changelist", "invoicing.view_exemption"),
    ), open=False),
    Group("Records", (
        Link("Decisions", "balance", "accounts_decision_changelist", "accounts.view_decision"),
        Link("Audit trail", "history", "accounts_auditentry_changelist", "accounts.view_auditentry"),
    ), open=False),
    Group("Settings", (
        Link("Seller", "store", "invoicing_seller_changelist", "invoicing.view_seller"),
        Link("Number series", "tag", "invoicing_numberseries_changelist", "invoicing.view_numberseries"),
        Link("API tokens", "vpn_key", "accounts_apitoken_changelist", "accounts.view_apitoken"),
        Link("Platform endpoints", "webhook", "invoicing_platformendpoint_changelist",
             "invoicing.view_platformendpoint"),
        Link("Users", "group", "auth_user_changelist", "auth.view_user"),
        Link("Groups", "admin_panel_settings", "auth_group_changelist", "auth.view_group"),
        Link("Second factors", "key", "mfa_authenticator_changelist", "mfa.view_authenticator"),
        Link(
            "Schedule", "schedule", "django_celery_beat_periodictask_changelist", "django_celery_beat.view_periodictask"
        ),
    ), open=False),
)  # fmt: skip


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """The groups and links that this person may use; a page that is not built is left out."""
    groups = []
    for group in NAVIGATION:
        if items := list(_items(group, request)):
            groups.append({
                "title": group.title,
                "items": items,
                "open": group.open or any(item["active"] for item in items),
                "key": f"navigation-{group.title.lower()}",
            })  # fmt: skip
    return groups


def _items(group: Group, request: HttpRequest) -> Iterator[dict[str, Any]]:
    for link in group.links:
        address = _address(link)
        if address and (not link.permission or request.user.has_perm(link.permission)):
            yield {
                "title": link.title,
                "icon": link.icon,
                "link": f"{address}?{link.query}" if link.query else address,
                "active": _is_here(link, address, request),
                "has_permission": True,
            }


def _address(link: Link) -> str:
    """Where a link leads: most pages are the admin's, a report stands beside it; empty for a page that is not built."""
    for name in (f"admin:{link.url_name}", link.url_name):
        try:
            return reverse(name)
        except NoReverseMatch:
            continue
    return ""


def _is_here(link: Link, address: str, request: HttpRequest) -> bool:
    if link.url_name == "index":
        return request.path == address
    asked = request.GET.dict()
    return request.path.startswith(address) and all(asked.get(name) == value for name, value in parse_qsl(link.query))


UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Clausebook",
    "SITE_HEADER": "Clausebook",
    "SITE_ICON": "billingsite.signin.favicon",
    "SITE_URL": None,
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "BORDER_RADIUS": "6px",
    "ACCOUNT": {"navigation": "billingsite.console.site.account_links"},
    "STYLES": ["billingsite.console.site.stylesheet"],
    "SCRIPTS": ["billingsite.console.site.script"],
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": "billingsite.signin.favicon"}],
    # A blue that keeps 4.5 to 1 on white and under white, as text and as a button.
    "COLORS": {
        "primary": {
            "50": "oklch(97% .014 254.604)",
            "100": "oklch(93.2% .032 255.585)",
            "200": "oklch(88.2% .059 254.128)",
            "300": "oklch(80.9% .105 251.813)",
            "400": "oklch(70.7% .165 254.624)",
            "500": "oklch(62.3% .214 259.815)",
            "600": "oklch(48.8% .217 264.376)",
            "700": "oklch(42.4% .199 265.638)",
            "800": "oklch(37.9% .146 265.522)",
            "900": "oklch(32% .12 267)",
            "950": "oklch(28.2% .091 267.935)",
        },
        "font": {
            "subtle-light": "var(--color-base-600)",
            "subtle-dark": "var(--color-base-400)",
            "default-light": "var(--color-base-700)",
            "default-dark": "var(--color-base-300)",
            "important-light": "var(--color-base-900)",
            "important-dark": "var(--color-base-100)",
        },
    },
}
