"""Redraws every figure, in one process: all Fig*.py of this folder.

    python Figures/all.py                         from Data/ into Figures/
    python Figures/all.py sweep/Data pictures     from and into other folders, as for each script

One line per figure: drawn, with the number of lines on what is left out (its script prints them),
or why not. Exit code 0 if at least one was drawn and none failed but for lack of data; else 1.
"""

import contextlib
import io
import runpy
import sys
import time
import traceback

import style


def draw(script):
    """Run one script as from the shell; 'drawn', 'no data' or 'FAILED', and a line on it."""
    errors = io.StringIO()
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(errors):
            runpy.run_path(str(script), run_name="__main__")
    except SystemExit as stopped:
        if stopped.code == 130:
            style.stop("all.py", "interrupted", 130)
        missing = isinstance(stopped.__context__, style.Missing)
        return "no data" if missing else "FAILED", errors.getvalue().strip()
    except Exception:  # a fault in one script; the others are drawn, and it is told
        traceback.print_exc()
        return "FAILED", "see above"
    finally:
        style.plt.close("all")
    return "drawn", f"{len(style.LEFT_OUT)} left out" if style.LEFT_OUT else ""


if __name__ == "__main__":
    try:
        style.arguments()
    except style.UserError as error:
        style.stop("all.py", error, 2)
    states = set()
    for script in sorted(style.FIGURES.glob("Fig*.py")):
        start = time.perf_counter()
        state, line = draw(script)
        states.add(state)
        seconds = f"{time.perf_counter() - start:.1f} s"
        print(f"{script.stem:10} {state:7} {seconds:>6}  {line}".rstrip(), flush=True)
    sys.exit(0 if "drawn" in states and "FAILED" not in states else 1)
