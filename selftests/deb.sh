#!/bin/bash
# The Debian packages: are they well formed and the same each time, and does a machine have a working daemon after one command, and nothing
# of it after another? They are installed in a bare Debian, or where there is none in a copy of this machine's root, in a network namespace. And
# the programs in them: do they tell about the machine that built them?

ALL_TESTS="
	programs_do_not_tell_where_they_were_built
	what_a_static_build_lacks_is_told
	the_same_programs_give_the_same_packages
	lintian_has_nothing_to_say
	installed_it_works_and_purged_it_is_gone
"
# While there is a network.
[ -n "${FH_ISOLATED:-}" ] || FH_BARE=$("$(dirname "$0")/lib/bare.sh") || FH_BARE=
export FH_BARE
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

# Broken if a program held the path of the checkout, of Cargo's crates, or of somebody's home: .cargo/rustc was not asked, for example.
programs_do_not_tell_where_they_were_built() {
	check "$LIB/shippable.sh" "$BIN"/{firsthop,firsthopd,firsthop-exporter,hwsim}
	cp "$BIN/hwsim" "$RUN/telling" && echo "$ROOT/agent/src/lib.rs" >>"$RUN/telling"
	check_status 1 "$LIB/shippable.sh" "$RUN/telling"
	# These are linked as usual.
	check_status 1 "$LIB/shippable.sh" --static "$BIN/hwsim"
}

# Broken if `make dist` for another processor died somewhere in Cargo or in a linker.
what_a_static_build_lacks_is_told() {
	local target=sparc64-unknown-linux-gnu output
	! compgen -G "$(rustc --print target-libdir --target $target)/libstd-*" || { skip "Rust for $target is installed"; return; }
	output=$("$LIB/dist.sh" "$RUN/static" 0 $target 2>&1) && fail "it was built"
	check grep -q "rustup target add $target" <<<"$output"
	command -v sparc64-linux-gnu-gcc || check grep -q "apt install gcc-sparc64-linux-gnu" <<<"$output"
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
	[ -n "$FH_BARE" ] || command -v adduser >/dev/null 2>&1 || { skip "adduser is not installed"; return; }
	check packages one 0.1.0
	check packages later 0.1.1
	namespace newcomer
	on newcomer unshare -m bash "$LIB/newcomer.sh" "$RUN" "$RUN/one/dist" "$RUN/later/dist" "${FH_BARE:-/}" >"$RUN/newcomer.log" 2>&1
	case $? in
	0)
		check_eq "$(tail -n 1 "$RUN/newcomer.log")" 'done' "the last line"
		note "in ${FH_BARE:-a copy of this machine}"
		;;
	4) skip "no copy of a root here: $(tail -n 1 "$RUN/newcomer.log")" ;;
	*) fail "$(tail -n 5 "$RUN/newcomer.log")" ;;
	esac
}

tests_run "$@"
