"""Redraws every figure from Data/, in one process: all Fig*.py of this folder.

    python Figures/all.py                         from Data/ into Figures/
    python Figures/all.py sweep/Data pictures     from and into other folders, as for each script

One line per figure: drawn, with the number of things left out in it (its script alone names them),
or not drawn for lack of data. Exit code 0 if at least one was drawn and none failed for another
reason; else 1.
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
    style.LEFT_OUT.clear()
    errors = io.StringIO()
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(errors):
            runpy.run_path(str(script), run_name="__main__")
    except SystemExit as stopped:
        if stopped.code == 130:
            raise
        state = "no data" if isinstance(stopped.__context__, style.Missing) else "FAILED"
        return state, errors.getvalue().strip()
    except Exception:  # a fault in one script; the others are drawn, and it is told
        traceback.print_exc()
        return "FAILED", "see above"
    finally:
        style.plt.close("all")
    left = len(style.LEFT_OUT)
    return "drawn", f"{left} left out" if left else ""


def main():
    """All scripts; the exit code."""
    try:
        style.arguments()
    except style.UserError as error:
        style.stop("all.py", error, 2)
    states = []
    for script in sorted(style.FIGURES.glob("Fig*.py")):
        start = time.perf_counter()
        state, line = draw(script)
        states.append(state)
        seconds = f"{time.perf_counter() - start:.1f} s"
        print(f"{script.stem:10} {state:7} {seconds:>6}  {line}".rstrip(), flush=True)
    return 0 if "drawn" in states and "FAILED" not in states else 1


if __name__ == "__main__":
    sys.exit(main())
