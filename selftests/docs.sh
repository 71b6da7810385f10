#!/bin/bash
# Does the documentation hang together?

ALL_TESTS="
	links_lead_somewhere
	the_book_is_built
	the_picture_has_every_stage
"
. "$(dirname "$0")/lib/lib.sh"

# Broken if a page or a chapter had gone or changed its name, if nobody could find a page, or if the book had left one out.
links_lead_somewhere() {
	check "$PY" -ISB "$LIB/links.py" "$ROOT"
}

# Broken if the book could not be built, or a link of it led nowhere.
the_book_is_built() {
	local mdbook
	mdbook=$(command -v mdbook || ls "${FIRSTHOP_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/firsthop}/mdbook/bin/mdbook" 2>/dev/null)
	[ -n "$mdbook" ] || { skip "mdbook is not installed (make book installs it)"; return; }
	check "$LIB/mdbook.sh" "$RUN/book" "$mdbook"
	check [ -s "$RUN/book/pipeline.svg" ]
}

# Broken if the simulator's pipeline had got a stage that its picture does not show.
the_picture_has_every_stage() {
	local -a stages
	readarray -t stages < <(cat "$ROOT"/hwsim/src/chip/pipeline.rs "$ROOT"/hwsim/src/chip/pipeline/*.rs | tr -d '\n' | grep -oE 'self\.step\( *"[a-z_]+"' | grep -oE '[a-z_]+"' | tr -d '"' | sort -u)
	check [ ${#stages[@]} -gt 12 ]
	for stage in "${stages[@]}"; do
		[ "$stage" = drop ] || grep -q ">$stage<" "$ROOT/docs/pipeline.svg" || fail "$stage"
	done
}

tests_run "$@"
