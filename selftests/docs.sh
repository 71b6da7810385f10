#!/bin/bash
# Does the documentation hang together?

ALL_TESTS="
	links_lead_somewhere
"
. "$(dirname "$0")/lib/lib.sh"

# Broken if a page or a chapter had gone or changed its name, or if nobody could find a page.
links_lead_somewhere() {
	check "$PY" -ISB "$LIB/links.py" "$ROOT"
}

tests_run "$@"
