"""P5 and P6: entries balance, and neither they nor issued invoices ever change. The database refuses it, whoever asks."""

from django.db import migrations

APPEND_ONLY = """
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON {table}
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
"""

BALANCED = """
CREATE FUNCTION refuse_unbalanced_entry() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    unbalanced record;
BEGIN
    SELECT entry_id, currency, sum(amount) AS difference INTO unbalanced
    FROM inserted GROUP BY entry_id, currency HAVING sum(amount) <> 0 LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'Ledger entry % does not balance: its % postings sum to %.',
            unbalanced.entry_id, unbalanced.currency, unbalanced.difference;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER entries_balance AFTER INSERT ON invoicing_posting
REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT EXECUTE FUNCTION refuse_unbalanced_entry()
"""

FROZEN_INVOICE = """
CREATE FUNCTION refuse_issued_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'Invoice % is issued and never changes (BILL-6). A correction is a credit note.', OLD.number;
END $$;
CREATE TRIGGER issued_is_frozen BEFORE UPDATE OR DELETE ON invoicing_invoice
FOR EACH ROW WHEN (OLD.status = 'ISSUED') EXECUTE FUNCTION refuse_issued_change()
"""

FROZEN_LINES = """
CREATE FUNCTION refuse_issued_line_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    frozen text;
BEGIN
    SELECT i.number INTO frozen FROM changed JOIN invoicing_invoice i ON i.id = changed.invoice_id
    WHERE i.status = 'ISSUED' LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'Invoice % is issued: its lines never change (BILL-6). A correction is a credit note.', frozen;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER issued_lines_no_insert AFTER INSERT ON invoicing_invoiceline
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION refuse_issued_line_change();
CREATE TRIGGER issued_lines_no_update AFTER UPDATE ON invoicing_invoiceline
REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION refuse_issued_line_change();
CREATE TRIGGER issued_lines_no_move AFTER UPDATE ON invoicing_invoiceline
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION refuse_issued_line_change();
CREATE TRIGGER issued_lines_no_delete AFTER DELETE ON invoicing_invoiceline
REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION refuse_issued_line_change()
"""

FROZEN_TAXES = """
CREATE FUNCTION refuse_issued_tax_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    frozen text;
BEGIN
    SELECT i.number INTO frozen FROM changed
    JOIN invoicing_invoiceline l ON l.id = changed.line_id JOIN invoicing_invoice i ON i.id = l.invoice_id
    WHERE i.status = 'ISSUED' LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'Invoice % is issued: its taxes never change (BILL-6). A correction is a credit note.', frozen;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER issued_taxes_no_insert AFTER INSERT ON invoicing_linetax
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION refuse_issued_tax_change();
CREATE TRIGGER issued_taxes_no_update AFTER UPDATE ON invoicing_linetax
REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION refuse_issued_tax_change();
CREATE TRIGGER issued_taxes_no_move AFTER UPDATE ON invoicing_linetax
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION refuse_issued_tax_change();
CREATE TRIGGER issued_taxes_no_delete AFTER DELETE ON invoicing_linetax
REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION refuse_issued_tax_change()
"""

NO_TRUNCATE = """
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON {table}
FOR EACH STATEMENT WHEN (current_setting('billing.tables_may_be_emptied', true) IS DISTINCT FROM 'yes')
EXECUTE FUNCTION refuse_change()
"""

TABLES = [
    "invoicing_ledgerentry",
    "invoicing_posting",
    "invoicing_letterhead",
    "invoicing_invoice",
    "invoicing_invoiceline",
    "invoicing_linetax",
]


class Migration(migrations.Migration):
    dependencies = [("invoicing", "0001_tables"), ("accounts", "0002_guards")]

    operations = [
        *[
            migrations.RunSQL(APPEND_ONLY.format(table=table), f"DROP TRIGGER append_only ON {table}")
            for table in TABLES[:3]
        ],
        migrations.RunSQL(BALANCED, "DROP FUNCTION refuse_unbalanced_entry() CASCADE"),
        migrations.RunSQL(FROZEN_INVOICE, "DROP FUNCTION refuse_issued_change() CASCADE"),
        migrations.RunSQL(FROZEN_LINES, "DROP FUNCTION refuse_issued_line_change() CASCADE"),
        migrations.RunSQL(FROZEN_TAXES, "DROP FUNCTION refuse_issued_tax_change() CASCADE"),
        *[
            migrations.RunSQL(NO_TRUNCATE.format(table=table), f"DROP TRIGGER never_emptied ON {table}")
            for table in TABLES
        ],
    ]
