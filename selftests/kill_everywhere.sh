#!/bin/bash
# The daemon is killed (SIGKILL) at every register write of a scenario of more than 200, routes among them, on the way there and on the
# way back: with that write lost, or done and its answer lost. Does the next daemon bring the chip to where it would be, with the
# missing writes and no others, and is every frame for the MACs that do not change routed all the time? FH_EVERY=1: both ways to lose
# it at every write, which takes twice as long.

ALL_TESTS="
	killed_at_every_write
	nobody_lost_a_frame
"
. "$(dirname "$0")/lib/lib.sh"

V5=00:00:5e:00:01:05 V6=00:00:5e:00:01:06
ROUTERS=145

# Half of the routers are active before, the other half after; swp3 has a router interface before, swp4 after; swp2's MTU changes, and
# the VRID whose slot the fast path has; half of the routes are there before, half after, and all of them change their next hops but
# one. state OUT IN: the commands that withdraw one half, and make the other active.
state() {
	local n out=$1 in=$2
	for ((n = 1; n <= ROUTERS; n++)); do
		if ((n % 3 == 0)); then echo "addr $out 192.0.2.$((20 + n))/32 dev mv$n"; else echo "addr $in 192.0.2.$((20 + n))/32 dev mv$n"; fi
	done
	for ((n = 1; n <= 8; n++)); do
		echo "addr $out 203.0.$n.1/24 dev swp3"
		echo "addr $in 203.1.$n.1/24 dev swp4"
	done
	echo "addr $in 198.51.100.253/32 dev vrrp2"
	for n in 1 2 3; do
		echo "route $out 198.18.$n.0/24 via 192.0.2.10"
		echo "route $in 198.19.$n.0/24 nexthop via 192.0.2.10 weight 1 nexthop via 198.51.100.10 weight 3"
	done
}
forward() {
	state del add
	echo "link set swp2 mtu 9000"
	echo "route replace 198.20.0.0/16 via 198.51.100.10"
}
backward() {
	state add del
	echo "link set swp2 mtu 1500"
	echo "route replace 198.20.0.0/16 via 192.0.2.10"
}

# Broken if a daemon that died after any write left something that the next one does not find, does not mend, or mends by writing
# more than what was missing.
killed_at_every_write() {
	local status=0 every=some
	[ -z "${FH_EVERY:-}" ] || every=every
	on r1 "$PY" -ISB "$LIB/kill_everywhere.py" "$FIRSTHOPD" /run/firsthop/r1/firsthop.sock "$(chip_socket r1)" \
		"$RUN/forward" "$RUN/backward" $every $V5 $V6 "$(mac_of r1 swp1)" "$(mac_of r1 swp2)" >"$RUN/figures" 2>&1 || status=$?
	sed 's/^/# /' "$RUN/figures"
	[ $status = 0 ] || fail "a kill made a difference"
	# The scenario is as long as it says.
	check awk '/writes, /{ if ($2 < 200) exit 1; seen++ } END { exit seen != 2 }' "$RUN/figures"
}

# Broken if anything of that had cost a frame, to virtual routers of two interfaces.
nobody_lost_a_frame() {
	local name told
	for name in one two; do
		stop "$name" INT
		told=$(tail -n 1 "$RUN/$name.log")
		note "$told"
		check holds 'd.lost == 0 and d.received > 1000' <<<"$told"
	done
	check_eq "$(grep -c panicked "$RUN/firsthopd-r1.log")" 0 "panics"
}

namespace r1
# Without link-locals, which come a while after a port does.
on r1 sh -c 'for f in all default; do echo 1 >/proc/sys/net/ipv6/conf/$f/disable_ipv6; done'
switch r1
host h1 r1 1 192.0.2.10/24
host h2 r1 2 198.51.100.10/24
for port in 3 4; do ip -n r1 link set h$port up; done
for port in 1 2 3 4; do ip -n r1 link set swp$port up; done
for port in 1 2 3 4; do eventually 5000 carrier r1 swp$port || give_up "swp$port has no carrier"; done
ip -n r1 addr add 192.0.2.1/24 dev swp1
ip -n r1 addr add 198.51.100.1/24 dev swp2
macvlan r1 swp1 vrrp5 $V5 192.0.2.254/32
macvlan r1 swp2 vrrp6 $V6 198.51.100.254/32
macvlan r1 swp2 vrrp2 00:00:5e:00:01:02
for ((n = 1; n <= ROUTERS; n++)); do
	printf 'link add mv%d link swp1 address 02:00:00:00:cc:%02x type macvlan mode private\nlink set mv%d up\n' $n $n $n
	((n % 3)) || echo "addr add 192.0.2.$((20 + n))/32 dev mv$n"
done >"$RUN/batch"
for ((n = 1; n <= 8; n++)); do echo "addr add 203.0.$n.1/24 dev swp3"; done >>"$RUN/batch"
ip -n r1 -batch "$RUN/batch" || give_up "the beginning can't be made"
for n in 1 2 3; do ip -n r1 route add 198.18.$n.0/24 via 192.0.2.10; done
ip -n r1 route add 198.20.0.0/16 via 192.0.2.10
# known for good, so that every run has the same writes
ip -n r1 neigh replace 192.0.2.10 lladdr "$(mac_of h1 h1)" dev swp1 nud permanent
ip -n r1 neigh replace 198.51.100.10 lladdr "$(mac_of h2 h2)" dev swp2 nud permanent
forward >"$RUN/forward"
backward >"$RUN/backward"
ip -n h1 neigh replace 192.0.2.254 lladdr $V5 dev h1
ip -n h2 neigh replace 198.51.100.254 lladdr $V6 dev h2
agent r1
stop firsthopd-r1 KILL
start one h1 "$PY" -ISB "$LIB/frames.py" ping 192.0.2.254 interval=0.005
start two h2 "$PY" -ISB "$LIB/frames.py" ping 198.51.100.254 interval=0.005
for name in one two; do eventually 5000 grep -q answered "$RUN/$name.log" || give_up "nobody answers to $name"; done
tests_run "$@"
