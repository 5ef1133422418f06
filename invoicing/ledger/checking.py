"""What a check of the books is; each room above says what must be true of its own rows."""

from typing import NamedTuple


class Check(NamedTuple):
    """One promise, the query that finds what breaks it, and the sentence for each row found."""

    promise: str
    sql: str
    sentence: str
