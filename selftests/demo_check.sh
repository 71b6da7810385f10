#!/bin/bash
# The demo: does it hold with either driver, fit a terminal, and leave nothing behind, also when it is stopped?

ALL_TESTS="
	demo_holds_with_keepalived
	demo_holds_with_ip_commands
	interrupted_demo_leaves_nothing
	killed_demo_leaves_nothing
	failing_demo_says_so
	demo_holds_in_a_user_namespace
"
. "$(dirname "$0")/lib/lib.sh"

# demo OUTPUT [VARIABLE=VALUE...]: in a process group of its own, as a terminal would start it.
demo() {
	local output=$1
	shift
	env -u FH_ISOLATED FH_BIN="$BIN" FH_NO_BUILD=1 "$@" setsid -w bash "$(dirname "$0")/demo.sh" >"$output" 2>&1
}

running() { cat /proc/[0-9]*/comm 2>/dev/null | grep -qxE 'hwsim|firsthopd|keepalived'; }

# Processes, netdevs and namespaces of this script's world: its own alone.
nothing_left() {
	[ "$(ls /run/netns 2>/dev/null)" = "" ] && [ "$(ip -o link | wc -l)" = 1 ] && ! running
}
nothing_left_soon() { eventually 5000 nothing_left || { ls /run/netns; ip -br link; grep . /proc/[0-9]*/comm; return 1; }; }

holds_with() {
	local output=$RUN/demo-$1 status=0
	shift
	demo "$output" "$@" || status=$?
	[ $status = 0 ] || { fail "exit $status"; sed 's/^/#   /' "$output"; }
	check grep -q "^demo: all [0-9]* steps held" "$output"
	check_eq "$(awk 'length > 80' "$output")" "" "lines longer than 80 columns"
	grep -e "pings to" -e "driven by" "$output" | tail -n 2 | sed 's/^/#/'
	check nothing_left_soon
}

# Broken if the demo did not do what it shows, on this machine, with the daemon that people run.
demo_holds_with_keepalived() {
	command -v keepalived >/dev/null || { skip "keepalived is not installed"; return; }
	[ "$FH_ROOT" = yes ] || { skip "keepalived needs root"; return; }
	holds_with keepalived FH_DRIVER=keepalived
	check grep -q "driven by keepalived [0-9]" "$RUN/demo-keepalived"
}

# Broken if the demo needed a daemon.
demo_holds_with_ip_commands() {
	holds_with ip FH_DRIVER=ip
	check grep -q "driven by ip commands" "$RUN/demo-ip"
}

# stopped_by SIGNAL: in the middle of everything.
stopped_by() {
	local leader
	: >"$RUN/demo-stopped"
	env -u FH_ISOLATED FH_BIN="$BIN" FH_NO_BUILD=1 FH_DRIVER=ip \
		setsid bash -c 'trap - INT; echo $$ >"$1"; exec bash "$2"' - "$RUN/leader" "$(dirname "$0")/demo.sh" >"$RUN/demo-stopped" 2>&1 &
	eventually 30000 grep -q "R2 is made active" "$RUN/demo-stopped" || { fail "the demo does not come to R2"; sed 's/^/#   /' "$RUN/demo-stopped"; }
	check running
	leader=$(cat "$RUN/leader")
	if [ "$1" = INT ]; then kill -INT -- "-$leader"; else kill -KILL "$leader"; fi
	check nothing_left_soon
	check_eq "$(grep -c "steps held" "$RUN/demo-stopped")" 0 "lines that say it held"
}

# Broken if Ctrl-C left switches, namespaces or daemons behind.
interrupted_demo_leaves_nothing() { stopped_by INT; }

# Broken if only an orderly end cleaned up.
killed_demo_leaves_nothing() { stopped_by KILL; }

# Broken if the demo exited 0 whatever happened: here the daemon is one that does nothing.
failing_demo_says_so() {
	mkdir -p "$RUN/broken"
	cp "$HWSIM" "$FIRSTHOP" "$RUN/broken/"
	printf '#!/bin/sh\nexec sleep 600\n' >"$RUN/broken/firsthopd"
	chmod +x "$RUN/broken/firsthopd"
	local status=0
	demo "$RUN/demo-broken" FH_DRIVER=ip FH_BIN="$RUN/broken" || status=$?
	[ $status != 0 ] || fail "exit 0 with a daemon that does nothing"
	check nothing_left_soon
}

# Broken if somebody without root could not see the demo although the kernel lets them.
demo_holds_in_a_user_namespace() {
	local status=0 nobody="setpriv --reuid=65534 --regid=65534 --clear-groups"
	[ "$FH_ROOT" = yes ] || { skip "already in one"; return; }
	[ "$FH_CPU" = tap ] || { skip "$FH_CPU needs root"; return; }
	$nobody unshare --user --map-root-user --net true 2>/dev/null || { skip "users may not make namespaces here"; return; }
	# A path of directories that everybody may enter: not root's own Python, not a checkout in root's home.
	{ $nobody env PATH=/usr/bin:/usr/sbin python3 -c 1 && $nobody test -r "$LIB/lib.sh" && $nobody test -x "$HWSIM"; } 2>/dev/null ||
		{ skip "the programs or the interpreter are not readable by other users here"; return; }
	# Most machines let everybody open this device; where it is root's alone, this script's world gets one that is not.
	mknod "$RUN/tun" c 10 200 && chmod 666 "$RUN/tun" && mount --bind "$RUN/tun" /dev/net/tun || { skip "no /dev/net/tun"; return; }
	$nobody env -u FH_ISOLATED -u FH_PYTHON -u FH_ROOT PATH=/usr/bin:/usr/sbin FH_BIN="$BIN" FH_NO_BUILD=1 HOME=/ \
		bash "$(dirname "$0")/demo.sh" >"$RUN/demo-user" 2>&1 || status=$?
	umount /dev/net/tun
	[ $status = 0 ] || { fail "exit $status"; sed 's/^/#   /' "$RUN/demo-user"; }
	check grep -q "driven by ip commands" "$RUN/demo-user"
	grep -e "pings to" "$RUN/demo-user" | sed 's/^/#/'
	check nothing_left_soon
}

tests_run "$@"
