"""The claims file makes sense and holds in the paper; verdicts follow from the records by the written rules."""

import pandas as pd
import pytest
import yaml
from fixtures_records import frame, record, sweep_records

from gift_lib import intervals, metrics
from gift_lib.book import findings
from gift_lib.errors import ConfigError, DataError
from gift_lib.evidence import claims
from gift_lib.evidence.claims import Claim, Comparison, Evidence
from gift_lib.runs import published, sweeps

EMPTY = pd.DataFrame()


@pytest.fixture(scope="module")
def every() -> list[Claim]:
    return claims.load()


def test_every_claim_names_variants_that_exist(every):
    evidence = Evidence(EMPTY)
    for claim in every:
        for c in claim.comparisons:
            assert evidence.records(c.a) == {} and (not c.b or evidence.records(c.b) == {})
    assert len(every) >= 40 and len(claims.untested()) >= 5


def test_every_claim_holds_in_the_published_tables(every):
    """Where both sides are printed, the printed difference itself passes the test: no claim is put in their mouths."""
    evidence, checked = Evidence(EMPTY), 0
    for claim in every:
        for c in claim.comparisons:
            printed = evidence.paper(c)
            if printed is not None:
                assert claims._reserve(c, printed, printed) > 0, (claim.id, c)
                checked += 1
    assert checked >= 140


def test_claims_of_our_own_are_of_variants_that_exist_and_never_counted_with_the_slides(every):
    evidence, own = Evidence(EMPTY), claims.own()
    for c in (c for claim in own for c in claim.comparisons):
        assert evidence.records(c.a) == {} and (not c.b or evidence.records(c.b) == {})
    assert own and not {c.id for c in own} & {c.id for c in every}
    assert not [c.id for c in own if c.where.startswith("slide")]


@pytest.mark.parametrize(("lost", "seeds", "verdict"), [
    (20.0, 5, "supported"), (2.0, 5, "not supported"), (20.0, 3, "no records yet"),
])  # fmt: skip
def test_a_claim_may_be_on_what_is_lost_without_task_identity(lost, seeds, verdict):
    made = sweep_records("later@2", {"MoE-Adapter (I)": 60.0}.get)[:seeds]
    for r in made:
        R_all = [[v - lost for v in row] for row in r["result"]["R"]]
        learned = [[v if j <= i else None for j, v in enumerate(row)] for i, row in enumerate(R_all)]
        r["result"] |= {"R_all": R_all, "R_learned": learned}
    mine = [c for c in claims.own() if c.id == "routes-by-task-fall"]
    (judged,) = claims.evaluate(frame(made), claims=mine)
    assert judged.verdict == verdict


def test_every_published_table_is_behind_a_claim(every):
    used = {name for claim in every for name in claim.sweeps}
    assert {n for n in sweeps.names() if sweeps.load(n).paper} <= used


def test_without_records_each_claim_says_which_command_makes_them(every):
    judged = claims.evaluate(EMPTY)
    assert claims.count(judged) == {"supported": 0, "not supported": 0, "undecided": 0, "no records yet": len(every)}
    for j in judged:
        assert j.missing == tuple(f"make sweep NAME={n} SCALE=mini" for n in j.claim.sweeps)
        assert (claims.details(j)["effect"] == "").all()
    late = sum(c.after_records for c in every)
    n = len(every) - late
    said = f"Of {n} claims taken from the slides' text and tables, on the scale model: {n} no records yet."
    more = f"Of {late} more, written after their first records: {late} no records yet."
    assert claims.headline(judged) == f"{said} {more}"
    assert claims.headline([j for j in judged if not j.claim.after_records]) == said
    assert late > 0


def judge(test, low, high, margin=0.0, n=10):
    """The verdict on an effect of which the interval is low..high, alone in its claim."""
    comparison = Comparison("table1/GIFT", "table1/ZSCL", "Last", test, margin)
    effect = intervals.Estimate((low + high) / 2, (high - low) / 2, n)
    return claims._verdict(comparison, effect, effect)


@pytest.mark.parametrize(
    ("test", "margin", "interval", "verdict"),
    [
        ("higher", 0, (0.1, 2), "supported"),
        ("higher", 0, (-0.1, 2), "undecided"),
        ("higher", 0, (-2, -0.1), "not supported"),
        ("higher", 1, (0.1, 2), "undecided"),
        ("higher", 1, (0.1, 0.9), "not supported"),
        ("lower", 0, (-2, -0.1), "supported"),
        ("lower", 0, (-2, 0.1), "undecided"),
        ("lower", 5, (-4, -3), "not supported"),
        ("lower", 5, (-9, -6), "supported"),
        ("not lower", 1, (-0.9, 3), "supported"),
        ("not lower", 1, (-1.1, 3), "undecided"),
        ("not lower", 1, (-3, -1.1), "not supported"),
        ("equal", 1, (-0.9, 0.9), "supported"),
        ("equal", 1, (-0.9, 1.1), "undecided"),
        ("equal", 1, (1.1, 2), "not supported"),
        ("equal", 1, (-2, -1.1), "not supported"),
        ("above", 5, (5.1, 6), "supported"),
        ("above", 5, (3, 4), "not supported"),
        ("above", 5, (4, 6), "undecided"),
    ],
)
def test_verdict_of_an_interval(test, margin, interval, verdict):
    assert judge(test, *interval, margin) == verdict


def test_one_seed_decides_nothing():
    comparison = Comparison("table1/GIFT", "table1/ZSCL", "Last", "higher", 0.0)
    single = intervals.Estimate(5.0, None, 1)
    assert claims._verdict(comparison, single, single) == claims._verdict(comparison, None, None) == "undecided"


def claim(*comparisons) -> Claim:
    return Claim("x", "part", "text", "slide 1", comparisons)


def last(a, b, test="higher", margin=0.0, metric="Last") -> Comparison:
    return Comparison(f"table1/{a}", f"table1/{b}" if b else "", metric, test, margin)


@pytest.fixture(scope="module")
def evidence() -> Evidence:
    levels = {"GIFT": 70.0, "ZSCL": 68.0, "l2 baseline": 60.0, "Zero-shot": 70.05, "Continual Finetune": 50.0}
    return Evidence(frame(sweep_records("table1", levels.get)))


def test_a_conjunction_needs_every_part(evidence):
    better, worse = last("GIFT", "ZSCL"), last("ZSCL", "GIFT")
    assert claims.judge(claim(better, last("GIFT", "l2 baseline")), evidence).verdict == "supported"
    judged = claims.judge(claim(better, worse), evidence)
    assert judged.verdict == "not supported" and judged.deciding.comparison == worse
    assert [o.verdict for o in judged.outcomes] == ["supported", "not supported"]


def test_effects_are_paired_differences_with_intervals(evidence):
    (outcome,) = claims.judge(claim(last("GIFT", "ZSCL")), evidence).outcomes
    rows = {m: {s: metrics.last(r["result"]["R"]) for s, r in evidence.records(f"table1/{m}").items()}
            for m in ("GIFT", "ZSCL")}  # fmt: skip
    assert outcome.effect == intervals.paired(rows["GIFT"], rows["ZSCL"])
    assert outcome.paper == 2.4 and outcome.reserve == pytest.approx(outcome.effect.low)


def test_near_zero_shot_is_not_lower_but_not_higher(evidence):
    near = [last("GIFT", "Zero-shot", "not lower", 1.0, "Transfer"), last("GIFT", "Zero-shot", "equal", 1.0, "Avg")]
    assert claims.judge(claim(*near), evidence).verdict == "supported"
    assert claims.judge(claim(last("GIFT", "Zero-shot", "higher", 2.0, "Avg")), evidence).verdict == "not supported"


def test_above_takes_the_value_itself(evidence):
    assert claims.judge(claim(last("GIFT", "", "above", 69.0)), evidence).verdict == "supported"
    assert claims.judge(claim(last("GIFT", "", "above", 5.0, "Forgetting")), evidence).verdict == "not supported"


def test_part_of_the_records_is_not_judged(evidence):
    some = evidence.frame[~((evidence.frame["method"] == "gift") & (evidence.frame["seed"] == 7))]
    judged = claims.judge(claim(last("GIFT", "ZSCL"), last("LwF", "ZSCL")), Evidence(some))
    assert judged.verdict == "no records yet" and judged.missing == ("make sweep NAME=table1 SCALE=mini",)
    assert all(o.effect is None for o in judged.outcomes)


def test_refuting_a_part_is_corrected_for_many_parts():
    """Of k parts one is always worst: its interval is widened, so a part just below the limit refutes nothing."""
    base = {s: 60.0 + s for s in range(10)}
    worse = {
        s: v + d for (s, v), d in zip(base.items(), [-1.5, 0.3, -0.9, 0.5, -1.2, 0.2, -1, 0.1, -1, -1], strict=True)
    }
    assert intervals.paired(worse, base).high < 0 < intervals.paired(worse, base, 1 - 0.05 / 8).high
    rows = [*_exact("gift", worse), *_exact("zscl", base)]
    alone, many = claim(last("GIFT", "ZSCL")), claim(*[last("GIFT", "ZSCL")] * 8)
    assert claims.judge(alone, Evidence(frame(rows))).verdict == "not supported"
    judged = claims.judge(many, Evidence(frame(rows)))
    assert judged.verdict == "undecided" and judged.deciding.hangs_on_correction
    assert "; corrected -" in claims.details(judged)["effect"].iloc[0], "the page must show why it is not refuted"
    assert "when corrected for all comparisons" in findings.reason(judged)


def test_a_refuted_comparison_decides_before_a_weaker_undecided_one():
    wide = {s: 60.0 + 20 * (-1) ** s - 1 for s in range(10)}
    rows = [*_exact("gift", dict.fromkeys(range(10), 58.0)), *_exact("zscl", dict.fromkeys(range(10), 60.0)),
            *_exact("finetune", wide)]  # fmt: skip
    judged = claims.judge(claim(last("Continual Finetune", "ZSCL"), last("GIFT", "ZSCL")), Evidence(frame(rows)))
    assert [o.verdict for o in judged.outcomes] == ["undecided", "not supported"]
    assert judged.outcomes[0].reserve < judged.outcomes[1].reserve and judged.deciding is judged.outcomes[1]


def _exact(method: str, levels: dict[int, float]) -> list[dict]:
    cells = [c.experiment for c in sweeps.load("table1").cells if c.experiment.method == method]
    return [record(e, levels[e.seed], noise=0.0) for e in cells]


def test_comparisons_of_a_claim_are_told_apart(every):
    for claim in every:
        said = [str(c) for c in claim.comparisons]
        assert len(set(said)) == len(said), claim.id


def test_pages_show_effect_interval_and_seeds(evidence):
    judged = claims.judge(claim(last("GIFT", "ZSCL"), last("GIFT", "", "above", 69.0)), evidence)
    shown = claims.details(judged)
    assert list(shown.index) == ["Last with GIFT higher than with ZSCL, Order I", "Last with GIFT above 69, Order I"]
    assert shown["effect"].iloc[0].startswith("+") and " to +" in shown["effect"].iloc[0]
    assert shown["published"].tolist() == ["+2.4", ""] and shown["seeds"].tolist() == ["10", "10"]
    assert judged.verdict == "supported" and len(judged.outcomes) == 2
    assert "1 supported" in claims.headline([judged])


def entry(**changes):
    comparison = {"a": "table1/GIFT", "b": "table1/ZSCL", "metrics": ["Last"], "test": "higher", "margin": 0}
    whole = {"id": "x", "part": "p", "text": "t", "where": "slide 1", "comparisons": [comparison]}
    inner = {k: v for k, v in changes.items() if k in comparison or k == "extra"}
    whole["comparisons"] = [{**comparison, **inner}]
    return {**whole, **{k: v for k, v in changes.items() if k not in inner}}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"metrics": ["Lats"]}, "'Last'"),
        ({"test": "hihger"}, "'higher'"),
        ({"test": "above"}, "do not fit"),
        ({"b": ""}, "do not fit"),
        ({"extra": 1}, "no field 'extra'"),
        ({"wher": "slide"}, "'where'"),
        ({"comparisons": []}, "no comparison"),
    ],
)
def test_entries_that_make_no_sense(tmp_path, change, message):
    path = tmp_path / "claims.yml"
    path.write_text(yaml.safe_dump({"claims": [entry(**change)], "untested": []}))
    with pytest.raises(ConfigError, match=message):
        claims.load(path)


def test_missing_margin_and_unknown_variant(tmp_path):
    spec = entry()
    del spec["comparisons"][0]["margin"]
    (tmp_path / "a.yml").write_text(yaml.safe_dump({"claims": [spec], "untested": []}))
    with pytest.raises(ConfigError, match="lacks the field 'margin'"):
        claims.load(tmp_path / "a.yml")
    (tmp_path / "b.yml").write_text(yaml.safe_dump({"claims": [entry(), entry()], "untested": []}))
    with pytest.raises(ConfigError, match="'x' twice"):
        claims.load(tmp_path / "b.yml")
    with pytest.raises(ConfigError, match="'GIFT'"):
        claims.judge(claim(last("GIFTT", "ZSCL")), Evidence(EMPTY))


@pytest.mark.parametrize("text", ["{", "[]", "claims: []"])
def test_broken_file(tmp_path, text):
    (tmp_path / "claims.yml").write_text(text)
    with pytest.raises(DataError, match="restore it"):
        claims.load(tmp_path / "claims.yml")
    with pytest.raises(DataError, match="restore it"):
        claims.load(tmp_path / "nowhere.yml")


def test_effects_of_the_paper_are_differences_of_printed_values():
    evidence = Evidence(EMPTY)
    assert evidence.paper(Comparison("table2/GIFT", "table2/Zero-shot", "Transfer", "higher", 0.0)) == 0.5
    assert (
        evidence.paper(Comparison("ablation-consolidation/AWC", "ablation-consolidation/none", "Last", "higher", 0.0))
        == 1
    )
    assert evidence.paper(Comparison("ablation-images/2000", "ablation-images/1000", "Last", "equal", 1.0)) is None
    assert published.main("I").loc["gift", "Last"] == 86.0


def test_rows_of_two_sweeps_are_compared_on_one_kind_of_machine_only():
    made = sweep_records("table1", lambda v: 60.0)
    other = sweep_records("references", lambda v: 80.0)
    c = Comparison("table1/Continual Finetune", "references/Individual fine-tune", "Last", "lower", 0.0)
    assert claims.Evidence(frame(made + other)).effect(c).mean < 0
    for r in other:
        r["run"]["cpu_capability"] = "another"
    with pytest.raises(DataError, match="more than one kind of CPU"):
        claims.Evidence(frame(made + other)).effect(c)


def test_a_verdict_that_is_open_on_one_world_has_not_turned():
    level = {"Contrastive": 60.0, "Feat. Dist.": 50.0, "Image-only": 60.0, "Text-only": 60.0}
    first, second = sweep_records("ablation-loss@1", level.get), sweep_records("ablation-loss@2", level.get)
    for r in second:
        shift = 25.0 * (r["config"]["seed"] % 2) * (r["config"]["distillation"] != "contrastive")
        r["result"]["R"] = [[v + shift for v in row] for row in r["result"]["R"]]
    table = claims.on_two_worlds(frame(first + second))
    open_ = table[(table["world 1"] == "supported") & (table["world 2"] == "undecided")]
    assert len(open_) and (open_.filter(like="weakest") == "").all(axis=None)


def test_two_worlds_are_told_apart_by_their_records_and_a_verdict_that_turns_says_by_what():
    level = {"Contrastive": 60.0, "Feat. Dist.": 50.0, "Image-only": 60.0, "Text-only": 60.0}
    other = level | {"Feat. Dist.": 70.0}
    found = frame(sweep_records("ablation-loss@1", level.get) + sweep_records("ablation-loss@2", other.get))
    table = claims.on_two_worlds(found)
    (text,) = [t for t in table.index if "feature" in t.lower() and table.at[t, "world 1"] == "supported"]
    row = table.loc[text]
    assert row["world 2"] == "not supported" and "-10.0" in row["by its weakest comparison on world 2"]
    alike = table[table["world 1"] == table["world 2"]]
    assert len(alike) and (alike.filter(like="weakest") == "").all(axis=None)
    assert len(table) == sum(j.verdict != "no records yet" for j in claims.evaluate(found, world="1"))
    half = claims.on_two_worlds(frame(sweep_records("ablation-loss@1", level.get)))
    assert half.empty and list(half.columns) == list(table.columns)
    wanted = next(j for j in claims.evaluate(found, world="2") if j.missing)
    assert all(command.partition("NAME=")[2].split()[0].endswith("@2") for command in wanted.missing)
