// The filter's field, chips and error.

import { exportURL } from "./api.js";
import { button, byID, count, hue, on, set, show } from "./text.js";

const qualities = { "is:failed": "Failed", "is:problem": "Problems", "is:gap": "Gaps" };
const press = (chip, isPressed) => set(chip, "aria-pressed", isPressed);

export class Filter {
	field = byID("filter");
	chips = new Map(); // buttons by namespace

	constructor(store, changed) {
		Object.assign(this, { store, changed });
		let timer;
		on(this.field, "input", () => {
			clearTimeout(timer);
			timer = setTimeout(() => this.apply(), 20);
		});
		byID("qualities").append(...Object.entries(qualities).map(([word, title]) => button(title, () => this.#toggle(word), { className: "chip", value: word })));
		on(store, "view", () => this.#draw());
		this.#draw();
	}

	get words() { return this.field.value.match(/(?:"[^"]*"?|[^\s"])+/g) ?? []; }

	#toggle(word) {
		const { words } = this;
		this.set((words.includes(word) ? words.filter((other) => other !== word) : [...words, word]).join(" "));
	}

	#choose(ns) {
		const { store } = this, chips = new Set(store.chips);
		if (!chips.delete(ns)) chips.add(ns);
		store.setFilter(store.filter, chips);
	}

	set(text) {
		this.field.value = text;
		return this.apply();
	}

	async apply() {
		const text = this.field.value.trim();
		const wrong = await this.store.setFilter(text).then(() => "", (error) => error.message);
		if (text !== this.store.filter) return;
		byID("filter-error").textContent = show(wrong);
		set(this.field, "aria-invalid", !!wrong);
		byID("export").href = exportURL(wrong ? "" : text);
		this.#draw();
		this.changed();
	}

	#draw() {
		const { store, chips, words } = this;
		for (const [ns, n] of store.namespaces) {
			if (!chips.has(ns)) {
				chips.set(ns, button(show(ns), () => this.#choose(ns), { className: `chip hue${hue(ns)}` }));
				byID("chips").append(chips.get(ns));
			}
			chips.get(ns).title = count(n, "event");
			press(chips.get(ns), store.chips.has(ns));
		}
		for (const chip of byID("qualities").children) press(chip, words.includes(chip.value));
		const all = store.rows.length, seen = store.view.length;
		byID("count").textContent = (seen === all ? "" : `${seen.toLocaleString("en")} of `) + count(all, "row");
		byID("empty").hidden = seen > 0;
		byID("waiting").hidden = all > 0;
		byID("unmatched").hidden = all === 0;
	}
}
