"""manage.py bench_pdf: how many invoice documents a core draws in a second, beside the same pages by platypus."""

import os
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from invoicing.invoices.benchmarks.platypus_invoice import render_platypus
from invoicing.invoices.benchmarks.sample_documents import sample_document
from invoicing.invoices.document import InvoiceDocument
from invoicing.invoices.drawing import render

ONE_PAGE, LONG = 8, 200
SIZES = (ONE_PAGE, LONG)
PROCESSES = 2
# Different documents in turn, so that no cache of the drawing sees the same one again at once.
VARIETY = 40


class Command(BaseCommand):
    """Draws in rounds, the ways in turn, so that a busy neighbour slows all of them."""

    help = "Measure drawing invoices (canvas) against the same pages by platypus. Needs no database."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--rounds", type=int, default=5, help="rounds of each way; the best counts")
        parser.add_argument("--seconds", type=float, default=1.0, help="processor seconds a way and round")

    def handle(self, *args: Any, rounds: int, seconds: float, **options: Any) -> None:
        self.stdout.write(f"cores: {os.cpu_count()}")
        ratios = []
        for lines in SIZES:
            documents = [sample_document(lines, index=index) for index in range(1, VARIETY + 1)]
            speeds = measured(documents, rounds=rounds, seconds=seconds)
            for name, speed in speeds.items():
                self.stdout.write(f"{lines:>3} lines, {name}: {speed:.1f} documents a core-second")
            ratio = speeds["canvas"] / max(speed for name, speed in speeds.items() if name != "canvas")
            self.stdout.write(f"{lines:>3} lines, canvas to the faster platypus: {ratio:.2f}")
            ratios.append(ratio)
        for lines in SIZES:
            speed = speed_in_parallel(lines, seconds)
            self.stdout.write(f"{lines:>3} lines, {PROCESSES} processes: {speed:.1f} documents a second")
        self.stdout.write(f"ratio: {min(ratios):.2f}")


def measured(documents: list[InvoiceDocument], *, rounds: int, seconds: float) -> dict[str, float]:
    """Documents a core-second of each way of drawing, the best of the rounds."""
    ways: dict[str, Callable[[InvoiceDocument], bytes]] = {
        "canvas": render,
        "platypus (strings)": render_platypus,
        "platypus (paragraphs)": lambda document: render_platypus(document, "paragraphs"),
    }
    best = dict.fromkeys(ways, 0.0)
    for draw in ways.values():
        draw(documents[0])  # fonts are parsed and plates cut before the clock runs
    for _ in range(rounds):
        for name, draw in ways.items():
            best[name] = max(best[name], documents_a_core_second(draw, documents, seconds))
    return best


def documents_a_core_second(
    draw: Callable[[InvoiceDocument], bytes], documents: list[InvoiceDocument], seconds: float
) -> float:
    """Draw the documents in turn for so much processor time."""
    drawn, started = 0, time.process_time()
    while (spent := time.process_time() - started) < seconds:
        draw(documents[drawn % len(documents)])
        drawn += 1
    return drawn / spent


def speed_in_parallel(lines: int, seconds: float) -> float:
    """Documents a second of wall time that PROCESSES processes draw together."""
    with ProcessPoolExecutor(PROCESSES) as pool:
        list(pool.map(drawn_within, [lines] * PROCESSES, [0.05] * PROCESSES))  # started and warm
        return sum(pool.map(drawn_within, [lines] * PROCESSES, [seconds] * PROCESSES)) / seconds


def drawn_within(lines: int, seconds: float) -> int:
    """How many documents this process draws in so much wall time."""
    documents = [sample_document(lines, index=index) for index in range(1, VARIETY + 1)]
    drawn, until = 0, time.perf_counter() + seconds
    while time.perf_counter() < until:
        render(documents[drawn % len(documents)])
        drawn += 1
    return drawn
