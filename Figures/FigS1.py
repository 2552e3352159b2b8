"""Figure S1: OOD r2 of the RNN behind a ReLU and behind a quadratic random encoder.

Data: Data/FigS1/ (ReLU: Data/Fig3a/), five networks per point, 4 splits x 5 fits each; made by
`python sweep.py S1`. Paper: the effect does not depend on the encoder. Numbers: README.md.
"""

import style


def draw(folders):
    """OOD r2 as released and with the quadrant really held out."""
    fig, axes = style.plt.subplots(1, 2, figsize=(7, 3.4))
    titles = {"as_released": "OOD as released", "quadrant": "OOD, quadrant really held out"}
    for ax, (measure, title) in zip(axes, titles.items(), strict=True):
        for network, file in style.find(folders, "r_sq", measure, ("r_sq", "n_tasks")).items():
            style.curve(ax, file["n_tasks"], file["r_sq"], "Quad" if network == "Quad" else "ReLU")
        style.theory(ax, style.r_sq_theory(20))
        style.task_axis(ax, file["n_tasks"])
        ax.set(ylabel="OOD $r^2$", ylim=(0.4, 1), title=title)
    axes[1].legend(loc="lower right")
    return fig


if __name__ == "__main__":
    style.run(draw, "FigS1", ("FigS1", "Fig3a"))
