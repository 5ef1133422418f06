"""Documents are drawn from stored rows after issue, by any number of workers: a row is claimed, a file is written."""

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from datetime import datetime
from multiprocessing import get_context
from typing import Any, NamedTuple

from django.conf import settings
from django.db import Error as DatabaseTrouble
from django.db import connection, transaction
from django.db.models import F, Q

from invoicing.documents.composers import Composer, registered
from invoicing.documents.files import Drawing, Drawn, draw_into_files, in_a_sentence
from invoicing.documents.models import Document
from invoicing.documents.policy import (
    CLAIMS_BEFORE_DRAWN_ALONE,
    DOCUMENT_TRANSITIONS,
    LEASE,
    MOST_CLAIMS,
    states_before,
)

BATCH = 50

logger = logging.getLogger(__name__)

_RECORD = """
UPDATE invoicing_document AS document
SET state = 'RENDERED', path = drawn.path, sha256 = drawn.sha256, size = drawn.size,
    rendered_at = %(now)s, leased_until = NULL, error = ''
FROM unnest(%(ids)s::bigint[], %(paths)s::text[], %(hashes)s::text[], %(sizes)s::bigint[])
    AS drawn(id, path, sha256, size)
WHERE document.id = drawn.id AND document.state = ANY(%(before)s)
"""


class Rendering(NamedTuple):
    """How many were drawn, and how many parked."""

    drawn: int
    parked: int


@dataclass(frozen=True)
class _Batch:
    """Claimed documents of one kind: what is to be drawn, where it goes below the root, and what failed before that."""

    composer: Composer
    documents: Sequence[Document]
    drawings: list[Drawing] = field(default_factory=list)
    paths: dict[int, str] = field(default_factory=dict)
    failed: list[Drawn] = field(default_factory=list)

    @property
    def is_one_alone(self) -> bool:
        """Whether it is a document that was claimed before without an outcome."""
        return self.documents[0].attempts >= CLAIMS_BEFORE_DRAWN_ALONE


def render_pending(*, limit: int, now: datetime, processes: int = 1) -> Rendering:
    """
    Draw at most `limit` of the documents that are to be drawn, and park those that cannot be.

    One process is this one. A document whose worker died is drawn again after its lease; twice is harmless, for
    the bytes are the same.

    :raises OSError: if files cannot be written; the documents wait
    :raises BrokenProcessPool: if a process died; the documents it was at are drawn one by one after their lease
    """
    drawn = parked = 0
    waiting: deque[tuple[_Batch, Future[list[Drawn]]]] = deque()
    with _drawers(processes) as drawers:
        for batch in _claimed_batches(limit, now):
            waiting.append((batch, _begun(batch, drawers)))
            # A second batch a process is read while the first is drawn.
            while len(waiting) >= (2 * processes if processes > 1 else 1):
                recorded = _record(*waiting.popleft(), now=now)
                drawn, parked = drawn + recorded.drawn, parked + recorded.parked
        for claimed in waiting:
            recorded = _record(*claimed, now=now)
            drawn, parked = drawn + recorded.drawn, parked + recorded.parked
    return Rendering(drawn, parked)


class _Here(Executor):
    """Draws in this process, at once."""

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        done: Future[Any] = Future()
        try:
            done.set_result(function(*arguments, **named))
        except Exception as error:  # handed to whoever asks for the result, as the other executors do
            done.set_exception(error)
        return done


def _drawers(processes: int) -> Executor:
    """Processes that are started anew: a fork would take this one's connections along."""
    if processes == 1:
        return _Here()
    return ProcessPoolExecutor(processes, mp_context=get_context("spawn"))


def _begun(batch: _Batch, drawers: Executor) -> Future[list[Drawn]]:
    """What has ended its process before gets one of its own, and takes no others along."""
    if not batch.is_one_alone:
        return drawers.submit(draw_into_files, batch.composer.draw, batch.drawings)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as alone:
        return alone.submit(draw_into_files, batch.composer.draw, batch.drawings)


def _claimed_batches(limit: int, now: datetime) -> Iterator[_Batch]:
    for kind, composer in registered().items():
        after = 0
        while limit > 0 and (claimed := _claim(kind, after, min(limit, BATCH), now)):
            limit -= len(claimed)
            after = max(document.pk for document in claimed)
            yield _prepared(composer, claimed)


@transaction.atomic
def _claim(kind: str, after: int, limit: int, now: datetime) -> list[Document]:
    """The next ones that nobody else is at, by id and leased to us."""
    free = Document.objects.filter(Q(leased_until=None) | Q(leased_until__lte=now), kind=kind, state="PENDING")
    next_ones = free.filter(pk__gt=after).order_by("pk")[:limit]
    claimed = list(next_ones.select_for_update(skip_locked=True, no_key=True))
    for index, document in enumerate(claimed):
        if document.attempts >= CLAIMS_BEFORE_DRAWN_ALONE:
            claimed = claimed[:index] or [document]
            break
    leased = Document.objects.filter(pk__in=[document.pk for document in claimed])
    leased.update(leased_until=now + LEASE, attempts=F("attempts") + 1)
    return claimed


def _prepared(composer: Composer, documents: Sequence[Document]) -> _Batch:
    batch = _Batch(composer, documents)
    read = read_inputs(composer, [document.subject_id for document in documents])
    for document in documents:
        plain = read.get(document.subject_id)
        if document.attempts >= MOST_CLAIMS:
            batch.failed.append(Drawn(document.pk, "", 0, f"It was begun {MOST_CLAIMS} times and never finished."))
        elif plain is None:
            batch.failed.append(Drawn(document.pk, "", 0, "What it shows is not there, or is not issued."))
        elif isinstance(plain, Exception):
            batch.failed.append(Drawn(document.pk, "", 0, in_a_sentence(plain)))
        else:
            path = batch.paths[document.pk] = composer.path(plain)
            batch.drawings.append(Drawing(document.pk, plain, settings.DOCUMENTS_ROOT / path))
    return batch


def read_inputs(composer: Composer, subject_ids: Sequence[int]) -> dict[int, Any]:
    """The plain documents by subject; of one whose rows cannot be read, the error in its stead."""
    try:
        return dict(composer.pdf_inputs(subject_ids))
    except DatabaseTrouble:
        raise
    except Exception as error:  # kept by the row that it belongs to
        if len(subject_ids) == 1:
            return {subject_ids[0]: error}
    return {subject: read for one in subject_ids for subject, read in read_inputs(composer, [one]).items()}


def _record(batch: _Batch, future: Future[list[Drawn]], *, now: datetime) -> Rendering:
    try:
        outcomes = [*batch.failed, *future.result()]
    except OSError:
        _release(batch)
        raise
    except BrokenProcessPool:
        if not batch.is_one_alone:
            raise
        outcomes = [Drawn(batch.documents[0].pk, "", 0, "The process that drew it died.")]
    drawn = [outcome for outcome in outcomes if not outcome.error]
    with connection.cursor() as cursor:
        ids = [outcome.id for outcome in drawn]
        recorded: dict[str, list[Any] | datetime] = {
            "ids": ids,
            "paths": [batch.paths[one] for one in ids],
            "hashes": [outcome.sha256 for outcome in drawn],
            "sizes": [outcome.size for outcome in drawn],
            "before": states_before(DOCUMENT_TRANSITIONS, "RENDERED"),
            "now": now,
        }
        cursor.execute(_RECORD, recorded)
    failed = [outcome for outcome in outcomes if outcome.error]
    for outcome in failed:
        _park(outcome)
    return Rendering(len(drawn), len(failed))


def _park(outcome: Drawn) -> None:
    drawable = Document.objects.filter(pk=outcome.id, state__in=states_before(DOCUMENT_TRANSITIONS, "PARKED"))
    drawable.update(state=Document.State.PARKED, error=outcome.error, leased_until=None)
    logger.error("document %s is parked: %s", outcome.id, outcome.error)


def _release(batch: _Batch) -> None:
    """The disk failed, not the documents: they are free at once, and the claim does not count."""
    leased = Document.objects.filter(pk__in=[document.pk for document in batch.documents], state="PENDING")
    leased.update(leased_until=None, attempts=F("attempts") - 1)
