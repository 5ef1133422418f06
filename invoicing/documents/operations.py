"""Documents and mails that are asked for: by an issue, for many at once, and by a person, for one."""

from collections.abc import Sequence

from django.db import connection

_REQUEST = """
WITH made AS (
    INSERT INTO invoicing_document (account_id, kind, subject_id, state, attempts, error, path, sha256)
    SELECT account_id, %(kind)s, subject_id, 'PENDING', 0, '', '', ''
    FROM unnest(%(subjects)s::bigint[], %(accounts)s::bigint[]) WITH ORDINALITY
        AS asked(subject_id, account_id, position)
    ORDER BY position
    ON CONFLICT (subject_id, kind) DO NOTHING
    RETURNING id, account_id
)
INSERT INTO invoicing_delivery (document_id, account_id, address, sequence, state, attempts, error, message_id)
SELECT DISTINCT made.id, made.account_id, lower(btrim(address)), 1, 'PENDING', 0, '', ''
FROM made
JOIN accounts_account account ON account.id = made.account_id
CROSS JOIN unnest(account.invoice_emails) AS address
WHERE btrim(address) <> ''
ORDER BY 1, 3
ON CONFLICT (document_id, address, sequence) DO NOTHING
"""


def request_documents(kind: str, subject_ids: Sequence[int], account_ids: Sequence[int]) -> None:
    """
    Ask for a document of each subject, and for its mail to each invoice address of the account beside it.

    One statement in the caller's transaction, however many. A subject whose document was asked for before is
    left as it is, its mails too.
    """
    with connection.cursor() as cursor:
        asked = {"kind": kind, "subjects": list(subject_ids), "accounts": list(account_ids)}
        cursor.execute(_REQUEST, asked)
