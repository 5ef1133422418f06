"""COLL-1: the batch file for the agency, written once: CSV and XLSX, with PDFs beside them."""

import logging
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import quote

import xlsxwriter
from django.conf import settings
from django.db import transaction
from django.db.models import Min

from invoicing.collections.agency_rows import AMOUNTS, HEADER, UPDATE_HEADER, batch_rows, update_rows
from invoicing.collections.models import PlacementBatch, PlacementInvoice
from invoicing.collections.statements import Period, statements_of
from invoicing.documents.files import sha256, write_whole
from invoicing.documents.models import Document
from invoicing.documents.reading import DocumentChanged, NotDrawnYet, read_document
from invoicing.pages.sheets import csv_lines, safe_cell
from invoicing.periods import DAY
from invoicing.sellers.models import Seller

SUMS = "SHA256SUMS"
MISSING = "missing.txt"
DAYS_OF_UPDATES = 31
# So many are written while somebody waits for a page.
ROWS_AT_ONCE = 200

logger = logging.getLogger(__name__)


def write_batches(*, now: datetime, most_rows: int | None = None) -> list[PlacementBatch]:
    """
    Write the files of those batches that have none, under the documents' folder. Safe to run twice and beside itself.

    With `most_rows`, a larger batch is left to the next tick: each row has a statement to be drawn.

    What a crash left unwritten is written the next time, and says the same: the rows are as of the hand-over.

    :raises BatchDiffers: or whatever else kept one from being written, once the others are
    """
    written: list[PlacementBatch] = []
    failures: list[Exception] = []
    unwritten = PlacementBatch.objects.filter(written_at=None)
    if most_rows is not None:
        unwritten = unwritten.filter(rows__lte=most_rows)
    for pk in unwritten.order_by("pk").values_list("pk", flat=True):
        try:
            written += _written(pk, now)
        except Exception as failure:  # one batch that cannot be written keeps no other from the agency
            logger.exception("batch %s could not be written", pk)
            failures.append(failure)
    if failures:
        raise failures[0]
    return written


@transaction.atomic
def _written(pk: int, now: datetime) -> list[PlacementBatch]:
    """The batch, written; nothing where somebody else writes it or has."""
    unwritten = PlacementBatch.objects.filter(pk=pk, written_at=None).select_related("seller")
    batch = unwritten.select_for_update(of=("self",), skip_locked=True, no_key=True).first()
    if batch is None:
        return []
    _write(batch, now)
    return [batch]


def _write(batch: PlacementBatch, now: datetime) -> None:
    """
    The folder `placements/2026-03/batch-7`; the batch keeps the CSV's path and hash.

    :raises BatchDiffers: if the rows are not what was handed over
    """
    rows = batch_rows(batch)
    _prove(batch, rows)
    folder = Path("placements") / f"{batch.on:%Y-%m}" / f"batch-{batch.pk}"
    as_csv = "".join(csv_lines(HEADER, rows)).encode()
    files = {
        f"hand-over-{batch.pk}.csv": as_csv,
        f"hand-over-{batch.pk}.xlsx": _xlsx(rows, made_at=batch.approved_at),
        **_documents(batch),
    }
    files[SUMS] = "".join(f"{sha256(content)}  {name}\n" for name, content in sorted(files.items())).encode()
    for name, content in files.items():
        write_whole(settings.DOCUMENTS_ROOT / folder / name, content)
    if MISSING not in files:  # an attempt that a crash cut off may have missed what is drawn now
        (settings.DOCUMENTS_ROOT / folder / MISSING).unlink(missing_ok=True)
    batch.path, batch.sha256, batch.written_at = f"{folder}/hand-over-{batch.pk}.csv", sha256(as_csv), now
    batch.save(update_fields=["path", "sha256", "written_at"])


class BatchDiffers(Exception):
    """The rows of a batch file do not come to what was handed over."""


def _prove(batch: PlacementBatch, rows: Sequence[Sequence[Any]]) -> None:
    totals: dict[str, Decimal] = {}
    for row in rows:
        totals[row[6]] = totals.get(row[6], Decimal(0)) + row[14]
    if len(rows) != batch.rows or totals != {currency: Decimal(total) for currency, total in batch.totals.items()}:
        raise BatchDiffers(f"{batch}: {batch.rows} rows over {batch.totals} were handed over, the file has {totals}.")


def _xlsx(rows: Iterable[Sequence[Any]], *, made_at: datetime) -> bytes:
    """The same rows as a workbook in which no cell is a formula or a link; made again, the same bytes."""
    target = BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    workbook = xlsxwriter.Workbook(target, options)
    workbook.set_properties({"created": made_at.replace(tzinfo=None)})
    sheet = workbook.add_worksheet("Hand-over")
    bold, money = workbook.add_format({"bold": True}), workbook.add_format({"num_format": "#,##0.00"})
    sheet.freeze_panes(1, 0)
    for column, title in enumerate(HEADER):
        sheet.write_string(0, column, title, bold)
    for place, row in enumerate(rows, start=1):
        for column, value in enumerate(row):
            if column in AMOUNTS and value is not None:
                sheet.write_number(place, column, value, money)
            elif value is not None:
                sheet.write_string(place, column, str(safe_cell(_text(value))))
    workbook.close()
    return target.getvalue()


def _text(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else str(value)


def _documents(batch: PlacementBatch) -> dict[str, bytes]:
    """The statements of those handed over, and the invoices as far as they are drawn; the rest by name."""
    placed = PlacementInvoice.objects.filter(placement__batch=batch).values_list("invoice_id", "invoice__number")
    invoices = dict(placed.order_by("invoice_id"))
    found = _statements(batch)
    missing = {f"invoices/{_file(number)}" for number in invoices.values()}
    wanted = Document.objects.filter(kind=Document.Kind.INVOICE, subject_id__in=list(invoices))
    for document in wanted.order_by("pk"):
        name = f"invoices/{_file(invoices[document.subject_id])}"
        try:
            found[name] = read_document(document)
        except NotDrawnYet:
            missing.add(name)
        except DocumentChanged as trouble:
            logger.error("batch %s goes without %s: %s", batch.pk, name, trouble)
            missing.add(name)
    if left_out := sorted(missing - set(found)):
        logger.warning("batch %s goes without %s documents that are not drawn yet", batch.pk, len(left_out))
        found[MISSING] = "".join(f"{name}\n" for name in left_out).encode()
    return found


def _statements(batch: PlacementBatch) -> dict[str, bytes]:
    """From the first of the invoices to the hand-over, so that the agency can show what it asks for."""
    placed = batch.placements.annotate(since=Min("invoices__invoice__issued_on"))
    rows = placed.order_by("pk").values_list("account_id", "account__number", "currency", "since")
    periods = [Period(account_id, currency, since, batch.on) for account_id, _, currency, since in rows]
    numbers = {account_id: number for account_id, number, _, _ in rows}
    drawn = statements_of(periods)
    return {f"statements/{_file(f'{numbers[pk]}-{batch.on}')}": pdf for pk, pdf in drawn.items()}


def _file(name: str | None) -> str:
    return f"{quote(name or '', safe='')}.pdf"


def write_updates(*, today: date, seller: Seller) -> int:
    """
    Write what the agency is to be told of each of the last days, today included: what came, recalls and write-offs.

    A file a day, written again while more comes: what was recorded after a day's last tick is in it too. Returns how
    many files are new or have grown.
    """
    return sum(_update_of(today - days * DAY, seller) for days in range(DAYS_OF_UPDATES))


def update_path(on: date, seller_id: int) -> Path:
    """Below the documents' root."""
    return Path("placements") / f"{on:%Y-%m}" / f"updates-{seller_id}-{on}.csv"


def _update_of(on: date, seller: Seller) -> bool:
    rows = update_rows(on, seller=seller)
    path = settings.DOCUMENTS_ROOT / update_path(on, seller.pk)
    content = "".join(csv_lines(UPDATE_HEADER, rows)).encode()
    if not rows or (path.is_file() and path.read_bytes() == content):
        return False
    write_whole(path, content)
    return True
