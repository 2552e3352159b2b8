"""RNN units fire on one side of a line, GPT-2 units in any direction; the encoder is a sheet too.

Figure 4: a 25 units of network 0, b all responding units of all networks, c the encoder of network
0, which both kinds share: `python sweep.py 4`. RNN: last stimulus step; GPT-2: decision step, where
it gathers the evidence.
"""

import portraits
import style

HOW = """a: rates over x1 (right) and x2 (up), each over its own range; above it the unit. b: each
unit's correlation with the factors, in the unit circle; pale: the other networks. c: control, the
encoder's output without noise in its first three components, turned to lie flat."""


def draw():
    """A column of rate maps and correlations per kind of network, the encoder below."""
    conditions, also = ("RNN_nTask24", "gpt-2_nTask24"), ("rate_maps_end",)
    found = style.analyses(conditions, "rate_maps", "encoder", also=also)
    fig = style.plt.figure(figsize=(style.WIDTH, 3.1 * len(found) + 2.8))
    units, encoder = fig.subfigures(2, 1, height_ratios=(3.1 * len(found), 2.8))
    rows = units.subplots(len(found), 2, squeeze=False)
    for (left, right), kind in zip(rows, found, strict=True):
        end = "rate_maps_end" in kind
        maps = kind["rate_maps_end" if end else "rate_maps"]
        responding = portraits.draw_maps(left, maps, 0, 25)
        left.set_title(
            f"{kind['title']}, {'decision' if end else 'last stimulus'} step\n{responding}"
        )
        color = style.palette([kind["network"]])[kind["network"]]
        others = maps["correlation"][1:].reshape(-1, 2)
        portraits.draw_correlations(right, others, color="0.75", ms=4)
        portraits.draw_correlations(right, maps["correlation"][0], color=color)
        right.set_title(f"{len(maps['rates'])} networks")
    axes = encoder.subplots(1, 2, sharey=True)
    portraits.draw_flat(axes, *(found[0]["encoder"][name][0] for name in ("projected", "x")))
    for ax, text in zip((*rows[0], axes[0]), "abc", strict=True):
        style.letter(ax, text, x=-0.06)
    return fig


if __name__ == "__main__":
    style.run(draw, "Fig4", HOW)
