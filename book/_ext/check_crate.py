"""Whether an RO-Crate is a valid one, by its validator and without a network: env/crate/README says how.

The one thing that the validator fetches, the words of the specification, rocrate brings along.
"""

import io
import sys
from pathlib import Path

import requests
import rocrate
from requests.adapters import BaseAdapter
from rocrate_validator.models import Severity
from rocrate_validator.services import ValidationSettings, validate
from rocrate_validator.utils.http import HttpRequester

WORDS = Path(rocrate.__file__).parent / "data" / "ro-crate.jsonld"


class Shipped(BaseAdapter):
    """Answers every request with the words of the specification."""

    def send(self, request, **_):
        answer = requests.Response()
        answer.status_code, answer.url, answer.request = 200, request.url, request
        answer.headers["Content-Type"] = "application/ld+json"
        answer.raw = io.BytesIO(WORDS.read_bytes())
        return answer

    def close(self):
        pass


def issues(folder, severity=Severity.REQUIRED):
    settings = ValidationSettings(rocrate_uri=str(folder), requirement_severity=severity, no_cache=True)
    HttpRequester().session.mount("https://", Shipped())
    return validate(settings).get_issues()


if __name__ == "__main__":
    found = issues(sys.argv[1], getattr(Severity, sys.argv[2] if len(sys.argv) > 2 else "REQUIRED"))
    for i in found[:20]:
        print(i.severity.name, i.check.identifier, str(i.message)[:200])
    print(len(found), "issues")
