#!/bin/bash
# The deployments of docs/deployments.md: do its commands, run as they stand there, on two switches with the daemons that people use,
# do what it says, in the chips and to frames; and is what it shows what is printed?
#
# Each switch is a machine of its own: a network namespace, and a mount namespace with its own /etc/keepalived, /etc/frr and /run.
# FH_GUIDE is another page than docs/deployments.md.

ALL_TESTS="
	every_block_is_run
	two_switches_on_one_machine
	a_macvlan_by_hand
	what_is_different_from_mlxsw
	keepalived_on_two_routers
	frr_on_two_routers
	keepalived_on_a_vlan
	nothing_differs_at_the_end
"
. "$(dirname "$0")/lib/lib.sh"

GUIDE=${FH_GUIDE:-$ROOT/docs/deployments.md}
V10=00:00:5e:00:01:0a W10=00:00:5e:00:02:0a V11=00:00:5e:00:01:0b
MAC1=00:11:22:33:44:55 MAC2=00:11:22:33:44:66
OTHER=02:00:00:00:00:99 # a source MAC of no netdev
guide() { "$PY" -ISB "$LIB/guide.py" "$@"; }

# ---------------------------------------------------------------------------------------------------------------- machines

. "$LIB/reader.sh"

# machine NS: its own files, for the guide's commands.
machine() {
	local ns=$1 own=/run/machine/$1 directory
	mkdir -p "$own" /run/hwsim /run/firsthop
	for directory in netns hwsim firsthop selftest; do
		mkdir -p "$own/$directory"
		mount --rbind "/run/$directory" "$own/$directory" || return
	done
	start "machine-$ns" "$ns" unshare --mount bash -c '
		set -e
		for directory in /etc/keepalived /etc/frr; do
			[ -d $directory ] || continue
			mkdir "$1/copy"
			cp -a $directory/. "$1/copy" 2>/dev/null || :
			mount -t tmpfs tmpfs $directory
			cp -a "$1/copy/." $directory
			rm -rf "$1/copy"
			chown --reference="$directory/daemons" $directory 2>/dev/null || :
		done
		rm -f /etc/frr/frr.conf
		mount --rbind "$1" /run
		echo ready
		exec sleep infinity' - "$own"
	eventually 10000 grep -qx ready "$RUN/machine-$ns.log"
}

# at MACHINE COMMAND...: the machines with files of their own are r1 and r2; `lab` is this one.
at() {
	local where=$1
	shift
	case $where in
	lab) "$@" ;;
	r1 | r2) nsenter --target "${PID[machine-$where]}" --mount --net -- "$@" ;;
	*) on "$where" "$@" ;;
	esac
}

# shown MACHINE COMMAND OUTPUT: it prints that, within ten seconds: some take until the daemons agree.
shown() {
	local limit=$(($(now_ms) + 10000))
	until at "$1" bash -c "$2" 2>&1 | guide same "$3" >"$RUN/shown" 2>&1; do
		if [ "$(now_ms)" -gt "$limit" ]; then
			cat "$RUN/shown"
			return 1
		fi
		pause 0.05
	done
}

ONE_BY_ONE='while IFS= read -r command; do eval "$command" </dev/null || { echo "failed: $command"; exit 1; }; done <<<"$1"'
# step LABEL: runs the blocks of the guide that have it; each command must succeed, and each output be as shown.
step() {
	local kind machines line text more machine
	guide blocks "$GUIDE" "$1" >"$RUN/blocks" 2>"$RUN/check" || { fail "$(cat "$RUN/check")"; return; }
	while IFS= read -rd '' kind && IFS= read -rd '' machines && IFS= read -rd '' line && IFS= read -rd '' text && IFS= read -rd '' more; do
		for machine in ${machines//,/ }; do
			case $kind in
			file) at "$machine" bash -c 'cat >"$1"' - "$text" <<<"${more%$'\n'}" ;;
			show) shown "$machine" "$text" "$more" ;;
			daemon) in_background "$machine" "$text" ;;
			sh) at "$machine" bash -c "$ONE_BY_ONE" - "$text" ;;
			esac </dev/null >"$RUN/output" 2>&1
			# shellcheck disable=SC2181 # of the case
			[ $? = 0 ] && continue
			fail "${GUIDE##*/}:$line on $machine: ${text%%$'\n'*}"
			head -n 40 "$RUN/output" | sed 's/^/#   /'
			return 1
		done
	done <"$RUN/blocks"
}

# in_background MACHINE COMMAND: `ip netns exec NS PROGRAM …`; it has said
# that it is ready when this returns.
in_background() {
	local -a words
	read -ra words <<<"$2"
	local name=${words[4]}-${words[3]}
	: >"$RUN/$name.log"
	"${words[@]}" >"$RUN/$name.log" 2>&1 </dev/null &
	PID[$name]=$!
	eventually 10000 grep -qx ready "$RUN/$name.log"
}

# ------------------------------------------------------------------------------------------------------------------ checks

# wiped: nothing is left on the switches of what a chapter made, also of one that failed.
wiped() {
	local ns dev
	for ns in r1 r2; do
		! at $ns test -e /run/keepalived.pid || at $ns sh -c 'kill $(cat /run/keepalived.pid)'
		eventually 20000 at $ns test ! -e /run/keepalived.pid
		! at $ns test -e /run/frr/watchfrr.pid || at $ns /usr/lib/frr/frrinit.sh stop
		for dev in macvlan0 macvlan1 mac1 vrrp4-2-1 vrrp6-2-1 br0.10 br0; do ip -n $ns link del $dev; done
		for dev in sw1p1 sw1p2 sw1p3; do ip -n $ns addr flush dev $dev; done
	done >/dev/null 2>&1
	for ns in r1 r2; do
		fh $ns wait synced timeout 10 && chip_soon $ns "not macs() and not d.fids" 5000 || return
	done
}

# echoes HOST MAC DESTINATION: an echo request of HOST to that MAC is answered. None of that is ARP's business.
echoes() {
	local source
	source=$(ip -n "$1" -j addr show dev "$1" | json '[a.local for a in d[0].addr_info if a.family == "inet"][0]')
	frames exchange "$1:$1" echo4 mac="$(mac_of "$1" "$1")" dst_mac="$2" src="$source" dst="$3" limit=2
}
# silent ROUTER MAC DESTINATION: a frame for the MAC on the wire of its sw1p1 is none of its router's.
silent() {
	check_eq "$(frames probe "h${1#r}:h${1#r}" "$1:sw1p1" echo4 mac=$OTHER dst_mac="$2" src=192.168.1.77 dst="$3")" 0 "$2 seen by $1"
}
in_chip() { chip_soon "$1" "'$2' in macs()" 5000; }
not_in_chip() { chip_soon "$1" "'$2' not in macs()" 5000; }
slot() { chip_soon "$1" "[r.vrrp_id_ipv4 for r in d.rifs if r.enabled is not False and r.vrrp_id_ipv4] == $2"; }
# learnt ROUTER MAC PORT: its chip sends frames for the MAC there.
learnt() { chip_soon "$1" "[r.port for r in d.fdb if r.mac == '$2' and r.action != 'forward_ip_router'] == [$3]" 5000; }
# active ROUTER MAC, then the other is the backup: by both chips' tables, and by the way that frames of both hosts take.
active() {
	local other=r1
	[ "$1" = r2 ] || other=r2
	check in_chip "$1" "$2"
	check not_in_chip "$other" "$2"
	check learnt "$other" "$2" 2
	check chip_soon "$other" "c.traps.ipv4_vrrp.packets > 0"
	if [ "$2" = $V10 ]; then
		check slot "$1" "[10]"
		check slot "$other" "[]"
		check echoes "h${1#r}" $V10 192.168.1.1
		# From the backup's side, through its chip and the cable.
		check eventually 5000 echoes "h${other#r}" $V10 192.168.1.1
		check echoes "h${other#r}" $V10 198.51.100.10
	fi
}
has_vlan() { ip -n core link add probe type bridge vlan_filtering 1 && ip -n core link add link probe name probe2 type vlan id 2; }

keepalived_or_skip() {
	[ "$FH_ROOT" = yes ] || { skip "keepalived needs the machine's root"; return 1; }
	command -v keepalived >/dev/null || { skip "keepalived is not installed"; return 1; }
}

# ------------------------------------------------------------------------------------------------------------------- tests

# Broken if a command or a configuration stood in the guide that nothing runs.
every_block_is_run() {
	check guide check "$GUIDE" namespaces switches cables hosts agents macvlan active reach backup differences clean bridge configuration \
		keepalived reachable reachable_by_the_other takeover back no_keepalived frr frr_takeover frr_back vlan vlan_keepalived vlan_takeover
}

# Broken if the two switches that the guide has made were not there, or not in step.
two_switches_on_one_machine() {
	for ns in r1 r2; do
		check fh_holds $ns "[p.ifname for p in d] == ['sw1p1', 'sw1p2', 'sw1p3']" port
		check_status 0 fh $ns diff
	done
}

# Broken if a macvlan that was made as the wikis do it were not routed, or one without address were.
a_macvlan_by_hand() {
	step macvlan || return
	check fh_holds r1 "{v.ifname: (v.state, v.reason) for v in d} == {'macvlan0': ('held', 'macvlan_down'), 'mac1': ('held', 'macvlan_down')}" vmac
	check chip_holds r1 "macs() == ['$(mac_of r1 sw1p1)']"
	step active || return
	check chip_soon r1 "macs() == sorted(['$V10', '$MAC1', '$(mac_of r1 sw1p1)'])"
	check slot r1 "[10]"
	check echoes h1 $V10 192.168.1.1
	check echoes h1 $MAC1 192.168.1.254
	check echoes h1 $MAC1 192.168.1.1
	step reach
	step backup || return
	check chip_soon r1 "macs() == sorted(['$MAC1', '$(mac_of r1 sw1p1)'])"
	check slot r1 "[]"
	silent r1 $V10 192.168.1.1
	check echoes h1 $MAC1 192.168.1.254
}

# Broken if what the guide says of mlxsw's weak points were not so here.
what_is_different_from_mlxsw() {
	step differences || return
	check chip_soon r1 "macs() == sorted(['$V10', '$V11', '$MAC2', '$(mac_of r1 sw1p1)'])"
	check slot r1 "[10]"
	check echoes h1 $V11 192.168.1.253
	check echoes h1 $MAC2 192.168.1.254
	silent r1 $MAC1 192.168.1.254
	check ip -n r1 link del macvlan0
	check slot r1 "[11]"
	check ip -n r1 link add macvlan0 link sw1p1 type macvlan
	step clean
	check fh r1 wait synced timeout 5
	check chip_soon r1 "not macs()"
}

# Broken if keepalived with the wiki's configuration did not make exactly one router's chip route, and move with it.
keepalived_on_two_routers() {
	keepalived_or_skip || return
	check wiped
	step bridge && step configuration || return
	step keepalived || return
	active r1 $V10
	silent r2 $V10 192.168.1.1
	step reachable
	step takeover || return
	active r2 $V10
	step reachable_by_the_other
	step back || return
	active r1 $V10
	silent r2 $V10 192.168.1.1
	step no_keepalived
	for ns in r1 r2; do
		check fh $ns wait vmac dev vrrp.10 state gone timeout 20
		check not_in_chip $ns $V10
		check eventually 20000 test ! -e "/run/machine/$ns/keepalived.pid"
	done
	CHAPTER=keepalived
}
CHAPTER=''

# Broken if a backup of FRR, whose macvlans have their addresses, were taken for active, or an active router were not.
frr_on_two_routers() {
	[ "$FH_ROOT" = yes ] || { skip "FRR needs the machine's root"; return; }
	[ -x /usr/lib/frr/vrrpd ] || { skip "FRR is not installed"; return; }
	# As the guide goes, on the bridges of the last chapter, unless they are not there.
	[ "$CHAPTER" = keepalived ] || { check wiped; step bridge || return; }
	step frr || { frr_logs; return; }
	for mac in $V10 $W10; do active r1 $mac; done
	silent r2 $V10 192.168.1.1
	step reachable
	step frr_takeover || { frr_logs; return; }
	for mac in $V10 $W10; do active r2 $mac; done
	step reachable_by_the_other
	step frr_back || { frr_logs; return; }
	for mac in $V10 $W10; do active r1 $mac; done
	silent r2 $V10 192.168.1.1
	check wiped
}
frr_logs() {
	local ns
	for ns in r1 r2; do at $ns vtysh -c 'show vrrp' 2>&1 | grep Status | sed "s/^/# $ns: /"; done
}

# Broken if a virtual MAC were routed in another VLAN than its router's, or not there.
keepalived_on_a_vlan() {
	keepalived_or_skip || return
	has_vlan 2>/dev/null || { skip "the kernel has no VLANs (selftests/uml has one)"; return; }
	check wiped
	step configuration || return
	step vlan || return
	step vlan_keepalived || return
	active r1 $V10
	silent r2 $V10 192.168.1.1
	check chip_holds r1 "[(r.fid, r.action) for r in d.fdb if r.mac == '$V10'] == [(r.fid, 'forward_ip_router') for r in d.rifs if r.vid == 10]"
	step reachable
	step vlan_takeover || return
	active r2 $V10
	step reachable_by_the_other
}

# Broken if the deployments left the chips otherwise than they should be.
nothing_differs_at_the_end() {
	for ns in r1 r2; do
		check fh $ns wait synced timeout 10
		check_status 0 fh $ns diff
		check fh_holds $ns "d.hw.failures == 0" status
	done
}

step namespaces || give_up "no network namespaces"
for ns in r1 r2; do router_sysctls $ns; done
for part in switches cables hosts agents; do step $part || give_up "$part"; done
for ns in r1 r2; do
	machine $ns || give_up "no mount namespace for $ns"
	fh $ns wait synced timeout 10 >/dev/null || give_up "$ns is not in sync"
done
tests_run "$@"
