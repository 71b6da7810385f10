"""Is a JSON answer of the shape that the documentation shows?

    documented.py FILE.md OBJECT ANSWER.json

The example is the first ```json block under the heading `## OBJECT`. Every member of the answer must be in the example, with
a value of the same JSON type; members of the example may be absent, since absent is not zero. Where the example is an object
whose keys are data (its first key is written in angle brackets, as "<handle>"), every key of the answer is compared with it.
"""

import json
import re
import sys


def kind(value):
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    return {str: "string", list: "array", dict: "object", type(None): "null"}[type(value)]


def compare(example, answer, path):
    if kind(example) != kind(answer):
        return [f"{path}: a {kind(answer)}, documented as a {kind(example)}"]
    faults = []
    if isinstance(answer, dict):
        wild = next((key for key in example if key.startswith("<")), None)
        for key, value in answer.items():
            if key in example:
                faults += compare(example[key], value, f"{path}.{key}")
            elif wild is not None:
                faults += compare(example[wild], value, f"{path}.{key}")
            else:
                faults.append(f"{path}.{key}: not documented")
    elif isinstance(answer, list):
        # Rows of one array may have different members: each must fit the union of the documented rows.
        merged = {}
        for row in example:
            if isinstance(row, dict):
                merged |= row
        for at, row in enumerate(answer):
            if merged and isinstance(row, dict):
                faults += compare(merged, row, f"{path}[{at}]")
            elif example:
                faults += compare(example[0], row, f"{path}[{at}]")
    return faults


def main():
    page, name, answer = sys.argv[1:]
    with open(page, encoding="utf-8") as file:
        found = re.search(rf"^#+ `?{re.escape(name)}`?\n.*?^```json\n(.*?)^```", file.read(), re.S | re.M)
    if not found:
        sys.exit(f"{page} has no JSON example under a heading {name}")
    with open(answer, encoding="utf-8") as file:
        faults = compare(json.loads(found[1]), json.load(file), name)
    if faults:
        sys.exit("\n".join(sorted(set(faults))))


if __name__ == "__main__":
    main()
