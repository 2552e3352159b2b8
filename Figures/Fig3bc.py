"""In every architecture r2 rises and decoders turn orthogonal, to where the mean of the input is.

Figures 3b and 3c: OOD r2, and how far from 90 degrees the angle between the decoders of the two
factors is (quadrant held out). Controls: the encoder's features averaged over the stimulus;
untrained networks; directions drawn at random in 64 dimensions. `python sweep.py 3b Controls`.
Paper: the effect does not depend on the architecture; GPT is better than the RNN at small N_task.
"""

import style

from paper import ARCHITECTURES, N_TASKS

CONTROLS = {f"Untrained_{kind}": kind for kind in ARCHITECTURES}
FLOOR = 0.55
HOW = (
    """Right, hollow: untrained. A network whose decoders fail in distribution too
(r2 < 0) is a triangle below; it is in no median, and not in c. """
    + style.MEDIANS
)


def draw():
    """r2 in both tests; angles."""
    known = {"measure": style.MEASURES, "kind": (*ARCHITECTURES, "EncoderMean", *CONTROLS, ...)}
    query = f"(kind == network or kind in {(*known['kind'][:-1],)}) and n_task in {N_TASKS}"
    rows = style.rows("3bc", query, needs="kind == network", **known)
    drawn = rows["kind"].isin(CONTROLS)
    style.expect(rows[~drawn], kind=(*ARCHITECTURES, "EncoderMean"), n_task=N_TASKS)
    inside = rows[rows["measure"] == "ID"].groupby(["kind", "n_task", "run"])["r2"].median()
    fails = rows.join((inside < 0).rename("fails"), ["kind", "n_task", "run"])["fails"].eq(True)
    rows = rows.assign(from90=(rows["angle"] - 90).abs())
    trained, untrained = rows[~drawn & ~fails], rows[drawn].copy()
    untrained["kind"] = untrained["kind"].map(CONTROLS)  # side by side
    untrained["n_task"] = 33 * 1.15 ** untrained["kind"].map(ARCHITECTURES.index)
    fig, axes = style.plt.subplots(1, 3, figsize=(style.WIDTH, 3.6))
    style.tests(axes[:2], trained, FLOOR)
    angles = axes[2], "quadrant"
    style.curve(axes[2], trained[trained["measure"] == "quadrant"], value="from90")
    for ax, measure in (*zip(axes, style.TESTS, strict=False), angles):
        value, hollow = "from90" if ax is axes[2] else "r2", {"mfc": "w", "ls": "", "label": None}
        some = untrained[untrained["measure"] == measure]
        style.curve(ax, some, value=value, floor=FLOOR if value == "r2" else 0, **hollow)
        style.task_axis(ax, trained["n_task"])
        lost = rows[fails & ~drawn & (rows["measure"] == measure)]
        for (kind, n_task), _ in lost.groupby(["kind", "n_task"]) if value == "r2" else ():
            look = {"color": style.COLORS.get(kind), "clip_on": False}
            ax.plot([n_task], [FLOOR], "v", ms=8, **look)
    style.chance_angle(axes[2])
    axes[2].set_title("angle between decoders")
    axes[1].set_ylabel("")
    for ax, text in zip(axes[::2], "bc", strict=True):
        style.letter(ax, text)
    style.legend(fig, 4)
    return fig


if __name__ == "__main__":
    style.run(draw, "Fig3bc", HOW)
