// The last five minutes: events per second by namespace, and what waits for its delivery.

import { byID, el, hue, namespace } from "./text.js";

const seconds = 300, wide = 600, high = 60;

export class Plot {
  rates = new Map(); // by the second: by the hue: events
  figures = new Map(); // by the second: what waits, and latency
  counted = 0;

  constructor(store, names) {
    this.names = names;
    store.addEventListener("rows", ({ detail: rows }) => {
      for (const row of rows) if (row.kind === "event") this.#count(row);
    });
    this.svg = el("svg", { viewBox: `0 0 ${wide} ${high}`, preserveAspectRatio: "none", "aria-hidden": "true" });
    byID("chart").append(this.svg);
    const table = byID("figures");
    table.closest("details").addEventListener("toggle", () => this.draw());
    setInterval(() => { if (!document.hidden) this.draw(); }, 1000);
  }

  #count({ at, event }) {
    const second = Math.floor(Date.parse(at) / 1000);
    if (second < Date.now() / 1000 - seconds) return;
    const rates = this.rates.get(second) ?? new Array(8).fill(0);
    rates[hue(namespace(event))]++;
    this.rates.set(second, rates);
  }

  add(stats) {
    this.figures.set(Math.floor(Date.parse(stats.at) / 1000), { waiting: stats.waiting, latency: stats.latency_ms?.p95 ?? 0 });
    this.now = stats;
  }

  draw() {
    const end = Math.floor(Date.now() / 1000) - 1, begin = end - seconds + 1;
    for (const map of [this.rates, this.figures]) for (const second of map.keys()) if (second < begin) map.delete(second);
    const at = (i) => begin + i;
    const rate = (i) => this.rates.get(at(i)) ?? [];
    const total = (i) => rate(i).reduce((a, b) => a + b, 0);
    const each = Array.from({ length: seconds }, (_, i) => i);
    const most = Math.max(1, ...each.map(total));
    const x = (i) => ((i * wide) / (seconds - 1)).toFixed(1);
    const y = (value, top) => (high - 1 - (value / top) * (high - 4)).toFixed(1);
    const floor = new Array(seconds).fill(0);
    const areas = [];
    for (let h = 0; h < 8; h++) {
      if (!each.some((i) => rate(i)[h])) continue;
      const under = each.map((i) => `${x(i)},${y(floor[i], most)}`);
      const over = each.map((i) => `${x(i)},${y(floor[i] += rate(i)[h] ?? 0, most)}`);
      areas.push(el("path", { class: `area hue${h}`, d: `M${over.join("L")}L${under.reverse().join("L")}Z` }));
    }
    const line = (name) => {
      const values = each.map((i) => this.figures.get(at(i))?.[name] ?? 0);
      const top = Math.max(1, ...values);
      return el("polyline", { class: name, points: values.map((value, i) => `${x(i)},${y(value, top)}`).join(" ") });
    };
    this.svg.replaceChildren(...areas, line("waiting"), line("latency"));
    const now = this.now ?? {};
    const texts = { rate: total(seconds - 1), peak: most === 1 && !areas.length ? 0 : most, waiting: now.waiting ?? 0, latency: now.latency_ms?.p95 ?? 0 };
    for (const [name, text] of Object.entries(texts)) byID(`now-${name}`).textContent = text.toLocaleString("en");
    if (byID("figures").closest("details").open) this.#table(begin, rate, total);
  }

  #table(begin, rate, total) {
    const rows = [];
    for (let from = seconds - 30; from >= 0; from -= 30) {
      const part = Array.from({ length: 30 }, (_, i) => from + i);
      const figure = (name) => Math.max(0, ...part.map((i) => this.figures.get(begin + i)?.[name] ?? 0));
      const sum = part.reduce((n, i) => n + total(i), 0);
      const until = new Date((begin + from + 29) * 1000).toLocaleTimeString("en-GB");
      rows.push(el("tr", {}, [until, sum, (sum / 30).toFixed(1), figure("waiting"), `${figure("latency")} ms`].map((text) => el("td", {}, String(text)))));
    }
    byID("figures").replaceChildren(...rows);
  }
}
