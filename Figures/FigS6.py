"""RNNs fire sparsely and GPT-2 does not, at any N_task; more factors make RNNs less sparse.

Figure S6: lifetime sparseness of the representation (1000 stimuli without noise, last stimulus
step) against N_task and against D, and the share of responses that are not 0: `python sweep.py S6a
S6b`. A unit that responds to a single stimulus has 100 %, a constant one 0; dead units count as 100
%. Control: the untrained networks, hollow.
"""

import style

from paper import ARCHITECTURES, DIMS, EVERY_D, N_TASKS, N_TASKS_DIM

CONTROLS = {f"Untrained_{kind}": kind for kind in ARCHITECTURES}


def draw():
    """Sparseness and active units by architecture; sparseness against D, a curve per N_task."""
    query = f"kind in {(*ARCHITECTURES, *CONTROLS, *EVERY_D)} or kind == network"
    rows = style.rows("S6a", query, needs="measure in ('sparsity', 'active')", decoder="")
    drawn = rows[rows["kind"].isin(CONTROLS)]
    drawn = drawn.assign(n_task=36, kind=drawn["kind"].map(CONTROLS))
    sparse = rows[(rows["measure"] == "sparsity") & ~rows["kind"].isin(CONTROLS)]
    by_task = rows.query(f"n_dim == 2 and n_task in {N_TASKS} and kind not in {(*CONTROLS,)}")
    by_dim = sparse.query(f"kind in {EVERY_D} and n_task in {N_TASKS_DIM}")
    style.expect(by_task[by_task["measure"] == "sparsity"], kind=ARCHITECTURES, n_task=N_TASKS)
    style.expect(by_dim, network=("RNN", "gpt-2"), n_dim=(2, *DIMS), n_task=N_TASKS_DIM)
    n_row = 1 + any(by_dim["n_dim"] > 2)
    size = style.WIDTH, 3 * n_row
    fig, axes = style.plt.subplots(n_row, 2, figsize=size, squeeze=False, sharey=True)
    names = {"sparsity": "lifetime sparseness (%)", "active": "active units x stimuli (%)"}
    hollow = {"mfc": "w", "ls": "", "label": None}
    for ax, (measure, name) in zip(axes[0], names.items(), strict=True):
        for some, look in ((by_task, {}), (drawn, hollow)):
            style.curve(ax, some[some["measure"] == measure], value="value", **look)
        style.task_axis(ax, by_task["n_task"])
        ax.set(ylabel=name, ylim=(-3, 103))
    look = {"names": {n: f"$N_{{task}}={n}$" for n in N_TASKS_DIM}}
    for ax, network in zip(axes[1:].flat, ("RNN", "gpt-2"), strict=False):
        some = by_dim[by_dim["network"] == network]
        style.curve(ax, some, "n_dim", "n_task", "value", **look)
        title = style.NAMES.get(network, network)
        ax.set(title=title, xlabel="number of factors, $D$", xticks=(2, *DIMS))
        ax.set_ylabel(names["sparsity"])
    for ax, text in zip(axes.flat, "abcd", strict=False):
        style.letter(ax, text)
        if not ax.lines:
            style.note(ax, "no data")
    axes[0, 0].legend(loc="center right")
    for ax in axes[1:, 1]:
        ax.legend(*axes[1, 0].get_legend_handles_labels(), loc="upper right")
    return fig


HOW = """Points and bars: median of networks, its 95 % interval; pale: each network. Hollow:
untrained networks, where measured. All panels have one axis."""

if __name__ == "__main__":
    style.run(draw, "FigS6", HOW)
