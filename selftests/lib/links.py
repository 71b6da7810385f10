"""Do the documentation's links lead somewhere, does the README lead to every page, and does the book have each of them once?

    links.py ROOT              a line for each thing that is wrong; exit code 1 if there is one
    links.py --book DIRECTORY  the same of the links in a built book

Anchors are those that GitHub and mdBook make of headings.
"""

import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

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


def contents(root):
    """What is wrong with the book's table of contents."""
    docs = root / "docs"
    summary = docs / "SUMMARY.md"
    chapters = [file for _, file, _ in links(summary)]
    for page in sorted(docs.rglob("*.md")):
        count = chapters.count(page)
        if page != summary and count != 1:
            yield f"docs/SUMMARY.md has {page.relative_to(docs)} {count} times"
    for link, file, anchor in links(summary):
        if docs not in file.parents or anchor:
            yield f"docs/SUMMARY.md: {link} is no page"


def pages_of(root):
    pages = [*root.glob("*.md"), *root.glob("docs/**/*.md"), *root.glob("tc-tests/**/*.md"), *root.glob("agent/*/*.md")]
    wrong, leads = list(contents(root)), {}
    for page in pages:
        leads[page] = set()
        for link, file, anchor in links(page):
            if not file.exists():
                wrong.append(f"{page.relative_to(root)}: {link} is not there")
            elif anchor and file.suffix == ".md" and anchor not in anchors(file):
                wrong.append(f"{page.relative_to(root)}: {link} has no such heading")
            leads[page].add(file)
    # From the README by its own list, not by the table of contents.
    leads[root / "docs/SUMMARY.md"] = set()
    reached, todo = set(), [root / "README.md"]
    while todo:
        page = todo.pop()
        if page not in reached:
            reached.add(page)
            todo += leads.get(page, ())
            if page.is_dir():
                todo += page.glob("*.md")
    return wrong + [f"nothing leads to {page.relative_to(root)}" for page in pages if page.parent.name == "docs" and page not in reached]


class Html(HTMLParser):
    """What a page of the book leads to, and where in it one can be led."""

    def __init__(self, file):
        super().__init__()
        self.leads, self.ids = [], set()
        self.feed(file.read_text())

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.ids |= {attrs.get("id"), attrs.get("name")}
        self.leads += [attrs[name] for name in ("href", "src") if attrs.get(name)]


def book(directory):
    # The page for printing has all others in it, and the one for 404 is for a server.
    files = [file for file in directory.rglob("*.html") if file.name not in ("print.html", "404.html", "toc.html")]
    pages = {file.resolve(): Html(file) for file in files}
    wrong = [] if len(pages) > 20 else [f"{directory} has {len(pages)} pages"]
    for file, page in pages.items():
        for link in page.leads:
            if re.match(r"[a-z]+:|//", link):
                continue
            path, _, anchor = link.partition("#")
            target = (file.parent / unquote(path)).resolve() if path else file
            if not target.exists():
                wrong.append(f"{file.name}: {link} is not there")
            elif anchor and target in pages and unquote(anchor) not in pages[target].ids:
                wrong.append(f"{file.name}: {link} has no such place")
    return wrong


def main():
    *option, where = sys.argv[1:]
    wrong = book(Path(where)) if option == ["--book"] else pages_of(Path(where).resolve())
    print(*wrong, sep="\n", end="\n" if wrong else "")
    return len(wrong) > 0


sys.exit(main())
