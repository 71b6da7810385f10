# Sourced after lib.sh by the scripts about VRRP daemons: two routers, and the LAN between them, which is a switch of its own.
#
#     h          192.0.2.10, 2001:db8:1::10                      a host on the LAN; what a test sends itself comes from here or
#     │                                                          from lan:to-rN, the far end of a router's wire
#     h3
#   ┌─┴─────────────────┐ netns lan: a chip that only bridges; br0 has no address
#   │  swp1 swp2 … swp5 │ h4, h5: free
#   └─to-r1──────to-r2──┘
#   ┌───┴───┐  ┌───┴───┐  netns r1, r2: a chip, firsthopd and a VRRP daemon each
#   │ swp1  │  │ swp1  │  192.0.2.1 and .2, 2001:db8:1::1 and ::2
#   │ swp2  │  │ swp2  │  198.51.100.1 and .2
#   └─e1────┘  └────e2─┘
#     └─── br0 ──────┘    netns b: a host behind, 198.51.100.10
#
# Roles are judged by the chips: is the virtual MAC in the chip, and does a frame for it, given to the router's wire, reach the
# CPU? What Linux forwards by itself is thus never seen.
#
# What is here is used by the scripts.
# shellcheck shell=bash disable=SC2034
. "$LIB/ask.sh"

VIP4=192.0.2.254 V5=00:00:5e:00:01:05 W5=00:00:5e:00:02:05
VIP6=2001:db8:1::254
OTHER=02:00:00:00:00:99 # a source MAC of no netdev
# Names of the virtual routers' macvlans, where a test can choose.
DEV4=vrrp5 DEV6=vrrp5v6
timeline() { "$PY" -ISB "$LIB/timeline.py" "$@"; }

# needs_daemon PROGRAM PACKAGE
needs_daemon() {
	command -v "$1" >/dev/null || unable "$2 is not installed"
	[ "$FH_ROOT" = yes ] || unable "$2 needs the machine's root"
}

# ------------------------------------------------------------------------------------------------------------- the world

# quiet NS: no IPv6, so that nothing comes up with an address, and nobody speaks unasked.
quiet() { on "$1" sh -c 'for where in all default; do echo 1 >/proc/sys/net/ipv6/conf/$where/disable_ipv6; done'; }

# router N [OPTION...]: netns rN with its chip, its wires plugged in.
router() {
	local n=$1 ns=r$1
	shift
	PORTS=2 switch "$ns" --chip-id "$ns" --base-mac 02:00:00:00:0"$n":00 --emad-pcap "$RUN/$ns.pcap" "$@"
	ip -n "$ns" link set h1 name to-"$ns" netns lan && ip -n lan link set to-"$ns" up &&
		ip -n "$ns" link set h2 name e"$n" netns b && ip -n b link set e"$n" master br0 up &&
		ip -n "$ns" link set swp1 up && ip -n "$ns" link set swp2 up &&
		ip -n "$ns" addr add 192.0.2."$n"/24 dev swp1 && ip -n "$ns" addr add 2001:db8:1::"$n"/64 dev swp1 nodad &&
		ip -n "$ns" addr add 198.51.100."$n"/24 dev swp2 || give_up "$ns"
}

# routers: all of the picture, with an agent in each of the three switches.
routers() {
	local ns
	for ns in lan b; do namespace $ns && quiet $ns; done
	ip -n b link add br0 type bridge mcast_snooping 0 && ip -n b link set br0 up &&
		ip -n b addr add 198.51.100.10/24 dev br0 && ip -n b route add default via 198.51.100.1 || give_up "b"
	router 1
	router 2
	PORTS=5 switch lan --chip-id lan --base-mac 02:00:00:00:03:00 --wire to-r1 --wire to-r2 --emad-pcap "$RUN/lan.pcap"
	ip -n lan link add br0 type bridge mcast_snooping 0 || give_up "no bridge"
	for port in 1 2 3 4 5; do ip -n lan link set swp$port master br0 up || give_up "swp$port of lan"; done
	ip -n lan link set br0 up
	host h lan 3 192.0.2.10/24 2001:db8:1::10/64
	ip -n h route add default via $VIP4
	for ns in r1 r2; do
		for port in swp1 swp2; do eventually 5000 carrier $ns $port || give_up "$port of $ns has no carrier"; done
	done
	for port in swp1 swp2 swp3; do eventually 5000 carrier lan $port || give_up "$port of lan has no carrier"; done
	for ns in r1 r2 lan; do agent $ns; done
	for ns in r1 r2; do eventually 10000 settled $ns || give_up "duplicate address detection in $ns does not end"; done
	OWN1=$(mac_of r1 swp1) OWN2=$(mac_of r2 swp1) HOST=$(mac_of h h3)
	for ns in r1 r2; do fh $ns wait synced timeout 10 || give_up "$ns is not in sync"; done
	RIF1=$(fh r1 -j rif dev swp1 | json 'd[0].rif') RIF2=$(fh r2 -j rif dev swp1 | json 'd[0].rif')
}
settled() { ! ip -n "$1" -6 addr show tentative | grep -q inet6; }

# --------------------------------------------------------------------------------------------------------------- judging

# routed_by N: what the host and the one behind send each other goes through the chip of rN, and no CPU sees it.
routed_by() {
	# nothing moves the gateway there
	check ip -n b route replace default via "198.51.100.$1"
	check eventually 5000 on h "$PY" -ISB "$LIB/frames.py" ping 198.51.100.10 count=1
	check chip_soon "r$1" "{'192.0.2.10', '198.51.100.10'} <= {n.address for n in d.neighbours}"
	# more than once, because Linux may report groups with a backup's virtual MAC, which moves it to the wrong port of the LAN for a while
	check eventually 10000 fifty_through "$1"
}
fifty_through() {
	local punted came
	punted=$(punted) came=$(came "$1")
	[ "$(on h "$PY" -ISB "$LIB/frames.py" ping 198.51.100.10 interval=0.002 count=50 | tail -n 1 | json d.lost)" = 0 ] &&
		[ "$(punted)" = "$punted" ] && [ $(($(came "$1") - came)) -ge 50 ]
}
# punted: packets between networks that traps of r1 and r2 counted.
punted() {
	local ns
	for ns in r1 r2; do
		chip $ns "sum(t.packets + t.policed for n, t in dict.items(c.traps) if n in ('external_route', 'unresolved_neigh', 'ipv4_lpm_miss', 'reject_route'))"
	done | tr '\n' ' '
}
# came N: packets that came out of the wire of swp2 of rN.
came() { ip -n b -s -j link show "e$1" | json d[0].stats64.rx.packets; }

# arrives NS MAC DESTINATION: how often a frame for MAC that is put on the wire of swp1 of NS reaches the netdev swp1, and which
# traps counted meanwhile. `1 local_route` is a router's; `0` that of a chip that is not the router.
arrives() {
	local kind=echo4 source=192.0.2.77
	[[ $3 != *:* ]] || kind=echo6 source=2001:db8:1::77
	ask send "lan:to-$1" $kind "mac=$OTHER" "dst_mac=$2" "src=$source" "dst=$3" "to=$1:swp1" "socket=$(chip_socket "$1")" |
		sed 's/swp1=//; s/ ipv[46]_vrrp+[0-9]*//g; s/+[0-9]*//g'
}
# takes NS MAC [DESTINATION]: the chip of NS routes for MAC, by its table and as a frame finds it.
takes() {
	local found
	chip_soon "$1" "macs().count('$2') == 1" || return
	found=$(arrives "$1" "$2" "${3:-$VIP4}")
	[[ $found == "1 local_route"* ]] || { echo "a frame for $2 on $1's wire: $found"; return 1; }
}
# leaves_alone NS MAC [DESTINATION]: it does not: there is no record, no slot, and the frame reaches nobody.
leaves_alone() {
	local found
	chip_holds "$1" "$(not_in_chip "$2")" || return
	found=$(arrives "$1" "$2" "${3:-$VIP4}")
	[[ $found == 0* ]] || { echo "a frame for $2 on $1's wire: $found"; return 1; }
}
not_in_chip() {
	echo "'$1' not in macs() and '$1' not in [m % (i or 0) for r in d.rifs if r.enabled is not False
		for m, i in (('00:00:5e:00:01:%02x', r.vrrp_id_ipv4), ('00:00:5e:00:02:%02x', r.vrrp_id_ipv6))]"
}
# active NS [DEV MAC DESTINATION], backup NS [...]: the daemon's verdict, and what the chip does. The verdict is waited for; and a
# daemon that has just been started may first take away what it found, so to be active is tried again.
active() { eventually 20000 active_now "$@" || active_now "$@"; }
active_now() { fh "$1" wait vmac dev "${2:-$DEV4}" state offload timeout 10 && takes "$1" "${3:-$V5}" "${4:-$VIP4}"; }
backup() { fh "$1" wait vmac dev "${2:-$DEV4}" state held timeout 20 && leaves_alone "$1" "${3:-$V5}" "${4:-$VIP4}"; }
active6() { active "$1" $DEV6 $W5 $VIP6; }
backup6() { backup "$1" $DEV6 $W5 $VIP6; }
gone() { fh "$1" wait vmac dev "$2" state gone timeout 20; }
# lan_sends MAC PORT [MS]: the LAN's chip has it there: 1 and 2 are the routers, 3 is the host.
lan_sends() { chip_soon lan "[r.port for r in d.fdb if r.mac == '$1'] == [$2]" "${3:-5000}"; }
# answers ADDRESS [MAC [4|6 SOURCE]]: the host gets an echo from there, through all chips; Linux may have to find its neighbour first.
answers() { eventually 15000 frames exchange h:h3 echo"${3:-4}" mac="$HOST" dst_mac="${2:-$V5}" src="${4:-192.0.2.10}" dst="$1" limit=1; }

# mark NS: what comes is counted from here. written NS: the records and interfaces that its chip was told since, in order.
declare -A MARK=()
mark() { MARK[$1]=$(chip_tool count "$RUN/$1.pcap"); }
written() { timeline writes "$RUN/$1.pcap" "${MARK[$1]}" | grep -E "^(SFD|RITR)"; }
routes_written() { timeline writes "$RUN/$1.pcap" "${MARK[$1]}" | grep "^RALUE"; }
# wrote NS REGEX COUNT
wrote() {
	local found
	found=$(written "$1" | grep -cE "$2")
	[ "$found" = "$3" ] || { echo "$found writes, not $3, of: $2"; written "$1"; return 1; }
}
# in_step NS...: nothing pends, nothing differs.
in_step() {
	local ns
	for ns; do fh "$ns" wait synced timeout 20 && fh "$ns" diff || return; done
}

# --------------------------------------------------------------------------------------------------------------- keepalived

VERSION=3 INTERVAL=0.2
# instance NAME VRID PRIORITY 'VIP...' LINE...: a vrrp_instance on swp1.
instance() {
	local name=$1 vrid=$2 priority=$3 vip
	printf 'vrrp_instance %s {\n interface %s\n state BACKUP\n virtual_router_id %s\n priority %s\n advert_int %s\n' \
		"$name" "${LOWER:-swp1}" "$vrid" "$priority" "$INTERVAL"
	printf ' virtual_ipaddress {\n'
	for vip in $4; do printf '  %s\n' "$vip"; done
	printf ' }\n'
	shift 4
	printf ' %s\n' "$@"
	printf '}\n'
}
# The two that most tests have: of IPv4 and of IPv6, VRID 5.
vr4() { instance four 5 "$1" $VIP4/24 "use_vmac $DEV4" "${@:2}"; }
vr6() { instance six 5 "$1" "fe80::51 $VIP6/64" "use_vmac $DEV6" "${@:2}"; }

# configure NS TEXT
configure() {
	printf 'global_defs {\n router_id %s\n vrrp_version %s\n %s\n}\n%s\n' "$1" "$VERSION" "${GLOBAL:-}" "$2" >"$RUN/$1.conf"
}
# keepalived_on NS TEXT: it runs with that configuration.
keepalived_on() {
	configure "$1" "$2"
	start "keepalived-$1" "$1" keepalived --dont-fork --log-console --vrrp --log-detail \
		--use-file "$RUN/$1.conf" --pid "$RUN/$1.pid" --vrrp_pid "$RUN/$1.vrrp.pid"
	eventually 20000 test -s "$RUN/$1.vrrp.pid"
}
reload() { kill -HUP "${PID[keepalived-$1]}"; }
# keepalived_off NS: SIGTERM; when this returns it has withdrawn everything and ended.
keepalived_off() { stop "keepalived-$1"; }
# keepalived_killed NS: as a crash. The child first, or its parent's end would tell it to end orderly; the parent must not see it.
keepalived_killed() {
	local child
	child=$(cat "$RUN/$1.vrrp.pid")
	kill -STOP "${PID[keepalived-$1]}"
	kill -KILL "$child"
	stop "keepalived-$1" KILL
	eventually 5000 sh -c "! kill -0 $child" && rm -f "$RUN/$1.vrrp.pid" "$RUN/$1.pid"
}

# --------------------------------------------------------------------------------------------------------------------- FRR

# FRR brings no macvlans of its own: frr_devices NS makes them as its manual has it (mode bridge, a random link-local), frr_on NS
# PRIORITY starts zebra and vrrpd, frr_off and frr_killed end vrrpd; zebra goes on.
FRR=/usr/lib/frr
frr_devices() {
	local ns=$1
	ip -n "$ns" link add $DEV4 link "${LOWER:-swp1}" address $V5 type macvlan mode bridge &&
		ip -n "$ns" link set $DEV4 addrgenmode random && ip -n "$ns" addr add $VIP4/24 dev $DEV4 && ip -n "$ns" link set $DEV4 up &&
		ip -n "$ns" link add $DEV6 link "${LOWER:-swp1}" address $W5 type macvlan mode bridge &&
		ip -n "$ns" link set $DEV6 addrgenmode random && ip -n "$ns" addr add $VIP6/64 dev $DEV6 nodad && ip -n "$ns" link set $DEV6 up
}
frr_on() {
	local ns=$1 dir=$RUN/frr-$1
	mkdir -p "$dir"
	printf 'hostname %s\n' "$ns" >"$dir/zebra.conf"
	cat >"$dir/vrrpd.conf" <<-END
		interface ${LOWER:-swp1}
		 vrrp 5 version 3
		 vrrp 5 priority $2
		 vrrp 5 advertisement-interval ${3:-100}
		 vrrp 5 ip $VIP4
		 vrrp 5 ipv6 $VIP6
	END
	chown -R frr:frr "$dir"
	if [ -z "${PID[zebra-$ns]:-}" ] || ! alive "zebra-$ns"; then
		rm -f "$dir/zserv"
		start "zebra-$ns" "$ns" $FRR/zebra -u frr -g frr -f "$dir/zebra.conf" -i "$dir/zebra.pid" -z "$dir/zserv" --vty_socket "$dir" \
			--log stdout
		# Bound is not enough: who is refused tries again after ten seconds.
		eventually 20000 on "$ns" grep -q " 00010000 .* $dir/zserv" /proc/net/unix || return
	fi
	start "vrrpd-$ns" "$ns" $FRR/vrrpd -u frr -g frr -f "$dir/vrrpd.conf" -i "$dir/vrrpd.pid" -z "$dir/zserv" --vty_socket "$dir" \
		--log stdout
	# Until then proto_down is what it was before.
	eventually 20000 frr_decided "$ns"
}
# proto_down is what vrrpd says, for both families.
frr_decided() {
	local roles links
	roles=$(vtysh_on "$1" 'show vrrp json' | json "[d[0].v4.status, d[0].v6.status]") &&
		links=$(ip -n "$1" -d -j link show |
			json "[{True: 'Backup'}.get(l.proto_down, 'Master') for n in ('$DEV4', '$DEV6') for l in d if l.ifname == n]") &&
		[ "$roles" = "$links" ]
}
frr_off() { stop "vrrpd-$1" || :; }
frr_killed() { stop "vrrpd-$1" KILL || :; }
# vtysh_on NS COMMAND...
vtysh_on() {
	local dir=$RUN/frr-$1 command
	shift
	for command; do set -- "$@" -c "$command" && shift; done
	vtysh --vty_socket "$dir" "$@"
}

# watched NS...: what the kernel says there, and what comes over the wire, is recorded until unwatched NS...; events NS has it, with
# what its chip was told since the mark, in order: see timeline.py.
watched() {
	local ns
	for ns; do
		start "monitor-$ns" "$ns" ip -o -ts monitor link addr
		start "wire-$ns" "$ns" "$PY" -ISB "$LIB/timeline.py" frames "lan:to-$ns"
		eventually 5000 grep -q listening "$RUN/wire-$ns.log" && eventually 5000 monitored "$ns" || return
	done
}
# A monitor says nothing when it begins to listen: something is done until it tells of it.
monitored() {
	ip -n "$1" link set lo alias "asked at $(now_ms)" && pause 0.02 && [ -s "$RUN/monitor-$1.log" ]
}
unwatched() {
	local ns
	for ns; do
		stop "monitor-$ns"
		stop "wire-$ns"
	done
}
events() { timeline "$RUN/$1.pcap" "${MARK[$1]}" "$RUN/monitor-$1.log" "$RUN/wire-$1.log"; }
# ms_between ONE OTHER < events: see timeline.py.
ms_between() { timeline between "$@"; }

# swept: no daemon's netdevs and addresses are left on the routers, and the chips have nothing of them.
swept() {
	local ns n name
	for ns in r1 r2; do
		n=${ns#r}
		for name in "${!PID[@]}"; do
			alive "$name" || continue
			case $name in
			"keepalived-$ns") keepalived_killed "$ns" ;;
			"zebra-$ns" | "vrrpd-$ns" | "ucarp-$ns") stop "$name" KILL ;;
			esac
		done
		# All at once: one by one each takes the kernel 20 ms.
		ip -n "$ns" -d -j link show | json "'\n'.join('link set ' + l.ifname + ' group 99' for l in d
			if (l.linkinfo or {}).get('info_kind') in ('macvlan', 'ipvlan'))" |
			sed '/^$/d' | ip -n "$ns" -batch -
		ip -n "$ns" link del group 99 2>/dev/null
		ip -n "$ns" -j addr show dev swp1 | json "'\n'.join('addr del %s/%s dev swp1' % (a.local, a.prefixlen) for a in d[0].addr_info
			if a.scope == 'global' and a.local not in ('192.0.2.$n', '2001:db8:1::$n'))" | sed '/^$/d' | ip -n "$ns" -batch -
		ip -n "$ns" link set swp1 up
		eventually 5000 carrier "$ns" swp1 && fh "$ns" wait synced timeout 20 || return
		chip_soon "$ns" "sorted(m for m in macs() if m != '$(mac_of "$ns" swp2)') == ['$(mac_of "$ns" swp1)']" || return
	done
}
