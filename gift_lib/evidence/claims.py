"""The claims: what the slides say, judged by our records under rules written down before the records existed.

`book/data/claims.yml` holds the claims and explains its fields. A claim is a conjunction of comparisons, each a
test of one difference against a margin. It is supported when all comparisons are (each at 95 %: a conjunction
needs no correction), not supported when one is refuted (its interval at 1 - 0.05 / k lies wholly on the wrong
side, Bonferroni over the k comparisons), else undecided. All seeds of the sweep must be there: a claim is not
judged on part of its records. A claim that was written down when records behind it were there is counted apart.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from gift_lib import intervals, metrics
from gift_lib.errors import ConfigError, DataError, nearest
from gift_lib.evidence import tables
from gift_lib.intervals import Estimate
from gift_lib.runs import sweeps
from gift_lib.runs.repository import book_folder
from gift_lib.runs.sweeps import Sweep

TESTS = ("higher", "lower", "not lower", "equal", "above")
VERDICTS = ("supported", "not supported", "undecided", "no records yet")
_CLAIM = {"id", "part", "text", "where", "comparisons", "after_records", "here"}
_COMPARISON = {"a", "b", "metrics", "test", "margin"}


@dataclass(frozen=True)
class Comparison:
    """One test: metric of variant `a` against variant `b` ('' for the test "above"), margin in points."""

    a: str
    b: str
    metric: str
    test: str
    margin: float

    @property
    def limits(self) -> tuple[float, float]:
        """The differences at which a verdict can turn."""
        return self.margin, -self.margin

    def __str__(self) -> str:
        """The test in words, with the order of a main table, and the batch where the rows are of two."""
        (sweep, _, name_a), (other, _, name_b) = (v.partition("/") for v in (self.a, self.b))
        if other and sweep != other:
            name_a, name_b = _with_batch(name_a, sweep), _with_batch(name_b, other)
        order = "".join(f", Order {o}" for o, name in tables.MAIN.items() if name == sweep)
        if self.test == "above":
            return f"{self.metric} with {name_a} above {self.margin:g}{order}"
        by = f" by more than {self.margin:g}" if self.margin else ""
        said = {"equal": f"within {self.margin:g} of", "not lower": f"at most {self.margin:g} below"}
        said |= {test: f"{test}{by} than with" for test in ("higher", "lower")}
        return f"{self.metric} with {name_a} {said[self.test]} {name_b}{order}"


def _with_batch(row: str, sweep: str) -> str:
    return row if sweep in tables.MAIN.values() else f"{row} ({sweep})"


@dataclass(frozen=True)
class Claim:
    """A statement of the slides and the comparisons that judge it."""

    id: str
    part: str
    text: str
    where: str
    comparisons: tuple[Comparison, ...]
    #: Whether it was written down when records that judge it were there.
    after_records: bool = False
    #: What the words of the slide are here, where that has to be said.
    here: str = ""

    @property
    def sweeps(self) -> tuple[str, ...]:
        """The sweeps whose records it needs."""
        names = (v.partition("/")[0] for c in self.comparisons for v in (c.a, c.b) if v)
        return tuple(dict.fromkeys(names))


@dataclass(frozen=True)
class Outcome:
    """One comparison judged: the effect (a - b, or a) with its 95 % interval, the paper's own effect where printed."""

    comparison: Comparison
    effect: Estimate | None
    verdict: str
    paper: float | None
    #: The same effect with the wider interval that refutes, corrected for the number of the claim's comparisons.
    corrected: Estimate | None = None

    @property
    def hangs_on_correction(self) -> bool:
        """Whether the 95 % interval lies on the wrong side, and only the correction keeps it from being refuted."""
        e = self.effect
        return (
            self.verdict == "undecided"
            and e is not None
            and e.low is not None
            and _refuted(self.comparison, e.low, e.high)
        )

    @property
    def reserve(self) -> float:
        """How far the interval's near end is from the limit, in points: negative where the test is not passed."""
        if self.effect is None or self.effect.low is None:
            return float("-inf")
        return _reserve(self.comparison, self.effect.low, self.effect.high)


@dataclass(frozen=True)
class Judged:
    """A claim with its verdict, the outcome of each comparison, and the commands that make missing records."""

    claim: Claim
    verdict: str
    outcomes: tuple[Outcome, ...]
    missing: tuple[str, ...] = ()

    @property
    def deciding(self) -> Outcome:
        """The comparison that the verdict hangs on: the weakest one, and a refuted one where there is any."""
        return min(self.outcomes, key=lambda o: (o.verdict != "not supported", o.reserve))


def load(path: str | Path | None = None) -> list[Claim]:
    """All claims; DataError where the file is broken, ConfigError where an entry makes no sense."""
    return [_claim(entry) for entry in _read(path)["claims"]]


def own() -> list[Claim]:
    """Claims that are not the slides': of later papers and of our own, in `book/data/own_claims.yml`."""
    return load(book_folder() / "data" / "own_claims.yml")


def untested(path: str | Path | None = None) -> pd.DataFrame:
    """The statements that no record can judge: text, where they stand, why."""
    return pd.DataFrame(_read(path)["untested"], columns=["text", "where", "why"])


def _read(path: str | Path | None) -> Mapping[str, Any]:
    path = Path(path) if path else book_folder() / "data" / "claims.yml"
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise DataError(f"{path} cannot be read ({error}): restore it from the repository.") from error
    if not isinstance(content, dict) or not {"claims", "untested"} <= content.keys():
        raise DataError(f"{path} must hold the lists `claims` and `untested`: restore it from the repository.")
    ids = Counter(c.get("id") for c in content["claims"])
    if twice := [i for i, n in ids.items() if n > 1]:
        raise ConfigError(f"{path.name} has the id {twice[0]!r} twice: give each claim its own.")
    return content


def _claim(entry: Mapping[str, Any]) -> Claim:
    entry = {"after_records": False, "here": "", **entry}
    _fields(entry, _CLAIM, f"claim {entry.get('id')!r}")
    comparisons = tuple(c for spec in entry["comparisons"] for c in _comparisons(spec, entry["id"]))
    if not comparisons:
        raise ConfigError(f"claim {entry['id']!r} has no comparison: say what tests it, or list it under `untested`.")
    return Claim(**{**entry, "where": str(entry["where"]), "comparisons": comparisons})


def _comparisons(spec: Mapping[str, Any], claim: str) -> Iterator[Comparison]:
    spec = {"b": "", **spec}
    _fields(spec, _COMPARISON, f"a comparison of claim {claim!r}")
    if spec["test"] not in TESTS:
        raise ConfigError(f"claim {claim!r} has the test {spec['test']!r}; {nearest(str(spec['test']), TESTS)}")
    if (spec["test"] == "above") != (spec["b"] == ""):
        raise ConfigError(f"claim {claim!r}: the test {spec['test']!r} and b = {spec['b']!r} do not fit together.")
    for metric in spec["metrics"]:
        if metric not in metrics.NAMES:
            raise ConfigError(f"claim {claim!r} has the metric {metric!r}; {nearest(metric, metrics.NAMES)}")
        for b in [spec["b"]] if isinstance(spec["b"], str) else spec["b"]:
            yield Comparison(spec["a"], b, metric, spec["test"], float(spec["margin"]))


def _fields(entry: Mapping[str, Any], wanted: set[str], what: str) -> None:
    for key in entry:
        if key not in wanted:
            raise ConfigError(f"{what} has no field {key!r}; {nearest(str(key), wanted)}")
    if lacking := sorted(wanted - entry.keys()):
        raise ConfigError(f"{what} lacks the field {lacking[0]!r}: add it to book/data/claims.yml.")


class Evidence:
    """The records of a frame by sweep and variant, read once for all claims; of a world, if one is named."""

    def __init__(self, frame: pd.DataFrame, scale: str = "mini", world: str = ""):
        self.frame, self.scale, self.world = frame, scale, world
        self._sweeps: dict[str, Sweep] = {}
        self._found: dict[str, dict[str, dict[int, Mapping]]] = {}

    def sweep(self, name: str) -> Sweep:
        """A sweep at this scale and on this world."""
        if name not in self._sweeps:
            self._sweeps[name] = sweeps.load(self.named(name), self.scale)
        return self._sweeps[name]

    def named(self, name: str) -> str:
        """The name that runs a sweep on this world."""
        return f"{name}@{self.world}" if self.world else name

    def records(self, variant: str) -> dict[int, Mapping]:
        """{seed: record} of `<sweep>/<variant>`; ConfigError for a variant that the sweep does not have."""
        name, _, row = variant.partition("/")
        if row not in self.sweep(name).variants:
            raise ConfigError(f"sweep {name!r} has no variant {row!r}; {nearest(row, self.sweep(name).variants)}")
        if name not in self._found:
            self._found[name] = tables.by_variant(self.frame, self.sweep(name))
        return self._found[name][row]

    def lacks(self, variant: str) -> bool:
        """Whether a seed that the sweep asks for has no record."""
        name, _, row = variant.partition("/")
        wanted = {c.experiment.seed for c in self.sweep(name).cells if c.variant == row}
        return not wanted <= self.records(variant).keys()

    def effect(self, c: Comparison, level: float = 0.95) -> Estimate | None:
        """a - b over shared seeds with its interval at a level, or a itself for "above"."""
        if not c.b:
            found = tables.values(self.records(c.a), c.metric)
            return intervals.interval(list(found.values()), level) if found else None
        pair = {"a": self.records(c.a), "b": self.records(c.b)}
        return tables.compare(pair, "a", "b", c.metric, level)

    @cached_property
    def printed(self) -> dict[str, dict[str, float]]:
        """{sweep/variant: {metric: published value}}."""
        return {
            f"{n}/{v}": row for n in sweeps.names(self.scale) for v, row in tables.published_of(self.sweep(n)).items()
        }

    def paper(self, c: Comparison) -> float | None:
        """The effect in the published tables, where both sides are printed."""
        a, b = (self.printed.get(v, {}).get(c.metric) for v in (c.a, c.b))
        return None if a is None or b is None else round(a - b, 1)


def judge(claim: Claim, evidence: Evidence) -> Judged:
    """The verdict on one claim."""
    lacking = [v for c in claim.comparisons for v in (c.a, c.b) if v and evidence.lacks(v)]
    names = dict.fromkeys(evidence.named(v.split("/")[0]) for v in lacking)
    commands = tuple(tables.sweep_command(n, evidence.scale) for n in names)
    outcomes = tuple(_outcome(c, evidence, len(claim.comparisons), bool(lacking)) for c in claim.comparisons)
    verdicts = {o.verdict for o in outcomes}
    if lacking:
        verdict = "no records yet"
    elif verdicts == {"supported"}:
        verdict = "supported"
    else:
        verdict = "not supported" if "not supported" in verdicts else "undecided"
    return Judged(claim, verdict, outcomes, commands)


def _outcome(c: Comparison, evidence: Evidence, comparisons: int, lacking: bool) -> Outcome:
    printed = evidence.paper(c)
    if lacking:
        return Outcome(c, None, "no records yet", printed)
    effect = evidence.effect(c)
    strict = evidence.effect(c, 1 - 0.05 / comparisons)
    return Outcome(c, effect, _verdict(c, effect, strict), printed, strict)


def _verdict(c: Comparison, effect: Estimate | None, strict: Estimate | None) -> str:
    """Supported by the 95 % interval, refuted by the stricter one; an effect without an interval decides nothing."""
    if effect is None or strict is None or effect.low is None:
        return "undecided"
    if _reserve(c, effect.low, effect.high) > 0:
        return "supported"
    return "not supported" if _refuted(c, strict.low, strict.high) else "undecided"


def _reserve(c: Comparison, low: float, high: float) -> float:
    """By how much an interval clears the test; negative or zero where it does not."""
    return {
        "higher": low - c.margin,
        "above": low - c.margin,
        "lower": -high - c.margin,
        "not lower": low + c.margin,
        "equal": c.margin - max(abs(low), abs(high)),
    }[c.test]


def _refuted(c: Comparison, low: float, high: float) -> bool:
    """Whether a whole interval lies on the wrong side of the limit."""
    return {
        "higher": high < c.margin,
        "above": high < c.margin,
        "lower": -low < c.margin,
        "not lower": high < -c.margin,
        "equal": low > c.margin or high < -c.margin,
    }[c.test]


def evaluate(
    frame: pd.DataFrame, scale: str = "mini", claims: Sequence[Claim] | None = None, world: str = ""
) -> list[Judged]:
    """Every claim judged on the records of a frame (`results.load_frame`). Reads only; runs nothing."""
    evidence = Evidence(frame, scale, world)
    return [judge(c, evidence) for c in (load() if claims is None else claims)]


def on_two_worlds(frame: pd.DataFrame, worlds: Sequence[str] = ("1", "2")) -> pd.DataFrame:
    """The claims that records judge on both worlds: verdicts, and where they contradict what each hangs on."""
    rows = []
    for pair in zip(*(evaluate(frame, world=w) for w in worlds), strict=True):
        if all(j.deciding.effect for j in pair):
            turned = {j.verdict for j in pair} == {"supported", "not supported"}
            why = [f"{j.deciding.comparison}: {_signed(j.deciding)}" if turned else "" for j in pair]
            rows.append([pair[0].claim.text, *(j.verdict for j in pair), *why])
    heads = [f"{what}world {w}" for what in ("", "by its weakest comparison on ") for w in worlds]
    return pd.DataFrame(rows, columns=["claim", *heads]).set_index("claim")


def count(judged: Sequence[Judged]) -> dict[str, int]:
    """How many claims have each verdict."""
    counts = Counter(j.verdict for j in judged)
    return {v: counts[v] for v in VERDICTS}


def headline(judged: Sequence[Judged]) -> str:
    """The count in words, for the README: claims that were fixed before their records, then the others."""
    before, after = ([j for j in judged if j.claim.after_records == late] for late in (False, True))
    text = f"Of {len(before)} claims taken from the slides' text and tables, on the scale model: {in_words(before)}."
    return text + (f" Of {len(after)} more, written after their first records: {in_words(after)}." if after else "")


def in_words(judged: Sequence[Judged]) -> str:
    """How many claims have which verdict, of verdicts that there are."""
    return ", ".join(f"{n} {verdict}" for verdict, n in count(judged).items() if n)


def _signed(o: Outcome) -> str:
    digits = intervals.decimals(o.effect.mean, o.effect.half_width, o.comparison.limits)
    form = f"{{:.{digits}f}}" if o.comparison.test == "above" else f"{{:+.{digits}f}}"
    if o.effect.low is None:
        return form.format(o.effect.mean)
    text = f"{form} ({form} to {form}".format(o.effect.mean, o.effect.low, o.effect.high)
    if o.hangs_on_correction:
        text += f"; corrected {form} to {form}".format(o.corrected.low, o.corrected.high)
    return text + ")"


def details(j: Judged) -> pd.DataFrame:
    """Every comparison of one claim: test, verdict, effect with interval, published effect, seeds."""
    lines = [
        {
            "comparison": str(o.comparison),
            "verdict": o.verdict,
            "effect": _signed(o) if o.effect else "",
            "published": "" if o.paper is None else f"{o.paper:+.1f}",
            "seeds": str(o.effect.n) if o.effect else "",
        }
        for o in j.outcomes
    ]
    return pd.DataFrame(lines).set_index("comparison")
