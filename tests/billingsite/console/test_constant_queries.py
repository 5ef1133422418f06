"""Each page asks as often for many rows as for few."""

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.billingsite.console.seed import busy_account, many_accounts

FEW, MANY = 5, 50
LISTS = [
    "/admin/",
    "/admin/search/?q=B-",
    "/admin/search/?q=Pat",
    "/admin/search/?extended=1&s=B-",
    "/admin/accounts/account/",
    "/admin/accounts/account/?primary=none",
    "/admin/accounts/contact/",
    "/admin/accounts/decision/",
    "/admin/accounts/auditentry/",
    "/admin/invoicing/subscription/",
    "/admin/invoicing/oneoffcharge/",
    "/admin/invoicing/product/",
    "/admin/invoicing/plan/",
    "/admin/invoicing/price/",
    "/admin/invoicing/vendor/",
    "/admin/invoicing/billingterms/",
    "/admin/invoicing/taxrate/",
    "/admin/invoicing/exemption/",
    "/admin/invoicing/ledgerentry/",
    "/admin/invoicing/posting/",
    "/admin/invoicing/seller/",
    "/admin/invoicing/numberseries/",
]
TABS = ["overview", "contacts", "services", "invoices", "ledger", "decisions", "timeline"]


def queries(client, address) -> int:
    """With an empty cache, as the first to look."""
    cache.clear()
    with CaptureQueriesContext(
        connection,
    ) as asked:
        response = client.get(address)
        assert response.status_code == 200, address
        getattr(response, "getvalue", lambda: b"")()
    return len(asked)


class TestLists:
    def test_cost_as_many_queries_whatever_the_number_of_rows(self, auditor):
        many_accounts(FEW)
        few = {address: queries(auditor, address) for address in LISTS}
        many_accounts(MANY - FEW)
        assert {address: queries(auditor, address) for address in LISTS} == few

    def test_cost_few(self, auditor):
        many_accounts(FEW)
        assert max(queries(auditor, address) for address in LISTS) <= 25


class TestAccountPage:
    @pytest.mark.parametrize("tab", TABS)
    def test_costs_as_many_queries_whatever_the_number_of_rows(self, agent, tab):
        pages = [f"/admin/accounts/account/{busy_account(count).pk}/change/?tab={tab}" for count in (FEW, MANY)]
        few, many = (queries(agent, page) for page in pages)
        assert many == few <= 25


class TestExport:
    def test_reads_a_thousand_accounts_at_once(self, auditor):
        many_accounts(FEW)
        few = queries(auditor, "/admin/accounts/account/export/")
        many_accounts(FEW)
        assert queries(auditor, "/admin/accounts/account/export/") == few
