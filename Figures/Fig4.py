"""Figure 4: what units respond to, in RNN and GPT-2, and what the encoder gives them.

a shows 25 units of network 0, b all responding units of all five networks, c the encoder of network
0, which both kinds share; made by `python sweep.py 4`. RNN: last stimulus step; GPT-2: decision
step, where it gathers the evidence. We see: 15 to 20 of the 64 units of an RNN respond.
"""

import portraits
import style


def draw():
    """A row of rate maps and correlations per kind of network, the encoder beside them."""
    conditions, also = ("RNN_nTask24", "gpt-2_nTask24"), ("rate_maps_end",)
    found = style.analyses(conditions, "rate_maps", "encoder", also=also)
    fig = style.plt.figure(figsize=(10.5, 0.4 + 3.5 * max(2, len(found))))
    units, encoder = fig.subfigures(1, 2, width_ratios=(2, 1))
    rows = units.subplots(len(found), 2, squeeze=False)
    for (left, right), kind in zip(rows, found, strict=True):
        end = "rate_maps_end" in kind
        maps = kind["rate_maps_end" if end else "rate_maps"]
        name = f"{kind['title']}, {'decision' if end else 'last stimulus'} step"
        portraits.draw_maps(left, maps, 0, 25)
        left.set_title(f"{name}\n{left.get_title()}", fontsize=8)
        look = {"color": style.palette([kind["network"]])[kind["network"]], "label": "network 0"}
        portraits.draw_correlations(right, maps["correlation"].reshape(-1, 2), color="0.7", ms=4)
        portraits.draw_correlations(right, maps["correlation"][0], **look)
        right.set_title(f"{name} (n = {len(maps['rates'])})")
    rows[0, 1].plot([], [], "o", color="0.7", ms=4, label="the others")
    rows[0, 1].legend(loc="upper right", bbox_to_anchor=(1.1, 1.02), handletextpad=0)
    x, points, share = (found[0]["encoder"][name][0] for name in ("x", "projected", "share"))
    boxes = [-0.05, 0.5, 0.95, 0.42], [0.2, 0.17, 0.72, 0.3]
    space, plane = axes = portraits.views(encoder, share, *boxes)
    for ax in axes:
        portraits.draw_cloud(ax, points, x)
    space.set_title("encoder's output, without noise")
    plane.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2)
    for ax, text in zip((*rows[0], space), "abc", strict=True):
        style.letter(ax, text, x=0.05 if ax is space else -0.06)
    return fig


if __name__ == "__main__":
    style.run(draw, "Fig4")
