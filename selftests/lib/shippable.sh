#!/bin/bash
# Can these programs be given to others? They don't say where they were built, and with --static they need nothing of the machine they come to.
#
#   shippable.sh [--static] PROGRAM...

set -u
cd "$(dirname "$0")/../.." || exit 1
static=
[ "$1" != --static ] || { static=yes; shift; }
code=0
wrong() { printf '%s\n' "$*" >&2; code=1; }

# Of this machine: the checkout, the home of who builds, what Cargo and rustup have.
cargo=${CARGO_HOME:-$HOME/.cargo} rustup=${RUSTUP_HOME:-$HOME/.rustup}
for program; do
	said=$(grep -aoF -e "$PWD/" -e "$HOME/" -e "$cargo/" -e "$rustup/" "$program" | sort -u)
	[ -z "$said" ] || wrong "$program tells of the machine that built it: $said"
	[ -n "$static" ] || continue
	needed=$(readelf -Wld "$program" | grep -E 'INTERP|NEEDED') && wrong "$program is not static: $needed"
done
exit $code
