"""Mail without a mail server: each message becomes a file that any mail program opens."""

from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

from django.conf import settings
from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.message import EmailMessage
from django.utils.text import get_valid_filename


class EmailBackend(BaseEmailBackend):
    """Writes `SUBJECT-ADDRESS-xxxx.eml` under EMAIL_FILE_PATH."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        folder = Path(settings.EMAIL_FILE_PATH)
        folder.mkdir(parents=True, exist_ok=True)
        for message in email_messages:
            name = get_valid_filename(f"{message.subject[:60]}-{message.recipients()[0][:60]}-{uuid4().hex[:8]}.eml")
            unfinished = folder / f".{name}"
            unfinished.write_bytes(message.message().as_bytes())
            unfinished.rename(folder / name)
        return len(email_messages)
