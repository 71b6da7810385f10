#!/bin/bash
# Builds the programs for any Linux of a processor, without a libc of its own, and packs them with the documentation and the licences:
# TARGET_DIR/dist/firsthop-VERSION-PROCESSOR.tar.gz, and SHA256SUMS beside it. The same sources and compiler give the same archive.
#
#   dist.sh TARGET_DIR VERSION [TARGET]
#
# TARGET is Rust's name of the machine, `rustc --print target-list`; this one's own if it is left out. SOURCE_DATE_EPOCH is the date of what
# is in the archive; without it that of the last commit, or of the changelog where there is no repository.

set -eu
cd "$(dirname "$0")/../.."
export LC_ALL=C
host=$(rustc -vV | sed -n 's/^host: //p')
out=$1/dist target=${3:-$host}
name=firsthop-$2-${target%%-*}
programs=(firsthop firsthopd firsthop-exporter hwsim)
epoch=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || stat -c %Y CHANGELOG.md)}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Debian's names of the machine: arm-linux-gnueabihf is Rust's armv7-unknown-linux-gnueabihf.
triple=${target/-unknown-/-}
triple=${triple/#armv7-/arm-}
linker=$triple-gcc package=gcc-${triple//_/-}
[ "$target" != "$host" ] || linker=gcc package=gcc

code=0
# missing WHAT HOW
missing() { printf 'dist: %s is missing: %s\n' "$1" "$2" >&2; code=1; }
libraries=$(rustc --print target-libdir --target "$target" 2>/dev/null) || { echo "dist: Rust knows no $target, see rustc --print target-list" >&2; exit 1; }
compgen -G "$libraries/libstd-*.rlib" >/dev/null || missing "Rust's library for $target" "rustup target add $target"
if ! command -v "$linker" >/dev/null; then
	missing "the linker $linker" "apt install $package"
elif [ ! -e "$("$linker" -print-file-name=libc.a)" ]; then
	missing "a static C library for $target" "apt install --install-recommends $package"
fi
[ $code = 0 ] || exit $code

# In a directory of their own below TARGET_DIR, so that ordinary builds are not redone.
variable=${target^^} variable=CARGO_TARGET_${variable//-/_}
env "${variable}_LINKER=$linker" "${variable}_RUSTFLAGS=-C target-feature=+crt-static" CARGO_PROFILE_RELEASE_STRIP=symbols \
	CARGO_TARGET_DIR="$1" cargo build --release --target "$target" -p hwsim -p firsthop

stage=$work/$name
for program in "${programs[@]}"; do install -D -m 755 -t "$stage/bin" "$1/$target/release/$program"; done
selftests/lib/shippable.sh --static "$stage"/bin/*
cp -r README.md CHANGELOG.md SECURITY.md LICENSE-MIT LICENSE-APACHE docs "$stage/"
install -D -m 644 -t "$stage/systemd" agent/dist/firsthopd.service agent/dist/firsthop-exporter.service agent/dist/firsthop.sysusers agent/dist/firsthop.tmpfiles
install -D -m 644 -t "$stage/prometheus" agent/dist/firsthop.rules.yaml agent/dist/firsthop.dashboard.json
install -D -m 644 agent/dist/firsthop.bash "$stage/share/bash-completion/completions/firsthop"
for page in docs/man/*; do install -D -m 644 "$page" "$stage/share/man/man${page##*.}/${page##*/}"; done
(cd "$stage" && find . -type f -printf '%P\0' | sort -z | xargs -0 sha256sum >"$work/SHA256SUMS" && mv "$work/SHA256SUMS" .)

mkdir -p "$out"
tar -C "$work" --owner=0 --group=0 --numeric-owner --mode=u+rw,go=rX --mtime="@$epoch" --sort=name --format=gnu -cf - "$name" | gzip -9n >"$work/tar"
mv "$work/tar" "$out/$name.tar.gz"
(cd "$out" && sha256sum ./*.tar.gz | sed 's|\./||' >SHA256SUMS)
ls -l "$out/$name.tar.gz"
