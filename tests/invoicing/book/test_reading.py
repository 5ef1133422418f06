"""A book on the disk: folders and workbooks, encodings, names of sheets and columns."""

import zipfile

import pytest
import xlsxwriter

from accounts.models import Account
from invoicing.book import workbook
from invoicing.book.operations import BookRefused, import_book, plan_import, read_book
from tests.invoicing.book.books import (
    MANAGER,
    NOW,
    WHOLE_BOOK,
    import_sheets,
    typed,
    write_folder,
    write_workbook,
)

ACCOUNTS = "number,name,terms,signed_up_on\nC-1,Café Zürich,hosted-direct,2026-01-15\n"


def errors_of(path):
    """What is wrong before any cell is looked at."""
    return read_book(path).errors


class TestFolder:
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
    def test_is_read_with_and_without_a_byte_order_mark(self, db, folder, encoding):
        import_book(read_book(write_folder(folder, {"accounts": ACCOUNTS}, encoding=encoding)), actor=MANAGER, now=NOW)

        assert Account.objects.get().name == "Café Zürich"

    def test_another_encoding_is_an_error_with_the_row_of_the_first_such_byte(self, folder):
        write_folder(folder, {"accounts": ACCOUNTS}, encoding="latin-1")

        [error] = errors_of(folder)
        assert (error.file, error.row) == ("accounts.csv", 2)
        assert error.wrong == "The file is not in UTF-8: byte 0xe9 stands where none may."
        assert error.right == "the file saved as “CSV UTF-8”."

    def test_what_is_no_csv_file_is_left_alone(self, db, folder):
        write_folder(folder, {"accounts": ACCOUNTS})
        (folder / "README.md").write_text("About this book.")

        assert errors_of(folder) == []

    def test_an_unknown_file_is_an_error_with_the_nearest_name(self, folder):
        write_folder(folder, {"acounts": ACCOUNTS, "recipes": "a\n"})

        assert [(error.file, error.wrong, error.right) for error in errors_of(folder)] == [
            ("acounts.csv", "There is no sheet called “acounts”.", "accounts?"),
            (
                "recipes.csv",
                "There is no sheet called “recipes”.",
                "one of products, prices, accounts, contacts, subscriptions, quantities, inactivity, one_off_charges, "
                "tax_rates, exemptions.",
            ),
        ]

    def test_an_unknown_column_is_an_error_with_the_nearest_name(self, folder):
        write_folder(folder, {"contacts": "account,name,e-mail,email\nC-1,Ann,x,ann@acme.example\n"})

        [error] = errors_of(folder)
        assert (error.file, error.row, error.column) == ("contacts.csv", 1, "e-mail")
        assert (error.wrong, error.right) == ("There is no such column in this sheet.", "email?")

    def test_a_column_that_is_needed_is_an_error_where_it_is_missing(self, folder):
        write_folder(folder, {"quantities": "subscription,from_on\nM-1,2026-01-01\n"})

        [error] = errors_of(folder)
        assert (error.row, error.column, error.wrong) == (1, "quantity", "The column is missing.")
        assert error.right == "a header row with subscription, quantity, from_on."

    def test_what_refers_to_a_sheet_that_could_not_be_read_is_not_an_error_besides(self, db, folder):
        write_folder(
            folder, {"accounts": "number\nC-1\n", "contacts": "account,name,email\nC-1,Ann,ann@acme.example\n"}
        )

        assert {error.file for error in plan_import(read_book(folder)).errors} == {"accounts.csv"}

    def test_headers_may_differ_in_case_and_order(self, db, folder):
        write_folder(folder, {"accounts": "Terms, Name ,NUMBER,signed_up_on\nhosted-direct,Acme,C-1,2026-01-15\n"})

        import_book(read_book(folder), actor=MANAGER, now=NOW)
        assert Account.objects.get().number == "C-1"

    @pytest.mark.parametrize(
        ("text", "row", "wrong"),
        [
            pytest.param("account;name;email\n", 1, "The cells are not separated by commas.", id="semicolons"),
            pytest.param("account,name,name,email\n", 1, "The column is there twice.", id="a column twice"),
            pytest.param(
                "account,name,email\nC-1,Acme, Inc.,a@acme.example\n",
                2,
                "A cell stands in a column without a name.",
                id="a comma without quotes",
            ),
            pytest.param(
                'account,name,email\n\nC-1,"Ann" x,a@acme.example\n',
                3,
                "The file is not CSV from here on (',' expected after '\"').",
                id="a quote inside a cell",
            ),
        ],
    )
    def test_a_wrong_shape_is_an_error_of_its_row(self, folder, text, row, wrong):
        write_folder(folder, {"contacts": text})

        assert (row, wrong) in [(error.row, error.wrong) for error in errors_of(folder)]

    def test_blank_rows_are_passed_over_and_counted(self, db, folder):
        write_folder(folder, {"accounts": ACCOUNTS + "\n,,,\nC-2,,hosted-direct,2026-01-15\n"})

        [error] = plan_import(read_book(folder)).errors
        assert (error.row, error.column, error.wrong) == (5, "name", "The cell is blank.")

    def test_a_line_break_inside_a_cell_does_not_count_as_a_row(self, db, folder):
        write_folder(folder, {"accounts": ACCOUNTS + '"C-2","Two\nLines",nope,2026-01-15\n'})

        [error] = plan_import(read_book(folder)).errors
        assert (error.row, error.column) == (3, "terms")

    @pytest.mark.parametrize(
        ("name", "wrong"),
        [
            pytest.param("nowhere", "There is no such file or folder.", id="nothing there"),
            pytest.param("book.ods", "This is neither a folder nor an XLSX workbook.", id="another kind of file"),
        ],
    )
    def test_a_path_to_something_else_is_an_error(self, tmp_path, name, wrong):
        (tmp_path / "book.ods").write_text("")

        [error] = errors_of(tmp_path / name)
        assert (error.row, error.wrong) == (None, wrong)

    def test_a_folder_without_sheets_is_an_error(self, tmp_path):
        assert [error.wrong for error in errors_of(tmp_path)] == ["No sheet was found."]


class TestWorkbook:
    def test_with_typed_cells_is_the_same_book_as_the_csv_files(self, imported, tmp_path):
        """Numbers, days and truths come as such from a spreadsheet: 25.0 is 25, TRUE is yes."""
        path = write_workbook(tmp_path / "book.xlsx", {name: typed(text) for name, text in WHOLE_BOOK.items()})
        plan = plan_import(read_book(path))

        assert plan.errors == []
        assert not plan.changes_something
        assert set(plan.sheets) == set(WHOLE_BOOK)

    def test_errors_name_the_sheet_and_the_row_that_a_spreadsheet_shows(self, db, tmp_path):
        rows = [["number", "name", "terms", "signed_up_on"], [1001.0, "Acme", "hosted-direct", "1st of May"]]
        path = write_workbook(tmp_path / "book.xlsx", {"accounts": rows, "Notes": []})

        [error] = plan_import(read_book(path)).errors
        assert (error.file, error.row, error.column) == ("book.xlsx, sheet accounts", 2, "signed_up_on")

    def test_an_account_number_typed_as_a_number_is_text(self, db, tmp_path):
        rows = [["number", "name", "terms", "signed_up_on"], [1001.0, 3.5, "hosted-direct", "2026-05-01"]]
        import_book(read_book(write_workbook(tmp_path / "b.xlsx", {"accounts": rows})), actor=MANAGER, now=NOW)

        assert (Account.objects.get().number, Account.objects.get().name) == ("1001", "3.5")

    def test_a_sheet_with_another_name_is_an_error_unless_it_is_blank(self, tmp_path):
        path = write_workbook(tmp_path / "book.xlsx", {"contact": [["x"]], "Sheet1": [], "accounts": [["number"]]})

        assert ("book.xlsx, sheet contact", "contacts?") in [(error.file, error.right) for error in errors_of(path)]

    def test_a_failed_formula_is_an_error_and_not_a_blank_cell(self, db, tmp_path):
        with xlsxwriter.Workbook(tmp_path / "book.xlsx") as made:
            sheet = made.add_worksheet("accounts")
            sheet.write_row(0, 0, ["number", "name", "terms", "signed_up_on", "phone"])
            sheet.write_row(1, 0, ["C-1", "Acme", "hosted-direct", "2026-01-15"])
            sheet.write_formula(1, 4, "=NA()", None, "#N/A")

        [error] = plan_import(read_book(tmp_path / "book.xlsx")).errors
        assert (error.row, error.column, error.wrong) == (2, "phone", "A formula failed here: #N/A.")

    def test_one_that_unpacks_to_an_absurd_size_is_refused(self, tmp_path):
        path = tmp_path / "bomb.xlsx"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("xl/worksheets/sheet1.xml", b"")
            archive.infolist()[0].file_size = 1_000_000_000

        [error] = errors_of(path)
        assert error.wrong == "It unpacks to 1,000,000,000 bytes; at most 536,870,912 are read. Use CSV files instead."

    def test_one_that_lies_about_its_size_ends_its_own_process_and_not_ours(self, tmp_path, monkeypatch):
        """The limits of memory and time hold for the process that reads it."""
        path = write_workbook(tmp_path / "book.xlsx", {"accounts": [["number"]]})
        reader = tmp_path / "reader.py"
        reader.write_text("import resource, sys; sys.exit(9)")
        monkeypatch.setattr(workbook, "__file__", str(reader))

        assert errors_of(path)[0].wrong == "It is too large or broken, and was not read."

    def test_one_with_absurdly_many_parts_is_refused(self, tmp_path):
        path = tmp_path / "bomb.xlsx"
        with zipfile.ZipFile(path, "w") as archive:
            for part in range(2_001):
                archive.writestr(f"{part}", b"")

        assert errors_of(path)[0].wrong == "It holds 2,001 files; a workbook holds at most 2,000."

    def test_a_file_that_only_says_it_is_one_is_refused(self, tmp_path):
        (tmp_path / "book.xlsx").write_text("number,name")

        assert errors_of(tmp_path / "book.xlsx")[0].wrong.startswith("It cannot be read as an XLSX workbook")


def test_errors_of_shape_keep_a_book_from_being_saved(db, folder):
    with pytest.raises(BookRefused):
        import_sheets(folder, {"accounts": ACCOUNTS, "recipes": "a\n"})

    assert not Account.objects.exists()
