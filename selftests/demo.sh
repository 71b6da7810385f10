#!/bin/bash
# The demo: two simulated switches as routers R1 and R2 between a host and a server, and one virtual router that moves between them.
#
# Everything runs in network, mount and process namespaces of its own: when it ends, in whatever way, nothing is left.
# keepalived decides who is active where it can be had as root; `ip` commands play its part elsewhere (FH_DRIVER=ip: always).

if [ -z "${FH_ISOLATED:-}" ]; then
	if [ -z "${FH_NO_BUILD:-}" ]; then
		echo "Building (the first time takes a few minutes):"
		begun=$SECONDS
		(cd "$(dirname "$0")/.." && cargo build --release -p hwsim -p firsthop) || exit 1
		echo "Built in $((SECONDS - begun)) s."
	fi
fi
unable() {
	echo "demo: $*"
	exit 1
}
. "$(dirname "$0")/lib/lib.sh"
give_up() {
	echo "$1"
	return 1
}

VIP=192.0.2.254 VMAC=00:00:5e:00:01:05 SERVER=198.51.100.10
BEGUN=$(now_ms) HELD=0 BROKEN=0 PORTS=2

title() { printf '\n%s\n' "== $*"; }
say() { printf '   %s\n' "$*"; }

# step TEXT COMMAND...: one line with its result and how long it took.
step() {
	local text=$1 begin
	shift
	begin=$(now_ms)
	if "$@" >"$RUN/step" 2>&1; then
		HELD=$((HELD + 1))
		printf '   ok    %-58s %5d ms\n' "$text" $(($(now_ms) - begin))
	else
		BROKEN=$((BROKEN + 1))
		printf '   FAIL  %-58s %5d ms\n' "$text" $(($(now_ms) - begin))
		tail -n 5 "$RUN/step" | cut -c 1-70 | sed 's/^/         /'
	fi
}

# ------------------------------------------------------------------------------------------------------------ the world

router_up() { # NUMBER
	local ns=r$1
	switch "$ns" --base-mac "02:00:00:00:0$1:00" --chip-id "$ns"
	ip -n "$ns" link set h1 name "wire-$ns" netns lan && ip -n lan link set "wire-$ns" master lan up &&
		ip -n "$ns" link set h2 name "wire-$ns" netns server && ip -n server link set "wire-$ns" master eth0 up &&
		ip -n "$ns" link set swp1 up && ip -n "$ns" addr add "192.0.2.$1/24" dev swp1 &&
		ip -n "$ns" link set swp2 up && ip -n "$ns" addr add "198.51.100.$1/24" dev swp2 &&
		eventually 3000 carrier "$ns" swp1 && eventually 3000 carrier "$ns" swp2
}

host_up() {
	namespace lan && ip -n lan link add lan type bridge forward_delay 0 && ip -n lan link set lan up &&
		namespace host && ip -n host link add eth0 type veth peer name to-host netns lan &&
		ip -n lan link set to-host master lan up &&
		ip -n host link set eth0 up && ip -n host addr add 192.0.2.10/24 dev eth0 && ip -n host route add default via $VIP
}
# Its only interface is a bridge with both routers.
server_up() {
	namespace server && ip -n server link add eth0 type bridge forward_delay 0 && ip -n server link set eth0 up &&
		ip -n server addr add $SERVER/24 dev eth0
}

# --------------------------------------------------------------------------------------------------- who decides: driver

keepalived_usable() { [ "$FH_ROOT" = yes ] && [ "${FH_DRIVER:-keepalived}" != ip ] && command -v keepalived >/dev/null; }

keepalived_start() { # NS PRIORITY
	cat >"$RUN/$1.conf" <<-END
		global_defs {
		    router_id $1
		    vrrp_version 3
		}
		vrrp_instance gateway {
		    interface swp1
		    state BACKUP
		    virtual_router_id 5
		    priority $2
		    advert_int 0.1
		    use_vmac vrrp5
		    virtual_ipaddress {
		        $VIP/24
		    }
		}
	END
	start "keepalived-$1" "$1" keepalived --dont-fork --log-console --vrrp --log-detail \
		--use-file "$RUN/$1.conf" --pid "$RUN/$1.pid" --vrrp_pid "$RUN/$1.vrrp.pid"
}

# With `ip` commands: add the address on one router, announce it, take it from the other, announce it again.
ip_activate() { # NS OTHER
	ip -n "$1" addr add $VIP/24 dev vrrp5 &&
		frames send "$1:vrrp5" 1 arp mac=$VMAC src=$VIP dst=$VIP &&
		{ ip -n "$2" addr del $VIP/24 dev vrrp5 2>/dev/null || :; } &&
		frames send "$1:vrrp5" 1 arp mac=$VMAC src=$VIP dst=$VIP
}

# Without IPv6 on it, as keepalived does: a backup that speaks with the virtual MAC draws the LAN's frames to itself.
backup() {
	on "$1" sh -c 'echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6' && macvlan "$1" swp1 vrrp5 $VMAC
}
two_backups() { backup r1 && backup r2; }

activate_r1() {
	if [ "$DRIVER" = ip ]; then ip_activate r1 r2; else keepalived_start r1 150; fi
}

activate_r2() {
	if [ "$DRIVER" = ip ]; then ip_activate r2 r1; else stop keepalived-r1; fi
}

# --------------------------------------------------------------------------------------------------------------- checks

in_chip() { chip_soon "$1" "'$VMAC' in macs() and any(r.vrrp_id_ipv4 == 5 for r in d.rifs)" 8000; }
not_in_chip() { chip_soon "$1" "'$VMAC' not in macs() and not any(r.vrrp_id_ipv4 for r in d.rifs)" 3000; }
verdict() { fh "$1" wait vmac dev vrrp5 state "$2" timeout 8; }
adverts_trapped() { chip_soon "$1" "(c.traps.get('ipv4_vrrp') or {}).get('packets', 0) > 0" 3000; }
mac_at() { eventually 3000 sh -c "bridge -n lan fdb show br lan | grep -q '$VMAC dev wire-$1 '"; }

# on_cpu NS: packets from one network to the other that the chip left to its CPU.
on_cpu() { chip "$1" "sum(t.packets + t.policed for n, t in dict.items(c.traps) if n in ('external_route', 'unresolved_neigh'))"; }
pinged() { on host "$PY" -ISB "$LIB/frames.py" ping $SERVER interval=0.01 count="$1" | tail -n 1 | json d.lost; }
# routed_by NUMBER: a hundred pings and their answers. The first packets find nobody known, and the CPU routes them.
routed_by() {
	local before
	# nothing moves this gateway
	ip -n server route replace default via "198.51.100.$1" && [ "$(pinged 1)" = 0 ] &&
		chip_soon "r$1" "{'192.0.2.10', '$SERVER'} <= {n.address for n in d.neighbours}" 3000 || return
	before=$(on_cpu "r$1")
	[ "$(pinged 100)" = 0 ] || { echo "pings were lost"; return 1; }
	[ "$(on_cpu "r$1")" = "$before" ] || { echo "the CPU saw $(($(on_cpu "r$1") - before)) packets"; return 1; }
}

crash_and_restart() {
	local writes
	writes=$(chip r2 d.writes_total)
	stop firsthopd-r2 KILL
	agent r2
	[ "$(chip r2 d.writes_total)" = "$writes" ] || { echo "writes to the chip: $writes before, $(chip r2 d.writes_total) after"; return 1; }
}

tables() { # what the daemon says, what the chip says
	local ns
	for ns in r1 r2; do
		printf '\n   %s: firsthop -n %s -br rif dev swp1; firsthop -n %s -br vmac\n' "${ns^^}" "$ns" "$ns"
		{ fh "$ns" -br rif dev swp1 && fh "$ns" -br vmac; } 2>&1 | cut -c 1-74 | sed 's/^/      /'
		printf '   %s: what its chip holds (from hwsim, not from firsthop)\n' "${ns^^}"
		chip "$ns" "'\n'.join(
			[f'rif {r.rif}  {r.mac}  mtu {r.mtu}  vrrp slot {r.vrrp_id_ipv4 or \"-\"}' for r in d.rifs if r.enabled is not False] +
			[f'fid {r.fid}  {r.mac}  {r.action}' for r in d.fdb if r.action == 'forward_ip_router']) or '(nothing)'" | sed 's/^/      /'
	done
}

# ----------------------------------------------------------------------------------------------------------------- demo

if keepalived_usable; then
	DRIVER=keepalived
	DRIVEN="driven by $(keepalived --version 2>&1 | sed -n '1s/^Keepalived v\([^ ]*\).*/keepalived \1/p')"
else
	DRIVER=ip DRIVEN="driven by ip commands"
fi

cat <<-END

	Firsthop demo: one virtual router, $VIP at $VMAC (VRID 5)

	        host 192.0.2.10            it pings $VIP all the time
	            |
	    ----+---+------------+----     a LAN
	        |                |
	       swp1             swp1       192.0.2.1 and 192.0.2.2
	     chip R1          chip R2      two simulated switch chips (hwsim), and
	     firsthopd        firsthopd    who puts MACs, routes and hosts into them
	       swp2             swp2       198.51.100.1 and 198.51.100.2
	        |                |
	    ----+---+------------+----
	            |
	       server $SERVER

	   $DRIVEN
END

title "Two switches, a host and a server"
step "a host and a LAN" host_up
step "a server behind the routers" server_up
step "R1: simulated switch, 192.0.2.1 and 198.51.100.1" router_up 1
step "R2: simulated switch, 192.0.2.2 and 198.51.100.2" router_up 2
step "R1: firsthopd is in sync" agent r1
step "R2: firsthopd is in sync" agent r2
step "R1: swp1 is a router interface in the chip" fh r1 wait rif dev swp1 state offload timeout 3
step "R2: swp1 is a router interface in the chip" fh r2 wait rif dev swp1 state offload timeout 3
if [ "$DRIVER" = ip ]; then
	step "both have a macvlan with the virtual MAC, without address" two_backups
fi

title "Before: nobody is active"
tables

title "R1 is made active"
step "R1: told to be active" activate_r1
step "R1's chip routes the virtual MAC, on the VRRP fast path" in_chip r1
step "R1: firsthop says offload" verdict r1 offload
step "the host's pings to $VIP are answered from now on" pings host $VIP
step "R1's chip routes 100 pings to the server, its CPU none" routed_by 1
if [ "$DRIVER" = keepalived ]; then
	# R1's was alone until now; R2's hears it and stays a backup.
	step "R2: its keepalived joins as the backup" keepalived_start r2 100
fi
step "R2: firsthop says held, as a backup should be" verdict r2 held
step "R2's chip does not route the virtual MAC" not_in_chip r2
if [ "$DRIVER" = keepalived ]; then
	step "R2's chip traps R1's advertisements to its CPU" adverts_trapped r2
fi
tables

title "R2 is made active"
step "R2: told to be active, R1 to stand back" activate_r2
step "R2's chip routes the virtual MAC, on the VRRP fast path" in_chip r2
step "R1's chip does not route it any more" not_in_chip r1
step "the LAN sends frames for the virtual MAC to R2" mac_at r2
step "R2's chip routes 100 pings to the server, its CPU none" routed_by 2
tables

title "R2's firsthopd crashes (kill -9) and starts again"
step "it reads the chip back and writes nothing" crash_and_restart

title "R1 is made active again"
step "R1: told to be active, R2 to stand back" activate_r1
step "R1's chip routes the virtual MAC, on the VRRP fast path" in_chip r1
step "R2's chip does not route it any more" not_in_chip r2
step "R1: firsthop says offload" verdict r1 offload

title "Result"
pings_end
say "pings to $VIP: $(json "f'{d.sent} sent, {d.lost} lost, every {d.interval_ms:.0f} ms; longest gap {d.longest_silence_ms:.0f} ms'" <<<"$PINGS")"
step "no hand-over interrupted the pings for as long as $PATIENCE s" holds "d.received > 50 and d.longest_silence_ms < $((1000 * PATIENCE))" <<<"$PINGS"
step "R1: what the chip has is what it should have" fh r1 diff
step "R2: what the chip has is what it should have" fh r2 diff
say "$DRIVEN; $(($(now_ms) - BEGUN)) ms after the build"
if [ $BROKEN != 0 ]; then
	show_logs
	echo "demo: $BROKEN of $((HELD + BROKEN)) steps FAILED"
	exit 1
fi
echo "demo: all $HELD steps held"
