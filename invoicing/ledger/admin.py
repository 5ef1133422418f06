"""The books, to look at: append-only, and changed by no one."""

from django.contrib import admin
from unfold.contrib.filters.admin import ChoicesDropdownFilter, FieldTextFilter, RangeDateFilter
from unfold.decorators import display

from accounts.browsing import ReadOnlyInline
from invoicing.ledger.models import LedgerEntry, Posting
from invoicing.pages.cells import NOTHING, row_link
from invoicing.pages.money import amount_cell
from invoicing.pages.readonly import PagedAdmin


class PostingInline(ReadOnlyInline):
    model = Posting
    fields = ("ledger_account", "category", "debit", "credit")
    readonly_fields = ("debit", "credit")

    @display(description="debit")
    def debit(self, posting: Posting) -> str:
        return in_money(posting) if posting.amount > 0 else NOTHING

    @display(description="credit")
    def credit(self, posting: Posting) -> str:
        return in_money(posting, -1) if posting.amount < 0 else NOTHING


@admin.register(LedgerEntry)
class LedgerEntryAdmin(PagedAdmin):
    list_display = ("on", "source", "kind", "currency", "account")
    list_select_related = ("account",)
    list_display_links = ("source",)
    list_filter = (("kind", ChoicesDropdownFilter), ("on", RangeDateFilter), ("account__number", FieldTextFilter))
    search_fields = ("source__startswith",)
    search_help_text = "The beginning of a source, such as invoice:17."
    ordering = ("-pk",)
    inlines = (PostingInline,)


@admin.register(Posting)
class PostingAdmin(PagedAdmin):
    list_display = ("on", "ledger_account", "category", "debit", "credit", "entry", "account")
    list_select_related = ("entry", "account")
    fields = ("entry", "account", "ledger_account", "category", "invoice_link", "payment_link", "debit", "credit")
    readonly_fields = ("invoice_link", "payment_link", "debit", "credit")
    list_display_links = ("ledger_account",)
    list_filter = (
        ("ledger_account", ChoicesDropdownFilter),
        ("entry__on", RangeDateFilter),
        ("account__number", FieldTextFilter),
    )
    ordering = ("-pk",)

    @display(description="on")
    def on(self, posting: Posting) -> object:
        return posting.entry.on

    @display(description="invoice")
    def invoice_link(self, posting: Posting) -> str:
        return row_link("invoice", posting.invoice_id, posting.invoice_id)

    @display(description="payment")
    def payment_link(self, posting: Posting) -> str:
        return row_link("payment", posting.payment_id, posting.payment_id)

    @display(description="debit")
    def debit(self, posting: Posting) -> str:
        return in_money(posting) if posting.amount > 0 else NOTHING

    @display(description="credit")
    def credit(self, posting: Posting) -> str:
        return in_money(posting, -1) if posting.amount < 0 else NOTHING


def in_money(posting: Posting, sign: int = 1) -> str:
    return amount_cell(sign * posting.amount, posting.currency)
