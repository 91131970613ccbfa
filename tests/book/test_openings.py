"""The boxes of pages on more than one setting, on records made by hand."""

import re
from dataclasses import replace

import pytest
import yaml
from fixtures_records import frame, sweep_records

from gift_lib import metrics
from gift_lib.book import findings, openings, pages
from gift_lib.intervals import Estimate
from gift_lib.runs import sweeps
from gift_lib.runs.repository import ROOT


def contrast(mean, p=0.001, published=None, name="ZSCL", where="I", metric="Last"):
    return openings.Contrast(name, where, metric, Estimate(mean, 0.1, 5), published, p)


def parts(box: openings.Box) -> list[str]:
    return plain(box).split("\n>\n")[:3]


def opened(sweep: str, level, **options) -> str:
    return plain(openings.opening(frame(sweep_records(sweep, level, **options)), sweep))


def plain(box: openings.Box) -> str:
    """A box without the link that explains what it calls clear."""
    return str(box).replace(findings.CLEAR, "clear")


def test_what_a_box_calls_clear_is_explained_in_the_glossary():
    glossary = (ROOT / "book" / "glossary.md").read_text(encoding="utf-8")
    assert findings.CLEAR.endswith("#term-Clear-difference)") and "\nClear difference\n" in glossary
    level = {"beta=0.25": 60.0, "beta=1.0": 50.0}
    assert findings.CLEAR in str(openings.opening(frame(sweep_records("ablation-ita", level.get)), "ablation-ita"))


@pytest.mark.parametrize("sweep", openings.OPENINGS)
def test_without_records_a_box_names_what_is_missing(sweep, monkeypatch):
    empty = frame([])
    assert openings.box(empty, sweep).sure == ""
    monkeypatch.setattr(pages, "records", lambda folder=None: empty)
    said, first = pages.finding(sweep).data, pages.result(sweep).data
    assert first == f"- {said[2:]}"
    whole = {"claims": "> No claim can be judged yet.", "ablations": "> No ablation has records yet."}
    assert said == whole[sweep] if sweep in whole else f"make sweep NAME={sweep}" in said


@pytest.mark.parametrize(("mean", "p", "published", "sign", "verdict"), [
    (2.0, 0.01, -1.0, 1, "reversed"), (-2.0, 0.01, -1.0, -1, "as published"), (2.0, 0.2, -1.0, 0, "undecided"),
    (2.0, None, -1.0, 0, "undecided"), (2.0, 0.01, None, 1, "undecided"), (2.0, 0.01, 0.0, 1, "undecided"),
])  # fmt: skip
def test_a_contrast_is_clear_or_not_and_may_contradict(mean, p, published, sign, verdict):
    c = contrast(mean, p, published)
    assert (c.sign, c.verdict) == (sign, verdict)


def test_differences_that_agree_are_named_with_their_range():
    found = [contrast(2.0, where="I", published=1.0), contrast(3.5, where="II")]
    came, sure, against = parts(openings.agreement(found, "orders"))
    assert "In both orders GIFT stands clearly above ZSCL in Last. From the smallest to the largest" in came
    assert "\n> - GIFT minus ZSCL: Last +2.0 to +3.5" in came, "a line per method"
    assert "5 seeds per difference; 2 of 2 differences are clear" in sure and "None of them changes sign" in sure
    assert "The paper has numbers for 1 of the clear differences: it has the same sign." in against


def test_a_difference_that_turns_is_named_and_one_that_is_clear_in_places_only():
    found = [contrast(2.0, where="I"), contrast(-1.5, where="II", published=1.0)]
    found += [contrast(1.0, where="I", metric="Avg"), contrast(1.0, 0.5, where="II", metric="Avg")]
    came, sure, against = parts(openings.agreement(found, "orders"))
    assert "GIFT stands clearly now above, now below ZSCL in Last." in came and "Last -1.5 to +2.0" in came
    assert "Clear in some orders only, or in none: ZSCL in Avg." in came
    assert "One of them changes sign" in sure
    assert "numbers for 1 of the clear differences: 1 has the other sign, GIFT minus ZSCL in Last (-1.5 here" in against


def test_what_was_not_measured_everywhere_is_not_said_of_all_places():
    found = [contrast(2.0, where=w) for w in ("I", "II", "III")] + [contrast(2.0, name="LwF", where="I")]
    came, *_ = parts(openings.agreement(found, "orders"))
    assert "in all 3 orders GIFT stands clearly above ZSCL in Last." in came.replace("In all", "in all")
    assert "Clear in some orders only, or in none: LwF in Last." in came


def test_a_range_runs_from_the_smallest_to_the_largest_difference_and_not_by_size():
    found = [contrast(m, where=w) for m, w in ((0.5, "I"), (-2.0, "II"), (3.0, "III"))]
    assert "GIFT minus ZSCL: Last -2.0 to +3.0" in parts(openings.agreement(found, "orders"))[0]


def test_what_the_paper_prints_as_equal_is_no_missing_number():
    equal = [contrast(1.0, published=0.0)]
    assert openings.contradicted(equal) == "It prints 1 of them as equal."
    assert openings.contradicted([*equal, contrast(1.0, published=2.0)]).endswith(
        "1 of the clear differences: it has the same sign. It prints 1 more as equal."
    )
    assert "no number" in openings.contradicted([contrast(1.0, published=None)])


def test_clearly_first_is_clearly_ahead_of_every_method():
    """The next method is clearly behind; one that varies more is nearly as high and not clearly behind."""
    level = dict.fromkeys(sweeps.load("table1").variants, 30.0) | {"GIFT": 60.0, "ZSCL": 59.0}
    made = sweep_records("table1", level.get)
    sure = plain(openings.of_table(frame(made), order="I"))
    assert "GIFT is clearly first in Transfer, Avg and Last: in Transfer ahead of ZSCL by" in sure
    for r in made:
        if r["config"]["method"] == "lwf":
            shift = {0: 45.0, 1: 5.0, 2: 40.0, 3: 10.0, 4: 43.0}[r["config"]["seed"]]
            r["result"]["R"] = [[v + shift for v in row] for row in r["result"]["R"]]
    said = plain(openings.of_table(frame(made), order="I"))
    assert "GIFT is clearly first in none of the three numbers: in Transfer ahead of ZSCL by" in said
    assert "(clear, but not for LwF)" in said


def test_a_question_is_answered_by_whether_a_difference_turns():
    alike, turned = ([contrast(2.0, where="(1)"), contrast(d, where="(2)")] for d in (3.0, -3.0))
    words = {"same": "They would not:", "turns": "In part:"}
    assert openings.agreement(alike, "places", **words).lead.startswith("They would not: in both places GIFT stands")
    assert openings.agreement(turned, "places", **words).lead.startswith("In part: in both places GIFT stands")


def test_nothing_clear_is_said_as_such():
    came, _, against = parts(openings.agreement([contrast(0.1, 0.9, 1.0)], "orders"))
    assert "No difference is clear everywhere." in came and "no number" in against


def test_orders_compare_within_each_and_skip_what_has_no_records():
    level = {"GIFT": 70.0, "Continual Finetune": 60.0}
    shuffled = {"shuffle 1, GIFT": 70.0, "shuffle 1, Continual Finetune": 60.0}
    came, sure, _ = parts(openings.box(frame(sweep_records("table1", level.get)), "own-orders"))
    assert "In one of the orders GIFT stands clearly above Continual Finetune in all three numbers." in came
    assert "Transfer +10.0" in came
    both = frame([*sweep_records("table1", level.get), *sweep_records("own-orders", shuffled.get)])
    came, sure, _ = parts(openings.box(both, "own-orders"))
    assert "In both orders" in came and "3 to 10 seeds" in sure and "6 of 6 differences are clear" in sure


def test_pretrainings_compare_within_each():
    ours = sweep_records("table1", {"GIFT": 70.0, "ZSCL": 60.0}.get)
    other = sweep_records("pretrainings", {"GIFT (1)": 60.0, "ZSCL (1)": 70.0}.get)
    came, sure, against = parts(openings.box(frame([*ours, *other]), "pretrainings"))
    assert "GIFT stands clearly now above, now below ZSCL in all three numbers" in came
    assert "Some of them change sign" in sure
    assert "all have the same sign" in against, "the published difference is beside the tables' own pre-training"


def test_references_stand_against_gift():
    ours = sweep_records("table1", {"GIFT": 60.0}.get)
    others = {"Individual fine-tune": 70.0, "Joint training": 75.0, "GIFT with real images": 60.0}
    came, sure, _ = parts(openings.references(frame([*ours, *sweep_records("references", others.get, noise=0.4)])))
    clear, unclear = came.split(" Undecided: ")
    assert "Clearly above GIFT: *Individual fine-tune* (Last +" in clear and "*Joint training* (Last +1" in clear
    assert (
        unclear.startswith("*GIFT with real images* in all three numbers, by")
        and "2 of 5 differences are clear" in sure
    )


def test_reasons_count_fates_and_name_what_stays_reversed():
    level = {"Continual Finetune": 50.0, "l2 baseline": 60.0, "GIFT": 40.0}
    changed = {"GIFT, no AWC": 70.0}
    found = frame([*sweep_records("table1", level.get), *sweep_records("own-why", changed.get)])
    came, sure, against = parts(openings.reasons(found))
    assert "pairs that stand reversed here" in came and "stand as published under some change" in came
    assert "not corrected" in sure and "pairs stay clearly reversed under every change" in against


def test_judgements_count_claims_and_quote_the_refuted_ones():
    level = {"Contrastive": 50.0, "Feat. Dist.": 60.0, "Image-only": 40.0, "Text-only": 40.0}
    came, sure, against = parts(openings.judgements(frame(sweep_records("ablation-loss", level.get))))
    assert "not supported" in came and "5 seeds per method or setting" in sure
    assert against.count("“") == against.count("”") >= 1


def test_ablations_name_their_largest_effects_and_the_signs_that_turn():
    level = {"beta=0.0": 60.0, "beta=0.25": 60.0, "beta=0.5": 65.0, "beta=1.0": 50.0}
    came, sure, beside = parts(openings.ablations(frame(sweep_records("ablation-ita", level.get))))
    assert came.count("with the scale of image-text alignment (-1") == 3 and came.count(": *beta=1.0*)") == 3
    assert "Of 3 settings 2 clearly differ" in came and "nothing is clear" not in came
    assert "6 of 9 differences are clear" in sure
    assert "numbers for 6 of the clear differences: 3 have the other sign, *beta=0.5* in" in beside


def test_a_reference_that_draws_nothing_stands_beside_every_seed():
    both = frame(sweep_records("table1", {"GIFT": 60.0, "Zero-shot": 50.0}.get))
    came, _, beside = parts(openings.references(both))
    assert (
        "Clearly below GIFT: *Zero-shot* (Transfer -" in came and "Last -" in came and "The paper has numbers" in beside
    )


def test_a_box_says_what_came_out_how_sure_and_what_it_contradicts():
    level = {"beta=0.0": 60.0, "beta=0.25": 60.0, "beta=0.5": 65.0, "beta=1.0": 50.0}
    said = opened("ablation-ita", level.get).split("\n>\n")
    assert [line.split("**")[1] for line in said[:3]] == ["What came out.", "How sure.", "Beside the paper."]
    assert said[3] == f"> {findings.LEGEND}"
    first, others = said[0].split(" Undecided: ")
    assert "compared with *beta=0.25*, the default: clearly better with *beta=0.5* (Transfer +" in first
    assert "; clearly worse with *beta=1.0* (Transfer -1" in first and "beta=0.0" not in first
    assert others == "*beta=0.0* in all three numbers, by intervals that span +0.0 to +0.0."
    assert "5 seeds per difference; 6 of 9 differences are clear (corrected, in each metric, for the number" in said[1]
    # published: beta 0.5 and 1.0 both cost Transfer, Avg and Last
    assert said[2].count("*beta=0.5*") == 3 and "*beta=1.0*" not in said[2]
    assert "numbers for 6 of the clear differences: 3 have the other sign, *beta=0.5*" in said[2]
    assert "The slides' [claims](claims.ipynb) on it: 1 supported, 1 not supported, 1 undecided." in said[2]


def test_a_setting_that_is_better_here_and_worse_there_is_said_to_be_both():
    found = [contrast(d, name="a", where="", metric=m) for m, d in (("Transfer", 1.0), ("Last", -2.0))]
    assert openings._directions(found) == (
        "better in one number, worse in another with *a* (Transfer +1.0 ± 0.1 and Last -2.0 ± 0.1)"
    )


def test_a_box_without_a_clear_difference_claims_nothing():
    said = opened("ablation-ita", lambda v: 60.0)
    assert "the default: nothing is clear. Undecided: *beta=0.0*, *beta=0.5* and *beta=1.0* in all three" in said
    assert "0 of 9 differences are" in said and "no number" in said


def test_a_box_of_one_setting_corrects_nothing_and_an_own_ablation_has_no_paper():
    said = opened("own-awc-normalisation", {"F / mean(F)": 60.0, "F": 50.0}.get)
    assert "3 of 3 differences are clear, ±" in said and "The paper has no such experiment." in said
    assert "*F* weighs each parameter by its squared gradient" in said, "names are explained where they are first met"


@pytest.mark.parametrize(("sweep", "level", "first"), [
    ("ablation-steps", {"w/ AWC, 20 steps": 60.0, "w/ AWC, 10 steps": 55.0, "w/o AWC, 20 steps": 40.0},
     "compared with twice as many: clearly worse with *10 steps with AWC* (Transfer -"),
    ("ablation-guidance", {"1K, medium": 60.0, "1K, small": 65.0, "3K, small": 50.0, "3K, medium": 50.0},
     "compared with guidance 7.5 on as many images: clearly better with *guidance 2.5 at 1K* (Transfer +"),
])  # fmt: skip
def test_a_box_answers_the_question_of_its_page_and_not_another(sweep, level, first):
    """What differs in two things from the default has the setting beside it to be compared with."""
    said = opened(sweep, level.get)
    assert first in said.split("\n")[0] and "w/o AWC" not in said
    assert "no records yet" not in said


def test_the_box_on_sources_says_which_tasks_lose():
    said = opened("ablation-source", {"both": 60.0, "concepts only": 50.0, "past tasks only": 60.0}.get)
    lost = "Transfer clearly differs between *past tasks only* and *both*."
    assert re.search(r"(In none of|Of) \d+ tasks,? Forgetting", said) and lost in said and "  " not in said


def test_every_question_is_of_settings_that_there_are():
    texts = yaml.safe_load((ROOT / "book" / "data" / "questions.yml").read_text(encoding="utf-8"))
    for name, asked in texts.items():
        variants = sweeps.load(name).variants
        assert all({a, b} <= set(variants) and m in metrics.PER_TASK for a, b, m in asked.get("tasks", ()))
        assert ("same" in asked) == ("turns" in asked)
        assert all(len(pair) == 2 and set(pair) <= set(variants) for pair in asked.get("pairs", {}).values())
        assert (
            ("pairs" in asked) == ("against" in asked)
            and ("same" in asked) == ("turns" in asked)
            and asked.get("words", ".").endswith(".")
        )


@pytest.mark.parametrize(("sweep", "level"), [
    ("ablation-consolidation", {"AWC": 60.0, "none": 50.0}), ("ablation-images", {"1000": 60.0, "125": 50.0}),
    ("ablation-source", {"both": 60.0, "concepts only": 50.0}),
])  # fmt: skip
def test_an_experiment_of_the_paper_without_numbers_of_its_table_is_not_called_ours(sweep, level):
    said = opened(sweep, level.get)
    assert "Beside the paper.** The paper has no number for" in said or "numbers for" in said
    assert "no such experiment" not in said


LOSS = {"Contrastive": 60.0, "Image-only": 50.0, "Feat. Dist.": 55.0}


@pytest.mark.parametrize("sweep", ["ablation-loss", "ablations", "claims"])
def test_a_box_says_that_runs_are_of_an_earlier_version_and_where_it_matters(sweep):
    new = sweep_records("ablation-loss", {**LOSS, "Text-only": 50.0}.get)
    old = [{**r, "identity": {**r["identity"], "numerics": 1}} for r in new]
    assert "earlier version" not in str(openings.box(frame(new), sweep))
    said = str(openings.box(frame(old), sweep))
    assert "of an earlier version of this code" in said
    assert "and more than rounding in *Image-only* and *Text-only* (†)." in said


@pytest.mark.parametrize("sweep", ["pretrainings", "own-orders", "references", "own-why"])
def test_the_age_of_a_box_is_that_of_the_rows_it_compares(sweep):
    level = {"GIFT": 60.0, "ZSCL": 55.0, "LwF-VR": 70.0, "Continual Finetune": 50.0, "Zero-shot": 50.0}
    made = [*sweep_records("table1", level.get), *sweep_records("own-why", {"ZSCL, no l2": 70.0}.get)]
    old = [{**r, "identity": {**r["identity"], "numerics": 1}} for r in made]
    said = str(openings.box(frame(old), sweep))
    assert "of an earlier version of this code" in said and ("more than rounding" in said) == (sweep == "own-why")


@pytest.mark.parametrize("sweep", ["ablation-ita", "own-world"])
def test_a_sweep_without_records_or_default_has_no_box(sweep):
    assert openings.opening(frame([]), sweep) is None


def test_the_box_of_a_table_names_the_leader_and_counts_the_pairs():
    def level(variant):
        return {"GIFT": 70.0, "Zero-shot": 80.0, "Continual Finetune": 65.0}.get(variant, 50.0)

    said = str(openings.box(frame(sweep_records("table1", level)), "table1"))
    assert re.search(r"in Transfer ahead of Continual Finetune by [45]\.\d \(clear\); in Avg ahead of", said)
    assert "5 to 10 seeds per method" in said and "Continual Finetune above" in said
    leads = (
        "There GIFT leads the trained methods in Transfer, Avg and Last; here it does so clearly in Transfer, Avg and"
    )
    assert leads in said and "Of 108 comparisons" in said
    assert "asks for less" not in said, "nothing is supported that is not clear"


def test_a_table_says_whom_gift_is_behind_and_whether_that_is_clear():
    def said(level):
        return str(openings.box(frame(sweep_records("table1", level.get)), "table1"))

    assert re.search(r"in Last behind LwF by (9|10)\.\d \(clear\)", said({"GIFT": 60.0, "ZSCL": 60.0, "LwF": 70.0}))
    alike = said({"GIFT": 60.0, "ZSCL": 60.0})
    assert len(re.findall(r"(ahead of|behind) ZSCL by 0\.[1-9] \(not clear\)|level with ZSCL", alike)) == 3
    assert "by 0.0" not in alike and "here it does so clearly in none of the three" in alike
    assert openings.of_table(frame(sweep_records("table1", {"GIFT": 60.0}.get)), order="I") is None, "nothing beside it"


def test_a_claim_may_hold_where_a_difference_behind_it_is_not_clear_among_all_pairs():
    made = frame(sweep_records("table1", {"GIFT": 60.0, "ZSCL": 50.0, "l2 baseline": 40.0}.get))
    pair = openings.pairs(made, "I", "Transfer")[0]
    held = {"ZSCL is above the l2 baseline in", "GIFT is above the l2 baseline in"}
    every = [c for m in openings.METRICS for c in openings.pairs(made, "I", m)]
    assert pair.sign and openings._milder(made, sweeps.load("table1"), every, "mini") == ""
    unclear = [replace(c, p=0.2) for c in every]
    said = openings._milder(made, sweeps.load("table1"), unclear, "mini")
    assert "A [claim](claims.ipynb) asks for less" in said and all(f"“{text}" in said for text in held)
    assert said.endswith("are supported.") and said.count("“") == len(held)


def test_a_name_that_ends_in_a_full_stop_ends_its_sentence():
    assert pages.typeset("Worse: *Feat. Dist.*.") == "Worse: *Feat. Dist.*"
    assert pages.typeset("By *a photo of a {c}.*. Then") == "By *a photo of a {c}.* Then"


def test_a_page_with_a_box_says_its_finding_again_in_its_summary(monkeypatch):
    kept = frame(sweep_records("ablation-loss", LOSS.get))
    monkeypatch.setattr(pages, "records", lambda folder=None: kept)
    said = pages.result("ablation-loss").data
    assert said.startswith("- Distillation loss, compared with *Contrastive*, the default: clearly worse with *Feat")
    assert said[2:] in pages.finding("ablation-loss").data and "Undecided" not in said
