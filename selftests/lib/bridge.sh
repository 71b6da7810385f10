# Sourced after lib.sh by the scripts about bonds, VLANs, bridges and VRFs: which only few kernels have all of.
#
#   w1 h1 ─┐
#   w2 h2 ─┤ swp1 … swp6 of r1, and what a test makes of them      wN: a network namespace with the host behind port N
#   …      │
#
# What is here is used by the scripts.
# shellcheck shell=bash disable=SC2034
. "$LIB/ask.sh"

V5=00:00:5e:00:01:05 V6=00:00:5e:00:01:06 V7=00:00:5e:00:01:07
OTHER=02:00:00:00:00:99 # a source MAC of no netdev
SOCKET=$(chip_socket r1)

# send FROM KIND KEY=VALUE...: see wire.py; with the traps of r1's chip.
send() { ask send "$@" "socket=$SOCKET"; }

# ----------------------------------------------------------------------------------------------------------- what is made

# needs KIND...: each a kind of netdev that the kernel must have; ends the script otherwise.
needs() {
	local kind
	ip link add probe0 type bridge || unable "the kernel has no bridge"
	for kind; do
		case $kind in
		vlan) ip link add link probe0 name probe type vlan id 2 ;;
		vlan_filtering) ip link add probe type bridge vlan_filtering 1 ;;
		vrf) ip link add probe type vrf table 99 ;;
		*) ip link add probe type "$kind" ;;
		esac 2>/dev/null || unable "the kernel has no $kind (selftests/uml has one)"
		ip link del probe
	done
	ip link del probe0
}

# quiet NS: no IPv6, so that nothing comes up with an address, and nobody speaks unasked.
quiet() { on "$1" sh -c 'for where in all default; do echo 1 >/proc/sys/net/ipv6/conf/$where/disable_ipv6; done'; }

synced() { fh r1 wait synced timeout 5; }
r1() { ip -n r1 "$@"; }
bridge_r1() { on r1 bridge "$@"; }

# world [OPTION...]: r1 with a switch of six ports, all up, and a host's namespace wN behind each; h3 is in w2 too, so that
# w2 can bond two ports. Nobody has an address.
HOSTS="w1 w2 w4 w5 w6"
world() {
	local port ns
	namespace r1
	quiet r1
	PORTS=6 switch r1 "$@"
	for port in 1 2 3 4 5 6; do
		ns=w$port
		[ $port != 3 ] || ns=w2
		if [ ! -e /run/netns/$ns ]; then
			namespace $ns
			quiet $ns
		fi
		host $ns r1 $port
		r1 link set swp$port up
	done
	all_up
}
all_up() { eventually 5000 ports_up || give_up "a port has no carrier"; }
ports_up() { r1 -j link show | holds "sum(l.ifname.startswith('swp') and 'LOWER_UP' in l.flags for l in d) == 6"; }

# bonded NS NAME MODE MEMBER...: a bond of them, up.
bonded() {
	local ns=$1 name=$2 mode=$3 member
	shift 3
	if [ "$mode" = 802.3ad ]; then
		ip -n "$ns" link add "$name" type bond mode 802.3ad lacp_rate fast miimon 50 || return
	else
		ip -n "$ns" link add "$name" type bond mode "$mode" miimon 50 || return
	fi
	for member; do
		ip -n "$ns" link set "$member" down
		ip -n "$ns" link set "$member" master "$name" || return
		ip -n "$ns" link set "$member" up
	done
	ip -n "$ns" link set "$name" up
}
# vlan NS LOWER VID [ADDRESS]: LOWER.VID, up.
vlan() {
	ip -n "$1" link add link "$2" name "$2.$3" type vlan id "$3" && ip -n "$1" link set "$2.$3" up &&
		if [ $# -ge 4 ]; then ip -n "$1" addr add "$4" dev "$2.$3"; fi
}
# bridged NAME OPTIONS MEMBER...: a bridge in r1, up.
bridged() {
	local name=$1 options=$2 member
	shift 2
	r1 link add "$name" type bridge mcast_snooping 0 $options || return
	for member; do r1 link set "$member" master "$name" || return; done
	r1 link set "$name" up
}

# empty: nothing is left of what a test made: no interface, router MAC, group, bridging domain or mapping in the chip.
empty() {
	synced && chip_soon r1 "not [x for x in d.rifs if x.enabled is not False] and not macs() and not d.lags and not d.fids
		and not d.mappings" && [ "$(fh r1 diff)" = "No differences" ]
}

# wipe NS...: takes away all that a test made in r1 and these hosts.
wipe() {
	local ns
	for ns in r1 "$@"; do
		ip -n $ns -br link show | awk '
			{ sub(/@.*/, "", $1) }
			$1 ~ /^(swp|h)[0-9]$/ { plain[$1] = 1; next }
			$1 != "lo" { print "link del " $1 }
			END {
				for (dev in plain) print "link set " dev " nomaster up\naddr flush dev " dev
				print "neigh flush all"
			}' | ip -n $ns -force -batch - >/dev/null 2>&1
	done
	all_up
}
