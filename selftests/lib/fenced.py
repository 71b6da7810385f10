"""The fenced blocks of a page."""


def blocks(page):
    """(line number of the fence, words of the info string, lines inside) of each."""
    words, start, inside = None, 0, []
    with open(page, encoding="utf-8") as file:
        for number, line in enumerate(file.read().split("\n"), 1):
            fence = line.startswith("```")
            if words is None and fence:
                words, start, inside = line[3:].split(), number, []
            elif fence and line == "```":
                yield start, words, inside
                words = None
            elif words is not None:
                inside.append(line)
    if words is not None:
        raise SystemExit(f"{page}:{start}: a block without an end")
