# Sourced by every script here: isolation, switches, hosts, checks and KTAP, in the manner of the kernel's net/lib.sh.
#
# A script moves into network, mount and process namespaces of its own before anything else. /run is a fresh tmpfs there,
# so names of namespaces and paths of sockets are private to the script, and when its first process ends, by a signal too,
# the kernel ends every process, and takes every netdev, socket and file with it: nothing can be left behind.
#
#   the script's world           netns r1                              netns h1
#                                firsthopd ─ hwsim ═ chip ═ h1 ──────▶ h1   192.0.2.10
#                                             swp1 swp2 …         (FH_CPU: tap or netdevsim)
#
# A test is a function named in ALL_TESTS; `check`, `check_status`, `eventually` and `fail` inside it decide.
#
# shellcheck shell=bash

set -u
export PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin" LC_ALL=C
LIB=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(cd "$LIB/../.." && pwd)
BIN=${FH_BIN:-${CARGO_TARGET_DIR:-$ROOT/target}/release}
# What the ports of simulated switches are: tap, or netdevsim where the kernel has it.
FH_CPU=${FH_CPU:-tap}
HWSIM=$BIN/hwsim FIRSTHOPD=$BIN/firsthopd FIRSTHOP=$BIN/firsthop

# ---------------------------------------------------------------------------------------------------------- isolation

# python3 may be a slow wrapper: ask it once where the interpreter is.
PY=${FH_PYTHON:-$(python3 -c 'import sys; print(sys.executable)')}
export FH_PYTHON=$PY

isolate() {
	local flags=(--net --mount --pid --fork --kill-child --mount-proc)
	[ "$(id -u)" = 0 ] || flags=(--user --map-root-user "${flags[@]}")
	FH_ISOLATED=1 exec unshare "${flags[@]}" -- "$BASH" "$0" "$@"
}

# unable REASON: this machine can't run the script at all. The demo has its own.
declare -F unable >/dev/null || unable() {
	echo "1..0 # SKIP $*"
	exit 4
}

if [ -z "${FH_ISOLATED:-}" ]; then
	if [ "$(id -u)" != 0 ]; then
		unshare --user --map-root-user --net true 2>/dev/null || unable "needs root, or unprivileged user namespaces"
		# The redirection alone, in a shell of its own: a special builtin's failure would end this one.
		(: <>/dev/net/tun) 2>/dev/null || unable "needs root, or access to /dev/net/tun"
	fi
	if [ "$FH_CPU" = netdevsim ] && ! { [ "$(id -u)" = 0 ] && [ -w /sys/bus/netdevsim/new_device ]; }; then
		unable "needs root, and netdevsim in the kernel (selftests/uml has one)"
	fi
	for program in "$HWSIM" "$FIRSTHOPD" "$FIRSTHOP"; do
		[ -x "$program" ] || unable "$program is not built (cargo build --release)"
	done
	# Whether the root inside is the machine's.
	export FH_ROOT=no
	[ "$(id -u)" != 0 ] || FH_ROOT=yes
	isolate "$@"
fi

mount -t tmpfs tmpfs /run || exit 1
ip link set lo up
# Where the programs look for sockets when the machine's root is somebody else.
export XDG_RUNTIME_DIR=/run
RUN=/run/selftest
mkdir -p "$RUN"

# netdevsim devices belong to the kernel, not to a process: they go when their simulator ends, not when it is killed.
stop_switches() {
	local name
	for name in "${!PID[@]}"; do
		[[ $name != hwsim-* ]] || stop "$name"
	done
}
[ "$FH_CPU" != netdevsim ] || trap stop_switches EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

# ----------------------------------------------------------------------------------------------------- small functions

note() { printf '# %s\n' "$*"; }
on() { ip netns exec "$@"; }

# now_ms: monotonic milliseconds
now_ms() {
	local up rest
	read -r up rest </proc/uptime
	echo $((${up/./} * 10))
}

# within MS LIMIT: a measured time against its limit. In User-Mode Linux, where a system call takes 75 µs, ten times as much is
# allowed: it says what works there, not how fast.
within() {
	local factor=1
	[ -z "${FH_UML:-}" ] || factor=10
	[ "$1" -le $(($2 * factor)) ]
}

# pause SECONDS: between two looks at a condition; never alone.
pause() { read -rt "$1" <>"$RUN/never" || :; }
mkfifo "$RUN/never"

# How much longer than it says a wait may take before it gives up: these limits end a hang, they measure nothing.
PATIENCE=1
[ -z "${FH_UML:-}" ] || PATIENCE=4

# eventually MS COMMAND...: the command succeeds within MS milliseconds.
eventually() {
	local limit=$(($(now_ms) + $1 * PATIENCE))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$(now_ms)" -lt "$limit" ] || return 1
		pause 0.005
	done
}

# json EXPR: asks query.py of the document on stdin. holds EXPR: whether it is true.
json() { "$PY" -ISB "$LIB/query.py" "$1"; }
holds() { "$PY" -ISB "$LIB/query.py" -t "$1"; }

frames() { "$PY" -ISB "$LIB/frames.py" "$@"; }
chip_tool() { "$PY" -ISB "$LIB/chip.py" "$@"; }

chip_socket() { echo "/run/hwsim/$1/hwsim.sock"; }
# chip NS EXPR: prints a Python expression over the chip's own dump (d) and counters (c), read from its socket.
chip() { chip_tool eval "$(chip_socket "$1")" "$2"; }
# chip_holds NS EXPR
chip_holds() { chip_tool test "$(chip_socket "$1")" "$2"; }
# chip_soon NS EXPR [MS]: it holds within the limit (1 s).
chip_soon() { chip_tool wait "$(chip_socket "$1")" "$2" "${3:-1000}"; }
# chip_time NS EXPR COMMAND...: milliseconds from the start of the command until EXPR holds.
chip_time() {
	local socket
	socket=$(chip_socket "$1")
	chip_tool time "$socket" "$2" 2000 "${@:3}"
}
# chip_always NS ALWAYS UNTIL COMMAND...: ALWAYS holds in every dump, read without pause, while the command runs and until
# UNTIL holds; prints how many dumps that were.
chip_always() {
	local socket
	socket=$(chip_socket "$1")
	chip_tool always "$socket" "$2" "$3" 2000 "${@:4}"
}

# fh NS ARGUMENT...: the client, asking the daemon of that namespace. Its waits for seconds are as patient as `eventually`.
fh() {
	if [ $PATIENCE != 1 ] && [[ " $* " =~ ^(.*" wait ".*" timeout ")([0-9]+)" "$ ]]; then
		set -- "${@:1:$#-1}" $((BASH_REMATCH[2] * PATIENCE))
	fi
	"$FIRSTHOP" -n "$@" || return
	[[ ${2:-} != wait ]] || says_why_if "$1" "${*: -4:2}"
}
# fh_holds NS EXPR ARGUMENT...: EXPR holds of the client's answer d.
fh_holds() {
	local ns=$1 expression=$2
	shift 2
	fh "$ns" -j "$@" | holds "$expression" || return
	says_why_if "$ns" "$expression"
}

# ------------------------------------------------------------------------------------------------------------- topology

declare -A PID=()

# start NAME NS COMMAND...: in the background; output in $RUN/NAME.log.
start() {
	local name=$1 ns=$2
	shift 2
	: >"$RUN/$name.log" # now, not when the program gets there: somebody may wait for a line in it
	ip netns exec "$ns" "$@" >"$RUN/$name.log" 2>&1 &
	PID[$name]=$!
}
alive() { kill -0 "${PID[$1]}" 2>/dev/null; }
# stop NAME [SIGNAL]: and wait for its end.
stop() {
	kill "-${2:-TERM}" "${PID[$1]}" 2>/dev/null
	wait "${PID[$1]}" 2>/dev/null
}

# A router forwards, answers ARP only for the netdev asked, and has no reverse path filter: keepalived sets the same.
router_sysctls() {
	on "$1" sh -c '
		cd /proc/sys/net
		echo 1 >ipv4/ip_forward
		echo 1 >ipv6/conf/all/forwarding
		for where in all default; do
			echo 0 >ipv4/conf/$where/rp_filter
			echo 1 >ipv4/conf/$where/arp_ignore
		done'
}

namespace() {
	[ -e "/run/netns/$1" ] && return
	ip netns add "$1" && ip -n "$1" link set lo up
}

# switch NS [OPTION...]: a network namespace with a simulated switch of $PORTS (4) ports in it.
switch() {
	local ns=$1
	shift
	namespace "$ns" && router_sysctls "$ns"
	start "hwsim-$ns" "$ns" "$HWSIM" run --cpu "$FH_CPU" --ports "${PORTS:-4}" "$@"
	eventually 10000 grep -qx ready "$RUN/hwsim-$ns.log" || give_up "hwsim in $ns is not ready" "hwsim-$ns"
}

# agent NS [OPTION...]: firsthopd beside the switch; it has seen and programmed everything when this returns.
agent() {
	local ns=$1
	shift
	start "firsthopd-$ns" "$ns" "$FIRSTHOPD" "$@"
	eventually 10000 fh "$ns" wait synced timeout 5 || give_up "firsthopd in $ns is not in sync" "firsthopd-$ns"
}

# host NS ROUTER PORT ADDRESS...: a host at the wire of a switch port.
host() {
	local ns=$1 router=$2 port=$3 address
	shift 3
	namespace "$ns"
	ip -n "$router" link set "h$port" netns "$ns" || give_up "h$port of $router can't move to $ns"
	ip -n "$ns" link set "h$port" up
	for address; do
		ip -n "$ns" addr add "$address" dev "h$port" nodad 2>/dev/null || ip -n "$ns" addr add "$address" dev "h$port"
	done
}

carrier() { [ "$(ip -n "$1" -j link show dev "$2" | json '"LOWER_UP" in d[0].flags')" = true ]; }

# pings NS ADDRESS [INTERVAL]: in the background until pings_end; returns when the first was answered.
pings() {
	: >"$RUN/pings"
	ip netns exec "$1" "$PY" -ISB "$LIB/frames.py" ping "$2" interval="${3:-0.01}" >"$RUN/pings" &
	PID[pings]=$!
	eventually 5000 grep -q answered "$RUN/pings"
}
# pings_end: leaves the JSON line of what was lost in $PINGS (not on stdout: a subshell could not wait for the end).
pings_end() {
	stop pings INT
	# shellcheck disable=SC2034
	PINGS=$(tail -n 1 "$RUN/pings")
}

# macvlan NS LOWER NAME MAC [ADDRESS]: private mode, as keepalived makes it, up.
macvlan() {
	ip -n "$1" link add "$3" link "$2" address "$4" type macvlan mode private &&
		ip -n "$1" link set "$3" up &&
		if [ $# -ge 5 ]; then ip -n "$1" addr add "$5" dev "$3"; fi
}

# bridge_owns NS BRIDGE MAC [VLAN]: the MAC is the bridge's own in its table, not only in the filters of the device (self).
bridge_owns() {
	on "$1" bridge -j fdb show br "$2" | holds "any(e.mac == '$3' and e.ifname == '$2' and e.state == 'permanent' and 'self' not in e.flags
		and '${4:-}' in ('', str(e.vlan)) for e in d)" 2>/dev/null
}

mac_of() { ip -n "$1" -j link show dev "$2" | json 'd[0].address'; }

# blast NS IFNAME HEX RATE COUNT: compiled on first use.
blast() {
	local ns=$1
	shift
	if [ ! -x "$RUN/blast" ]; then
		gcc -O2 -Wall -Wextra -o "$RUN/blast" "$LIB/blast.c" || return 1
	fi
	on "$ns" "$RUN/blast" "$@"
}

# ---------------------------------------------------------------------------------------------------------------- tests

RET=0 SKIPPED='' FAILED=0

# give_up TEXT [LOG]: set-up failed; the tests make no sense.
give_up() {
	printf 'Bail out! %s\n' "$1"
	show_logs
	exit 1
}

show_logs() {
	local log
	for log in "$RUN"/*.log; do
		[ -s "$log" ] || continue
		note "--- ${log##*/} (last lines)"
		tail -n 25 "$log" | sed 's/\x1b\[[0-9;]*m//g; s/^/# /'
	done
}

fail() {
	RET=1
	note "FAILED at ${BASH_SOURCE[1]##*/}:${BASH_LINENO[0]}: $*"
	return 1
}

# check COMMAND...: it must succeed.
check() {
	# In this shell, not in a substitution: COMMAND may be a function that starts programs.
	if ! "$@" >"$RUN/check" 2>&1; then
		RET=1
		note "FAILED at ${BASH_SOURCE[1]##*/}:${BASH_LINENO[0]}: $*"
		tail -n 12 "$RUN/check" | sed 's/^/#   /'
		return 1
	fi
}

# check_status N COMMAND...: it must exit with N.
check_status() {
	local output status=0 wanted=$1
	shift
	output=$("$@" 2>&1) || status=$?
	if [ "$status" != "$wanted" ]; then
		RET=1
		note "FAILED at ${BASH_SOURCE[1]##*/}:${BASH_LINENO[0]}: exit $status, not $wanted: $*"
		printf '%s\n' "$output" | tail -n 12 | sed 's/^/#   /'
		return 1
	fi
}

# check_eq IS SHOULD TEXT
check_eq() {
	[ "$1" = "$2" ] && return
	RET=1
	note "FAILED at ${BASH_SOURCE[1]##*/}:${BASH_LINENO[0]}: $3: is '$1', should be '$2'"
	return 1
}

# For what was started as `monitor` in r1: makes a change, and looks whether it was told of one.
monitor_is_subscribed() {
	ip -n r1 addr add 203.0.113.9/32 dev swp4
	ip -n r1 addr del 203.0.113.9/32 dev swp4
	grep -q swp4 "$RUN/monitor.log"
}

skip() { SKIPPED=$*; }

# Runs ALL_TESTS in order in one KTAP block; ends the script.
tests_run() {
	local test number=0 verdict
	local -a tests
	read -rd '' -a tests <<<"$ALL_TESTS" || :
	[ $# = 0 ] || tests=("$@")
	printf 'KTAP version 1\n1..%d\n' "${#tests[@]}"
	for test in "${tests[@]}"; do
		number=$((number + 1)) RET=0 SKIPPED=''
		if declare -F "$test" >/dev/null; then "$test"; else fail "there is no test $test"; fi
		reasons_are_told
		verdict=ok
		[ "$RET" = 0 ] || { verdict='not ok' FAILED=$((FAILED + 1)); }
		if [ -n "$SKIPPED" ] && [ "$RET" = 0 ]; then
			printf 'ok %d %s # SKIP %s\n' "$number" "$test" "$SKIPPED"
		else
			printf '%s %d %s\n' "$verdict" "$number" "$test"
		fi
	done
	audits_find_nothing || FAILED=$((FAILED + 1))
	[ "$FAILED" = 0 ] || show_logs
	[ "$FAILED" = 0 ]
	exit
}

# All that the daemon of a namespace shows and that is not in the chip has a documented reason, and `explain` ends with what to do: each
# reason is explained once a script.
says_why() {
	[ ! -S "/run/firsthop/$1/firsthop.sock" ] ||
		"$PY" -ISB "$LIB/reasons.py" "/run/firsthop/$1/firsthop.sock" "$FIRSTHOP" "$ROOT/docs/reasons.md" "$RUN/reasons" 2>&1
}
# says_why_if NS TEXT: where TEXT is about something that is not in the chip.
says_why_if() { [[ ! $2 =~ (held|refused|failed|not_offloaded) ]] || says_why "$1"; }
# Of every daemon that runs at the end of a test.
reasons_are_told() {
	local name ns wrong
	for name in "${!PID[@]}"; do
		ns=${name#firsthopd-}
		[ "$ns" != "$name" ] && alive "$name" || continue
		wrong=$(says_why "$ns") || fail "of $ns: $wrong"
	done
}

# Every daemon that still runs, in step with its chip, believes what is so. A script in which somebody else writes to the chip behind
# the daemon's back sets AUDITED=no.
audits_find_nothing() {
	local name ns found
	[ "${AUDITED:-yes}" = yes ] || return 0
	for name in "${!PID[@]}"; do
		ns=${name#firsthopd-}
		[ "$ns" != "$name" ] && alive "$name" && fh "$ns" wait synced timeout 5 2>/dev/null || continue
		fh "$ns" wait audited timeout 20 || return
		found=$(fh "$ns" -j status | json 'd.audit.last')
		[ "$found" = '[]' ] || { echo "# an audit found what is not so: $found" && return 1; }
	done
}
