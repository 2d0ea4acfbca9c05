// The last five minutes: events per second by namespace, and what waits for its delivery.

import { byID, el, hue, namespace, on, svg } from "./text.js";

const seconds = 300, wide = 600, high = 60;

export class Plot {
	rates = new Map(); // by second: how many events by hue
	figures = new Map(); // by second
	svg = svg("svg", { viewBox: `0 0 ${wide} ${high}`, preserveAspectRatio: "none", "aria-hidden": "true" });

	constructor(store) {
		on(store, "rows", ({ detail: rows }) => {
			for (const row of rows) if (row.kind === "event") this.#count(row);
		});
		byID("chart").append(this.svg);
		setInterval(() => document.hidden || this.draw(), 1000);
	}

	#count({ at, event }) {
		const second = Math.floor(Date.parse(at) / 1000);
		if (second < Date.now() / 1000 - seconds) return;
		const rates = this.rates.get(second) ?? new Array(8).fill(0);
		rates[hue(namespace(event))]++;
		this.rates.set(second, rates);
	}

	add({ at, waiting, latency_ms }) {
		this.figures.set(Math.floor(Date.parse(at) / 1000), { waits: waiting, takes: latency_ms.p95 });
		byID("waits").textContent = waiting;
		byID("takes").textContent = latency_ms.p95;
	}

	draw() {
		const begin = Math.floor(Date.now() / 1000) - seconds;
		for (const map of [this.rates, this.figures]) for (const second of map.keys()) if (second < begin) map.delete(second);
		const each = Array.from({ length: seconds }, (_, i) => begin + i);
		const rates = each.map((second) => this.rates.get(second) ?? []);
		const totals = rates.map((all) => all.reduce((a, b) => a + b, 0));
		const points = (values, most) => values.map((value, i) => `${(i * wide / (seconds - 1)).toFixed(1)},${(high - 1 - value / most * (high - 4)).toFixed(1)}`);
		const parts = [];
		let under = new Array(seconds).fill(0);
		for (let h = 0; h < 8; h++) {
			if (!rates.some((all) => all[h])) continue;
			const over = under.map((value, i) => value + (rates[i][h] ?? 0));
			const [a, b] = [over, under].map((values) => points(values, Math.max(...totals)));
			parts.push(svg("path", { class: `area hue${h}`, d: `M${a.join("L")}L${b.reverse().join("L")}Z` }));
			under = over;
		}
		const figure = (name, second) => this.figures.get(second)?.[name] ?? 0;
		for (const name of ["waits", "takes"]) {
			const values = each.map((second) => figure(name, second)), most = Math.max(...values);
			if (most > 0) parts.push(svg("polyline", { class: name, points: points(values, most).join(" ") }));
		}
		this.svg.replaceChildren(...parts);
		byID("rate").textContent = totals.at(-1);

		if (!byID("figures").closest("details").open) return;
		const rows = [];
		for (let from = seconds - 30; from >= 0; from -= 30) {
			const most = (name) => Math.max(...each.slice(from, from + 30).map((second) => figure(name, second)));
			const sum = totals.slice(from, from + 30).reduce((a, b) => a + b);
			rows.push(el("tr", [new Date((begin + from + 30) * 1000).toLocaleTimeString("en-GB"), sum, (sum / 30).toFixed(1), most("waits"), most("takes")].map((text) => el("td", text))));
		}
		byID("figures").replaceChildren(...rows);
	}
}
