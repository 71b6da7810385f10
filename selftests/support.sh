#!/bin/bash
# `firsthop check`, `firsthop support`, and what `--state` reads of an archive; colours.

ALL_TESTS="
	check_finds_what_a_file_would_change
	check_names_what_is_in_trouble
	an_archive_answers_as_the_daemon_did
	an_archive_is_whole_and_private
	without_a_daemon_the_rest_is_collected
	what_is_no_state_is_named
	colours_are_those_of_ip
"
. "$(dirname "$0")/lib/lib.sh"

V5=00:00:5e:00:01:05
ARCHIVE=$RUN/archive.tar.gz

# lines STATUS TEXT: what `check` says of the daemon's own file with this text before it, without what to do about it.
lines() {
	local status=0
	printf '%s\n' "$2" | cat - "$RUN/firsthop.toml" >"$RUN/check.toml"
	fh r1 -j check "$RUN/check.toml" >"$RUN/found" || status=$?
	[ $status = "$1" ] || fail "exit $status, not $1: $2"
	"$PY" -ISB "$LIB/documented.py" "$ROOT/docs/json.md" check "$RUN/found" || fail "not as documented: $2"
	check holds "all(f.fix.endswith('.') for f in d)" <"$RUN/found"
	json "'\n'.join(' '.join([f.object, f.get('ifname', '-'), f.text]) for f in d)" <"$RUN/found"
}

# Broken if a file's effect were told wrong, if what it has in vain went unsaid, or if asking changed anything.
check_finds_what_a_file_would_change() {
	local writes
	writes=$(fh r1 -j status | json d.hw.writes)
	check_eq "$(lines 0 '')" "" "findings of the file that it runs with"
	check_eq "$(fh r1 check "$RUN/firsthop.toml")" "Nothing would change" "the same for people"
	check_eq "$(lines 3 'exclude = ["swp1", "eth9"]')" \
		$'exclude - none now, eth9 swp1 with this configuration\nexclude eth9 there is no such device\nrif swp1 offload now, not_offloaded (excluded_by_config) with this configuration
vmac vrrp5 offload now, held (no_rif) with this configuration\nvmac backup held (no_address) now, held (no_rif) with this configuration' "exclude"
	check_eq "$(lines 3 'vmac_policy = "always"')" \
		$'vmac_policy - active now, always with this configuration\nvmac backup held (no_address) now, offload with this configuration' "policy"
	check_eq "$(lines 3 $'[[vmac]]\nlower = "br7"\npolicy = "oper"')" \
		$'vmac - none now, lower br7 policy oper with this configuration\nvmac - no macvlan is over br7' "a rule for nothing"
	check_eq "$(lines 3 $'routing = "cpu"\n[audit]\ninterval = 0')" \
		$'routing - hardware now, cpu with this configuration\naudit.interval - 300 s now, never with this configuration' "keys that no device shows"
	check_eq "$(lines 3 $'[device]\nmanage = false')" "device.manage - not set now, false with this configuration" "a key for the next start"
	check holds "['systemctl restart' in f.fix for f in d] == [True]" <"$RUN/found"
	echo 'vmac_polcy = "always"' >"$RUN/check.toml"
	check_status 1 fh r1 check "$RUN/check.toml"
	check_status 1 fh r1 check "$RUN/absent.toml"
	check_eq "$(fh r1 -j status | json d.hw.writes)" "$writes" "writes"
	check_status 0 fh r1 diff
}

# Broken if the state of the switch were fine by `check` while something is refused.
check_names_what_is_in_trouble() {
	check_status 0 fh r1 check
	check on r1 "$HWSIM" fault add --register sfd --action status=112 --count 1000000
	check macvlan r1 swp1 refused 00:00:5e:00:01:09 192.0.2.209/32
	check fh r1 wait vmac dev refused state failed timeout 5
	fh r1 -j check >"$RUN/found"
	check_eq $? 3 "exit code"
	check holds "('refused', 'hw_error') in [(f.ifname, f.reason) for f in d]" <"$RUN/found"
	check on r1 "$HWSIM" fault clear
	check fh r1 wait vmac dev refused state offload timeout 20
	# one VRID of a family has the slot: the other has a reason, and so a finding
	fh r1 -j check >"$RUN/found"
	check_eq $? 3 "exit code"
	check holds "[(f.ifname, f.reason) for f in d] == [('refused', 'vrid_conflict')]" <"$RUN/found"
	check ip -n r1 link del refused
	check_status 0 fh r1 check
}

# Broken if somebody who reads an archive saw something else than the operator.
an_archive_answers_as_the_daemon_did() {
	local question
	rm -f "$ARCHIVE"
	check_eq "$(fh r1 support "$ARCHIVE")" "$ARCHIVE" "the path"
	for question in rif "rif dev swp1" vmac "vmac vrid 5" "vmac lower swp1" "vmac vrid 77" port resource diff "explain vrrp5" "explain swp1" "explain backup" \
		route "route dev swp1" "route 192.0.2.0/24" "route table main" "route table 77" neigh "trap group" "trap hwsim/0 trap ipv4_vrrp"; do
		# shellcheck disable=SC2086
		check_eq "$("$FIRSTHOP" --state "$ARCHIVE" -j $question 2>/dev/null)" "$(fh r1 -j $question)" "$question"
	done
	for question in status doctor trap metrics "-br vmac" "-d rif"; do
		# shellcheck disable=SC2086
		"$FIRSTHOP" --state "$ARCHIVE" $question >"$RUN/out" 2>"$RUN/err" || fail "exit $?: $question"
		check [ -s "$RUN/out" ]
		check_eq "$(grep -c 'note: saved at 20.*Z by firsthop ' "$RUN/err")" 1 "how old $question is"
	done
	check_status 2 "$FIRSTHOP" --state "$ARCHIVE" explain nosuchdev
	check_status 2 "$FIRSTHOP" --state "$ARCHIVE" vmac dev nosuchdev
	for question in monitor "trap monitor" "wait synced" "route get 192.0.2.7" "explain 192.0.2.0/24" check; do
		# shellcheck disable=SC2086
		check_status 2 "$FIRSTHOP" --state "$ARCHIVE" $question
	done
	check tar -xzf "$ARCHIVE" -C "$RUN" --strip-components=1 --wildcards '*/state.json'
	check_eq "$("$FIRSTHOP" --state "$RUN/state.json" -j vmac 2>/dev/null)" "$(fh r1 -j vmac)" "vmac from the unpacked file"
}

# Broken if something were missing without a word, if others could read it, or if a file of somebody's were written over.
an_archive_is_whole_and_private() {
	local name
	check_eq "$(stat -c %a "$ARCHIVE")" 600 "its mode"
	tar -tzf "$ARCHIVE" | sed 's|^[^/]*/||' | sort >"$RUN/names"
	for name in README state.json metrics.txt vmac.txt status.txt doctor.txt diff.txt kernel/addresses.json kernel/bridge_fdb.json kernel/sysctl.txt journal.txt; do
		check grep -qx "$name" "$RUN/names"
	done
	check_eq "$(tar -xzOf "$ARCHIVE" --wildcards '*/kernel/addresses.json' | json "[l.ifname for l in d if any(a.get('local') == '192.0.2.254' for a in l.addr_info)]")" \
		'["vrrp5"]' "addresses as the kernel of r1 has them"
	check grep -qx '/proc/sys/net/ipv4/conf/swp1/arp_ignore:1' <(tar -xzOf "$ARCHIVE" --wildcards '*/kernel/sysctl.txt')
	# each file is in the list, and what is not there is, too
	tar -xzOf "$ARCHIVE" --wildcards '*/README' >"$RUN/readme"
	while read -r name; do
		[ "$name" = README ] || grep -qE "^$name(:|$)" "$RUN/readme" || fail "$name is not in README"
	done <"$RUN/names"
	check_status 1 fh r1 support "$ARCHIVE"
	ln -s "$RUN/elsewhere" "$RUN/link.tar.gz"
	check_status 1 fh r1 support "$RUN/link.tar.gz"
	check [ ! -e "$RUN/elsewhere" ]
}

# Broken if a daemon that is down kept the rest from who is asked for help.
without_a_daemon_the_rest_is_collected() {
	check_status 4 "$FIRSTHOP" -n nowhere support "$RUN/alone.tar.gz"
	tar -tzf "$RUN/alone.tar.gz" >"$RUN/names"
	check grep -q '/uname.txt$' "$RUN/names"
	check_eq "$(grep -c 'state.json' "$RUN/names")" 0 "states"
	check grep -q '^state.json: not there: No daemon at' <(tar -xzOf "$RUN/alone.tar.gz" --wildcards '*/README')
}

# Broken if a file that is something else led to an answer, a panic or a riddle.
what_is_no_state_is_named() {
	echo '{"format":99,"version":"9","taken":"now","answers":{}}' >"$RUN/new.json"
	head -c 2000 "$ARCHIVE" >"$RUN/cut.tar.gz"
	gzip -c </etc/passwd >"$RUN/other.gz"
	for file in "$RUN/new.json" "$RUN/cut.tar.gz" "$RUN/other.gz" /etc/passwd "$RUN/absent" "$RUN"; do
		"$FIRSTHOP" --state "$file" status >"$RUN/out" 2>"$RUN/err"
		check_eq "$?$(cat "$RUN/out")" 1 "exit code: $file"
		check_eq "$(grep -c "firsthop: .*saves a state" "$RUN/err")" 1 "$file"
	done
}

# Broken if colours came where nobody asked for them, not where somebody did, or changed what the text says.
colours_are_those_of_ip() {
	local object
	for object in rif vmac route "explain vrrp5" diff; do
		# shellcheck disable=SC2086
		check_eq "$(fh r1 -c $object | sed $'s/\e\\[[0-9;]*m//g')" "$(fh r1 $object)" "$object without colours"
	done
	check grep -q $'\e\\[36mswp1\e\\[0m:' <(fh r1 -c rif)
	check grep -q $'\e\\[33m'$V5$'\e\\[0m' <(fh r1 -color=always vmac)
	check_eq "$(fh r1 -c=auto rif | grep -c $'\e')$(fh r1 -c -j rif | grep -c $'\e')" 00 "escapes in a pipe, and in JSON"
	check grep -q $'\e\\[1;36mswp1' <(COLORFGBG='15;0' fh r1 -c rif)
}

switch r1
# Link-local addresses of the kernel come a second after the device: two answers would differ.
on r1 sh -c 'for conf in all default; do echo 1 >/proc/sys/net/ipv6/conf/$conf/disable_ipv6; done'
# Ages of advertisements would differ between two answers.
printf '[liveness]\nwatch = false\n' >"$RUN/firsthop.toml"
agent r1 -c "$RUN/firsthop.toml"
host h1 r1 1 192.0.2.10/24
ip -n r1 addr add 192.0.2.1/24 dev swp1
ip -n r1 link set swp1 up
macvlan r1 swp1 vrrp5 $V5 192.0.2.254/24
macvlan r1 swp1 backup 00:00:5e:00:01:07
eventually 3000 carrier r1 swp1 || give_up "swp1 has no carrier"
fh r1 wait vmac dev vrrp5 state offload timeout 5 >/dev/null || give_up "vrrp5 is not in the chip"
tests_run "$@"
