"""Versions of the numerics: older records stand in until their runs are made again, and are told apart."""

import pytest
import write_readme
from fixtures_records import frame, record, sweep_records

from gift_lib import results
from gift_lib.book import pages
from gift_lib.config import NUMERICS_VERSION, experiment
from gift_lib.errors import DataError
from gift_lib.evidence import claims, tables
from gift_lib.methods import METHODS
from gift_lib.runs import batch, numerics, repository, sweeps, verify

OLD = NUMERICS_VERSION - 1


def older(e, level=60.0, **changes):
    return record(e, level, numerics=OLD, **changes)


def aged(records):
    """The same records, made with the version before."""
    return [results.Address(experiment(**c), r["identity"] | {"numerics": OLD}).record(r["result"], r["run"])
            for r in records if (c := r["config"])]  # fmt: skip


def test_every_version_says_what_it_changed():
    assert [c.version for c in numerics.CHANGES] == list(range(2, NUMERICS_VERSION + 1))
    for change in numerics.CHANGES:
        assert change.text and not change.text.endswith(".") and all(map(callable, change.more.values()))


@pytest.mark.parametrize("method", METHODS)
def test_conditions_take_the_configuration_of_any_record(method):
    made = older(experiment(method=method))
    expected = method in ("moe-adapter", "lwf-vr")
    assert bool(numerics.touched(made)) == expected
    assert numerics.touched(record(experiment(method=method))) == [], "a current record is as it is"


@pytest.mark.parametrize(
    ("settings", "touched"),
    [
        ({"distillation": "image-only"}, True),
        ({"distillation": "text-only"}, True),
        ({"distillation": "text-only", "beta": 0.0}, False),
        ({"distillation": "feature"}, False),
        ({"distillation": "image-only", "method": "finetune"}, False),
    ],
)
def test_one_sided_distillation_changed_with_version_2(settings, touched):
    assert bool(numerics.touched(older(experiment(**settings)))) == touched


def test_a_current_record_replaces_the_older_one_of_its_run_alone():
    e = experiment(seed=3)
    now, then, other = record(e, 70.0), older(e), older(experiment(seed=4))
    elsewhere = older(e, world="another")
    assert numerics.newest([then, now, other, elsewhere]) == [now, other, elsewhere]
    ancient = record(e, numerics=0)
    assert numerics.newest([then, ancient]) == [then]


def test_tables_take_the_current_record_else_the_newest_older_one():
    cells = [c.experiment for c in sweeps.load("table1").cells if c.variant == "GIFT"]
    mixed = [older(e, 50.0, noise=0.0) for e in cells] + [record(e, 70.0, noise=0.0) for e in cells[:4]]
    found = tables.values(tables.by_variant(frame(mixed), sweeps.load("table1"))["GIFT"], "Last")
    assert [found[e.seed] for e in cells] == [70.0] * 4 + [50.0] * (len(cells) - 4)


def test_the_line_counts_records_and_says_what_changed():
    current = sweep_records("ablation-loss", {"Contrastive": 60.0, "Image-only": 55.0}.get)
    assert tables.age(frame(current)) == numerics.note([]) == ""
    all_old = tables.age(frame(aged(current)), sweeps.load("ablation-loss"))
    assert all_old.startswith("All 10 records are of an older version of the numerics. Since then an epoch ends with")
    assert "† Changed by more than that: with one-sided distillation" in all_old and "MoE" not in all_old
    plain = [r for r in current if r["config"]["distillation"] == "contrastive"]
    some = tables.age(frame(aged(plain) + [r for r in current if r not in plain]), sweeps.load("ablation-loss"))
    assert some.startswith("5 of 10 records") and "†" not in some, "the contrastive runs changed by rounding alone"
    assert tables.age(frame(aged(current) + current)) == "", "records that were made again do not count"


@pytest.fixture
def book(monkeypatch):
    """The book with old records of two ablation rows and of three methods."""
    made = sweep_records("ablation-loss", {"Contrastive": 60.0, "Image-only": 55.0}.get)
    made += sweep_records("table1", {"GIFT": 60.0, "ZSCL": 58.0, "MoE-Adapter": 57.0}.get)
    kept = frame(aged(made))
    monkeypatch.setattr(pages, "records", lambda folder=None: kept)
    return kept


def test_pages_mark_rows_and_end_with_the_line(book):
    loss = pages.evidence("ablation-loss").data
    assert "| Image-only † |" in loss and "| Contrastive |" in loss and loss.count("older version") == 1
    table = pages.table("I").data
    assert "| MoE-Adapter † |" in table and "| ZSCL |" in table and table.splitlines()[-1].startswith("All ")
    for part in (pages.age(), pages.age(book)):
        assert "of an older version of the numerics" in part.data
    for part in (pages.ranking("I"), pages.readings("ablation-loss")):
        assert "older version" not in part.data, "once on a page, below its table, is enough"
    for box in (pages.finding("ablation-loss"), pages.finding("table1")):
        assert "of an earlier version of this code" in box.data and "(†)" in box.data


def test_pages_say_nothing_where_all_is_current(monkeypatch):
    made = sweep_records("ablation-loss", {"Contrastive": 60.0, "Image-only": 55.0}.get)
    monkeypatch.setattr(pages, "records", lambda folder=None: frame(made))
    for part in (pages.evidence("ablation-loss"), pages.readings("ablation-loss")):
        assert "older version" not in part.data and "†" not in part.data
    assert pages.age() is None


def test_the_readme_says_it_too(book):
    text = write_readme.written("<!-- results -->\n<!-- /results -->\n", book)
    assert "| MoE-Adapter † |" in text and "older version of the numerics" in text.splitlines()[-2]
    assert claims.headline(claims.evaluate(book)) in text, "claims are judged on them"


def test_every_page_that_shows_records_tells_their_age():
    telling = ("pages.evidence(", "pages.table(", "pages.age(", "tables.age(")
    for path in (repository.ROOT / "notebooks").glob("*.ipynb"):
        text = path.read_text(encoding="utf-8")
        showing = ("pages.records(", "pages.points(", "pages.per_task(", "pages.tiles(", "pages.matrix(")
        shows = any(name in text for name in showing)
        assert not shows or any(name in text for name in telling), path.name


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A current record, an older one of another run, one superseded, one of another world, one of the future."""
    monkeypatch.setattr(batch, "identity", lambda e: results.identity("world", "clip", "pipeline"))
    made = [record(experiment()), older(experiment()), older(experiment(seed=1)), older(experiment(seed=2), world="x"),
            record(experiment(seed=3), numerics=NUMERICS_VERSION + 1)]  # fmt: skip
    for r in made:
        results.write(r, tmp_path)
    return tmp_path


def test_what_stands_and_what_is_to_be_made(folder):
    standing = batch.standing_records(folder)
    assert sorted((r["config"]["seed"], numerics.version_of(r)) for r in standing) == [(0, NUMERICS_VERSION), (1, OLD)]
    planned = {batch.record_path(folder, experiment(seed=s)).stem: experiment(seed=s) for s in range(3)}
    assert [planned[stem].seed for stem in batch.to_do(planned, folder, "mini")] == [1, 2]


def test_verify_runs_current_records_only_and_says_how_many_others_there_are(folder, monkeypatch, capsys):
    ran = []
    monkeypatch.setattr(verify, "run", lambda e, runtime: ran.append(e.seed) or record(e))
    assert verify.main(["--sample", "9", "--results", str(folder)]) == 0
    said = capsys.readouterr().out
    assert ran == [0] and "1 current records." in said
    assert f"3 left out: made with another version of the numerics than {NUMERICS_VERSION}" in said
    assert "1 left out: of another world or other weights" in said


def test_a_record_of_a_newer_library_is_no_part_of_a_table():
    mixed = [record(experiment(method="gift", order="I")), record(experiment(method="l2", order="I"), numerics=99)]
    with pytest.raises(DataError, match="more than one numerics version"):
        tables.main(frame(mixed), "I")


def test_a_newer_record_of_another_kind_of_cpu_takes_no_place():
    old = {"digest": "a", "identity": {"numerics": 1}, "run": {"cpu_capability": "AVX512"}}
    new = {"digest": "a", "identity": {"numerics": 2}, "run": {"cpu_capability": "AVX2"}}
    assert numerics.newest([new, old]) == [old]
    same = {**new, "run": old["run"]}
    assert numerics.newest([old, same, new]) == [same]
