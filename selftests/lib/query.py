"""Asks one Python expression of one JSON document.

    query.py EXPR < document          prints the value; text and numbers plain, the rest as JSON
    query.py -t EXPR < document       exit 0 if it holds, else 1 with the expression on stderr

In EXPR `d` is the document; members are attributes (`d.rifs[0].mac`), absent ones are None.
"""

import json
import sys


class Doc(dict):
    """A JSON object whose members are attributes; an absent one is None."""

    def __getattr__(self, name):
        return self.get(name)


def document(text):
    return json.loads(text, object_pairs_hook=lambda pairs: Doc(pairs))


def text(value):
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or value is None or not isinstance(value, (int, float)):
        return json.dumps(value, default=list)
    return str(value)


def evaluate(expression, **names):
    return eval(f"({expression})", dict(names))


def main():
    arguments = sys.argv[1:]
    test = arguments[:1] == ["-t"]
    expression = arguments[-1]
    try:
        asked = document(sys.stdin.read())
        value = evaluate(expression, d=asked)
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        sys.exit(f"{type(error).__name__}: {error}; asked: {expression}")
    if not test:
        print(text(value))
    elif not value:
        sys.exit(f"does not hold: {expression}\nof: {text(asked)[:1500]}")


if __name__ == "__main__":
    main()
