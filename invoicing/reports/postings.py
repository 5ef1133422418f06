"""The two ways in which reports read postings: what was moved over some days, and what is held as of one."""

from collections.abc import Mapping

OF_ACCOUNT = """
    LEFT JOIN invoicing_billingprofile bp ON bp.account_id = {account}
    LEFT JOIN invoicing_billingterms t ON t.id = bp.terms_id
"""
ASKED_OF_ACCOUNT = (
    "(%(terms)s = '' OR t.code = %(terms)s) AND (%(seller)s::bigint IS NULL OR bp.seller_id = %(seller)s)"
)
ASKED_OF_INVOICE = (
    "(%(terms)s = '' OR i.terms_code = %(terms)s) AND (%(seller)s::bigint IS NULL OR i.seller_id = %(seller)s)"
)


def moved(
    ledger_account: str,
    *,
    by: Mapping[str, str],
    names: tuple[str, str],
    is_debit: bool,
    joins: str,
    asked: str,
    count: tuple[str, str] | None = None,
) -> str:
    """
    What came to a ledger account from one day to another and what went off it, by the expressions of `by`.

    `names` are the columns of the two, and `net` their difference. Of an asset a debit is what came (`is_debit`), of
    revenue a credit. `count` is a column's name and what is counted in it, each once. `asked` are the filters.
    """
    came, went = ("> 0", "< 0") if is_debit else ("< 0", "> 0")
    sign, opposite = ("", "-") if is_debit else ("-", "")
    columns = [f"{expression} AS {name}" for name, expression in by.items()]
    if count:
        columns.append(f"count(DISTINCT {count[1]}) AS {count[0]}")
    return f"""
        SELECT {", ".join(columns)},
            coalesce({sign}sum(p.amount) FILTER (WHERE p.amount {came}), 0) AS {names[0]},
            coalesce({opposite}sum(p.amount) FILTER (WHERE p.amount {went}), 0) AS {names[1]},
            {sign}sum(p.amount) AS net
        FROM invoicing_ledgerentry e
        JOIN invoicing_posting p ON p.entry_id = e.id AND p.ledger_account = '{ledger_account}'
        {joins}
        WHERE e.currency = %(currency)s AND e."on" BETWEEN %(from_on)s AND %(to_on)s AND {asked}
        GROUP BY {", ".join(str(number + 1) for number in range(len(by)))}
    """


def held(ledger_account: str) -> str:
    """What is held of each account's money as of a day: what came (`taken`), what went (`used`), what is left."""
    return f"""
        SELECT p.account_id, -sum(p.amount) AS amount,
            coalesce(-sum(p.amount) FILTER (WHERE p.amount < 0), 0) AS taken,
            coalesce(sum(p.amount) FILTER (WHERE p.amount > 0), 0) AS used
        FROM invoicing_posting p JOIN invoicing_ledgerentry e ON e.id = p.entry_id
        WHERE p.ledger_account = '{ledger_account}' AND p.currency = %(currency)s AND e."on" <= %(on)s
        GROUP BY 1
    """
