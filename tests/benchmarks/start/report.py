"""starts.csv and idle.csv as the table of spawner_profiles/README.md and as starts.svg."""

from __future__ import annotations

import csv
import re
from pathlib import Path

HERE = Path(__file__).parent
README = HERE.parents[2] / "spawner_profiles/README.md"
MARKS = "<!-- make bench-start writes from here -->", "<!-- to here -->"
STYLE = {"ours": ("ours", "#b5179e", "o"), "stock": ("stock batchspawner", "#4361ee", "s"),
         "floor": ("no hub: the same jobs by sbatch", "#6c757d", "^")}
Rows = dict[tuple[str, int, str], dict[str, float | str]]


def write() -> None:
    """Read the CSV files and write table and plot. Raises ValueError for a README without the marks."""
    rows = {(row["servers"], row["people"], row["arm"]): row for row in read("starts.csv")}
    idle = {row["arm"]: row for row in read("idle.csv")}
    text = README.read_text(encoding="utf-8")
    before, _, rest = text.partition(MARKS[0])
    _, found, after = rest.partition(MARKS[1])
    if not found:
        raise ValueError(f"{README}: expected the lines {MARKS[0]} and {MARKS[1]}")
    README.write_text(f"{before}{MARKS[0]}\n{table(rows, idle)}{MARKS[1]}{after}", encoding="utf-8")
    plot(rows)


def read(name: str) -> list[dict]:
    with (HERE / name).open(newline="") as file:
        return [{key: _number(value) for key, value in row.items()} for row in csv.DictReader(file)]


def _number(text: str) -> float | int | str:
    return int(text) if re.fullmatch(r"\d+", text) else float(text) if re.fullmatch(r"\d+\.\d+", text) else text


def per_server(row: dict, *names: str) -> float:
    """For each person who got a server: who is refused costs little, and has nothing."""
    return sum(row[name] for name in names) / max(1, row["people"] - row["failures"])


def per_start_ms(row: dict, *names: str) -> float:
    return 1000 * per_server(row, *names)


def table(rows: Rows, idle: dict[str, dict]) -> str:
    """Ours / stock, and the floor where it has a figure."""
    lines = ["| people | ready, s: median | p95 | floor's p95 | failures | processes | queries | "
             "hub CPU, ms a server | with its commands | scheduler CPU, s |", "|" + "---|" * 10]
    for servers, people in dict.fromkeys(key[:2] for key in rows):
        ours, stock = rows[servers, people, "ours"], rows[servers, people, "stock"]
        floor = rows.get((servers, people, "floor"))
        cells = [f"{people}{'' if servers == 'stub' else ', JupyterLab'}"]
        cells += [_pair(ours[name], stock[name], ".1f") for name in ("ready_median_s", "ready_p95_s")]
        cells += [f"{floor['ready_p95_s']:.1f}" if floor else ""]
        cells += [_pair(ours[name], stock[name], ".0f") for name in ("failures", "forks", "queries")]
        cells += [_pair(per_start_ms(ours, *names), per_start_ms(stock, *names), ".0f")
                  for names in (("hub_cpu_s",), ("hub_cpu_s", "commands_cpu_s"))]
        cells += [_pair(ours["scheduler_cpu_s"], stock["scheduler_cpu_s"], ".1f")]
        lines.append(f"| {' | '.join(cells)} |")
    seen = [f"- {row['people']} people, {arm}: {row['saw']}." for (_, _, arm), row in rows.items() if row["saw"]]
    if {"ours", "stock"} <= idle.keys():
        ours, stock = idle["ours"], idle["stock"]
        seen.append(f"- {ours['running']} servers running idle for {ours['seconds']} s: queries "
                    f"{_pair(ours['queries'], stock['queries'], '.0f')}, processes "
                    f"{_pair(ours['forks'], stock['forks'], '.0f')}, hub and commands "
                    f"{_pair(_hub(ours), _hub(stock), '.1f')} CPU s, scheduler "
                    f"{_pair(ours['scheduler_cpu_s'], stock['scheduler_cpu_s'], '.1f')}.")
    return "\n".join([*lines, "", *seen, *(f"- {aim}" for aim in aims(rows)), ""])


def aims(rows: Rows) -> list[str]:
    """What was aimed at, what was measured, and whether it was reached."""
    def ratio(what: str, ours: float, other: float, most: float, unit: str = "") -> str:
        found = ours / other if other else float("inf")
        return (f"{what}: {ours:.4g} to {other:.4g}{unit}, {found:.2f} times (aim: at most {most:.3g}): "
                f"{'reached' if found <= most else '**not reached**'}.")

    found = []
    ours, stock, floor = (rows.get(("stub", 100, arm)) for arm in STYLE)
    if ours and stock and floor:
        found.append(f"100 people, failures: {ours['failures']} (aim: 0): "
                     f"{'**not reached**' if ours['failures'] else 'reached'}.")
        found.append(ratio("100 people, processes, ours to stock", ours["forks"], stock["forks"], 0.1))
        found.append(ratio("100 people, queries, ours to stock", ours["queries"], stock["queries"], 0.1))
        found.append(ratio("100 people, CPU of the hub itself a start, ours to stock", per_start_ms(ours, "hub_cpu_s"),
                           per_start_ms(stock, "hub_cpu_s"), 1 / 3, " ms"))
        both = "hub_cpu_s", "commands_cpu_s"
        found.append(ratio("the same with the commands that the hub ran", per_start_ms(ours, *both),
                           per_start_ms(stock, *both), 1 / 3, " ms"))
        found.append(ratio("100 people, p95, ours to the floor", ours["ready_p95_s"], floor["ready_p95_s"], 1.3, " s"))
    ours, stock = (rows.get(("jupyterlab", 20, arm)) for arm in ("ours", "stock"))
    if ours and stock:
        found.append(ratio("20 JupyterLabs, p95, ours to stock", ours["ready_p95_s"], stock["ready_p95_s"], 0.5, " s"))
        found.append(ratio("20 JupyterLabs, memory a person, ours to stock", ours["memory_mb"], stock["memory_mb"], 0.8,
                           " MB"))
    many, few = rows.get(("stub", 200, "ours")), rows.get(("stub", 20, "ours"))
    if many and few:
        found.append(ratio("hub CPU a start, 200 people to 20", per_start_ms(many, "hub_cpu_s", "commands_cpu_s"),
                           per_start_ms(few, "hub_cpu_s", "commands_cpu_s"), 1.2, " ms"))
    return found


def _pair(ours: float, stock: float, form: str) -> str:
    return f"{ours:{form}} / {stock:{form}}"


def _hub(row: dict) -> float:
    return row["hub_cpu_s"] + row["commands_cpu_s"]


def plot(rows: Rows) -> None:
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    panels = [("Time to ready, p95 (s)", "ready_p95_s"), ("Hub and its commands, CPU (ms a server)", None),
              ("Queries to the scheduler, a server", "queries"), ("Processes started by the hub, a server", "forks")]
    figure, axes = pyplot.subplots(2, 2, figsize=(9, 6.8), layout="constrained")
    for place, (title, column) in zip(axes.flat, panels, strict=True):
        for arm, (label, colour, marker) in STYLE.items():
            series = [(people, row) for (servers, people, each), row in rows.items()
                      if servers == "stub" and each == arm]
            if arm == "floor" and column != "ready_p95_s":
                continue
            values = [per_start_ms(row, "hub_cpu_s", "commands_cpu_s") if column is None else
                      row[column] if column == "ready_p95_s" else per_server(row, column) for _, row in series]
            place.plot([people for people, _ in series], values, color=colour, marker=marker, label=label, linewidth=2)
            for (people, row), value in zip(series, values, strict=True):
                if row["failures"] and column == "ready_p95_s":
                    place.annotate(f"{row['failures']} failed", (people, value), textcoords="offset points",
                                   xytext=(4, 7), ha="right", color=colour, fontsize=9)
        place.set_title(title, fontsize=11)
        place.margins(y=0.2)
        place.set_ylim(bottom=0)
        place.set_xticks(sorted({people for servers, people, _ in rows if servers == "stub"}))
        place.set_xlabel("people who press Start within one second")
        place.grid(alpha=0.25)
        place.spines[["top", "right"]].set_visible(False)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=3, frameon=False)
    figure.savefig(HERE / "starts.svg")
    pyplot.close(figure)


if __name__ == "__main__":
    write()
