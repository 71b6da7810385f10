"""The sources of the book: docs/, in which links to files of the checkout that are no pages lead to copies of them.

    staged.py ROOT DIRECTORY       writes them; the directory must not be there
"""

import re
import shutil
import sys
from pathlib import Path

COPIES = "checkout"


def main():
    root, stage = Path(sys.argv[1]).resolve(), Path(sys.argv[2])
    docs = root / "docs"
    shutil.copytree(docs, stage, ignore=shutil.ignore_patterns("man"))
    for page in docs.rglob("*.md"):
        here = page.relative_to(docs)

        def moved(match):
            file = (page.parent / match[1]).resolve()
            if docs in file.parents:
                return match[0]
            # as text, which every browser shows
            copy = Path(COPIES, f"{file.relative_to(root)}.txt")
            (stage / copy).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, stage / copy)
            return f"]({'../' * (len(here.parts) - 1)}{copy})"

        text = re.sub(r"\]\((\.\./[^)#\s]+)(?:#[^)\s]*)?\)", moved, page.read_text())
        (stage / here).write_text(text)


main()
