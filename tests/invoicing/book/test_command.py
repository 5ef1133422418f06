"""manage.py import_book."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from accounts.models import Account
from tests.invoicing.book.books import ACCOUNTS, WHOLE_BOOK, changed, write_folder


def run(folder, *options):
    """What the command prints as its result, and what it tells meanwhile."""
    out, err = StringIO(), StringIO()
    call_command("import_book", str(folder), *options, stdout=out, stderr=err, no_color=True)
    return out.getvalue(), err.getvalue()


class TestImportBook:
    def test_says_what_it_did_and_how_long_it_took(self, db, folder):
        out, err = run(write_folder(folder, WHOLE_BOOK))

        assert "accounts: 4 new, 0 changed, 0 unchanged\n" in out
        assert "23 rows in 10 sheets to look at" in err
        assert err.splitlines()[-1].split("  ")[-1].startswith("took ")

    def test_shows_what_changed(self, imported, folder):
        out, _ = run(write_folder(folder, {"accounts": changed(ACCOUNTS, "Kite Cafe", "Kite Bistro")}), "--dry-run")

        assert out.splitlines() == [
            "accounts: 0 would be new, 1 would be changed, 3 unchanged",
            "  row 4, K-1: name “Kite Cafe” → “Kite Bistro”",
        ]

    def test_prints_json(self, db, folder):
        rows = "number,name,terms,signed_up_on\nC-1,Acme,hosted-direct,2026-01-15\n"
        out, _ = run(write_folder(folder, {"accounts": rows}), "--json", "--dry-run")

        assert json.loads(out) == {
            "dry_run": True,
            "sheets": {"accounts": {"new": 1, "changed": 0, "unchanged": 0}},
            "errors": [],
        }

    def test_dry_run_saves_nothing(self, db, folder):
        run(write_folder(folder, WHOLE_BOOK), "--dry-run")

        assert not Account.objects.exists()


class TestWithErrors:
    ROWS = "number,name,terms,signed_up_on\nC-1,Acme,hosted,2026-01-15\n"

    def test_prints_a_line_for_each_and_fails(self, db, folder):
        out = StringIO()
        with pytest.raises(CommandError, match=r"^book has 1 errors\. Nothing was saved\.$"):
            call_command(
                "import_book", str(write_folder(folder, {"accounts": self.ROWS})), stdout=out, stderr=StringIO()
            )

        assert out.getvalue() == (
            "accounts.csv, row 2, column terms: There are no terms called “hosted”. "
            "Right would be: one of hosted-direct, hosted-partner, per-seat, prepaid.\n"
        )

    def test_prints_two_hundred_lines_and_the_total(self, db, folder):
        out = StringIO()
        rows = self.ROWS + "".join(f"C-{number},Acme,hosted,2026-01-15\n" for number in range(2, 302))
        with pytest.raises(CommandError):
            call_command("import_book", str(write_folder(folder, {"accounts": rows})), stdout=out, stderr=StringIO())

        assert len(out.getvalue().splitlines()) == 201
        assert out.getvalue().splitlines()[-1] == "and 101 more; 301 in all."

    def test_prints_json_and_exits_with_one(self, db, folder):
        out = StringIO()
        with pytest.raises(SystemExit) as ended:
            call_command(
                "import_book",
                str(write_folder(folder, {"accounts": self.ROWS})),
                "--json",
                stdout=out,
                stderr=StringIO(),
            )

        assert ended.value.code == 1
        assert json.loads(out.getvalue())["errors"] == [
            {
                "file": "accounts.csv",
                "row": 2,
                "column": "terms",
                "wrong": "There are no terms called “hosted”.",
                "right": "one of hosted-direct, hosted-partner, per-seat, prepaid.",
            }
        ]
