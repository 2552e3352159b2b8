"""Imported first by every script: Ctrl-C during the other imports is one line too."""

import os
import sys


def one_line(kind, error, trace):
    """An exception that nobody caught; of an interruption just the word, exit code 130."""
    if not issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    print(f"{os.path.basename(sys.argv[0])}: interrupted", file=sys.stderr, flush=True)
    os._exit(130)


sys.excepthook = one_line
