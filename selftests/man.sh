#!/bin/bash
# Do the man pages say what the programs take, and can man read them?

ALL_TESTS="
	pages_are_well_formed
	options_are_told
	commands_are_told
	keys_are_told
"
. "$(dirname "$0")/lib/lib.sh"

PAGES=$ROOT/docs/man

# page NAME: as text on one line.
page() { mandoc -T ascii "$PAGES/$1" | sed $'s/.\b//g' | tr -s ' \t\n' ' '; }
# tells NAME WORD...: each of them is in the page.
tells() {
	local text word
	text=$(page "$1")
	for word in "${@:2}"; do
		[[ $text == *"$word"* ]] || fail "$1 does not say $word"
	done
}
# options: those that --help on stdin lists.
options() { grep -oE '(^|[ ,])--?[a-z][a-z-]*' | tr -d ' ,' | grep -vx -e '--no' | sort -u; }

# Broken if man could not show a page, or a reference to another page went nowhere.
pages_are_well_formed() {
	local found name
	found=$(mandoc -T lint -W warning "$PAGES"/* 2>&1 | grep -v 'outdated mandoc.db') || true
	check_eq "$found" "" "mandoc's remarks"
	for name in $(sed -n 's/^\.Xr \(firsthop[^ ]*\|hwsim\) \([0-9]\).*/\1.\2/p' "$PAGES"/* | sort -u); do
		check [ -e "$PAGES/$name" ]
	done
}

# Broken if an option came or changed its name, and the page did not.
options_are_told() {
	local -a all
	readarray -t all < <("$FIRSTHOP" help | options)
	check [ ${#all[@]} -gt 15 ]
	tells firsthop.1 "${all[@]}"
	readarray -t all < <("$FIRSTHOPD" --help | options)
	check [ ${#all[@]} -gt 8 ]
	tells firsthopd.8 "${all[@]}"
	readarray -t all < <("$BIN/firsthop-exporter" --help | options)
	check [ ${#all[@]} -gt 6 ]
	tells firsthop-exporter.8 "${all[@]}"
	readarray -t all < <(for command in '' run dump trace 'fault add' 'fault clear'; do "$HWSIM" $command --help | options; done | sort -u)
	check [ ${#all[@]} -gt 20 ]
	tells hwsim.1 "${all[@]}"
}

# Broken if there were an object or a command that no page names.
commands_are_told() {
	local -a all
	readarray -t all < <("$FIRSTHOP" help | sed -n '/^OBJECT:/,/^$/s/^  \([a-z]*\) .*/\1/p')
	check [ ${#all[@]} -gt 10 ]
	tells firsthop.1 "${all[@]}"
	readarray -t all < <("$HWSIM" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p' | grep -vx help)
	check [ ${#all[@]} -gt 8 ]
	tells hwsim.1 "${all[@]}"
}

# Broken if a key of the configuration were not told: those of the example that the operator's guide has, which is read by a test.
keys_are_told() {
	local -a all
	readarray -t all < <(sed -n '/^```toml/,/^```/s/^\(# \)\{0,1\}\([a-z_]*\) = .*/\2/p' "$ROOT/docs/operator.md" | sort -u)
	check [ ${#all[@]} -gt 14 ]
	tells firsthop.toml.5 "${all[@]}"
	readarray -t all < <(sed -n '/^```toml/,/^```/s/^\(# \)\{0,1\}\[\[*\([a-z]*\)\]*.*/\2/p' "$ROOT/docs/operator.md" | sort -u)
	check [ ${#all[@]} -gt 4 ]
	tells firsthop.toml.5 "${all[@]/#/[}"
}

command -v mandoc >/dev/null 2>&1 || unable "mandoc is not installed"
tests_run "$@"
