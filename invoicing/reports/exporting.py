"""Exports are written by workers that claim rows; one whose worker died is written again after its lease."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from hashlib import file_digest
from pathlib import Path
from tempfile import TemporaryDirectory

from django.conf import settings
from django.db import Error as DatabaseTrouble
from django.db import transaction
from django.db.models import Q, QuerySet

from invoicing.documents.files import in_a_sentence
from invoicing.reports.catalog import REPORTS
from invoicing.reports.cells import exported, number_formats
from invoicing.reports.models import ReportExport
from invoicing.reports.queries import all_rows, heading
from invoicing.reports.report import Asked
from invoicing.reports.workbooks import write_workbook

FOLDER = "reports"
LEASE = timedelta(minutes=30)
MOST_ATTEMPTS = 3

State = ReportExport.State
logger = logging.getLogger(__name__)


def write_pending(*, clock: Callable[[], datetime]) -> int:
    """Write the exports that wait, one after the other; returns how many. Not from inside a transaction."""
    count = 0
    while export := _claim(clock()):
        _write(export, clock)
        count += 1
    return count


@transaction.atomic
def _claim(now: datetime) -> ReportExport | None:
    """The next one that nobody is at; one that was begun too often is given up."""
    waiting = ReportExport.objects.filter(Q(state=State.PENDING) | Q(state=State.RUNNING, leased_until__lte=now))
    export = waiting.order_by("pk").select_for_update(skip_locked=True, of=("self",)).first()
    if export is None:
        return None
    if export.attempts >= MOST_ATTEMPTS:
        export.state = State.FAILED
        export.error = f"Its worker stopped {export.attempts} times while it was written. Narrow the filters."
        export.save(update_fields=["state", "error"])
        return _claim(now)
    export.state, export.attempts, export.leased_until, export.rows = State.RUNNING, export.attempts + 1, now + LEASE, 0
    export.save(update_fields=["state", "attempts", "leased_until", "rows"])
    return export


def _write(export: ReportExport, clock: Callable[[], datetime]) -> None:
    ours = ReportExport.objects.filter(pk=export.pk, state=State.RUNNING, attempts=export.attempts)
    relative = f"{FOLDER}/{export.name}-{export.pk}.xlsx"
    try:
        rows, digest, size = _written(
            export, settings.DOCUMENTS_ROOT / relative, lambda count: _tell(ours, count, clock())
        )
    except (DatabaseTrouble, OSError, KeyError, ValueError) as error:
        logger.exception("%s could not be written", export)
        ours.update(state=State.FAILED, error=in_a_sentence(error), leased_until=None)
        return
    ours.update(
        state=State.DONE, path=relative, rows=rows, sha256=digest, size=size, done_at=clock(), leased_until=None,
        error="",
    )  # fmt: skip


def _tell(ours: QuerySet[ReportExport], count: int, now: datetime) -> None:
    """How far it is, for who waits; and that the worker is alive."""
    ours.update(rows=count, leased_until=now + LEASE)


def _written(export: ReportExport, path: Path, tell: Callable[[int], None]) -> tuple[int, str, int]:
    """Readers see the whole file or none. Returns rows, hash and size."""
    report, asked = REPORTS[export.name], Asked.of_json(export.params)
    path.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=path.parent, prefix=".unfinished-") as folder:
        unfinished = Path(folder) / path.name
        rows = write_workbook(
            unfinished,
            heading(report),
            exported(report, all_rows(report, asked), asked.currency),
            number_formats=number_formats(report, asked.currency),
            tell=tell,
        )
        with unfinished.open("rb") as file:
            digest = file_digest(file, "sha256").hexdigest()
        size = unfinished.stat().st_size
        unfinished.replace(path)
    return rows, digest, size
