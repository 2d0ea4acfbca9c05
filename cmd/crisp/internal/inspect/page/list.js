// The list: only visible rows exist, and scrolling redraws them. Their layer does not
// scroll itself, so that none is ever blank.

import { byID, count, el, hue, namespace, on, set, shortID, show, time } from "./text.js";

export class List {
	first = 0; // visible row
	follows = true; // the end
	lines = [];
	missed = 0;
	selected = null;
	root = byID("list");
	fresh = byID("fresh");
	layer = el("div.layer");
	spacer = el("div", this.layer);

	constructor(store, select) {
		const { root } = this;
		Object.assign(this, { store, select });
		root.append(this.spacer);
		on(root, "scroll", () => this.#scrolled());
		let pressed;
		on(root, "mousedown", (event) => { pressed = rowOf(event); });
		on(root, "click", (event) => {
			const row = pressed ?? rowOf(event); // new rows may have moved it
			pressed = null;
			if (row?.id) select(row);
		});
		on(this.fresh, "click", () => this.toEnd());
		new ResizeObserver(() => {
			this.high = parseFloat(getComputedStyle(root).getPropertyValue("--row"));
			this.draw();
		}).observe(root);
		on(store, "rows", ({ detail }) => { this.missed += detail.length; });
		on(store, "view", () => this.draw());
	}

	get page() { return Math.max(1, Math.floor(this.root.clientHeight / this.high) - 1); }

	#scrolled() {
		const { scrollTop, clientHeight, scrollHeight } = this.root;
		this.follows = scrollTop + clientHeight >= scrollHeight - this.high / 2;
		this.#rows();
	}

	toEnd() {
		this.follows = true;
		this.draw();
	}

	/** Draws what has changed. Unless it follows the end, the same rows stay visible. */
	draw() {
		const { root, store: { view }, high } = this;
		const seen = root.clientHeight;
		if (!seen) return;
		this.spacer.style.height = `${Math.max(view.length * high, seen)}px`;
		this.layer.style.height = `${seen}px`;
		const at = this.follows ? -1 : this.store.indexOf(this.anchor);
		if (this.follows) root.scrollTop = view.length * high;
		else if (at >= 0) root.scrollTop += (at - this.first) * high;
		this.#rows();
	}

	#rows() {
		const { root, store: { view }, lines, high } = this;
		const top = root.scrollTop;
		this.first = Math.floor(top / high);
		this.anchor = view[this.first];
		const need = Math.ceil(root.clientHeight / high) + 1;
		while (lines.length < need) lines.push(new Line(this.layer, lines.length));
		root.removeAttribute("aria-activedescendant");
		lines.forEach((line, i) => {
			const at = this.first + i, row = i < need ? view[at] : undefined;
			const isSelected = !!row && row === this.selected;
			line.show(row, at + 1, view.length, isSelected);
			line.node.style.transform = `translateY(${at * high - top}px)`;
			if (isSelected) set(root, "aria-activedescendant", line.node.id);
		});
		if (this.follows) this.missed = 0;
		this.fresh.hidden = this.missed === 0;
		this.fresh.textContent = `${this.missed.toLocaleString("en")} new ↓`;
	}

	/** Marks a row as selected, and scrolls it into view. */
	mark(row) {
		this.selected = row;
		const { root, high } = this;
		const top = this.store.indexOf(row) * high;
		if (top >= 0) {
			root.scrollTop = Math.min(top, Math.max(root.scrollTop, top + high - root.clientHeight));
			this.#scrolled();
		} else this.#rows();
	}

	/** Selects the row this far from the selected one, or a selectable one near it. */
	move(by) {
		const { view } = this.store;
		const from = this.store.indexOf(this.selected);
		let to = from >= 0 ? from + by : by > 0 ? this.first : this.first + this.page;
		to = Math.max(0, Math.min(to, view.length - 1));
		while (view[to] && !view[to].id) to += Math.sign(by);
		if (view[to]) this.select(view[to]);
	}

	/** Selects the last row, or the first. */
	moveTo(isEnd) {
		const { view } = this.store;
		const row = isEnd ? view.findLast((row) => row.id) : view.find((row) => row.id);
		if (row) this.select(row);
	}
}

const rowOf = (event) => event.target.closest("[role=option]")?.row;

/** A line of the list, which shows one row or another. */
class Line {
	parts = ["at", "what", "who", "text", "state"].map((className) => el(`span.${className}`));

	constructor(layer, i) {
		this.node = el("div", { id: `row${i}`, role: "option", hidden: true }, ...this.parts);
		layer.append(this.node);
	}

	show(row, at, of, isSelected) {
		const { node, parts } = this;
		const key = row && `${row.seq} ${row.delivery?.id} ${at} ${of} ${isSelected}`;
		if (key === this.key && node.row === row) return;
		this.key = key;
		node.row = row;
		node.hidden = !row;
		if (!row) return;
		const made = row.outcome ? row : row.delivery;
		const isGood = made?.outcome === "accepted";
		node.dataset.kind = row.kind;
		node.dataset.id = row.id ?? "";
		node.className = `row ${row.kind} ${row.outcome && !isGood ? "failed" : ""} hue${hue(namespace(row.event))}`;
		set(node, "aria-selected", isSelected);
		set(node, "aria-posinset", at);
		set(node, "aria-setsize", of);
		const state = [row.problems && count(row.problems, "problem"), /^(rtm|webhook|)$/.test(row.source ?? "") ? "" : show(row.source), made && described(made, isGood)];
		[time(row.at), show(row.event ?? row.kind), shortID(row.session_id ?? row.website_id), show(row.preview), state.filter(Boolean).join(" · ")]
			.forEach((text, i) => { parts[i].textContent = text; });
		parts[4].className = `state ${made && !isGood ? "bad" : row.problems ? "warn" : isGood ? "good" : ""}`;
	}
}

const described = ({ outcome, status, took_ms, attempt }, isGood) => [isGood ? "✓" : outcome === "given_up" ? "✗ given up" : "✗",
	status || (!isGood && "no answer"), `${took_ms ?? 0} ms`, attempt > 1 && `attempt ${attempt}`].filter(Boolean).join(" ");
