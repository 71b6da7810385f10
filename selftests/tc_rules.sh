#!/bin/bash
# The tc rules that firsthop installs, or must see refused: the cases of tc-tests/, by their own runner, and, where FH_TDC says where
# the kernel's tdc.py is, by that as well: a case passes if both say so. An argument is the id of a case.

exec python3 -B "$(dirname "$0")/../tc-tests/run" ${FH_TDC:+--against "$FH_TDC"} "$@"
