"""Figure 4: what units respond to, in RNN and GPT-2, and what the encoder gives them.

Data: Data/Analysis/RNN_nTask24/ and gpt-2_nTask24/; a shows 25 units of network 0, b all responding
units of all five networks, c the encoder of network 0, which both kinds share; made by
`python sweep.py 4`. RNN: last stimulus step; GPT-2: decision step, where it gathers the evidence.
We see: 15 to 20 of the 64 units of an RNN respond.
"""

import portraits
import style


def draw(folders):
    """A row of rate maps and correlations per kind of network, the encoder beside them."""
    found = style.analyses(folders, "rate_maps", "encoder", also=("rate_maps_end",))
    fig = style.plt.figure(figsize=(10.5, 0.4 + 3.5 * max(2, len(found))))
    units, encoder = fig.subfigures(1, 2, width_ratios=(2, 1))
    rows = units.subplots(len(found), 2, squeeze=False)
    for row, kind in zip(rows, found, strict=True):
        maps, step = kind["rate_maps"], "last stimulus step"
        if "rate_maps_end" in kind:
            maps, step = kind["rate_maps_end"], "decision step"
        name = f"{style.title(kind)}, {step}"
        portraits.draw_maps(row[0], maps, 0, 25)
        row[0].set_title(f"{name}\n{row[0].get_title()}", fontsize=8)
        look = {"color": style.COLORS[kind["network"]], "label": "network 0"}
        portraits.draw_correlations(row[1], maps["correlation"].reshape(-1, 2), color="0.7", ms=4)
        portraits.draw_correlations(row[1], maps["correlation"][0], **look)
        row[1].set_title(f"{name} (n = {len(maps['rates'])})")
    rows[0, 1].plot([], [], "o", color="0.7", ms=4, label="the others")
    rows[0, 1].legend(loc="upper right", bbox_to_anchor=(1.1, 1.02), handletextpad=0)
    arrays = found[0]["encoder"]
    space = portraits.space(encoder, [-0.05, 0.5, 0.95, 0.42], arrays["share"][0])
    plane = portraits.flat(encoder, [0.2, 0.17, 0.72, 0.3], arrays["share"][0])
    for ax, axes in zip((space, plane), portraits.ALL, strict=True):
        portraits.draw_encoded(ax, arrays, 0, axes)
    space.set_title("encoder's output, without noise")
    plane.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2)
    for ax, text in zip((*rows[0], space), "abc", strict=True):
        style.letter(ax, text, x=0.05 if ax is space else -0.06)
    return fig


if __name__ == "__main__":
    style.run(draw, "Fig4", ("Analysis/RNN_nTask24", "Analysis/gpt-2_nTask24"))
