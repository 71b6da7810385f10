#!/bin/bash
# tc rules that trap VRRP advertisements at routed ports of a device that the kernel drives: netdevsim has no trap for them. Newer
# kernels' netdevsim takes flower rules and says in_hw, 6.12's refuses. What a chip would do with them can't be seen here; where they
# are, and where they are not, can.
#
#   w1 ══ p1 ┐                  p1 … p4: ports of netdevsim in r1; w1, w2: of another one in w, wired to p1 and p2
#   w2 ══ p2 ┤ r1: firsthopd, no simulated chip
#         p3 ┤
#         p4 ┘
. "$(dirname "$0")/lib/lib.sh"

BUS=/sys/bus/netdevsim DEVICE=7701 FAR=7702
[ "$(id -u)" = 0 ] && [ -w $BUS/new_device ] || unable "needs root and netdevsim (selftests/uml has it)"
newer() { printf '7.3\n%s\n' "$(uname -r)" | sort -VC; }
if [ -n "${FH_UML_FLAVOUR:-}" ]; then
	ALL_TESTS="a_device_with_a_trap_gets_no_rules"
elif newer; then
	ALL_TESTS="
		nothing_by_default
		only_shown_until_managed
		others_rules_are_used_and_stay
		each_routed_port_within_its_time
		vlan_of_a_port
		every_member_of_a_bond
		gone_at_the_join_and_back
		vlan_of_a_bridged_port_needs_a_copy
		advertisements_pass_between_bridged_ports
		a_vanished_rule_is_put_back
		a_killed_daemon_leaves_them_and_the_next_claims_them
		a_join_while_no_daemon_ran
		a_foreign_clsact_stays
		reload_of_the_device
		reload_of_the_configuration
		turned_off_leaves_nothing
		observing_touches_nothing
	"
else
	ALL_TESTS="refused_with_the_drivers_words"
fi

cleanup() {
	echo $DEVICE >$BUS/del_device
	echo $FAR >$BUS/del_device
}
trap cleanup EXIT

# ports NS DEVICE PREFIX: names its netdevs PREFIX1, PREFIX2, …
ports() {
	local number netdev
	for number in $(on "$1" devlink -j port show | json "' '.join(k.split('/')[-1] for k in d.port if k.startswith('netdevsim/netdevsim$2/'))"); do
		netdev=$(on "$1" devlink -j port show "netdevsim/netdevsim$2/$number" | json "list(d.port.values())[0].netdev")
		ip -n "$1" link set "$netdev" name "$3$((number + 1))" && ip -n "$1" link set "$3$((number + 1))" up || return
	done
}
index_of() { ip -n "$1" -j link show dev "$2" | json 'd[0].ifindex'; }
world() {
	local n
	namespace r1 && namespace w && router_sysctls r1
	# a link-local that the kernel makes would be an address like any other
	on r1 sh -c 'echo 1 >/proc/sys/net/ipv6/conf/default/addr_gen_mode'
	on r1 sh -c "echo '$DEVICE 4' >$BUS/new_device" && on w sh -c "echo '$FAR 2' >$BUS/new_device" || unable "no netdevsim devices"
	ports r1 $DEVICE p && ports w $FAR w || give_up "no ports"
	for n in 1 2; do
		(
			exec 5</run/netns/r1 6</run/netns/w
			echo "5:$(index_of r1 p$n) 6:$(index_of w w$n)" >$BUS/link_device
		) || give_up "p$n can't be wired"
	done
	printf '[device]\nmanage = true\n' >"$RUN/default.toml"
	printf '[device]\nflower_traps = true\n' >"$RUN/shown.toml"
	printf '[device]\nmanage = true\nflower_traps = true\n' >"$RUN/manage.toml"
	cp "$RUN/manage.toml" "$RUN/changing.toml"
}
world

managed() { agent r1 -c "$RUN/manage.toml"; }
synced() { check fh r1 wait synced timeout 5; }
# rules DEV: prefs of the rules that are in hardware and in hardware alone.
rules() { on r1 tc -j filter show dev "$1" ingress | json "' '.join(sorted(str(f.pref) for f in d if f.options and f.options.in_hw and f.options.skip_sw))"; }
# filters DEV: how many filters of any kind
filters() { on r1 tc filter show dev "$1" ingress | grep -c '^filter.* handle 0x'; }
has() { [ "$(rules "$1" 2>/dev/null)" = "$2" ]; }
clsact() { on r1 tc qdisc show dev "$1" | grep -q clsact; }
no_clsact() { ! clsact "$1"; }
explains() { fh r1 explain "$1" | grep -q "$2"; }
# watch: begins to record what the kernel announces, with the time.
watch() {
	start links r1 ip -ts monitor link address
	start filters r1 stdbuf -oL tc -ts monitor
	check eventually 2000 watching
}
watching() {
	on r1 tc qdisc add dev p4 clsact
	on r1 tc qdisc del dev p4 clsact
	ip -n r1 link set p4 mtu $((1400 + RANDOM % 100))
	grep -q clsact "$RUN/filters.log" && grep -q p4 "$RUN/links.log"
}
# took EVENT VERB DEV: milliseconds from the first announcement that matches EVENT to the last rule at DEV that was `added` or `deleted`.
took() {
	"$PY" -ISB -c '
import re, sys, datetime
def times(path, pattern):
    return [datetime.datetime.fromisoformat(m[1]) for m in re.finditer(r"\[([^]]+)\] (?:%s)" % pattern, open(path).read())]
begin = times(sys.argv[1], sys.argv[3])[0]
print(round((times(sys.argv[2], sys.argv[4] + " filter dev " + sys.argv[5] + " ")[-1] - begin).total_seconds() * 1000))
' "$RUN/links.log" "$RUN/filters.log" "$1" "$2" "$3"
}
UNTAGGED="50000 50001" VLAN10="50022 50023"

# Broken if a rule, or a clsact, were made that nobody asked for.
nothing_by_default() {
	ip -n r1 addr add 192.0.2.1/24 dev p1
	agent r1 -c "$RUN/default.toml"
	check no_clsact p1
	check fh r1 diff
	stop firsthopd-r1
}

# Broken if a port that nobody gave into our hands were written to, if the commands that are shown did not do it, or if what
# they did were not seen.
only_shown_until_managed() {
	agent r1 -c "$RUN/shown.toml"
	check_status 3 fh r1 diff
	fh r1 diff >"$RUN/diff"
	check no_clsact p1
	check grep -q not_managed "$RUN/diff"
	check grep -q "manage = true" "$RUN/diff"
	check explains p1 "not_managed"
	sed -n 's/^  \(tc .*\)/\1/p' "$RUN/diff" >"$RUN/commands"
	check_eq "$(wc -l <"$RUN/commands")" 3 "commands"
	check on r1 sh -e "$RUN/commands"
	check has p1 "$UNTAGGED"
	check eventually 3000 fh r1 diff
	stop firsthopd-r1
}

# Broken if an administrator's rule were doubled, or went with the address.
others_rules_are_used_and_stay() {
	managed
	check explains p1 "p1 ipv4 in_hw"
	check_eq "$(filters p1)" 2 "filters"
	ip -n r1 addr flush dev p1
	synced
	check has p1 "$UNTAGGED"
	check clsact p1
	on r1 tc qdisc del dev p1 clsact
	stop firsthopd-r1
}

# Broken if a routed port had no rule, or had it late; one that routes nothing must have none.
each_routed_port_within_its_time() {
	local port took
	managed
	watch
	for port in p1 p2 p3; do
		ip -n r1 addr add 192.0.2.${port#p}/24 dev $port
		check eventually 2000 has $port "$UNTAGGED"
		took=$(took "[0-9]+: $port +inet " added $port)
		note "$port: $took ms from the address to the second rule"
		check within "$took" 100
	done
	stop links
	stop filters
	check no_clsact p4
	check explains p1 "p1 ipv6 in_hw"
	check fh_holds r1 "[(r.port, r.family, r.in_hw, r.pref) for r in d.vrrp_rules] == [('p1', 'ipv4', True, 50000), ('p1', 'ipv6', True, 50001)]" explain p1
	check fh r1 diff
	ip -n r1 addr flush dev p3
	synced
	check no_clsact p3
}

# Broken if a VLAN's advertisements had no rule, or its rule took those of other VLANs.
vlan_of_a_port() {
	ip -n r1 link add link p3 name p3.10 type vlan id 10
	ip -n r1 link set p3.10 up
	ip -n r1 addr add 198.51.100.1/24 dev p3.10
	synced
	check has p3 "$VLAN10"
	check_eq "$(on r1 tc -j filter show dev p3 ingress | json "sorted((f.options['keys'].vlan_id, f.options['keys'].vlan_ethtype) for f in d if f.options)")" \
		'[[10, "ip"], [10, "ipv6"]]' "keys"
	check explains p3.10 "p3 vlan 10 ipv4 in_hw"
	ip -n r1 addr add 203.0.113.1/24 dev p3
	synced
	check has p3 "$UNTAGGED $VLAN10"
	ip -n r1 link del p3.10
	synced
	check has p3 "$UNTAGGED"
	ip -n r1 addr flush dev p3
	synced
	check no_clsact p3
}

# Broken if the advertisements of a bond were trapped at one member only, or at one that left.
every_member_of_a_bond() {
	local port
	ip -n r1 link add bond0 type bond mode balance-xor || { skip "no bonding"; return; }
	for port in p3 p4; do
		ip -n r1 link set $port down && ip -n r1 link set $port master bond0 || fail "$port is no member"
	done
	ip -n r1 link set bond0 up
	ip -n r1 addr add 198.51.100.1/24 dev bond0
	synced
	check has p3 "$UNTAGGED"
	check has p4 "$UNTAGGED"
	check explains bond0 "p4 ipv4 in_hw"
	ip -n r1 link set p4 nomaster
	synced
	check has p3 "$UNTAGGED"
	check no_clsact p4
	ip -n r1 link add br1 type bridge
	ip -n r1 link set bond0 master br1
	synced
	check no_clsact p3
	ip -n r1 link del br1
	ip -n r1 link del bond0
	ip -n r1 link set p3 up
	ip -n r1 link set p4 up
	synced
	check no_clsact p3
}

# Broken if a bridged port kept a trap that cuts off the other routers, or a port that left had none.
gone_at_the_join_and_back() {
	local took
	ip -n r1 link add br0 type bridge mcast_snooping 0 forward_delay 0
	ip -n r1 link set br0 up
	watch
	ip -n r1 link set p1 master br0
	check eventually 2000 no_clsact p1
	took=$(took "[0-9]+: p1: [^\n]* master br0" deleted p1)
	stop links
	stop filters
	note "$took ms from the join to the end of the second rule"
	check within "$took" 100
	check has p2 "$UNTAGGED"
	ip -n r1 link set p1 nomaster
	synced
	check has p1 "$UNTAGGED"
}

# Broken if a VLAN beside the bridge brought the port a trap after all, or nobody were told why it has none.
vlan_of_a_bridged_port_needs_a_copy() {
	ip -n r1 link set p1 master br0
	ip -n r1 link add link p1 name p1.10 type vlan id 10
	ip -n r1 link set p1.10 up
	ip -n r1 addr add 198.51.100.1/24 dev p1.10
	synced
	check no_clsact p1
	check explains p1.10 trap_needs_copy
	# and the port of a bridged VLAN has none for untagged frames
	ip -n r1 link set p1 nomaster
	synced
	check has p1 "$UNTAGGED $VLAN10"
	ip -n r1 addr flush dev p1.10
	ip -n r1 link set p1.10 master br0
	synced
	check no_clsact p1
	check explains p1 trap_needs_copy
	ip -n r1 link del p1.10
	synced
	check has p1 "$UNTAGGED"
}

# Broken if an advertisement were lost between two ports of a bridge, at once after they joined. netdevsim has no datapath of its own:
# what could eat them here is a rule in software, or a rule that is left.
advertisements_pass_between_bridged_ports() {
	local lost=0
	for _ in 1 2 3; do
		ip -n r1 link set p1 master br0
		ip -n r1 link set p2 master br0
		check eventually 2000 forwards
		synced
		check no_clsact p1
		check no_clsact p2
		[ "$(frames probe w:w1 w:w2 advert4 vrid=5)" = 1 ] || lost=$((lost + 1))
		[ "$(frames probe w:w2 w:w1 advert6 vrid=5)" = 1 ] || lost=$((lost + 1))
		ip -n r1 link set p1 nomaster
		ip -n r1 link set p2 nomaster
		synced
	done
	check_eq $lost 0 "advertisements lost"
	check has p1 "$UNTAGGED"
	# on a routed port they come to the router: the rule is not in software
	check_eq "$(frames probe w:w1 r1:p1 advert4 vrid=5)" 1 "advertisements at the router"
}
forwards() { [ "$(on r1 bridge link show | grep -c 'state forwarding')" = 2 ]; }

# Broken if a rule that somebody removed stayed away.
a_vanished_rule_is_put_back() {
	on r1 tc filter del dev p1 ingress pref 50000
	check has p1 50001
	# whoever looks makes it look
	check eventually 5000 looked
	on r1 tc qdisc del dev p2 clsact
	check eventually 40000 has p2 "$UNTAGGED"
	check has p1 "$UNTAGGED"
}
looked() { fh r1 diff && has p1 "$UNTAGGED"; }

# Broken if a restart made the rules anew, did not know them for its own, or left a clsact.
a_killed_daemon_leaves_them_and_the_next_claims_them() {
	stop firsthopd-r1 KILL
	check has p1 "$UNTAGGED"
	start monitor r1 stdbuf -oL tc monitor
	check eventually 2000 monitoring
	managed
	check explains p1 "p1 ipv4 in_hw"
	check_eq "$(grep -c filter "$RUN/monitor.log")" 0 "rules made or removed by a restart"
	stop monitor
	ip -n r1 addr flush dev p2
	synced
	check no_clsact p2
	ip -n r1 addr add 192.0.2.2/24 dev p2
	synced
}
monitoring() {
	on r1 tc qdisc add dev p4 clsact
	on r1 tc qdisc del dev p4 clsact
	grep -q clsact "$RUN/monitor.log"
}

# Broken if a join that no daemon saw left a trap at a bridged port.
a_join_while_no_daemon_ran() {
	stop firsthopd-r1
	ip -n r1 link set p1 master br0
	check has p1 "$UNTAGGED"
	managed
	check no_clsact p1
	ip -n r1 link set p1 nomaster
	synced
	check has p1 "$UNTAGGED"
}

# Broken if what somebody else has at the port went with our rules.
a_foreign_clsact_stays() {
	on r1 tc qdisc add dev p3 clsact
	ip -n r1 addr add 203.0.113.1/24 dev p3
	synced
	check has p3 "$UNTAGGED"
	ip -n r1 addr flush dev p3
	synced
	check_eq "$(filters p3)" 0 "filters"
	check clsact p3
	on r1 tc qdisc del dev p3 clsact
	# ours stays as long as there is something else in it
	ip -n r1 addr add 203.0.113.1/24 dev p3
	synced
	on r1 tc filter add dev p3 egress protocol all pref 7 matchall action pass
	ip -n r1 addr flush dev p3
	synced
	check clsact p3
	check_eq "$(on r1 tc filter show dev p3 egress | grep -c 'pref 7 .* handle')" 1 "the other filter"
	on r1 tc filter del dev p3 egress
	check eventually 5000 gone_after_a_look p3
}
gone_after_a_look() { fh r1 diff && no_clsact "$1"; }

# Broken if ports that a reload made anew had no rules.
reload_of_the_device() {
	on r1 devlink dev reload netdevsim/netdevsim$DEVICE || { fail "no reload"; return; }
	ports r1 $DEVICE p || fail "no ports"
	synced
	check no_clsact p1
	ip -n r1 addr add 192.0.2.1/24 dev p1
	synced
	check has p1 "$UNTAGGED"
	check fh r1 diff
	stop firsthopd-r1
}

# Broken if SIGHUP did not turn the rules off and on.
reload_of_the_configuration() {
	agent r1 -c "$RUN/changing.toml"
	check has p1 "$UNTAGGED"
	printf '[device]\nmanage = true\n' >"$RUN/changing.toml"
	kill -HUP "${PID[firsthopd-r1]}"
	check eventually 2000 no_clsact p1
	cp "$RUN/manage.toml" "$RUN/changing.toml"
	kill -HUP "${PID[firsthopd-r1]}"
	check eventually 2000 has p1 "$UNTAGGED"
	stop firsthopd-r1
}

# Broken if a daemon that may not write any more left what an earlier one made: nobody would remove it at a join.
turned_off_leaves_nothing() {
	check has p1 "$UNTAGGED"
	printf '[device]\nmanage = false\nflower_traps = true\n' >"$RUN/off.toml"
	agent_observes -c "$RUN/off.toml"
	check eventually 2000 no_clsact p1
	check explains p1 not_managed
	stop firsthopd-r1
	managed
	check has p1 "$UNTAGGED"
	stop firsthopd-r1
}
agent_observes() {
	start firsthopd-r1 r1 "$FIRSTHOPD" "$@"
	eventually 10000 fh r1 status || give_up "no firsthopd" firsthopd-r1
}

# Broken if --observe wrote.
observing_touches_nothing() {
	agent_observes -c "$RUN/manage.toml" --observe
	check explains p1 "p1 ipv4 in_hw"
	ip -n r1 addr flush dev p1
	check fh r1 explain p1
	check has p1 "$UNTAGGED"
	stop firsthopd-r1
}

# Broken if a device that traps advertisements by itself were asked for rules as well.
a_device_with_a_trap_gets_no_rules() {
	ip -n r1 addr add 192.0.2.1/24 dev p1
	managed
	check grep -q "has_trap=true" "$RUN/firsthopd-r1.log"
	check fh_holds r1 "d.vrrp_rules is None" explain p1
	check fh r1 diff
	check no_clsact p1
	stop firsthopd-r1
}

# Broken if a driver without flower were taken for one with it, if nobody were told why there is no trap, or if a refused rule left
# anything at the port.
refused_with_the_drivers_words() {
	local words="netdevsim: only offload of BPF classifiers supported"
	ip -n r1 addr add 192.0.2.1/24 dev p1
	managed
	check no_clsact p1
	check_eq "$(filters p1)" 0 "filters"
	fh r1 explain p1 | tr -s ' \n' ' ' >"$RUN/explain"
	check grep -q "trap_unsupported: $words" "$RUN/explain"
	check fh_holds r1 "[(r.in_hw, r.reason, r.text) for r in d.vrrp_rules] == [(False, 'trap_unsupported', '$words')] * 2" explain p1
	check_status 3 fh r1 diff
	fh r1 diff >"$RUN/diff"
	check grep -q "<< trap_unsupported" "$RUN/diff"
	check grep -q "$words" "$RUN/firsthopd-r1.log"
	# nothing is tried again at each look
	check_eq "$(grep -c "$words" "$RUN/firsthopd-r1.log")" 2 "complaints"
	stop firsthopd-r1
}

tests_run "$@"
