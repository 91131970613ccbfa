"""Whether an RO-Crate is one: its validator's verdict, without a network (`make crate` runs it).

The one thing that the validator fetches, the vocabulary of the specification, rocrate brings along.
"""

import io
import sys
from pathlib import Path

import requests
import rocrate
from requests.adapters import BaseAdapter
from rocrate_validator.models import CheckIssue, Severity
from rocrate_validator.services import ValidationSettings, validate
from rocrate_validator.utils.http import HttpRequester

VOCABULARY = Path(rocrate.__file__).parent / "data" / "ro-crate.jsonld"


class Shipped(BaseAdapter):
    """Answers a request for the vocabulary, and no other."""

    def send(self, request: requests.PreparedRequest, **_: object) -> requests.Response:
        answer = requests.Response()
        asked = request.url.startswith("https://w3id.org/ro/crate/1.3/context")
        answer.status_code, answer.url, answer.request = 200 if asked else 404, request.url, request
        answer.headers["Content-Type"] = "application/ld+json"
        answer.raw = io.BytesIO(VOCABULARY.read_bytes() if asked else b"")
        return answer

    def close(self) -> None:
        """Nothing is open."""


def issues(folder: Path) -> list[CheckIssue]:
    """What a crate lacks of what the specification requires."""
    settings = ValidationSettings(rocrate_uri=str(folder), requirement_severity=Severity.REQUIRED, no_cache=True)
    HttpRequester().session.mount("https://", Shipped())
    return validate(settings).get_issues()


def main() -> int:
    """The command: the folder of a crate is its argument."""
    found = issues(Path(sys.argv[1]))
    for issue in found:
        print(f"{issue.check.identifier}: {issue.message}")
    print(f"{sys.argv[1]} is a valid RO-Crate" if not found else f"{len(found)} faults")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
