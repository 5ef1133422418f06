import pytest

from accounts.actors import Role
from tests.accounts.factories import make_contact
from tests.billingsite.console.seed import many_accounts
from tests.invoicing import factories as make
from tests.invoicing.documents.factories import make_invoice


@pytest.fixture
def account(db):
    account = make.customer(number="hx-0042", name="Harbor Dental Group")
    make_contact(account, "Ann Archer", Role.PRIMARY)
    make.customer(number="hx-0043", name="Harbor Freight")
    make_contact(account, "Ann Binder", Role.BILLING)
    return account


def found(client, words) -> str:
    return client.get("/admin/search/", {"q": words}, follow=True).content.decode()


class TestSearch:
    @pytest.mark.parametrize("words", ["hx-00", "HARBOR", "harbor d", "ann", "ann.a", "  Harbor "])
    def test_finds_what_begins_with_the_words(self, agent, account, words):
        assert "Harbor Dental Group" in found(agent, words)

    def test_goes_straight_to_the_only_hit(self, agent, account):
        response = agent.get("/admin/search/", {"q": "harbor dental"})
        assert response.headers["Location"] == f"/admin/accounts/account/{account.pk}/change/"

    def test_finds_an_invoice_by_its_number(self, agent, account):
        invoice = make_invoice(account)
        response = agent.get("/admin/search/", {"q": invoice.number.lower()})
        assert response.headers["Location"] == f"/admin/invoicing/invoice/{invoice.pk}/change/"

    def test_groups_what_it_finds(self, agent, account):
        make_contact(account, "Harbor Master", Role.TECHNICAL)
        page = found(agent, "harbor")
        assert page.index("Accounts</h2>") < page.index("Contacts</h2>")

    @pytest.mark.parametrize("words", ["nothing like it", "100%", "_", "\\", "'", "", "a\x00b"])
    def test_takes_any_words(self, agent, account, words):
        assert "Harbor Dental Group" not in found(agent, words)

    def test_shows_twenty_and_says_that_there_are_more(self, agent, account):
        many_accounts(21)
        page = found(agent, "B-")
        assert page.count('scope="row"') == 20
        assert "There are more than are shown" in page

    def test_shows_nothing_that_one_may_not_see(self, account, client, django_user_model):
        client.force_login(django_user_model.objects.create(username="new", is_staff=True))
        assert "Harbor Dental Group" not in found(client, "harbor")

    def test_offers_pages_and_accounts_in_the_palette(self, agent, account):
        page = agent.get("/admin/search/", {"extended": "1", "s": "harbor"}).content.decode()
        assert "Harbor Freight" in page
        assert "Exemptions" in agent.get("/admin/search/", {"extended": "1", "s": "exem"}).content.decode()
