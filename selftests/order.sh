#!/bin/bash
# In whatever order people and daemons do things: does the same chip come of it, but for the numbers? The scenarios are those
# that agent/tests/properties replays on a simulated kernel; here it is a real one. FH_ORDERS=all: every order of each;
# otherwise so many (4).

ALL_TESTS="
	of_ports
	of_vlans_of_ports
	of_lags
	of_vlan_unaware_bridges
	of_vlan_aware_bridges
	of_the_rest
"
. "$(dirname "$0")/lib/lib.sh"
. "$LIB/bridge.sh"

# orders PATTERN: of the scenarios whose names match.
orders() {
	local status=0
	"$PY" -ISB "$LIB/order.py" r1 "$SOCKET" "$FIRSTHOP" "${FH_ORDERS:-4}" "$1" >"$RUN/orders" 2>&1 || status=$?
	sed 's/^/# /' "$RUN/orders"
	[ $status = 0 ] || fail "the chip depends on the order, or too few orders count"
}
# Broken, each of them, if what a step does depended on what was there before it.
of_ports() { orders 'port: '; }
of_vlans_of_ports() { orders 'VLANs? of '; }
of_lags() { orders 'LAG: '; }
of_vlan_unaware_bridges() { orders 'VLAN-unaware '; }
of_vlan_aware_bridges() { orders 'VLAN-aware '; }
of_the_rest() { orders '(?!port: |VLANs? of |LAG: |VLAN-unaware |VLAN-aware )'; }

needs vlan_filtering vlan vrf bond dummy veth
namespace r1
quiet r1
PORTS=4 switch r1
for port in 1 2 3 4; do
	r1 link set h$port up
	r1 link set swp$port up
done
agent r1
tests_run "$@"
