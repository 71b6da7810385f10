#!/bin/bash
# Coverage-guided fuzzing of everything that reads bytes from somewhere else (selftests/fuzz/): each target for FUZZ_SECONDS (600),
# FUZZ_JOBS (one a processor) at a time.
#
#   fuzz.sh [TARGET...]                 all targets if none is named; `fuzz.sh -l` lists them
#   fuzz.sh --minimise [TARGET...]      instead: the committed corpora become the fewest inputs that reach what is reached by now
#
# Prints a line for each target: executions, edges of the code that were reached, inputs in the corpus, crashes. Exit 1 if there was a
# crash, with the file that repeats it (cp FILE selftests/fuzz/corpus/TARGET/NAME makes it a test); 4 where libFuzzer can't be built.
# What is found stays in Cargo's target directory, and the next run begins there. FUZZ_STDERR=1 shows what libFuzzer says.

set -u
cd "$(dirname "$0")/.." || exit 1
export PATH="$PATH:$HOME/.cargo/bin" CARGO_TERM_COLOR=never LC_ALL=C
TARGETS="rtnetlink devlink chip session pipeline vrrp varlink config state control recording"
TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
WORK=$TARGET_DIR/fuzz-corpus CORPUS=selftests/fuzz/corpus
# Bytes of an input; seconds that one may take; MB of memory.
LIMITS=(-max_len=4096 -timeout=20 -rss_limit_mb=2048)
# Files of a committed corpus, beside those that have names.
FILES=96

minimise=
case ${1:-} in
-l) echo "$TARGETS" | tr ' ' '\n'; exit 0 ;;
--minimise) minimise=1; shift ;;
esac
for target in "$@"; do
	case " $TARGETS " in *" $target "*) ;; *) echo "fuzz.sh: no target $target; there are $TARGETS"; exit 1 ;; esac
done
[ $# = 0 ] || TARGETS=$*

skip() { echo "fuzz.sh: $*"; exit 4; }

# What rustc puts into every function for libFuzzer; stable flags of any toolchain. With --target, so that build scripts and macros
# are left alone.
FLAGS=-Cpasses=sancov-module
for flag in level=4 inline-8bit-counters pc-table trace-compares; do FLAGS+=" -Cllvm-args=-sanitizer-coverage-$flag"; done
build() {
	RUSTFLAGS=$FLAGS cargo build -q --locked --profile fuzz --target "$HOST" --target-dir "$TARGET_DIR/fuzz" \
		-p fuzz --features libfuzzer --bins </dev/null
}
binary() { echo "$TARGET_DIR/fuzz/$HOST/fuzz/fuzz-$1"; }

begun=$SECONDS
selftests/lib/install.sh fuzz || skip "what compiles libFuzzer is missing"
HOST=$(rustc -vV | sed -n 's/^host: //p')
mkdir -p "$WORK"
if ! build 2>"$WORK/build.log"; then
	cat "$WORK/build.log"
	# Its crate can't be had, or its C++ does not compile: not the fault of what is tested.
	grep -qE 'libfuzzer-sys|failed to (download|fetch|load source)|no matching package' "$WORK/build.log" && skip "libFuzzer can't be built here"
	echo "fuzz.sh: the targets can't be built"
	exit 1
fi
echo "fuzz.sh: built in $((SECONDS - begun)) s"

# Inputs that once broke something have names; a corpus keeps them.
minimise() {
	local target=$1 fresh=$WORK/$1.fresh
	rm -rf "$fresh" && mkdir -p "$fresh" "$WORK/$target"
	# Edges count, not how often they were passed: tens of files, not thousands. Those that reach most are written first.
	"$(binary "$target")" "${LIMITS[@]}" -use_counters=0 -set_cover_merge=1 "$fresh" "$WORK/$target" "$CORPUS/$target" >"$WORK/$target.log" 2>&1 ||
		{ tail -n 20 "$WORK/$target.log"; return 1; }
	local file
	for file in "$CORPUS/$target"/*; do
		[[ ${file##*/} =~ ^[0-9a-f]{40}$ ]] && rm -f "$file"
	done
	ls -rt "$fresh" | head -n $FILES | while read -r file; do cp "$fresh/$file" "$CORPUS/$target"/; done
	rm -rf "$fresh"
	echo "$target: $(ls "$CORPUS/$target" | wc -l) files, $(cat "$CORPUS/$target"/* | wc -c) bytes"
}

# run TARGET: a line of figures into $WORK/TARGET.result
run() {
	local target=$1 log=$WORK/$1.log crashes
	mkdir -p "$WORK/$target" "$WORK/crashes"
	# One process reads no other's inputs: -reload=0.
	"$(binary "$target")" "${LIMITS[@]}" -max_total_time="${FUZZ_SECONDS:-600}" -print_final_stats=1 -reload=0 -verbosity=1 \
		-artifact_prefix="$WORK/crashes/$target-" "$WORK/$target" "$CORPUS/$target" >"$log" 2>&1 </dev/null
	local status=$?
	[ -z "${FUZZ_STDERR:-}" ] || cat "$log"
	crashes=$(sed -n 's/.*Test unit written to //p' "$log" | sort -u)
	awk -v target="$target" -v crashed="${crashes:+1}" -v status=$status '
		match($0, /cov: [0-9]+/) { cov = substr($0, RSTART + 5, RLENGTH - 5) }
		match($0, /corp: [0-9]+/) { corpus = substr($0, RSTART + 6, RLENGTH - 6) }
		/stat::number_of_executed_units/ { runs = $2 }
		END { printf "%-10s %12d %9d %8d %8s\n", target, runs, cov, corpus, status == 0 ? "none" : crashed ? "CRASH" : "DIED" }' "$log" >"$WORK/$target.result"
	[ $status = 0 ] && return
	grep -E "panicked at|ERROR: libFuzzer" -A 1 "$log" | head -n 4
	for file in $crashes; do echo "$target: repeat with $(binary "$target") $file"; done
	[ -n "$crashes" ] || tail -n 5 "$log"
	return 1
}

failed=0
if [ -n "$minimise" ]; then
	for target in $TARGETS; do minimise "$target" || failed=1; done
	exit $failed
fi

# Children end with this script.
trap 'kill $(jobs -p) 2>/dev/null' EXIT
trap 'exit 130' INT TERM HUP
rm -f "$WORK"/*.result
for target in $TARGETS; do
	while [ "$(jobs -rp | wc -l)" -ge "${FUZZ_JOBS:-$(nproc)}" ]; do wait -n; done
	run "$target" &
done
wait

printf '%-10s %12s %9s %8s %8s\n' target executions edges corpus crashes
for target in $TARGETS; do
	cat "$WORK/$target.result" 2>/dev/null || { echo "$target: no result"; failed=1; }
	grep -q 'none$' "$WORK/$target.result" 2>/dev/null || failed=1
done
exit $failed
