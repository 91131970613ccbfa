"""Provenance that a machine can read: the book's sources, data and records as an RO-Crate.

    python book/_ext/make_crate.py build/crate

Each record is the result of an action whose instrument is the library, with the settings of the run and the digests of
the weights that it used. https://www.researchobject.org/ro-crate says how to read it.
"""

import argparse
import json
import shutil
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import yaml
from rocrate.model import ContextEntity
from rocrate.rocrate import ROCrate

ROOT = Path(__file__).resolve().parents[2]
LICENCE = "https://spdx.org/licenses/MIT"
PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
#: What the crate holds beside the records: patterns from the root, with what they are.
PARTS = {
    "README.md": "What the project is", "CITATION.cff": "How to cite it", "LICENSE": "The licence",
    "requirements.txt": "The pinned packages", "book/data/*": "Published numbers, claims and rules",
    "book/bench/*.json": "Benchmarks", "notebooks/*.ipynb": "A page of the book, before it is executed",
    "notebooks/sweeps/*.yml": "The runs behind a table", "gift_lib/weights/mini/README.md": "The card of the weights",
}  # fmt: skip
KINDS = {".json": "application/json", ".ipynb": "application/x-ipynb+json", ".yml": "application/yaml",
         ".csv": "text/csv", ".md": "text/markdown", ".jsonl": "application/jsonl"}  # fmt: skip


def make(root: Path, today: date) -> ROCrate:
    """The crate of a clone, in memory."""
    crate = ROCrate(version="1.3")
    described = yaml.safe_load((root / "CITATION.cff").read_text(encoding="utf-8"))
    crate.name, crate.description = described["title"], "Executable pages, their data, and a record of every run."
    crate.datePublished = today
    licence = crate.add(ContextEntity(crate, LICENCE, {"@type": "CreativeWork", "name": "MIT licence"}))
    crate.root_dataset["license"] = licence
    crate.root_dataset["conformsTo"] = crate.add(
        ContextEntity(
            crate, PROFILE, {"@type": ["CreativeWork", "Profile"], "name": "Process Run Crate", "version": "0.5"}
        )
    )
    about = {"@type": "Organization", "name": described["authors"][0]["name"]}
    maker = crate.add(ContextEntity(crate, "#maintainers", about))
    crate.root_dataset["author"] = crate.root_dataset["publisher"] = maker
    software = _software(crate, described)
    for pattern, what in PARTS.items():
        for path in sorted(p for p in root.glob(pattern) if p.is_file()):
            crate.add_file(path, path.relative_to(root).as_posix(), properties=_file(path, what))
    for path in sorted((root / "book" / "results").glob("*/*.json")):
        _run(crate, root, path, software, maker)
    return crate


def _software(crate: ROCrate, described: Mapping[str, Any]) -> ContextEntity:
    about = {"@type": "SoftwareApplication", "name": "gift_lib", "version": str(described["version"]),
             "softwareVersion": str(described["version"]), "url": described["repository-code"]}  # fmt: skip
    return crate.add(ContextEntity(crate, described["repository-code"], about))


def _file(path: Path, what: str) -> dict[str, str]:
    return {"name": path.name, "description": what, "contentSize": str(path.stat().st_size),
            "encodingFormat": KINDS.get(path.suffix, "text/plain")}  # fmt: skip


def _run(crate: ROCrate, root: Path, path: Path, software: ContextEntity, maker: ContextEntity) -> None:
    """A record as a file, and the run that it is the result of."""
    record = json.loads(path.read_text(encoding="utf-8"))
    c = record["config"]
    name = f"{c['method']}, order {c['order']}, seed {c['seed']}, scale {c['scale']}"
    file = crate.add_file(path, path.relative_to(root).as_posix(), properties=_file(path, f"The record of {name}"))
    run = {"@type": "CreateAction", "name": name, "instrument": software, "result": file, "agent": maker,
           "actionStatus": "http://schema.org/CompletedActionStatus"}  # fmt: skip
    action = crate.add(ContextEntity(crate, f"#run-{record['key']}", run))
    action["object"] = list(_settings(crate, record))
    crate.root_dataset.append_to("mentions", action)


def _settings(crate: ROCrate, record: Mapping[str, Any]) -> Iterator[ContextEntity]:
    """Method, order and seed of a run, the digest of all its settings, and those of what it used."""
    values = {k: record["config"][k] for k in ("method", "order", "seed", "scale")} | {"digest": record["digest"]}
    for name, value in (values | {k: v for k, v in record["identity"].items() if v != ""}).items():
        about = {"@type": "PropertyValue", "name": name, "value": value}
        yield crate.add(ContextEntity(crate, f"#{name}-{value}".replace(" ", "-").replace(",", "-"), about))


def main() -> None:
    """The command: write the crate into a folder of its own, anew."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="is removed first where it holds a crate already")
    folder = parser.parse_args().folder
    if folder.exists():
        if not (folder / "ro-crate-metadata.json").is_file():
            raise SystemExit(f"{folder} is there and holds no crate: remove it, or name another.")
        shutil.rmtree(folder)
    crate = make(ROOT, date.today())
    crate.write(folder)
    runs = sum(e.type == "CreateAction" for e in crate.contextual_entities)
    print(f"{folder} holds the book's sources and data, and the records of {runs} runs")


if __name__ == "__main__":
    main()
