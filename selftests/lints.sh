#!/bin/bash
# Are the scripts sound?

ALL_TESTS="
	shellcheck_has_nothing_to_say
"
. "$(dirname "$0")/lib/lib.sh"

# scripts: every file of the checkout that a shell reads, whatever it is called.
scripts() {
	find "$ROOT" \( -path "$ROOT/target" -o -name .git \) -prune -o -type f -size +0 -print0 | xargs -0 \
		awk '/^#!.*[\/ ](ba|da)?sh( |$)/ || FILENAME ~ /\.(ba)?sh$/ { print FILENAME } { nextfile }'
}

# Broken if a script had a mistake that shellcheck knows; .shellcheckrc says which of its remarks are about taste.
shellcheck_has_nothing_to_say() {
	command -v shellcheck >/dev/null 2>&1 || { skip "shellcheck is not installed"; return; }
	local -a all
	readarray -t all < <(scripts)
	check [ ${#all[@]} -gt 70 ]
	printf '%s\0' "${all[@]}" | xargs -0 -P "$(nproc)" -n 8 shellcheck -f gcc >"$RUN/remarks" || fail "$(cat "$RUN/remarks")"
}

tests_run "$@"
