"""The figure of a race between the forms of one model."""

from matplotlib.figure import Figure

from .plots import BLUE, GREY, Picture


def race(times: dict[int, dict[str, float]], threads: int) -> Picture:
    """Bars of ms a photo: for each size of batch, the seconds that one batch took by each name; lowest wins."""
    figure = Figure(figsize=(7, 0.9 + 0.32 * max(map(len, times.values()))), dpi=96, layout="constrained")
    for axis, (count, seconds) in zip(figure.subplots(1, len(times), sharey=True), times.items()):
        each = {name: 1000 * value / count for name, value in seconds.items()}
        best = min(each, key=each.get)
        drawn = axis.barh(list(each), list(each.values()), color=[BLUE if name == best else GREY for name in each])
        axis.bar_label(drawn, fmt="{:.2f}", padding=3, fontsize=9)
        axis.set_title("1 photo at a time" if count == 1 else f"{count} photos at once", fontsize=10)
        axis.set(xlim=(0, 1.2 * max(each.values())), xlabel="ms a photo")
        axis.spines[["top", "right"]].set_visible(False)
    axis.invert_yaxis()
    figure.supxlabel("1 thread" if threads == 1 else f"{threads} threads", x=0.995, ha="right", fontsize=9,
                     style="italic", color=GREY)
    return Picture(figure)
