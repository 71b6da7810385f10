#!/bin/bash
# Builds the documentation as a book, from docs/ and its SUMMARY.md, and follows its links.
#
#   mdbook.sh DIRECTORY [MDBOOK]       the book goes to DIRECTORY; MDBOOK is the program, else that in PATH, else one that is
#                                      compiled once and kept in ${FIRSTHOP_CACHE:-${XDG_CACHE_HOME:-~/.cache}/firsthop}/mdbook
#
# Exit code 4: there is no mdbook, and it can't be had here.

set -eu
lib=$(cd "$(dirname "$0")" && pwd)
cache=${FIRSTHOP_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/firsthop}/mdbook
out=$(realpath -m "$1") mdbook=${2:-$(command -v mdbook || echo "$cache/bin/mdbook")}
if [ ! -x "$mdbook" ]; then
	echo "cargo install mdbook, to $cache: some minutes, once"
	# Only what builds a book: not its web server.
	CARGO_TARGET_DIR=$cache/target cargo install mdbook --quiet --locked --no-default-features --features search --root "$cache" || exit 4
	rm -rf "$cache/target"
fi
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
python3 -ISB "$lib/staged.py" "$lib/../.." "$stage/docs"
rm -rf "$out"
"$mdbook" build --dest-dir "$out" "$stage/docs"
rm "$out/book.toml"
python3 -ISB "$lib/links.py" --book "$out"
echo "$out/index.html"
