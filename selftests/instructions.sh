#!/bin/bash
# Has the agent become slower? Pieces of its work, counted in instructions and allocations, against the table of the last time
# (bench/instructions/baseline.txt). Times of a machine that others use as well would say nothing; these repeat.

ALL_TESTS="
	decode
	program
	resync
	event
	storm
	registers
	every_piece_is_held
"
. "$(dirname "$0")/lib/lib.sh"

BENCH=$ROOT/selftests/bench/instructions
BASELINE=$BENCH/baseline.txt FIGURES=$RUN/figures

# costs_no_more PIECE: than the table allows; says what it costs.
costs_no_more() {
	local text
	if text=$("$PY" -ISB "$BENCH/figures.py" hold "$BASELINE" "$FIGURES" "$1" 2>&1); then
		note "${text//$'\n'/$'\n'# }"
	else
		fail "${text//$'\n'/; }. If that is meant: make baseline"
	fi
}
pieces() { awk '!/^#/ { print $1 }' "$1" | sort; }

# Broken if netlink messages took longer to understand.
decode() { costs_no_more decode; }
# Broken if it took longer until everything is in an empty chip.
program() { costs_no_more program; }
# Broken if a dump of everything that changes nothing took longer.
resync() { costs_no_more resync; }
# Broken if it took longer to take a virtual router out of the chip, or to put it there, among many that stay.
event() { costs_no_more event; }
# Broken if what happens beside the switch took longer to take in.
storm() { costs_no_more storm; }
# Broken if changes took longer to become register writes, and answers outcomes.
registers() { costs_no_more registers; }

# Broken if there were a piece that nobody compares with the table, or a row of the table that is no piece any more.
every_piece_is_held() {
	check_eq "$(pieces "$FIGURES")" "$(pieces "$BASELINE")" "the pieces"
	check_eq "$(grep -c '^[a-z]*() { costs_no_more ' "$0")" "$(pieces "$BASELINE" | wc -l)" "how many have a test"
}

PROGRAM=$BIN/instructions
[ -x "$PROGRAM" ] || unable "$PROGRAM is not built (cargo build --release -p instructions)"
command -v valgrind >/dev/null 2>&1 || unable "valgrind is not installed"
"$BENCH/count" "$PROGRAM" >"$FIGURES" 2>"$RUN/count.log" || give_up "nothing was counted" count
table=$(head -n 1 "$BASELINE") here=$(head -n 1 "$FIGURES")
[ "$table" = "$here" ] || unable "the table is of ${table#\# }, this is ${here#\# }: make baseline, best without another change"
tests_run "$@"
