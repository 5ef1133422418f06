from decimal import Decimal

import pytest

from billingsite.console.csv_export import safe
from tests.billingsite.console.seed import many_accounts
from tests.invoicing import factories as make


class TestSafe:
    @pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
    def test_puts_a_quote_before_what_a_spreadsheet_would_run(self, start):
        assert safe(f"{start}1+1") == f"'{start}1+1"

    @pytest.mark.parametrize(("cell", "written"), [("A-1", "A-1"), (None, ""), (Decimal("-5.00"), Decimal("-5.00"))])
    def test_leaves_the_rest(self, cell, written):
        assert safe(cell) == written


class TestExport:
    def test_streams_every_account_that_the_list_finds(self, auditor):
        many_accounts(3)
        make.customer(name="=HYPERLINK(1)", number="X-1")
        lines = auditor.get("/admin/accounts/account/export/").getvalue().decode().splitlines()
        assert lines[0].startswith("number,name,kind")
        assert len(lines) == 5
        assert any(",'=HYPERLINK(1)," in line for line in lines)

    def test_keeps_to_the_lists_filters(self, auditor):
        many_accounts(3)
        make.customer(name="Nobody speaks", number="X-1")
        lines = auditor.get("/admin/accounts/account/export/?primary=none").getvalue().decode().splitlines()
        assert [line.split(",")[0] for line in lines[1:]] == ["X-1"]

    def test_says_what_each_owes(self, auditor):
        account = many_accounts(1)[0]
        lines = auditor.get("/admin/accounts/account/export/").getvalue().decode().splitlines()
        assert lines[1].startswith(account.number)
        assert lines[1].endswith(",37.90")

    def test_exports_the_selected(self, auditor):
        accounts = many_accounts(3)
        response = auditor.post(
            "/admin/accounts/account/", {"action": "export_selected", "_selected_action": [accounts[0].pk]}
        )
        assert len(response.getvalue().splitlines()) == 2
