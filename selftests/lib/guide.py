"""The commands and outputs of a page for people, so that a script can run the first and compare with the second.

    guide.py blocks PAGE.md LABEL          the steps of the blocks with that label, in order: NUL-terminated fields, five a step:
                                           daemon|sh|show|file, machines, line of the page, command, commands or path, output
                                           or content
    guide.py check PAGE.md LABEL...        every fenced block has a label, and exactly these labels exist
    guide.py same EXPECTED                 exit 0 if stdin is what the page shows, else 1 with the first difference

A block is ```sh MACHINES LABEL (commands), ```console MACHINES LABEL (`# ` begins a command, what it prints follows) or
```conf MACHINE LABEL PATH (a file); ```text is a picture. MACHINES are separated by commas. Browsers show the first word at most.

In what is shown `…` stands for any text; alone on a line, for any lines. Numbers that differ between machines and runs are not compared:
see VARYING. Nor are lines that come with time, see LATER.
"""

import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import fenced

VARYING = [
    (re.compile(r"^\d+: "), "N: "),
    (re.compile(r"\b(ifindex|FID|fid|router interface|rif|policer|bytes|packets) \d+"), r"\1 N"),
    (re.compile(r"^[\s\d]*\d[\s\d]*$"), "N"),
]
# Seconds after a macvlan by hand became active, unless somebody advertises it.
LATER = "    flags orphan"


def steps(page):
    """(kind, machines, label, line, text, more) of each step."""
    for start, words, body in fenced.blocks(page):
        yield from block(words, start, body)


def block(words, start, body):
    if words == ["text"]:
        return
    kind, machines, label = (words + ["", ""])[:3]
    if kind not in ("sh", "console", "conf") or not label or (kind == "conf") != (len(words) == 4):
        sys.exit(f"line {start}: a block that nothing checks: {' '.join(words)}")
    if kind == "conf":
        yield "file", machines, label, start, words[3], "\n".join(body) + "\n"
    elif kind == "sh":
        for number, line in enumerate(body, start + 1):
            if line.endswith(" &"):
                yield "daemon", machines, label, number, line[:-2], ""
        commands = [line for line in body if not line.endswith(" &")]
        if commands:
            yield "sh", machines, label, start + 1, "\n".join(commands), ""
    else:
        for number, command, output in shown(start, body):
            yield "show", machines, label, number, command, output


def shown(start, body):
    """(line, command, output) of each command of a ```console block that begins at line `start`."""
    number, command, output = start, None, []
    for at, line in enumerate([*body, "# "], start + 1):
        if not line.startswith("# "):
            if command is None:
                sys.exit(f"line {at}: output without a command")
            output.append(line)
            continue
        if command is not None:
            yield number, command, "".join(line + "\n" for line in output)
        number, command, output = at, line[2:], []


def plain(line):
    line = line.rstrip()
    for pattern, replacement in VARYING:
        line = pattern.sub(replacement, line)
    return line


def pattern(expected):
    """A regular expression for each of the lines that are shown."""
    parts = []
    for line in expected.splitlines():
        if line.strip() == "…":
            parts.append(r"(?:.*\n)*")
        else:
            parts.append("[^\n]*".join(re.escape(part) for part in plain(line).split("…")) + r"\n")
    return parts


def same(expected, text):
    """None, or the first line that is expected and not there."""
    lines = [line for line in text.splitlines() if line != LATER or LATER in expected]
    text = "".join(plain(line) + "\n" for line in lines)
    parts = pattern(expected)
    if re.fullmatch("".join(parts), text):
        return None
    for count in range(len(parts), 0, -1):
        if re.match("".join(parts[:count]), text):
            return expected.splitlines()[count] if count < len(parts) else "(more than is shown)"
    return expected.splitlines()[0] if expected else "(nothing)"


def main():
    verb, *rest = sys.argv[1:]
    if verb == "blocks":
        found = [step for step in steps(rest[0]) if step[2] == rest[1]]
        if not found:
            sys.exit(f"{rest[0]} has no block {rest[1]}")
        for kind, machines, _, line, text, more in found:
            sys.stdout.write("".join(f"{field}\0" for field in (kind, machines, line, text, more)))
    elif verb == "check":
        labels, wanted = {step[2] for step in steps(rest[0])}, set(rest[1:])
        if labels != wanted:
            sys.exit(f"{rest[0]}: nobody runs {sorted(labels - wanted)}; not there: {sorted(wanted - labels)}")
    elif verb == "same":
        text = sys.stdin.read()
        missing = same(rest[0], text)
        if missing is not None:
            sys.exit(f"shown, and not printed: {missing}\nprinted:\n{text}")
    else:
        sys.exit(f"unknown verb {verb}")


if __name__ == "__main__":
    main()
