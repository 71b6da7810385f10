"""Becomes a program as systemd starts a service whose stderr is the journal: JOURNAL_STREAM names what stderr is (systemd.exec(5)).

    as_service.py PROGRAM [ARGUMENT...]
"""

import os
import sys

stderr = os.fstat(2)
os.environ["JOURNAL_STREAM"] = f"{stderr.st_dev}:{stderr.st_ino}"
os.execv(sys.argv[1], sys.argv[1:])
