from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from accounts.models import Account, AuditEntry
from tests.billingsite.console.conftest import signed_in
from tests.invoicing import factories as make

ACCOUNTS = "number,name,kind,terms,country,signed_up_on\nC-1,Acme,customer,hosted-direct,US,2026-01-15\n"
WRONG = "number,name,kind,terms,country,signed_up_on\nC-1,Acme,custmer,hosted-direct,US,2026-01-15\n"


@pytest.fixture(autouse=True)
def uploads(settings, tmp_path):
    settings.VAR_DIR = tmp_path
    return tmp_path / "uploads"


@pytest.fixture(autouse=True)
def _seller(db):
    make.seller()


def upload(client, text=ACCOUNTS, name="accounts.csv"):
    file = SimpleUploadedFile(name, text.encode())
    return client.post("/admin/import-book/", {"step": "preview", "files": [file]}, follow=True)


def kept(uploads: Path) -> list[Path]:
    return [path for path in uploads.rglob("*") if path.is_file()]


class TestPreview:
    def test_shows_what_would_change_and_changes_nothing(self, manager):
        page = upload(manager).content.decode()
        assert "Import this book" in page
        assert not Account.objects.exists()

    def test_shows_each_column_that_differs(self, manager):
        upload(manager)
        manager.post("/admin/import-book/", {"step": "confirm"})
        page = upload(manager, ACCOUNTS.replace("Acme", "Acme Inc")).content.decode()
        assert "name: Acme → Acme Inc" in page

    def test_shows_what_is_wrong_and_offers_no_import(self, manager):
        page = upload(manager, WRONG).content.decode()
        assert "accounts.csv" in page
        assert "kind" in page
        assert "Import this book" not in page

    @pytest.mark.parametrize("name", ["accounts.txt", "accounts.csv.exe", "..csv.", "böok.csv", "book.xls"])
    def test_takes_no_other_files(self, manager, uploads, name):
        assert "neither a CSV file nor an XLSX workbook" in upload(manager, name=name).content.decode()
        assert not kept(uploads)

    def test_takes_no_more_than_its_bound(self, manager, monkeypatch, uploads):
        monkeypatch.setattr("billingsite.console.uploads.MOST_BYTES", 10)
        assert "That is more than" in upload(manager).content.decode()
        assert not kept(uploads)

    def test_keeps_one_upload_a_session(self, manager, uploads):
        upload(manager)
        upload(manager)
        assert len(kept(uploads)) == 1


class TestConfirm:
    def test_imports_what_was_previewed(self, manager, uploads):
        upload(manager)
        page = manager.post("/admin/import-book/", {"step": "confirm"}, follow=True).content.decode()
        assert Account.objects.get().number == "C-1"
        assert "accounts 1 new, 0 changed" in page
        assert AuditEntry.objects.get(action="book.import").who == "manager"
        assert not kept(uploads)

    def test_imports_nothing_of_another_session(self, manager, uploads):
        upload(manager)
        other = signed_in("manager")
        page = other.post("/admin/import-book/", {"step": "confirm"}, follow=True).content.decode()
        assert "The uploaded book is gone" in page
        assert not Account.objects.exists()

    def test_imports_nothing_when_it_was_cancelled(self, manager, uploads):
        upload(manager)
        manager.post("/admin/import-book/", {"step": "cancel"})
        assert not kept(uploads)

    def test_follows_no_path_out_of_the_uploads(self, manager, tmp_path):
        session = manager.session
        session["import_book"] = "../" * 8 + "etc/aaaaaa"
        session.save()
        assert b"is gone" in manager.post("/admin/import-book/", {"step": "confirm"}, follow=True).content
