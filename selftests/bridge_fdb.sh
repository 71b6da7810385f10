#!/bin/bash
# The kernel's bridges agree with the chip: what it learnt is there, what it forgot is not, and the MAC of a router that is
# active in the chip is the bridge's own, until it is a backup.
ALL_TESTS="
	learnt_macs_are_mirrored
	a_flushed_port_forgets
	a_router_mac_is_local
	a_backup_is_learnable
	what_was_there_stays
	a_killed_daemon_leaves_nothing_behind
	a_restart_sweeps_what_it_does_not_know
	vlans_of_an_aware_bridge
	a_former_mac_is_received
	the_configuration_is_read_again
"
. "$(dirname "$0")/lib/lib.sh"

VMAC=00:00:5e:00:01:05
HOST=02:00:00:00:00:aa

# fdb EXPR: of the kernel's table of br0, as e: [(mac, device, flags, state, vlan)].
fdb() {
	on r1 bridge -j fdb show br br0 |
		json "(lambda e: $1)([(x['mac'], x['ifname'], tuple(x['flags']), x['state'], x.get('vlan', 0)) for x in d])"
}
fdb_holds() { [ "$(fdb "$1")" = true ]; }
learnt_at() { fdb_holds "any(m == '$1' and i == '$2' and 'extern_learn' in f for m, i, f, s, v in e)"; }
is_absent() { fdb_holds "not any(m == '$1' for m, i, f, s, v in e)"; }
is_local() { bridge_owns r1 br0 "$1"; }
is_not_local() { ! is_local "$1"; }
# speak PORT: the host there says something.
speak() { on "$1" "$PY" -ISB -c 'import socket, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind((sys.argv[1], 0))
s.send(b"\xff" * 6 + bytes.fromhex(sys.argv[2].replace(":", "")) + bytes.fromhex(sys.argv[3]) + bytes(46))' "h${1#w}" "$2" "${3:-88b5}"; }

up() {
	PORTS=3 switch r1
	for p in 1 2 3; do
		host w$p r1 $p
		ip -n r1 link set swp$p up
	done
	ip -n r1 link add br0 type bridge
	ip -n r1 link set br0 addrgenmode none
	for p in 1 2; do ip -n r1 link set swp$p master br0; done
	ip -n r1 link set br0 up
	ip -n r1 addr add 192.0.2.1/24 dev br0
	agent r1 -c "$RUN/firsthop.toml"
}
: >"$RUN/firsthop.toml"
up

learnt_macs_are_mirrored() {
	speak w1 $HOST
	check eventually 2000 learnt_at $HOST swp1
	speak w2 $HOST
	check eventually 2000 learnt_at $HOST swp2
}

a_flushed_port_forgets() {
	ip -n r1 link set swp2 nomaster
	check eventually 2000 is_absent $HOST
	ip -n r1 link set swp2 master br0
	check fh r1 wait synced timeout 5
}

a_router_mac_is_local() {
	speak w2 $VMAC
	check eventually 2000 learnt_at $VMAC swp2
	macvlan r1 br0 vrrp5 $VMAC 192.0.2.254/24
	check fh r1 wait vmac dev vrrp5 state offload timeout 5
	check eventually 2000 is_local $VMAC
	speak w2 $VMAC
	check is_local $VMAC
	check_eq "$(fdb "sum(m == '$VMAC' for m, i, f, s, v in e if not v and s == 'permanent' and 'self' not in f)")" 1 "entries"
}

a_backup_is_learnable() {
	ip -n r1 addr flush dev vrrp5
	check fh r1 wait vmac dev vrrp5 state held timeout 5
	check eventually 2000 is_not_local $VMAC
	speak w2 $VMAC
	check eventually 2000 learnt_at $VMAC swp2
	ip -n r1 addr add 192.0.2.254/24 dev vrrp5
	check eventually 2000 is_local $VMAC
	ip -n r1 link del vrrp5
	check eventually 2000 is_not_local $VMAC
	check fh r1 wait synced timeout 5
	check chip_holds r1 "not any(r['mac'] == '$VMAC' and r['action'] == 'forward_ip_router' for r in d['fdb'])"
}

what_was_there_stays() {
	on r1 bridge fdb replace $VMAC dev br0 self local
	macvlan r1 br0 vrrp5 $VMAC 192.0.2.254/24
	check fh r1 wait vmac dev vrrp5 state offload timeout 5
	check is_local $VMAC
	ip -n r1 link del vrrp5
	check fh r1 wait vmac dev vrrp5 gone timeout 5
	check fh r1 wait synced timeout 5
	check is_local $VMAC
	on r1 bridge fdb del $VMAC dev br0 self
	check fh r1 wait synced timeout 5
}

a_killed_daemon_leaves_nothing_behind() {
	macvlan r1 br0 vrrp5 $VMAC 192.0.2.254/24
	check eventually 3000 is_local $VMAC
	stop firsthopd-r1 KILL
	check is_local $VMAC
	agent r1 -c "$RUN/firsthop.toml"
	check is_local $VMAC
	stop firsthopd-r1 KILL
	ip -n r1 link del vrrp5
	check is_local $VMAC
	agent r1 -c "$RUN/firsthop.toml"
	check eventually 3000 is_not_local $VMAC
}

a_restart_sweeps_what_it_does_not_know() {
	speak w1 $HOST
	check eventually 2000 learnt_at $HOST swp1
	stop firsthopd-r1 KILL
	on r1 bridge fdb replace 02:00:00:00:00:bb dev swp2 master static
	agent r1 -c "$RUN/firsthop.toml"
	check eventually 3000 is_absent $HOST
	check fdb_holds "any(m == '02:00:00:00:00:bb' for m, i, f, s, v in e)"
	on r1 bridge fdb del 02:00:00:00:00:bb dev swp2 master
	# the chip has it still, and tells of it when it moves
	speak w2 $HOST
	check eventually 2000 learnt_at $HOST swp2
}

vlans_of_an_aware_bridge() {
	if ! ip -n r1 link set br0 type bridge vlan_filtering 1 2>/dev/null ||
		! ip -n r1 link add link br0 name br0.10 type vlan id 10 2>/dev/null; then
		skip "no VLANs in this kernel"
		return
	fi
	check eventually 2000 is_absent $HOST
	on r1 bridge vlan add dev swp1 vid 10
	on r1 bridge vlan add dev swp2 vid 10
	ip -n r1 link set br0.10 up
	ip -n r1 addr add 198.51.100.1/24 dev br0.10
	macvlan r1 br0.10 vrrp5 $VMAC 198.51.100.254/24
	check fh r1 wait vmac dev vrrp5 state offload timeout 5
	check is_not_local $VMAC # br0 itself is not in VLAN 10
	on r1 bridge vlan add dev br0 vid 10 self
	check eventually 2000 bridge_owns r1 br0 $VMAC 10
	speak w1 $HOST 8100000a88b5
	check eventually 2000 fdb_holds "any(m == '$HOST' and i == 'swp1' and v == 10 and 'extern_learn' in f for m, i, f, s, v in e)"
	on r1 bridge vlan del dev swp1 vid 10
	check eventually 2000 is_absent $HOST
	ip -n r1 link del br0.10
	check eventually 2000 is_not_local $VMAC
	check fh r1 wait synced timeout 5
	check chip_holds r1 "not any(r['mac'] == '$VMAC' and r['action'] == 'forward_ip_router' for r in d['fdb'])"
	ip -n r1 link set br0 type bridge vlan_filtering 0
}

# vrrpd's way: the virtual MAC is the device's, and the former one goes into its filters by an ioctl that nobody announces.
multicast_list() { on r1 "$PY" -ISB -c 'import fcntl, socket, struct, sys
mac = bytes.fromhex(sys.argv[3].replace(":", ""))
request = struct.pack("16sH6s8x", sys.argv[2].encode(), 0, mac)
fcntl.ioctl(socket.socket(), {"add": 0x8931, "del": 0x8932}[sys.argv[1]], request)' "$1" "$2" "$3"; }

answers_for() { chip_holds r1 "any(r['mac'] == '$1' and r['action'] == 'forward_ip_router' for r in d['fdb'])"; }
a_former_mac_is_received() {
	local own
	own=$(mac_of r1 swp3)
	ip -n r1 addr add 203.0.113.1/24 dev swp3
	check fh r1 wait rif dev swp3 state offload timeout 5
	ip -n r1 link set swp3 address 00:00:5e:00:01:07
	multicast_list add swp3 "$own"
	check eventually 3000 answers_for "$own"
	check answers_for 00:00:5e:00:01:07
	stop firsthopd-r1 KILL
	agent r1 -c "$RUN/firsthop.toml"
	check answers_for "$own"
	ip -n r1 link set swp3 address "$own"
	multicast_list del swp3 "$own"
	check fh r1 wait synced timeout 5
	check answers_for "$own"
	check eventually 3000 chip_holds r1 "not any(r['mac'] == '00:00:5e:00:01:07' for r in d['fdb'])"
}

the_configuration_is_read_again() {
	ip -n r1 link add quiet link swp3 address 00:00:5e:00:01:09 type macvlan mode private
	check fh r1 wait vmac dev quiet state held timeout 5
	printf '[[vmac]]\npolicy = "always"\n' >"$RUN/firsthop.toml"
	stop_hup
	check eventually 2000 grep -q 'lower. or .mac' "$RUN/firsthopd-r1.log"
	check fh r1 wait vmac dev quiet state held timeout 5
	printf '[[vmac]]\nlower = "swp3"\npolicy = "always"\n[device]\nmanage = true\n' >"$RUN/firsthop.toml"
	stop_hup
	check fh r1 wait vmac dev quiet state offload timeout 5
	check grep -q 'device.manage has changed, which needs a restart' "$RUN/firsthopd-r1.log"
	: >"$RUN/firsthop.toml"
	stop_hup
	check fh r1 wait vmac dev quiet state held timeout 5
}
stop_hup() { kill -HUP "${PID[firsthopd-r1]}"; }

tests_run "$@"
