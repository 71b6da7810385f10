#!/bin/bash
# Packs the release programs, the documentation and the licences into TARGET_DIR/dist/firsthop-VERSION-ARCH.tar.gz.
#
#   dist.sh TARGET_DIR VERSION

set -eu
cd "$(dirname "$0")/../.."
name=firsthop-$2-$(uname -m)
out=$1/dist stage=$1/dist/$name
rm -rf "$stage"
mkdir -p "$stage/bin"
install -m 755 "$1/release/firsthopd" "$1/release/firsthop" "$1/release/firsthop-exporter" "$1/release/hwsim" "$stage/bin/"
cp -r README.md CHANGELOG.md LICENSE-MIT LICENSE-APACHE docs "$stage/"
install -D -m 644 -t "$stage/systemd" agent/dist/firsthopd.service agent/dist/firsthop-exporter.service agent/dist/firsthop.sysusers agent/dist/firsthop.tmpfiles
install -D -m 644 -t "$stage/prometheus" agent/dist/firsthop.rules.yaml agent/dist/firsthop.dashboard.json
install -D -m 644 agent/dist/firsthop.bash "$stage/share/bash-completion/completions/firsthop"
for page in docs/man/*; do install -D -m 644 "$page" "$stage/share/man/man${page##*.}/${page##*/}"; done
tar -C "$out" --owner=0 --group=0 --sort=name -czf "$out/$name.tar.gz" "$name"
rm -rf "$stage"
ls -l "$out/$name.tar.gz"
