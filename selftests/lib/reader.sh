# shellcheck shell=bash
#
# Sourced by scripts that run the documentation's commands: a PATH with the programs under test by their names, with ports of the kind
# that this run is about, and a ping where there is none.

mkdir -p "$RUN/bin"
cat >"$RUN/bin/hwsim" <<-END
	#!/bin/sh
	if [ "\$1" = run ]; then shift; exec $HWSIM run --cpu $FH_CPU "\$@"; fi
	exec $HWSIM "\$@"
END
ln -s "$FIRSTHOP" "$FIRSTHOPD" "$BIN/firsthop-exporter" "$RUN/bin/"
if ! command -v ping >/dev/null; then
	cat >"$RUN/bin/ping" <<-END
		#!/bin/sh
		[ "\$1" = -c ] && [ \$# = 3 ] || exit 2
		exec $PY -ISB $LIB/query.py -t 'd.received > 0' <<E
		\$($PY -ISB $LIB/frames.py ping "\$3" count="\$2" interval=0.05 | tail -n 1)
		E
	END
	chmod +x "$RUN/bin/ping"
fi
chmod +x "$RUN/bin/hwsim"
export PATH="$RUN/bin:$PATH"
