"""What is open of each invoice is kept by the database beside its postings; letters, uses and placements never change."""

from django.db import migrations

OPEN_INVOICES = """
CREATE FUNCTION keep_open_invoices() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO invoicing_openinvoice AS o (invoice_id, account_id, currency, amount, placed)
    SELECT invoice_id, account_id, currency,
        coalesce(sum(amount) FILTER (WHERE ledger_account = 'RECEIVABLE'), 0),
        coalesce(sum(amount) FILTER (WHERE ledger_account = 'COLLECTIONS'), 0)
    FROM inserted
    WHERE invoice_id IS NOT NULL AND ledger_account IN ('RECEIVABLE', 'COLLECTIONS')
    GROUP BY 1, 2, 3 ORDER BY 1
    ON CONFLICT (invoice_id) DO UPDATE SET amount = o.amount + excluded.amount, placed = o.placed + excluded.placed;
    DELETE FROM invoicing_openinvoice o USING inserted i
    WHERE o.invoice_id = i.invoice_id AND i.ledger_account IN ('RECEIVABLE', 'COLLECTIONS')
        AND o.amount = 0 AND o.placed = 0;
    RETURN NULL;
END $$;
CREATE TRIGGER open_invoices AFTER INSERT ON invoicing_posting
REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT EXECUTE FUNCTION keep_open_invoices()
"""

FILL = """
INSERT INTO invoicing_openinvoice (invoice_id, account_id, currency, amount, placed)
SELECT invoice_id, account_id, currency,
    coalesce(sum(amount) FILTER (WHERE ledger_account = 'RECEIVABLE'), 0),
    coalesce(sum(amount) FILTER (WHERE ledger_account = 'COLLECTIONS'), 0)
FROM invoicing_posting
WHERE invoice_id IS NOT NULL AND ledger_account IN ('RECEIVABLE', 'COLLECTIONS')
GROUP BY 1, 2, 3
HAVING sum(amount) FILTER (WHERE ledger_account = 'RECEIVABLE') <> 0
    OR sum(amount) FILTER (WHERE ledger_account = 'COLLECTIONS') <> 0
"""

APPEND_ONLY = """
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON {table}
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
"""

NO_TRUNCATE = """
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON {table}
FOR EACH STATEMENT WHEN (current_setting('billing.tables_may_be_emptied', true) IS DISTINCT FROM 'yes')
EXECUTE FUNCTION refuse_change()
"""

TABLES = ["invoicing_letter", "invoicing_usageevent", "invoicing_placementrecord", "invoicing_reminder"]


class Migration(migrations.Migration):
    dependencies = [("invoicing", "0004_money_in")]

    operations = [
        migrations.RunSQL(OPEN_INVOICES, "DROP FUNCTION keep_open_invoices() CASCADE"),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
        *[
            migrations.RunSQL(APPEND_ONLY.format(table=table), f"DROP TRIGGER append_only ON {table}")
            for table in TABLES
        ],
        *[
            migrations.RunSQL(NO_TRUNCATE.format(table=table), f"DROP TRIGGER never_emptied ON {table}")
            for table in TABLES
        ],
    ]
