"""With curved boundaries the sheet bends, and x* is read less well where a quadrant is held out.

Figure S4: a, b network 0 of an RNN that classifies against |x1 x2| in each quadrant; c r2 of x*:
`python sweep.py S4`. Controls: the RNN of straight boundaries; the encoder's features averaged over
the stimulus.
"""

import portraits
import style

HOW = """a: true boundaries dashed, the network's in colour. b: ends of trials without noise; black:
slow points. """
ROWS = {
    "Multiply": "RNN, curved boundaries",
    "RNN": "RNN, straight",
    "EncoderMean": "encoder's mean",
}


def draw():
    """Lines and the sheet; r2 of x*, in and out of distribution."""
    found = style.if_there(style.analyses, ("Multiply_nTask24",), "lines", "trajectories")
    wanted = {"kind": ROWS, "measure": style.MEASURES}
    rows = style.if_there(style.rows, "S4", "n_task == 24", "kind == 'Multiply'", **wanted)
    if not found and rows is None:
        raise style.Missing(style.LEFT_OUT[0])
    fig = style.plt.figure(figsize=(style.WIDTH, 5.6))
    upper, lower = fig.subfigures(2, 1, height_ratios=(1, 1))
    lines, *sheet = upper.subplots(1, 3, width_ratios=(1, 1, 1))
    sheet[1].sharey(sheet[0])
    if found:
        portraits.draw_boundaries(lines, found[0]["lines"], 0)
        portraits.draw_sheet_of(sheet, found[0]["trajectories"], 0)
    else:
        for ax in (lines, *sheet):
            style.note(ax, "no data")
    r2 = lower.subplots()
    if rows is None:
        style.note(r2, "no data")
    else:
        style.strips(r2, {name: rows[rows["kind"] == kind] for kind, name in ROWS.items()}, 0.3)
        style.measures_legend(fig)
    for ax, text in zip((lines, sheet[0], r2), "abc", strict=True):
        style.letter(ax, text, *((-0.2, 1.14) if text == "a" else ()))
    return fig


if __name__ == "__main__":
    style.run(draw, "FigS4", HOW + style.MEDIANS)
