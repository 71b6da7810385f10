#!/bin/bash
# Is every command of the documentation right? The blocks of its pages (lib/book.py says which kinds there are) are run in order, each page
# in a network namespace of its own, with what the page takes for granted: see the lab_ functions. docs/deployments.md has its own script.

ALL_TESTS="
	every_block_says_what_it_is
	every_page_is_run
	words_are_the_programs
	configurations_are_read
	prometheus_reads_its_files
	readme
	first_steps
	simulator
	operator
	schemes
	ipvlan
	metrics
	selftests
"
. "$(dirname "$0")/lib/lib.sh"

book() { "$PY" -ISB "$LIB/book.py" "$@"; }

. "$LIB/reader.sh"
export FH_LIB=$LIB FH_BIN=$BIN
mount -t tmpfs tmpfs /mnt || exit 1 # not below /run, which selftests that a page runs cover with their own
unset FH_ISOLATED # selftests that a page runs have namespaces of their own

# page FILE [LAB]: its commands, in the network namespace `lab` after LAB has made what the page takes for granted; then everything ends.
page() {
	local work=/mnt/page name ns
	rm -rf "$work"
	mkdir -p "$work/files"
	ln -s "$ROOT"/* "$work/files/" # the checkout, beside which new files are written
	book steps "$ROOT/$1" >"$work/steps" || { fail "$1"; return; }
	check [ -s "$work/steps" ]
	namespace lab
	cd "$work/files" || return
	check "${2:-true}"
	timeout -k 5 60 ip netns exec lab bash "$LIB/page.sh" "$work/steps" 0 "$work" >"$work/said" 2>&1 ||
		fail "$1, line $(cat "$work/line")$(tail -n 41 "$work/said")"
	sed -n 's/^line .*: not run/# &/p' "$work/said"
	for name in "${!PID[@]}"; do stop "$name"; done
	PID=()
	for ns in /run/netns/*; do
		ip netns pids "${ns##*/}" | xargs -r kill -9
		ip netns del "${ns##*/}"
	done
	cd /
}

# A router: a switch, with options of hwsim, and its agent, whose port swp1 has an address and a link.
lab_router() {
	switch lab "$@"
	agent lab
	ip -n lab link set h1 up
	ip -n lab link set swp1 up
	ip -n lab addr add 192.0.2.1/24 dev swp1
}

# Broken if a block did not say what it is, were no JSON, or showed code that is not so.
every_block_says_what_it_is() {
	check book check "$ROOT"
	book not-run "$ROOT" | sed 's/^/# not run: /'
}

# Broken if a page with commands had come, and no test of it.
every_page_is_run() {
	check_eq "$(book pages "$ROOT" | sort | tr '\n' ' ')" "$(sed -n 's/^[a-z_]*() { .*page \([^ ;]*\.md\).*/\1/p' "$0" | sort | tr '\n' ' ')" "pages with commands"
}

# Broken if a page named a command that is not there.
words_are_the_programs() {
	local -a words
	readarray -t words < <("$FIRSTHOP" help | sed -n '/^OBJECT:/,/^$/s/^  \([a-z]*\) .*/\1/p')
	check [ ${#words[@]} -gt 10 ]
	check book words "$ROOT" firsthop help "${words[@]}"
	readarray -t words < <("$HWSIM" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p')
	check [ ${#words[@]} -gt 8 ]
	check book words "$ROOT" hwsim netdevsim-guard "${words[@]}"
}

# Broken if a configuration that is shown were refused.
configurations_are_read() {
	local where text count=0
	while IFS= read -rd '' where && IFS= read -rd '' text; do
		printf %s "$text" >"$RUN/shown.toml"
		"$FIRSTHOPD" --check-config -c "$RUN/shown.toml" >"$RUN/check" 2>&1 || fail "$where: $(cat "$RUN/check")"
		count=$((count + 1))
	done < <(book blocks "$ROOT" toml)
	check [ $count -gt 3 ]
}

# Broken if Prometheus refused what a page tells it.
prometheus_reads_its_files() {
	local where text
	command -v promtool >/dev/null 2>&1 || { skip "promtool is not installed (Debian: prometheus)"; return; }
	mkdir -p "$RUN/prometheus"
	cp "$ROOT/agent/dist/firsthop.rules.yaml" "$RUN/prometheus/"
	echo '- targets: ["10.9.0.11:9983"]' >"$RUN/prometheus/switches.yaml"
	while IFS= read -rd '' where && IFS= read -rd '' text; do
		printf %s "$text" >"$RUN/prometheus/shown.yaml"
		check promtool check config "$RUN/prometheus/shown.yaml"
	done < <(book blocks "$ROOT" yaml)
}

# Broken, each of them, if a command of the page failed, or printed something else than the page shows.
readme() { page README.md; }
first_steps() { page docs/first-steps.md; }
simulator() { page docs/simulator.md; }
operator() { page docs/operator.md lab_operator; }
schemes() { page docs/schemes.md lab_schemes; }
ipvlan() { page docs/ipvlan.md lab_ipvlan; }
metrics() { page docs/metrics.md lab_metrics; }
selftests() { page docs/selftests.md; }

# A virtual router without its address, routes, and a recording.
lab_operator() {
	lab_router --emad-pcap emad.pcap
	macvlan lab swp1 vrrp5 00:00:5e:00:01:05
	ip -n lab neigh add 192.0.2.10 lladdr 02:00:00:00:00:10 dev swp1
	ip -n lab route add 10.2.0.0/16 via 192.0.2.10
	fh lab wait synced timeout 5
}
# A bridge in the place of a VLAN, which not every kernel has, and another.
lab_schemes() {
	lab_router
	for bridge in br0 br0.10; do ip -n lab link add "$bridge" type bridge && ip -n lab link set "$bridge" up; done
}
# A container.
lab_ipvlan() {
	lab_router
	namespace container1
}
# The address of the first switch in its fleet.
lab_metrics() {
	lab_router
	ip -n lab addr add 10.9.0.11/32 dev lo
}

tests_run "$@"
