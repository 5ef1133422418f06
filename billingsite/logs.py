"""Logging: one line an event on stderr, JSON in production and plain text at a developer's desk; no card numbers."""

from typing import Any

import structlog
from structlog.typing import EventDict, Processor

from invoicing.payments.card_numbers import mask_card_numbers, mask_value

SHARED: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


def mask_event(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Card numbers in what is logged, before it is put into words: masked numbers and texts keep JSON what it is."""
    return {name: mask_value(value) for name, value in event.items()}


def mask_line(_logger: Any, _method: str, line: Any) -> str:
    """Card numbers in the line as printed, which shows tracebacks and other objects too."""
    return mask_card_numbers(line)


def configure(*, as_json: bool, level: str) -> dict[str, Any]:
    """Set structlog up, and return Django's ``LOGGING`` for it."""
    structlog.configure(
        processors=[*SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    last: list[Processor] = (
        [structlog.processors.format_exc_info, mask_event, structlog.processors.JSONRenderer(), mask_line]
        if as_json
        # The prettier tracebacks print every local variable: personal data on the screen, and seconds for each.
        else [structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback), mask_line]
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": SHARED,
                "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": level},
        # Django's own handlers would say everything twice.
        "loggers": {
            "django": {"handlers": [], "propagate": True},
            "django.server": {"handlers": [], "propagate": True},
            # Each call of the gateway, twice; what goes wrong there is logged by us, with the payment's id.
            "stripe": {"level": "WARNING"},
        },
    }
