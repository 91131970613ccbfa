"""The boxes of pages on more than one setting, on records made by hand."""

import re

import pytest
from fixtures_records import frame, sweep_records

from gift_lib.book import openings, pages
from gift_lib.intervals import Estimate


def contrast(mean, p=0.001, published=None, name="ZSCL", where="I", metric="Last"):
    return openings.Contrast(name, where, metric, Estimate(mean, 0.1, 5), published, p)


def parts(box: str) -> list[str]:
    return box.split("\n>\n")[:3]


@pytest.mark.parametrize("sweep", openings.OPENINGS)
def test_without_records_a_box_names_what_is_missing(sweep, monkeypatch):
    empty = frame([])
    assert openings.OPENINGS[sweep](empty) == ""
    monkeypatch.setattr(pages, "records", lambda folder=None: empty)
    said = pages.finding(sweep).data
    whole = {"claims": "> No claim can be judged yet.", "ablations": "> No ablation has records yet."}
    assert said == whole[sweep] if sweep in whole else f"make sweep NAME={sweep}" in said


@pytest.mark.parametrize(("mean", "p", "published", "sign", "against"), [
    (2.0, 0.01, -1.0, 1, True), (-2.0, 0.01, -1.0, -1, False), (2.0, 0.2, -1.0, 0, False), (2.0, None, -1.0, 0, False),
    (2.0, 0.01, None, 1, False), (2.0, 0.01, 0.0, 1, False),
])  # fmt: skip
def test_a_contrast_is_clear_or_not_and_may_contradict(mean, p, published, sign, against):
    c = contrast(mean, p, published)
    assert (c.sign, c.against) == (sign, against)


def test_differences_that_agree_are_named_with_their_range():
    found = [contrast(2.0, where="I", published=1.0), contrast(3.5, where="II")]
    came, sure, against = parts(openings.agreement(found, "orders"))
    assert came.endswith("In all 2 orders GIFT stands clearly above ZSCL in Last (+2.0 to +3.5).")
    assert "5 seeds per difference; 2 of 2 differences are clear" in sure and "None of them changes sign" in sure
    assert "The paper has numbers for 1 of the clear differences: it has the same sign." in against


def test_a_difference_that_turns_is_named_and_one_that_is_clear_in_places_only():
    found = [contrast(2.0, where="I"), contrast(-1.5, where="II", published=1.0)]
    found += [contrast(1.0, where="I", metric="Avg"), contrast(1.0, 0.5, where="II", metric="Avg")]
    came, sure, against = parts(openings.agreement(found, "orders"))
    assert "GIFT stands clearly now above, now below ZSCL in Last (-1.5 to +2.0)." in came
    assert "Clear in some orders only, or in none: ZSCL in Avg." in came
    assert "One of them changes sign" in sure
    assert "numbers for 1 of the clear differences: 1 has the other sign, GIFT minus ZSCL in Last (-1.5 here" in against


def test_nothing_clear_is_said_as_such():
    came, _, against = parts(openings.agreement([contrast(0.1, 0.9, 1.0)], "orders"))
    assert came.endswith("No difference is clear everywhere.") and "no number" in against


def test_orders_compare_within_each_and_skip_what_has_no_records():
    level = {"GIFT": 70.0, "Continual Finetune": 60.0}
    shuffled = {"shuffle 1, GIFT": 70.0, "shuffle 1, Continual Finetune": 60.0}
    came, sure, _ = parts(openings.orders(frame(sweep_records("table1", level.get))))
    assert "In one of the orders GIFT stands clearly above Continual Finetune in Transfer (+10.0 to +10.0)" in came
    both = frame([*sweep_records("table1", level.get), *sweep_records("own-orders", shuffled.get)])
    came, sure, _ = parts(openings.orders(both))
    assert "In all 2 orders" in came and "3 to 10 seeds" in sure and "6 of 6 differences are clear" in sure


def test_pretrainings_compare_within_each():
    ours = sweep_records("table1", {"GIFT": 70.0, "ZSCL": 60.0}.get)
    other = sweep_records("pretrainings", {"GIFT (1)": 60.0, "ZSCL (1)": 70.0}.get)
    came, sure, against = parts(openings.pretrainings(frame([*ours, *other])))
    assert "GIFT stands clearly now above, now below ZSCL in Transfer" in came
    assert "Some of them change sign" in sure
    assert "all have the same sign" in against, "the published difference is beside the tables' own pre-training"


def test_references_stand_against_gift():
    ours = sweep_records("table1", {"GIFT": 60.0}.get)
    others = {"Individual fine-tune": 70.0, "Joint training": 75.0, "GIFT with real images": 60.0}
    came, sure, _ = parts(openings.references(frame([*ours, *sweep_records("references", others.get, noise=0.4)])))
    clear, unclear = came.split("Not clearly different from it: ")
    assert "*Individual fine-tune* (Last +" in clear and "*Joint training* (Last +1" in clear
    assert "*GIFT with real images* (Transfer" in unclear and "2 of 5 differences are clear" in sure


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
    assert "Of 3 settings 2 clearly differ" in came and came.count("with *beta=1.0* (") == 3
    assert "6 of 9 differences are clear" in sure
    assert "numbers for 6 of the clear differences: 3 have the other sign, *beta=0.5* in" in beside


@pytest.mark.parametrize("a, b", [
    ("ablation-steps", "ablation-consolidation"),  # w/o AWC, 20 steps: none
    ("ablation-images", "ablation-guidance"),  # 768: 3K, medium
])  # fmt: skip
def test_runs_that_two_ablations_compare_count_once(a: str, b: str):
    each = [openings.ablations(frame(sweep_records(s, lambda v: 60.0))) for s in (a, b)]
    both = openings.ablations(frame([*sweep_records(a, lambda v: 60.0), *sweep_records(b, lambda v: 60.0)]))
    counts = [int(re.search(r"Of (\d+) settings", said)[1]) for said in (*each, both)]
    assert counts[2] == sum(counts[:2]) - 1


def test_a_reference_that_draws_nothing_stands_beside_every_seed():
    both = frame(sweep_records("table1", {"GIFT": 60.0, "Zero-shot": 50.0}.get))
    came, _, beside = parts(openings.references(both))
    assert "*Zero-shot* (Transfer -" in came and "Last -" in came and "The paper has numbers" in beside
