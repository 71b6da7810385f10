#!/bin/bash
# Switches that have a driver in the kernel: does firsthopd tell whose a port is, and what that driver can? netdevsim stands for
# them: it has devlink and ports, and nothing behind them.
#
#   r1: firsthopd alone        nsim4712 ports a0 a1      br0 ── a1
#   r2: firsthopd, hwsim       nsim4713 port b0          swp1 of the simulated switch, which may be netdevsim's as well

ALL_TESTS="
	explain_names_the_device
	rows_say_what_the_driver_can
	ports_have_the_handle_of_their_device
	a_bridge_of_its_ports_is_linuxs
	a_simulated_switch_keeps_its_ports
"
. "$(dirname "$0")/lib/lib.sh"

BUS=/sys/bus/netdevsim ONE=4712 TWO=4713
HANDLE=netdevsim/netdevsim$ONE OTHER=netdevsim/netdevsim$TWO
V5=00:00:5e:00:01:05 V6=00:00:5e:00:01:06

[ "$(id -u)" = 0 ] && [ -w $BUS/new_device ] || unable "needs root and netdevsim (selftests/uml has them)"
command -v devlink >/dev/null || unable "needs devlink (of iproute2)"

# ports NS HANDLE NAME...: what the device's ports are called from now on.
ports() {
	local ns=$1 handle=$2 name netdev index=0
	shift 2
	for name; do
		netdev=$(on "$ns" devlink -j port show "$handle/$index" | json "d.port['$handle/$index'].netdev")
		ip -n "$ns" link set "$netdev" name "$name" && ip -n "$ns" link set "$name" up || return
		index=$((index + 1))
	done
}
device() { on "$1" sh -c "echo '$2 $3' >$BUS/new_device"; }
is_read() { fh "$1" -j doctor | holds "any(c.name == 'device' and '$2:' in c.text for c in d)"; }
drivers_are_read() { check eventually 3000 is_read "$@"; }
row() { fh_holds "$1" "[(r.state, r.reason, r.evidence) for r in d] == [('$4', $5, $6)]" "$2" dev "$3"; }
unsupported() { row "$1" "$2" "$3" not_offloaded "'$4'" "'computed'"; }

# Broken if nobody learnt which device a netdev belongs to, at any height above its port.
explain_names_the_device() {
	local dev
	for dev in a0 v5 br0; do
		check fh_holds r1 "d.device == '$HANDLE'" explain $dev
		check fh_holds r1 "d.state == 'not_offloaded'" explain $dev
	done
	check fh_holds r1 "d.device is None" explain lo
}

# Broken if a switch without a router passed for a netdev that is no switch's, or for one that routes.
rows_say_what_the_driver_can() {
	drivers_are_read r1 $HANDLE || return
	check eventually 2000 unsupported r1 vmac v5 vmac_unsupported
	check unsupported r1 rif a0 rif_unsupported
	check unsupported r1 rif br0 rif_unsupported
	check fh_holds r1 "d.driver == 'netdevsim' and d.evidence == 'computed' and d.reason == 'vmac_unsupported'" explain v5
	fh r1 explain v5 >"$RUN/explain"
	check grep -q "device : $HANDLE: netdevsim has no datapath" "$RUN/explain"
	check fh_holds r1 "any(c.result == 'ok' and c.text.startswith('netdevsim $HANDLE: has no datapath') for c in d)" doctor
	check fh r1 wait vmac dev v5 state not_offloaded timeout 5
}

# Broken if ports of a switch were missing in the list, or had another device's number.
ports_have_the_handle_of_their_device() {
	drivers_are_read r1 $HANDLE || return
	check fh_holds r1 "[(p.ifname, p.device, p.local_port) for p in d] == [('a0', '$HANDLE', 0), ('a1', '$HANDLE', 1)]" port
}

# Broken if Linux's own bridge lost its entries because a device has a driver.
a_bridge_of_its_ports_is_linuxs() {
	check row r1 vmac v6 not_offloaded "'not_managed'" None
	check_status 3 fh r1 diff
	fh r1 diff >"$RUN/diff"
	check grep -q "bridge fdb add $V6 dev br0 self local" "$RUN/diff"
}

# Broken if a simulated switch's ports, netdevsim's or not, were taken for those of a device, or a device's for the switch's.
a_simulated_switch_keeps_its_ports() {
	check ip -n r2 link set h1 up
	check ip -n r2 link set swp1 up
	check eventually 2000 carrier r2 swp1
	check ip -n r2 addr add 192.0.2.1/24 dev swp1
	check macvlan r2 swp1 v5 $V5 192.0.2.254/24
	check fh r2 wait rif dev swp1 state offload timeout 5
	check fh r2 wait vmac dev v5 state offload timeout 5
	check row r2 vmac v5 offload None None
	check fh_holds r2 "d.device is None" explain swp1
	check fh_holds r2 "d.device == '$OTHER' and d.state == 'not_offloaded'" explain v6
	check fh_holds r2 "sum(p.device.startswith('hwsim/') for p in d) == 4 and all(p.device in ('$OTHER', d[0].device) for p in d)" port
	drivers_are_read r2 $OTHER || return
	check eventually 2000 unsupported r2 vmac v6 vmac_unsupported
	check row r2 vmac v5 offload None None
}

remove() {
	local id
	for id in $ONE $TWO; do echo $id >$BUS/del_device; done 2>/dev/null
	if [ "$FH_CPU" = netdevsim ]; then stop_switches; fi
}
trap remove EXIT

namespace r1
device r1 $ONE 2 && ports r1 $HANDLE a0 a1 || give_up "no netdevsim device"
ip -n r1 addr add 192.0.2.1/24 dev a0
ip -n r1 link add br0 type bridge mcast_snooping 0 forward_delay 0 && ip -n r1 link set a1 master br0 && ip -n r1 link set br0 up &&
	ip -n r1 addr add 198.51.100.1/24 dev br0 || give_up "no bridge"
macvlan r1 a0 v5 $V5 192.0.2.254/24 && macvlan r1 br0 v6 $V6 198.51.100.254/24 || give_up "no macvlans"
agent r1
switch r2
device r2 $TWO 1 && ports r2 $OTHER b0 && macvlan r2 b0 v6 $V6 198.51.100.254/24 || give_up "no second netdevsim device"
agent r2
tests_run "$@"
