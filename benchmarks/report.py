"""`python -m benchmarks.report`: docs/performance.md's table and plots, and docs/cost.md's tables, from results.json.

Runs in the benchmarks' own environment, which has matplotlib. What stands outside the marks in a document is left alone.
"""

import json
import re
from pathlib import Path
from typing import Any

import matplotlib as mpl

from benchmarks import cost
from benchmarks.standing import environments_table
from benchmarks.table import table

mpl.use("svg")
mpl.rcParams["svg.hashsalt"] = "telemetry"  # the same figures make the same file

from matplotlib import pyplot as plt  # noqa: E402  after the backend is chosen

ROOT = Path(__file__).parents[1]
PLOTS = ROOT / "docs/plots"
FEW_READINGS_S_A_SHARD = 5
"""In P7 with 10 sensors: they share two shards."""
LOADS = (10, 100, 1000, 10_000, 100_000)


def main() -> None:
    """Write both documents' generated parts."""
    results = json.loads((ROOT / "benchmarks/results.json").read_text())
    figures: list[dict[str, Any]] = results["figures"]
    PLOTS.mkdir(exist_ok=True)
    _plot_throughput(figures)
    _plot_freshness(figures)
    _plot_cost(figures)
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    head = f"Measured {results['measured']} on {results['machine']}; {versions}.\n\n"
    _replace("docs/performance.md", head + table(figures, goals=True), "figures")
    _replace("docs/performance.md", table(figures, goals=False), "growth")
    _replace("docs/cost.md", _bills(figures), "bills")
    _replace("docs/cost.md", _environments(), "environments")


def _measured(figures: list[dict[str, Any]]) -> dict[int, cost.Measured]:
    """By number of sensors at a reading a second each."""
    packed = next(f["median"] for f in figures if f["number"] == "P6" and "1000 clients" in f["what"])
    cpu_us = _consumer_costs(figures)
    found = {}
    for f in figures:
        if f["number"] == "P7" and (sensors := re.search(r"([\d,]+) sensors", f["what"])):
            count = int(sensors[1].replace(",", ""))
            # Below some hundred readings a second most records hold one event, which is not gzip'd.
            size_bytes, events = (packed, 180) if count >= 1000 else (260, 1)
            found[count] = cost.Measured(size_bytes, events, f["median"], *cpu_us)
    return dict(sorted(found.items()))


def _consumer_costs(figures: list[dict[str, Any]]) -> tuple[float, float]:
    """Microseconds a reading, and a row or pack written, from P18's two loads."""
    one, other = (
        cost.Run(f["beside"]["readings per s"], f["beside"]["items per s"], f["median"] / 100)
        for f in figures
        if f["number"] == "P18"
    )
    return cost.consumer_costs(one, other)


def _for_load(measured: dict[int, cost.Measured], readings_per_s: int) -> cost.Measured:
    return measured[max((sensors for sensors in measured if sensors <= readings_per_s), default=min(measured))]


def _bills(figures: list[dict[str, Any]]) -> str:
    measured = _measured(figures)
    prices = cost.PRICES
    rows = [
        f"US dollars a month of {prices['hours_a_month']} hours, prices of {prices['region']} noted {prices['read_on']}:",
        "",
        "| readings/s | shards | stream | tables' writes | tables' reads | compute | archive | sum "
        "| a million readings | the original's shape |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for load in LOADS:
        what = _for_load(measured, load)
        bill, million = cost.bill(load, load, what), cost.per_million(load, load, what)
        rows.append(
            f"| {load:,} | {bill.shards} ({bill.slowest}) | {bill.stream:,.0f} | {bill.writes:,.0f} | {bill.reads:,.0f} "
            f"| {bill.compute:,.0f} | {bill.archive:,.0f} | {bill.total:,.0f} | {million:.2f} "
            f"| {cost.original_bill(load):,.0f} |"
        )
    rows += ["", _planned(figures), "", _floor(figures)]
    growth = cost.growth_of_cost({sensors: what for sensors, what in measured.items() if sensors >= 100})
    rows += ["", f"{growth.number}, {growth.what}: {growth.median:.0f} % (reach: ≤ {growth.reach:g} %)."]
    rows += [f"- {name}: {value:.3f}" for name, value in growth.beside.items()]
    return "\n".join(rows) + "\n"


def _planned(figures: list[dict[str, Any]]) -> str:
    a_reading, an_item = _consumer_costs(figures)
    return (
        f"Shards are planned for the slowest of bytes, records and consumer: a shard's one process was measured to take "
        f"{a_reading:.0f} µs of a core for a reading and {an_item:.0f} µs for each row or pack of a sensor (P18)."
    )


def _floor(figures: list[dict[str, Any]]) -> str:
    """What no number of sensors brings down: the fleet's rows of a shard to which something comes with each delivery."""
    few = next(f["beside"] for f in figures if f["number"] == "P7" and " 10 sensors" in f["what"])
    a_sensor = few["sensor rows"] + few["packs"] + few.get("directory", 0)
    units_s = FEW_READINGS_S_A_SHARD * (few["totals"] + few["windows"] + few["sheets"])
    return (
        f"Few sensors: a shard's fleet rows take {units_s:.1f} write units a second, {cost.writes_usd(units_s):.0f} dollars a "
        f"month, however few readings keep it busy; each sensor {a_sensor:.2f} units a second, "
        f"{cost.writes_usd(a_sensor):.2f} dollars."
    )


def _environments() -> str:
    folder = ROOT / "infra/terraform/environment"
    shards = json.loads((ROOT / "infra/resources.json").read_text())["stream"]["shards"]
    return environments_table({name: (folder / f"{name}.tfvars").read_text() for name in ("dev", "staging", "prod")}, shards)


def _plot_throughput(figures: list[dict[str, Any]]) -> None:
    lines = ((re.match(r"durable PUT/s, (\d+) clients, 2 shards, 200", f["what"]), f["median"]) for f in figures)
    points = [(int(found[1]), rate) for found, rate in lines if found]
    axes = _axes("durable PUT/s against clients", "clients", "PUT/s on this machine's emulator")
    axes.plot(*zip(*sorted(points), strict=True), marker="o")
    axes.set_xscale("log")
    _save("throughput")


def _plot_freshness(figures: list[dict[str, Any]]) -> None:
    samples: list[float] = next(
        (f["beside"]["samples"] for f in figures if f["number"] == "P11" and "samples" in f["beside"]), []
    )
    axes = _axes("acknowledged until in GET /api/stats", "seconds", "samples")
    axes.hist(samples, bins=40)
    _save("freshness")


def _plot_cost(figures: list[dict[str, Any]]) -> None:
    measured = _measured(figures)
    axes = _axes("cost a month against load", "readings/s", "US dollars a month")
    axes.plot(LOADS, [cost.bill(load, load, _for_load(measured, load)).total for load in LOADS], marker="o", label="ours")
    axes.plot(LOADS, [cost.original_bill(load) for load in LOADS], marker="o", label="original's shape")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.legend()
    _save("cost")


def _axes(title: str, x: str, y: str) -> Any:
    axes = plt.subplots(figsize=(7, 4))[1]
    axes.set_title(title)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(visible=True, alpha=0.3)
    return axes


def _save(name: str) -> None:
    plt.tight_layout()
    plt.savefig(PLOTS / f"{name}.svg", metadata={"Date": None})
    plt.close()


def _replace(document: str, text: str, part: str) -> None:
    path = ROOT / document
    begin, end = f"<!-- {part} -->\n", f"<!-- end of {part} -->\n"
    before, _, rest = path.read_text().partition(begin)
    path.write_text(before + begin + text + end + rest.partition(end)[2])


if __name__ == "__main__":
    main()
