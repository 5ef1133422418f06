"""The seller, its numbers, prices, and the groups."""

from datetime import date
from importlib import import_module
from io import BytesIO

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from PIL import Image

from billingsite import groups
from billingsite.models import GivenPermission
from invoicing.catalog.models import Plan, Price, Vendor
from invoicing.sellers.models import NumberSeries, Seller
from tests.invoicing import factories as make

given_before = import_module("billingsite.migrations.0001_given_permissions")
MARCH = date(2026, 3, 1)


def picture(kind="PNG", side=20) -> bytes:
    stored = BytesIO()
    Image.new("RGB", (side, side), "navy").save(stored, kind)
    return stored.getvalue()


def save_seller(client, **files):
    seller = make.seller()
    values = {"name": seller.name, "country": "US", "time_zone": "America/Denver", "currency": "USD", "page_size": "A4"}
    return client.post(f"/admin/invoicing/seller/{seller.pk}/change/", values | {"is_default": "on"} | files)


class TestSellerLogo:
    @pytest.mark.parametrize("kind", ["PNG", "JPEG"])
    def test_is_stored_and_shown(self, manager, kind):
        content = picture(kind)
        save_seller(manager, logo_file=SimpleUploadedFile("logo", content))
        seller = Seller.objects.get()
        assert bytes(seller.logo) == content
        page = manager.get(f"/admin/invoicing/seller/{seller.pk}/change/").content.decode()
        assert f"data:image/{kind.lower()};base64," in page

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            pytest.param(b"<svg onload=alert(1)>", "no PNG or JPEG", id="svg"),
            pytest.param(picture("GIF"), "no PNG or JPEG", id="gif"),
            pytest.param(picture()[:40], "no PNG or JPEG", id="cut off"),
            pytest.param(b"x" * (512 * 1024 + 1), "larger than 512 kB", id="large"),
            pytest.param(picture(side=3001), "larger than 3000 pixels", id="wide"),
        ],
    )
    def test_is_refused_unless_documents_can_print_it(self, manager, content, said):
        response = save_seller(manager, logo_file=SimpleUploadedFile("logo.png", content))
        assert said in response.content.decode()
        assert not Seller.objects.get().logo

    def test_can_be_removed(self, manager):
        save_seller(manager, logo_file=SimpleUploadedFile("logo.png", picture()))
        save_seller(manager, remove_logo="on")
        assert not Seller.objects.get().logo


class TestNumberSeries:
    def test_is_fixed_once_a_number_was_taken(self, manager):
        make.seller()
        series = NumberSeries.objects.get(kind="INVOICE")
        NumberSeries.objects.filter(pk=series.pk).update(next_number=2)
        address = f"/admin/invoicing/numberseries/{series.pk}/change/"
        assert manager.post(address, {"prefix": "X-"}).status_code == 403
        assert "can no longer be changed (BILL-6)" in manager.get(address).content.decode()

    def test_may_begin_elsewhere_before_that(self, manager):
        seller = make.seller()
        series = NumberSeries.objects.get(kind="INVOICE")
        values = {"seller": seller.pk, "kind": "INVOICE", "prefix": "INV-", "width": "6", "first_number": "500"}
        manager.post(f"/admin/invoicing/numberseries/{series.pk}/change/", values)
        series.refresh_from_db()
        assert series.number(series.next_number) == "INV-000500"


class TestPrices:
    """BILL-3."""

    def save(self, client, plan: Plan, *rows: dict):
        values = {"product": plan.product_id, "code": plan.code, "name": plan.name}
        values |= {"prices-TOTAL_FORMS": len(rows), "prices-INITIAL_FORMS": Price.objects.filter(plan=plan).count()}
        for number, row in enumerate(rows):
            given = {"plan": plan.pk, "currency": "USD", "setup_fee": "0", "change_fee": "0", "deposit": "0"} | row
            values |= {f"prices-{number}-{name}": value for name, value in given.items()}
        return client.post(f"/admin/invoicing/plan/{plan.pk}/change/", values)

    @pytest.fixture
    def billed(self, db) -> Plan:
        plan = make.plan("pbx", "10")
        make.subscription(make.customer(), plan, date(2026, 1, 1))
        make.bill(MARCH)
        return plan

    def test_keep_what_they_were_billed_at(self, manager, billed):
        price = Price.objects.get()
        self.save(manager, billed, {"id": price.pk, "unit_price": "99", "valid_from_on": "2020-01-01"})
        price.refresh_from_db()
        assert price.unit_price == 10

    def test_change_by_a_new_version(self, manager, billed):
        kept = {"id": Price.objects.get().pk}
        self.save(manager, billed, kept, {"unit_price": "12", "valid_from_on": "2026-04-01"})
        assert [price.unit_price for price in Price.objects.order_by("valid_from_on")] == [10, 12]

    def test_can_be_mended_before_they_were_billed(self, manager, db):
        plan = make.plan("new", "10")
        self.save(manager, plan, {"id": Price.objects.get().pk, "unit_price": "11", "valid_from_on": "2020-01-01"})
        assert Price.objects.get().unit_price == 11

    def test_cannot_be_removed_once_they_were_billed(self, manager, billed):
        row = {"id": Price.objects.get().pk, "unit_price": "10", "valid_from_on": "2020-01-01", "DELETE": "on"}
        assert "BILL-3" in self.save(manager, billed, row).content.decode()
        assert Price.objects.exists()


class TestHistory:
    def test_shows_what_a_field_said_before_and_who_changed_it(self, manager):
        vendor = Vendor.objects.create(name="Contoso")
        values = {"name": "Contoso Apps", "share_percent": "100"}
        manager.post(f"/admin/invoicing/vendor/{vendor.pk}/change/", values)
        page = manager.get(f"/admin/invoicing/vendor/{vendor.pk}/history/").content.decode()
        assert "<td>Contoso</td>" in page
        assert "<td>Contoso Apps</td>" in page
        assert "<td>manager</td>" in page


class TestGroups:
    def test_leaves_what_a_manager_changed(self, db):
        agents = Group.objects.get(name=groups.AGENT)
        agents.permissions.clear()
        groups.make_groups(None, using="default")
        assert not agents.permissions.exists()

    def test_makes_one_that_is_gone_again(self, db):
        Group.objects.get(name=groups.AUDITOR).delete()
        groups.make_groups(None, using="default")
        codenames = {one.codename for one in Group.objects.get(name=groups.AUDITOR).permissions.all()}
        assert "view_posting" in codenames
        assert all(name.startswith("view_") for name in codenames)

    def test_gives_once_what_a_later_version_brings(self, db, monkeypatch):
        agents = Group.objects.get(name=groups.AGENT)
        agents.permissions.remove(Permission.objects.get(codename="take_payment"))
        monkeypatch.setitem(groups.MAY, groups.AGENT, (*groups.AGENT_MAY, "invoicing.write_off"))
        groups.make_groups(None, using="default")
        held = set(agents.permissions.values_list("codename", flat=True))
        assert "write_off" in held
        assert "take_payment" not in held
        agents.permissions.remove(Permission.objects.get(codename="write_off"))
        groups.make_groups(None, using="default")
        assert not agents.permissions.filter(codename="write_off").exists()

    def test_gives_groups_older_than_the_record_what_is_new_and_nothing_that_was_taken_from_them(self, db):
        manager = Group.objects.get(name=groups.MANAGER)
        GivenPermission.objects.all().delete()
        manager.permissions.set(Permission.objects.filter(codename="view_run"))
        given_before.remember(apps, connection.schema_editor())
        groups.make_groups(None, using="default")
        held = set(manager.permissions.values_list("codename", flat=True))
        assert {"view_run", "refund_payment", "write_off", "view_reports", "view_payment"} <= held
        assert not held & {"start_run", "change_plan", "view_invoice"}
