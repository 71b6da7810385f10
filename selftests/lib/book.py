"""What is each fenced block of the documentation, and what has to be done to try it?

    book.py check ROOT           a line for each block that does not say what it is; exit code 1 if there is one
    book.py pages ROOT           the pages with commands that can be run
    book.py not-run ROOT         `PAGE:LINE: REASON` for each block of commands that nothing runs
    book.py blocks ROOT KIND     NUL-terminated fields, two a block: PAGE:LINE, the text
    book.py steps PAGE           NUL-terminated fields, five a step: run|background|enter|shown|file, what it needs, line, command
                                 or path, output or content
    book.py words ROOT PROGRAM WORD...   a line for each `PROGRAM X …` in running text whose X is none of these words

A block begins with ```KIND, and for commands with what holds them up, if anything does:

    sh                       commands; each must succeed, and finds what those before it did
    sh needs=THING           not run where there is no THING
    sh not-run=REASON        nothing runs them
    sh file=PATH             no commands: the content of a file, for later ones
    console                  `# ` begins a command that only looks; what it prints follows, `…` stands for any text
    toml                     a configuration of firsthopd
    rust PATH                part of that file, word for word
    json yaml ini text       a document, a file of somebody else's, a picture

The page that guide.py reads has its own words and its own script.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import fenced
import guide

PLAIN = ("toml", "json", "yaml", "ini", "text")
OTHERS = "docs/deployments.md"


def pages(root):
    """The project's pages for people, but for those that are made from tables or have a script of their own."""
    found = [root / "README.md", root / "hwsim/emad/vectors/README.md", *sorted(root.glob("docs/**/*.md"))]
    return [page for page in found if page != root / OTHERS]


def all_blocks(root):
    for page in pages(root):
        for line, words, body in fenced.blocks(page):
            yield page.relative_to(root), line, words, body


def wrong(root, words, body):
    """What is wrong with a block, or None."""
    kind, rest = words[0] if words else "", words[1:]
    text = "\n".join(body) + "\n"
    if kind == "json":
        try:
            json.loads(text)
        except ValueError as error:
            return f"no JSON: {error}"
    if kind in PLAIN:
        return f"unknown words {rest}" if rest else None
    if kind == "rust":
        if len(rest) != 1 or not (root / rest[0]).is_file():
            return "of which file is it a part?"
        return None if text in (root / rest[0]).read_text() else f"{rest[0]} has no such lines"
    if kind not in ("sh", "console"):
        return f"what is {kind or 'a block without a word'}?"
    known = ("needs=", "not-run=") + (("file=",) if kind == "sh" else ())
    return None if not rest or len(rest) == 1 and rest[0].startswith(known) else f"unknown words {rest}"


def option(words, name):
    return next((word[len(name) + 1 :] for word in words if word.startswith(f"{name}=")), "")


def complete(text):
    """Is it a whole command, or do the next lines belong to it?"""
    done = subprocess.run(["bash", "-nc", text], capture_output=True, text=True)
    return done.returncode == 0 and not done.stderr and not text.endswith("\\")


def commands(line, body):
    """(kind, line, command) of each."""
    text = ""
    for number, part in enumerate(body, line + 1):
        if not text and not part.strip():
            continue
        begun, text = (begun, f"{text}\n{part}") if text else (number, part)
        if not complete(text):
            continue
        bare = re.sub(r"\s+# [^\n]*$", "", text)
        if bare.endswith("&") and not bare.endswith("&&"):
            yield "background", begun, bare
        elif re.search(r"ip netns exec \S+ bash$", bare):
            yield "enter", begun, bare
        else:
            yield "run", begun, text
        text = ""
    if text:
        sys.exit(f"line {begun}: a command without an end")


def steps(page):
    for line, words, body in fenced.blocks(page):
        if words[:1] not in (["sh"], ["console"]) or option(words, "not-run"):
            continue
        needs, path = option(words, "needs"), option(words, "file")
        if path:
            yield "file", needs, line, path, "\n".join(body) + "\n"
        elif words[0] == "sh":
            for kind, number, command in commands(line, body):
                yield kind, needs, number, command, ""
        else:
            for number, command, output in guide.shown(line, body):
                yield "shown", needs, number, command, output


def spoken(root, program, known):
    """`program WORD …` in running text where there is no such word."""
    options = r"(?:-[a-z]+\s(?:[A-Z]+\s)?|--[a-z-]+\s\S+\s)*"
    for page in [*pages(root), root / OTHERS]:
        text = re.sub(r"^```.*?^```", lambda match: "\n" * match[0].count("\n"), page.read_text(), flags=re.S | re.M)
        for match in re.finditer(rf"`{program}\s{options}([a-z][a-z-]*)[^`]*`", text):
            if match[1] not in known:
                yield f"{page.relative_to(root)}:{text[: match.start()].count(chr(10)) + 1}: {match[0]}"


def print_fields(rows):
    for row in rows:
        sys.stdout.write("".join(f"{field}\0" for field in row))


def main():
    verb, *rest = sys.argv[1:]
    if verb == "steps":
        return print_fields(steps(rest[0]))
    root = Path(rest[0])
    if verb == "check":
        found = [(page, line, wrong(root, words, body)) for page, line, words, body in all_blocks(root)]
        lines = [f"{page}:{line}: {what}" for page, line, what in found if what]
    elif verb == "words":
        lines = list(spoken(root, rest[1], rest[2:]))
    elif verb == "pages":
        print(*(page.relative_to(root) for page in pages(root) if any(True for _ in steps(page))), sep="\n")
        return 0
    elif verb == "not-run":
        for page, line, words, _ in all_blocks(root):
            if option(words, "not-run"):
                print(f"{page}:{line}: {option(words, 'not-run').replace('-', ' ')}")
        return 0
    elif verb == "blocks":
        return print_fields((f"{page}:{line}", "\n".join(body) + "\n") for page, line, words, body in all_blocks(root) if words[:1] == [rest[1]])
    else:
        sys.exit(f"unknown verb {verb}")
    print(*lines, sep="\n", end="\n" if lines else "")
    return len(lines) > 0


if __name__ == "__main__":
    sys.exit(main())
