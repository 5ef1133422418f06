"""Letters in the console: what customers were written besides invoices, word by word, and as PDF."""

from typing import Any

from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_GET
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateFilter
from unfold.decorators import display

from invoicing.documents.models import Delivery, Document, Letter
from invoicing.documents.reading import DocumentChanged, NotDrawnYet, read_document
from invoicing.pages.acts import Facts
from invoicing.pages.cells import NOTHING, Table, account_link, date_words, day, link, moment, row_link
from invoicing.pages.of_accounts import OfAccountsAdmin


@admin.register(Letter)
class LetterAdmin(OfAccountsAdmin):
    """Append-only: what was written stays as it was sent."""

    list_display = ("subject", "kind_shown", "date", "account_name")
    list_display_links = None
    list_filter = (("kind", ChoicesDropdownFilter), ("on", RangeDateFilter))
    when_empty = "No letter yet. Receipts, reminders, warnings and statements are listed here as they are written."

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_GET(self.pdf_view))
        return [path("<int:row_id>/pdf/", view, name="invoicing_letter_pdf"), *super().get_urls()]

    def pdf_view(self, request: HttpRequest, row_id: int) -> HttpResponse:
        """The PDF as it was sent."""
        letter = self.shown(request, row_id)
        document = document_of(letter)
        if document is None:
            raise Http404("There is no such page.")
        try:
            content = read_document(document)
        except (NotDrawnYet, DocumentChanged) as error:
            back = reverse("admin:invoicing_letter_change", args=[letter.pk])
            return self.page(
                request,
                "admin/invoicing/row/no_pdf.html",
                title="No PDF",
                object=letter,
                error=str(error),
                back=back,
            )
        response = HttpResponse(content, content_type="application/pdf")
        response["Content-Disposition"] = f'inline; filename="{letter.kind.lower()}-{letter.pk}.pdf"'
        response["X-Content-Type-Options"] = "nosniff"
        return response

    @display(description="Letter")
    def subject(self, letter: Letter) -> str:
        return row_link("letter", letter.pk, _subject(letter))

    @display(description="Kind", ordering="kind")
    def kind_shown(self, letter: Letter) -> str:
        return letter.get_kind_display()

    @display(description="Day", ordering="on")
    def date(self, letter: Letter) -> str:
        return day(letter.on)

    def title_of(self, row: Letter) -> str:
        return _subject(row)

    def facts(self, row: Letter) -> Facts:
        return [
            ("Kind", row.get_kind_display()), ("Account", account_link(row.account)), ("Day", date_words(row.on)),
            ("Written", moment(row.written_at)), ("Key", row.key),
            ("PDF", link(reverse("admin:invoicing_letter_pdf", args=[row.pk]), "Open the PDF")),
        ]  # fmt: skip

    def tables(self, row: Letter) -> list[Table]:
        return [one for one in (_words(row), _figures(row), _mails(row)) if one]


def document_of(letter: Letter) -> Document | None:
    return Document.objects.filter(kind=letter.kind, subject_id=letter.pk).first()


def _subject(letter: Letter) -> str:
    return str(letter.details.get("subject") or letter.key)


def _words(letter: Letter) -> Table:
    """What it says, line by line."""
    text: dict[str, Any] = letter.details
    rows = [(paragraph,) for paragraph in text.get("paragraphs", ())]
    rows += [(paragraph,) for paragraph in text.get("closing", ())]
    return Table("What it says", (str(text.get("title", "Text")),), rows, "It has no text.")


def _figures(letter: Letter) -> Table | None:
    """Its table as it is printed, the totals last."""
    table: dict[str, Any] = letter.details.get("table") or {}
    heads = [str(head) for head in table.get("columns", ())]
    rows = [_padded(row, len(heads)) for row in (*table.get("rows", ()), *table.get("totals", ()))]
    return Table("Its table", heads, rows, "It is empty.") if heads else None


def _padded(row: list[Any], width: int) -> list[str]:
    return [*(str(cell) for cell in row[:width]), *[""] * (width - len(row))]


def _mails(letter: Letter) -> Table:
    sent = Delivery.objects.filter(document__kind=letter.kind, document__subject_id=letter.pk).order_by("pk")
    rows = [
        (row_link("delivery", one.pk, one.address), one.get_state_display(), moment(one.sent_at), one.error or NOTHING)
        for one in sent
    ]
    empty = "Nobody was mailed: the account has no invoice address."
    return Table("Mails", ("To", "State", "Sent", "What went wrong"), rows, empty)
