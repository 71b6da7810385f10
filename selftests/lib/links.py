"""Do the documentation's links lead somewhere, and does the README lead to every page?

    links.py ROOT        a line for each that does not; exit code 1 if there is one

Anchors are those that GitHub makes of headings.
"""

import re
import sys
from pathlib import Path

FENCED = re.compile(r"^```.*?^```", re.S | re.M)


def anchors(page):
    """Of the headings of a page."""
    seen, found = {}, set()
    for heading in re.findall(r"^#+ (.*)$", FENCED.sub("", page.read_text()), re.M):
        words = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower()
        name = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        count = seen[name] = seen.get(name, -1) + 1
        found.add(f"{name}-{count}" if count else name)
    return found


def links(page):
    """(as it is written, file, anchor) of each link that is no URL."""
    for link in re.findall(r"\]\(([^)\s]+)\)", FENCED.sub("", page.read_text())):
        if not re.match(r"[a-z]+:", link):
            file, _, anchor = link.partition("#")
            yield link, (page.parent / file).resolve() if file else page, anchor


def main():
    root = Path(sys.argv[1]).resolve()
    pages = [*root.glob("*.md"), *root.glob("docs/**/*.md"), *root.glob("tc-tests/**/*.md"), *root.glob("agent/*/*.md")]
    wrong, leads = [], {}
    for page in pages:
        leads[page] = set()
        for link, file, anchor in links(page):
            if not file.exists():
                wrong.append(f"{page.relative_to(root)}: {link} is not there")
            elif anchor and file.suffix == ".md" and anchor not in anchors(file):
                wrong.append(f"{page.relative_to(root)}: {link} has no such heading")
            leads[page].add(file)
    reached, todo = set(), [root / "README.md"]
    while todo:
        page = todo.pop()
        if page not in reached:
            reached.add(page)
            todo += leads.get(page, ())
            if page.is_dir():
                todo += page.glob("*.md")
    wrong += [f"nothing leads to {page.relative_to(root)}" for page in pages if page.parent.name == "docs" and page not in reached]
    print(*wrong, sep="\n", end="\n" if wrong else "")
    return len(wrong) > 0


sys.exit(main())
