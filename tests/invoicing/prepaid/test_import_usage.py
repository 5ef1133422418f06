"""PRE-1: `manage.py import_usage FILE.csv`."""

import json
from datetime import timedelta
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts.models import AuditEntry
from invoicing.subscriptions.models import UsageEvent
from tests.chaos.results import row_hashes
from tests.invoicing.prepaid.factories import balance_of, per_use, posted_balance, prepaid

pytestmark = pytest.mark.django_db


def run(path, *arguments: str) -> tuple[int, str]:
    out = StringIO()
    try:
        call_command("import_usage", str(path), *arguments, stdout=out)
    except SystemExit as ended:
        return int(ended.code or 0), out.getvalue()
    return 0, out.getvalue()


@pytest.fixture
def book(tmp_path):
    """A price, an account with USD 10, and a file of what is written to it."""
    per_use()
    account = prepaid("10")
    at = (timezone.now() - timedelta(hours=1)).isoformat()

    def write(*rows: str, header: str = "key,account,product,at,quantity,detail"):
        path = tmp_path / "march.csv"
        text = "\n".join([header, *rows]).replace("{account}", account.number).replace("{at}", at)
        path.write_text(f"{text}\n", encoding="utf-8")
        return path

    return account, write


GOOD = ("a,{account},calls,{at},3,+1 555 0100", "b,{account},calls,{at},2.5,")


class TestImportUsage:
    def test_takes_each_row(self, book):
        account, write = book
        assert run(write(*GOOD)) == (0, "2 uses accepted (USD 0.55), 0 duplicates, 0 refused.\n")
        assert balance_of(account) == posted_balance(account) == Decimal("9.45")
        assert AuditEntry.objects.get(action="usage.import").detail == {"accepted": 2}

    def test_changes_nothing_the_second_time(self, book):
        """P8."""
        _, write = book
        path = write(*GOOD)
        run(path)
        before = row_hashes()
        assert run(path) == (0, "0 uses accepted (nothing), 2 duplicates, 0 refused.\n")
        assert row_hashes() == before

    def test_says_all_refusals_with_row_and_column_and_takes_the_rest(self, book):
        account, write = book
        code, said = run(write(
            GOOD[0],
            "b,{account},none,{at},2,",
            "",
            ",{account},calls,yesterday,2,",
            "d,nobody,calls,{at},2,",
            "e,{account},calls,{at},999,,more",
            "f,{account},calls,{at},999,",
            "a,{account},calls,{at},4,+1 555 0100",
            GOOD[1],
        ))  # fmt: skip
        assert code == 1
        *lines, summary = said.splitlines()
        assert [line.split(": ")[0] for line in lines] == [
            "march.csv, row 3, column product",
            "march.csv, row 5, column key", "march.csv, row 5, column at",
            "march.csv, row 6, column account",
            "march.csv, row 7",
            "march.csv, row 8, column quantity",
            "march.csv, row 9, column key",
        ]  # fmt: skip
        assert summary == "2 uses accepted (USD 0.55), 0 duplicates, 6 refused."
        assert balance_of(account) == Decimal("9.45")

    def test_keeps_nothing_on_a_dry_run(self, book):
        account, write = book
        before = row_hashes()
        code, said = run(write(*GOOD), "--dry-run")
        assert (code, said) == (0, "2 uses would be accepted (USD 0.55), 0 duplicates, 0 refused.\n")
        assert row_hashes() == before

    def test_counts_on_a_dry_run_what_earlier_batches_would_take(self, book, monkeypatch):
        monkeypatch.setattr("invoicing.prepaid.usage_files.USES_A_BATCH", 1)
        _, write = book
        path = write("a,{account},calls,{at},60,", "b,{account},calls,{at},60,")
        assert run(path, "--dry-run")[1].endswith("1 uses would be accepted (USD 6.00), 0 duplicates, 1 refused.\n")

    def test_prints_json(self, book):
        account, write = book
        _, said = run(write(*GOOD, "c,{account},none,{at},1,"), "--json")
        printed = json.loads(said)
        assert (printed["accepted"], printed["refused"], printed["amounts"]) == (2, 1, {"USD": "0.550000"})
        assert printed["errors"][0] == {
            "file": "march.csv", "row": 4, "column": "product", "clause": "PRE-1",
            "sentence": "There is no product with the code none.",
            "way_out": "Send the code of a per-use product, as it stands in the console under Products.",
        }  # fmt: skip
        assert printed["accounts"][0]["balance"] == "9.450000"


class TestAFileThatIsNone:
    @pytest.mark.parametrize(("header", "sentence"), [
        ("key,account,product,at", "the columns quantity are missing"),
        ("key,account,product,at,quantity,colour", "a column is unknown or there twice"),
        ("key,account,product,at,quantity,key", "a column is unknown or there twice"),
        ("", "the columns key, account, product, at, quantity are missing"),
    ])  # fmt: skip
    def test_is_refused_by_its_header(self, book, header, sentence):
        _, write = book
        with pytest.raises(CommandError, match=sentence):
            run(write(header=header))

    def test_is_refused_where_it_is_not_utf_8(self, book, tmp_path):
        path = tmp_path / "latin.csv"
        path.write_bytes(b"key,account,product,at,quantity\n\xff,B,c,d,1\n")
        with pytest.raises(CommandError, match=r"latin.csv, after row 1: this is not UTF-8"):
            run(path)

    def test_is_refused_where_it_is_not_there(self, tmp_path):
        with pytest.raises(CommandError, match="No such file"):
            run(tmp_path / "none.csv")

    def test_is_refused_where_a_quotation_is_not_closed(self, book):
        _, write = book
        with pytest.raises(CommandError, match="this is not CSV"):
            run(write('a,"{account}'))
        assert not UsageEvent.objects.exists()
