#!/bin/bash
# Are the programs the same wherever they are built? They are built once more, in a copy of the checkout at another place, with other
# homes of the user and of Cargo, and compared with those of the release build, octet for octet, with all that debuggers know.
#
# Exit code 0: they are the same. Broken if a directory or the time got into a program, or if the order of something were left to chance.

set -eu
cd "$(dirname "$0")/.."
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
programs=(firsthop firsthopd firsthop-exporter hwsim)
build=(cargo build -q --release --locked -p hwsim -p firsthop)
"${build[@]}"

work=$(mktemp -d -p "${TMPDIR:-/var/tmp}")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
mkdir -p "$work/another/place" "$work/home/cargo"
tar -c --exclude=./target --exclude=./.git . | tar -x -C "$work/another/place"
# What was downloaded, and whence, is the same.
cargo=${CARGO_HOME:-$HOME/.cargo}
for name in registry git config.toml; do [ ! -e "$cargo/$name" ] || ln -s "$cargo/$name" "$work/home/cargo/$name"; done
env -C "$work/another/place" HOME="$work/home" CARGO_HOME="$work/home/cargo" RUSTUP_HOME="${RUSTUP_HOME:-$HOME/.rustup}" \
	CARGO_TARGET_DIR="$work/built" "${build[@]}" --offline

code=0
for name in "${programs[@]}"; do
	if cmp "$CARGO_TARGET_DIR/release/$name" "$work/built/release/$name"; then sha256sum "$work/built/release/$name" | sed 's|/.*/||'; else code=1; fi
done
exit $code
