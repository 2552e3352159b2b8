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


def main(_: style.Config) -> None:
    """Run the scripts as from the shell, with the folders on the command line."""
    states = set()
    for script in sorted(style.FIGURES.glob("Fig*.py")):
        start, errors, sys.argv[0] = time.perf_counter(), io.StringIO(), str(script)
        try:
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(errors):
                runpy.run_path(str(script), run_name="__main__")
            state, line = "drawn", f"{len(style.LEFT_OUT)} left out" if style.LEFT_OUT else ""
        except SystemExit as stopped:
            if stopped.code == 130:
                raise KeyboardInterrupt from None
            missing = isinstance(stopped.__context__, style.Missing)
            state, line = "no data" if missing else "FAILED", errors.getvalue().strip()
        except Exception:  # a fault in one script; the others are drawn, and it is told
            traceback.print_exc()
            state, line = "FAILED", "see above"
        style.plt.close("all")
        states.add(state)
        seconds = f"{time.perf_counter() - start:.1f} s"
        print(f"{script.stem:10} {state:7} {seconds:>6}  {line}".rstrip(), flush=True)
    sys.exit(0 if "drawn" in states and "FAILED" not in states else 1)


if __name__ == "__main__":
    style.run_script(main, style.Config)
