"""What stands in the headers of a mail."""

from email.utils import formataddr


def sender(name: str, address: str) -> str:
    """`Name <address>`; empty where there is no address."""
    return formataddr((one_line(name), address)) if address else ""


def one_line(text: str) -> str:
    """A header ends where its line does."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
