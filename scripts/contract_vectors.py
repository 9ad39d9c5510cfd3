"""Write the test vectors of the online contract: docs/contract/vectors.json.

Shares no code with the client that must pass them. `docs/contract/online.md` says what each part means. A test compares
the committed file with what this prints, so run it after a change of `scripts/contract_cases`:

    python scripts/contract_vectors.py
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from contract_cases.keys import key_cases
from contract_cases.packed import packed_cases
from contract_cases.statements import statement_cases
from contract_cases.statuses import status_cases
from contract_cases.timelines import timeline_cases
from contract_cases.values import value_cases

#: Raised when a reader of the file must be changed.
FORMAT = 1
FILE = Path(__file__).resolve().parents[1] / "docs" / "contract" / "vectors.json"


def vectors() -> str:
    """The whole file, one case per line, in ASCII: no editor and no locale can change a letter of it."""
    parts: dict[str, Iterable[dict[str, Any]]] = {
        "statements": statement_cases(),
        "keys": key_cases(),
        "values": value_cases(),
        "packed": packed_cases(),
        "statuses": status_cases(),
        "timelines": timeline_cases(),
    }
    lists = [f'"{name}": [\n{_lines(cases)}\n]' for name, cases in parts.items()]
    return "{\n" + ",\n".join([f'"format": {FORMAT}', *lists]) + "\n}\n"


def _lines(cases: Iterable[dict[str, Any]]) -> str:
    return ",\n".join(json.dumps(case) for case in cases)


def main() -> None:
    """Write the file and say what is in it."""
    text = vectors()
    FILE.write_text(text)
    counts = {name: len(cases) for name, cases in json.loads(text).items() if name != "format"}
    print(f"{FILE.name}: {counts}")


if __name__ == "__main__":
    main()
