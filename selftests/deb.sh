#!/bin/bash
# The Debian packages: are they well formed and the same each time, and does a machine have a working daemon after one command, and nothing
# of it after another? They are installed in a copy of this machine's root (an overlay), in a network namespace.

ALL_TESTS="
	the_same_programs_give_the_same_packages
	lintian_has_nothing_to_say
	installed_it_works_and_purged_it_is_gone
"
. "$(dirname "$0")/lib/lib.sh"

ARCH=$(dpkg --print-architecture 2>/dev/null) || unable "dpkg is not installed"
command -v strip >/dev/null 2>&1 || unable "binutils are not installed"

# packages DIRECTORY VERSION: built there, once.
packages() {
	[ ! -d "$RUN/$1/dist" ] || return 0
	mkdir -p "$RUN/$1"
	ln -sfn "$BIN" "$RUN/$1/release"
	SOURCE_DATE_EPOCH=1767225600 "$ROOT/agent/dist/deb/build" "$RUN/$1" "$2"
}

# Broken if a package told when, or in what order, it was made.
the_same_programs_give_the_same_packages() {
	local name
	check packages one 0.1.0
	check packages other 0.1.0
	for name in firsthop firsthop-hwsim; do
		check cmp "$RUN/one/dist/${name}_0.1.0-1_$ARCH.deb" "$RUN/other/dist/${name}_0.1.0-1_$ARCH.deb"
	done
}

# Broken if Debian's rules for packages were not kept.
lintian_has_nothing_to_say() {
	command -v lintian >/dev/null 2>&1 || { skip "lintian is not installed"; return; }
	check packages one 0.1.0
	check lintian --allow-root --fail-on error,warning "$RUN"/one/dist/*.deb
}

# Broken if the daemon did not start without any configuration, wrote to something then, or left files behind.
installed_it_works_and_purged_it_is_gone() {
	command -v adduser >/dev/null 2>&1 || { skip "adduser is not installed"; return; }
	check packages one 0.1.0
	check packages later 0.1.1
	namespace newcomer
	on newcomer unshare -m bash "$LIB/newcomer.sh" "$RUN" "$RUN/one/dist" "$RUN/later/dist" >"$RUN/newcomer.log" 2>&1
	case $? in
	0) check_eq "$(tail -n 1 "$RUN/newcomer.log")" 'done' "the last line" ;;
	4) skip "no overlay of the root here: $(tail -n 1 "$RUN/newcomer.log")" ;;
	*) fail "$(tail -n 5 "$RUN/newcomer.log")" ;;
	esac
}

tests_run "$@"
