#!/bin/bash
ALL_TESTS="adhoc"
. "$(dirname "$0")/lib/lib.sh"
adhoc() {
	PORTS=4 switch r1; agent r1
	for p in 1 2 3 4; do ip -n r1 link set swp$p up; ip -n r1 link set h$p up; done
	echo "== unaware bridge"
	ip -n r1 link add br0 type bridge; ip -n r1 link set swp1 master br0; ip -n r1 link set swp2 master br0; ip -n r1 link set br0 up
	ip -n r1 addr add 192.0.2.1/24 dev br0
	macvlan r1 br0 v5 00:00:5e:00:01:05 192.0.2.254/24
	fh r1 wait synced timeout 5; fh r1 rif; fh r1 vmac; fh r1 diff
	chip r1 "d.fdb"; chip r1 "d.rifs"
	fh r1 explain swp1
	echo "== aware"
	ip -n r1 link set br0 type bridge vlan_filtering 1
	fh r1 wait synced timeout 5; fh r1 rif; fh r1 vmac
	ip -n r1 link add link br0 name br0.10 type vlan id 10; ip -n r1 link set br0.10 up; ip -n r1 addr add 198.51.100.1/24 dev br0.10
	on r1 bridge vlan add dev swp1 vid 10; on r1 bridge vlan add dev br0 vid 10 self
	macvlan r1 br0.10 v6 00:00:5e:00:01:06 198.51.100.254/24
	fh r1 wait synced timeout 5; fh r1 rif; fh r1 vmac;fh r1 diff
	echo "== bond"
	ip -n r1 link add bond0 type bond mode balance-xor
	for p in 3 4; do ip -n r1 link set swp$p down; ip -n r1 link set swp$p master bond0; ip -n r1 link set swp$p up; done
	ip -n r1 link set bond0 up
	ip -n r1 addr add 203.0.113.1/24 dev bond0
	ip -n r1 link add link bond0 name bond0.20 type vlan id 20; ip -n r1 link set bond0.20 up; ip -n r1 addr add 203.0.114.1/24 dev bond0.20
	ip -n r1 link add vrf1 type vrf table 101;  ip -n r1 link set vrf1 up; ip -n r1 link set bond0.20 master vrf1
	fh r1 wait synced timeout 5; fh r1 rif; fh r1 vmac;fh r1 diff; fh r1 explain bond0.20; fh r1 explain swp3
	chip r1 "d.lags"
	echo "== restart"
	before=$(chip r1 d.writes_total)
	stop firsthopd-r1 KILL; FIRSTHOP_LOG=debug RUST_LOG=debug agent r1
	echo "writes $before $(chip r1 d.writes_total)"; grep Sent $RUN/firsthopd-r1.log
	ip -n r1 addr flush dev br0; ip -n r1 link del br0; fh r1 wait synced timeout 5; fh r1 diff | tail -3; ip -n r1 link del bond0
	fh r1 wait synced timeout 5; fh r1 rif; fh r1 diff; chip r1 "d.rifs"; chip r1 "d.fdb"
	show_logs
}
tests_run "$@"
