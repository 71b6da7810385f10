#!/bin/bash
# `firsthop doctor`: does it see what is wrong around the daemon, with the kernel's own settings and devices, and is it mended by the
# command that it names?

ALL_TESTS="
	settings_are_mended_by_their_commands
	addresses_stay_when_the_first_one_goes
	virtual_addresses_answer_again
	kinds_of_devices_are_known
	asking_changes_nothing
	capabilities_and_queues
	frames_for_others_are_told
	network_managers_are_told
	each_row_says_what_to_do
"
# The setting is the whole machine's, and is set outside of all namespaces: only a User-Mode Linux is ours to set it in.
RAISE="sysctl net.core.rmem_max=16777216"
[ -z "${FH_UML:-}" ] || [ -n "${FH_ISOLATED:-}" ] || $RAISE >/dev/null || exit 1
. "$(dirname "$0")/lib/lib.sh"

V5=00:00:5e:00:01:05

# row NS RESULT TEXT: there is such a row.
row() { fh_holds "$1" "any(c.result == '$2' and c.text.startswith('$3') for c in d)" doctor; }
no_row() { fh_holds "$1" "not any(c.result != 'ok' and c.text.startswith('$2') for c in d)" doctor; }
# command_for NS TEXT: what the row's fix has between its first backticks.
command_for() { fh "$1" -j doctor | json "next(c.fix.split('\`')[1] for c in d if c.result != 'ok' and c.text.startswith('$2'))"; }
set_value() { on r1 sh -c "echo $2 >/proc/sys/$1"; }

# mended TEXT PATH VALUE: it is told once PATH has VALUE, and no more after its own command.
mended() {
	local command
	check no_row r1 "$1" || return
	check set_value "$2" "$3"
	check row r1 warning "$1" || return
	command=$(command_for r1 "$1")
	check on r1 sh -c "$command" || return
	check no_row r1 "$1"
	told="$told $command;"
}

# Broken if a setting that breaks redundancy were not told, or what the fix says did not mend it; of a name with a dot as well.
settings_are_mended_by_their_commands() {
	local dev told=
	command -v sysctl >/dev/null || { skip "sysctl is not installed"; return; }
	check on r1 sysctl -q net.ipv4.conf.default.promote_secondaries=1 net.ipv4.conf.all.arp_ignore=0
	check macvlan r1 swp1 v.6 00:00:5e:00:01:06 192.0.2.253/24
	for dev in swp1 vrrp5 v.6; do
		check on r1 sh -c "cd /proc/sys/net/ipv4/conf/$dev && echo 1 >promote_secondaries && echo 1 >arp_ignore && echo 0 >rp_filter && echo 0 >arp_filter"
	done
	mended "net.ipv4.ip_forward is" net/ipv4/ip_forward 0
	mended "net.ipv6.conf.all.forwarding is" net/ipv6/conf/all/forwarding 0
	mended "swp1: arp_ignore is" net/ipv4/conf/swp1/arp_ignore 0
	for dev in vrrp5 v.6; do
		mended "$dev: arp_filter is" "net/ipv4/conf/$dev/arp_filter" 1
	done
	# The larger one counts.
	mended "vrrp5: arp_filter is" net/ipv4/conf/all/arp_filter 1
	for dev in swp1 vrrp5 v.6; do
		mended "$dev: rp_filter is" "net/ipv4/conf/$dev/rp_filter" 1
		mended "$dev: promote_secondaries is" "net/ipv4/conf/$dev/promote_secondaries" 0
	done
	mended "vrrp5: rp_filter is" net/ipv4/conf/all/rp_filter 1
	note "${told# }"
	check ip -n r1 link del v.6
}

# Broken if doctor warned of what does no harm, or kept silent where it does: the first address takes the others with it, or not.
addresses_stay_when_the_first_one_goes() {
	local kept
	for kept in 0 1; do
		ip -n r1 addr add 198.51.100.1/24 dev swp2
		ip -n r1 addr add 198.51.100.254/24 dev swp2
		check set_value net/ipv4/conf/swp2/promote_secondaries 0
		check row r1 warning "swp2: promote_secondaries is 0"
		[ $kept = 0 ] || check on r1 sh -c "$(command_for r1 "swp2: promote_secondaries")"
		ip -n r1 addr del 198.51.100.1/24 dev swp2
		check_eq "$(ip -n r1 -j addr show dev swp2 | json "sum(a.local == '198.51.100.254' for a in d[0].addr_info)")" $kept "secondaries that stay"
		ip -n r1 addr flush dev swp2
		check no_row r1 "swp2: promote_secondaries"
	done
}

answers() {
	ip -n h1 neigh flush dev h1
	[ "$(on h1 "$PY" -ISB "$LIB/frames.py" ping 192.0.2.254 count=1 | tail -n 1 | json d.received)" = 1 ]
}

# Broken if arp_filter on a macvlan were harmless after all.
virtual_addresses_answer_again() {
	set_value net/ipv4/conf/swp1/arp_ignore 1
	check eventually 3000 answers
	set_value net/ipv4/conf/vrrp5/arp_filter 1
	check_fails answers
	check on r1 sh -c "$(command_for r1 "vrrp5: arp_filter")"
	check answers
}
check_fails() { ! "$@" >/dev/null 2>&1 || fail "it works: $*"; }

# can_make ARGUMENT...: the kernel really makes such a device.
can_make() {
	namespace kinds
	ip -n kinds link add base type veth peer name other 2>/dev/null
	ip -n kinds link add made "$@" 2>/dev/null && ip -n kinds link del made
}

# Broken if a kind that the kernel has were told as missing, or one that it has not as there; ipvlan's mode l3s included.
kinds_of_devices_are_known() {
	local kind said made
	for kind in macvlan ipvlan vrf; do
		said=$(fh r1 -j doctor | json "next(c.result + ' ' + c.text for c in d if c.name == 'kernel' and c.text.startswith('$kind:'))")
		case $kind in
		vrf) can_make type vrf table 10 ;;
		*) can_make link base type $kind ;;
		esac
		made=$?
		note "$said"
		case $said in
		unknown*) continue ;;
		"ok "*) check_eq $made 0 "making a $kind" ;;
		warning*"has none"*) check [ $made != 0 ] ;;
		esac
		if [[ $kind = ipvlan && $made = 0 ]]; then
			made=1
			can_make link base type ipvlan mode l3s && made=0
			check_eq "$([[ $said = *"with mode l3s"* ]]; echo $?)" $made "mode l3s"
		fi
	done
}

state_of_kernel() {
	cat /proc/modules 2>/dev/null
	ip -n r1 -j -d link show | json "[(l.ifname, l.flags, l.promiscuity) for l in d]"
	on r1 sh -c 'cat /proc/sys/net/ipv4/conf/*/* /proc/sys/net/core/* 2>/dev/null' | sha256sum
}

# Broken if looking loaded a module, made a device, or set something.
asking_changes_nothing() {
	state_of_kernel >"$RUN/before"
	check fh r1 doctor
	state_of_kernel >"$RUN/after"
	check cmp "$RUN/before" "$RUN/after"
}

# Broken if a queue that the kernel made smaller, or a capability that lacks, were not told, or what is told to grant it did not.
capabilities_and_queues() {
	local without='--bounding-set=-net_admin,-net_raw --inh-caps=-net_admin,-net_raw' wanted=$((16 << 20)) max
	max=$(cat /proc/sys/net/core/rmem_max 2>/dev/null)
	namespace r2
	start firsthopd-r2 r2 "$FIRSTHOPD"
	check eventually 5000 fh r2 doctor
	check no_row r2 "The agent lacks"
	check row r2 ok "devices: room for $((2 * wanted)) octets"
	check row r2 ok "devices: LINK, NEIGH, IPV4_IFADDR, IPV6_IFADDR, BRVLAN"
	stop firsthopd-r2
	# shellcheck disable=SC2086
	start firsthopd-r2 r2 setpriv $without "$FIRSTHOPD"
	check eventually 5000 fh r2 doctor
	check row r2 warning "The agent lacks CAP_NET_ADMIN"
	check row r2 warning "The agent lacks CAP_NET_RAW"
	if [ -n "${FH_UML:-}" ]; then
		# What the command does was done above, before there was a namespace in which it can't be.
		check_eq "$max" $wanted "net.core.rmem_max"
		check row r2 ok "devices: room for $((2 * wanted)) octets"
	elif [ "${max:-0}" -lt $wanted ]; then
		check row r2 warning "devices: room for"
		check_eq "$(command_for r2 "devices: room for")" "$RAISE && systemctl restart firsthopd" "the command"
	fi
	if [ "$FH_ROOT" = yes ] && command -v setcap >/dev/null; then
		mkdir -p "$RUN/bin" && cp "$FIRSTHOPD" "$RUN/bin/" && chmod 755 "$RUN" "$RUN/bin"
		check env PATH="$RUN/bin:$PATH" sh -c "$(command_for r2 "The agent lacks CAP_NET_ADMIN")"
		stop firsthopd-r2
		mkdir -p /run/firsthop/r2 && chown -R 65511 /run/firsthop/r2
		start firsthopd-r2 r2 env XDG_RUNTIME_DIR=/run setpriv --reuid 65511 --regid 65511 --clear-groups "$RUN/bin/firsthopd"
		check eventually 5000 fh r2 doctor
		check no_row r2 "The agent lacks"
		check no_row r2 "devices: room for"
	fi
	stop firsthopd-r2
}

promiscuity() { ip -n r1 -j -d link show dev "$1" | json 'd[0].promiscuity'; }

# Broken if a device of which the CPU takes every frame were not told, or a port of a chip were, where the chip decides.
frames_for_others_are_told() {
	check row r1 ok "Promiscuous, and what reaches the CPU is up to the chip: swp1"
	ip -n r1 link add nic0 type veth peer name nic1
	ip -n r1 link set nic0 up
	check macvlan r1 nic0 vrrp9 00:00:5e:00:01:09
	check [ "$(promiscuity nic0)" -gt 0 ]
	check row r1 warning "nic0: promiscuous ($(promiscuity nic0)); devices on it: 1"
	check ip -n r1 link del vrrp9
	check_eq "$(promiscuity nic0)" 0 "promiscuity"
	check no_row r1 "nic0: promiscuous"
	ip -n r1 link del nic0
}

# Broken if a network manager that configures a virtual router's macvlan went unnoticed. What it says of the device is written here
# as it writes it; it is not run. In a namespace without a name: theirs is the machine's own.
network_managers_are_told() {
	local ifindex socket="$RUN/own.sock"
	ip link add nic0 type veth peer name nic1
	ip link add vrrp5 link nic0 address $V5 type macvlan mode private
	ifindex=$(cat /sys/class/net/vrrp5/ifindex 2>/dev/null || ip -j link show dev vrrp5 | json 'd[0].ifindex')
	mount -t tmpfs tmpfs /sys/fs/cgroup || { skip "control groups can't be covered"; return; }
	mkdir -p /sys/fs/cgroup/system.slice /run/systemd/netif/links /run/NetworkManager/devices
	"$FIRSTHOPD" --socket "$socket" >"$RUN/own.log" 2>&1 &
	PID[own]=$!
	asked() { "$FIRSTHOP" --socket "$socket" -j doctor | holds "[c.result for c in d if c.name == '$1'] == ['$2']"; }
	check eventually 5000 asked systemd-networkd ok
	check asked NetworkManager ok
	printf 'ADMIN_STATE=configured\nOPER_STATE=routable\n' >"/run/systemd/netif/links/$ifindex"
	printf '[device]\nmanaged=true\n' >"/run/NetworkManager/devices/$ifindex"
	check asked systemd-networkd ok
	mkdir /sys/fs/cgroup/system.slice/{systemd-networkd,NetworkManager}.service
	check asked systemd-networkd warning
	check asked NetworkManager warning
	printf 'ADMIN_STATE=unmanaged\nOPER_STATE=routable\n' >"/run/systemd/netif/links/$ifindex"
	printf '[device]\nmanaged=false\n' >"/run/NetworkManager/devices/$ifindex"
	check asked systemd-networkd ok
	check asked NetworkManager ok
	stop own
	ip link del nic0
	umount /sys/fs/cgroup
}

# Broken if somebody were told that something is wrong and not what to do.
each_row_says_what_to_do() {
	check fh_holds r1 "len(d) > 15 and all(c.result == 'ok' or (c.fix or '').count('\`') >= 2 for c in d)" doctor
	check fh_holds r1 "all(c.result == 'ok' or c.name in ('kernel', 'liveness', 'promote_secondaries') for c in d)" doctor
	note "$(fh r1 -j doctor | json "', '.join(sorted({c.name for c in d}))")"
}

switch r1
host h1 r1 1 192.0.2.10/24
ip -n r1 link set h2 up
for port in 1 2; do ip -n r1 link set swp$port up; done
ip -n r1 addr add 192.0.2.1/24 dev swp1
macvlan r1 swp1 vrrp5 $V5 192.0.2.254/24
agent r1
tests_run "$@"
