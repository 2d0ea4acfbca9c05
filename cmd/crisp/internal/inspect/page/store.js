// The records that the page has, and those that pass the filter. A row is a record's summary
// with its number here (seq), or a note of the page's own, which has no id.

import { ask, url } from "./api.js";
import { namespace } from "./text.js";

const most = 100_000; // rows

export class Store extends EventTarget {
	rows = [];
	view = [];
	byID = new Map();
	last = ""; // ID of a record
	namespaces = new Map(); // how many events there are of each
	chips = new Set(); // namespaces to show; empty means all
	filter = "";
	#run = ""; // of the last record
	#seen = new Map(); // by run: the last number
	#seq = 0;
	#fresh = [];
	#matched = null; // IDs that meet the filter; null if there is none
	#asked = ""; // last ID asked about
	#asking = null;
	#missed = false; // something came while asking

	/** Adds a record of the stream, unless it is known. */
	add(record) {
		const [run] = record.id.split("-");
		if (record.n <= this.#seen.get(run)) return;
		if (this.#run && this.#run !== run) this.note("restart", "The command was restarted, and goes on from its capture");
		this.#run = run;
		this.#seen.set(run, record.n);
		this.last = record.id;
		this.#count(record, 1);
		if (record.kind === "delivery") {
			const event = this.byID.get(record.of);
			if (event) event.delivery = record;
			this.dispatchEvent(new CustomEvent("delivery", { detail: record }));
			if (record.outcome === "accepted") return this.#changed();
		}
		this.#push(record);
	}

	note(kind, preview) { this.#push({ kind, preview, at: Date.now() }); }

	/** The command was restarted and has lost its records. */
	restarted(run) {
		if (this.#run && this.#run !== run) this.note("restart", "The command was restarted: what happened meanwhile is not known");
		this.#run = run;
		this.#asked = "";
	}

	#count({ kind, event }, by) {
		const ns = namespace(event);
		if (kind === "event") this.namespaces.set(ns, (this.namespaces.get(ns) ?? 0) + by);
	}

	#push(row) {
		row.seq = ++this.#seq;
		this.rows.push(row);
		if (row.id) this.byID.set(row.id, row);
		this.#fresh.push(row);
		this.#changed();
	}

	// Changes are batched.
	#changed() {
		this.timer ??= setTimeout(() => {
			this.timer = null;
			const fresh = this.#fresh;
			this.#fresh = [];
			for (const row of fresh) if (this.#isSeen(row)) this.view.push(row);
			this.#forget(this.rows.length - most);
			if (this.#matched && fresh.length > 0) this.#ask().catch(() => {});
			if (fresh.length > 0) this.dispatchEvent(new CustomEvent("rows", { detail: fresh }));
			this.#show();
		}, 30);
	}

	#show() { this.dispatchEvent(new Event("view")); }

	#isSeen({ id, event }) {
		if (!id) return true;
		return (!event || this.chips.size === 0 || this.chips.has(namespace(event))) && (!this.#matched || this.#matched.has(id));
	}

	#forget(n) {
		if (n <= 0) return;
		for (const row of this.rows.splice(0, n)) {
			this.byID.delete(row.id);
			this.#matched?.delete(row.id);
			this.#count(row, -1);
		}
		this.view.splice(0, place(this.view, this.rows[0].seq));
	}

	/** Shows what matches the chips and a query. Rejects if the query is wrong. */
	async setFilter(text, chips = this.chips) {
		this.chips = chips;
		if (text !== this.filter) {
			this.filter = text;
			this.#matched = text ? new Set() : null;
			this.#asked = "";
			this.#asking = null;
			if (text) await this.#ask();
		}
		if (this.filter === text) this.#all();
	}

	#all() {
		this.view = this.rows.filter((row) => row.seq < this.#firstFresh && this.#isSeen(row));
		this.#show();
	}

	/** Asks which records since the last time match the filter. */
	#ask() {
		this.#missed = !!this.#asking;
		if (this.#asking) return this.#asking;
		const { filter } = this;
		const ask = async () => {
			do {
				this.#missed = false;
				for (let more = true; more;) {
					const found = await this.#found(filter);
					if (filter !== this.filter) return;
					this.#asked = found.next;
					more = found.more;
					this.#match(found.ids ?? []);
				}
			} while (this.#missed);
		};
		const mine = ask().finally(() => { if (this.#asking === mine) this.#asking = null; });
		return this.#asking = mine;
	}

	#found(q) { return ask(url("/api/events", { q, after: this.#asked, only: "ids", limit: 20_000 })); }

	#match(ids) {
		for (const id of ids) this.#matched.add(id);
		const last = this.view.at(-1)?.seq ?? 0;
		const rows = ids.map((id) => this.get(id)).filter(Boolean);
		if (rows.some((row) => row.seq <= last)) return this.#all();
		this.view.push(...rows.filter((row) => this.#isSeen(row)));
		this.#show();
	}

	/** Returns a row by its ID, once it can be in the view. */
	get(id) {
		const row = this.byID.get(id);
		return row && row.seq < this.#firstFresh ? row : undefined;
	}

	get #firstFresh() { return this.#fresh[0]?.seq ?? Infinity; }

	/** Returns where in the view a row is, or -1. */
	indexOf(row) {
		const i = row ? place(this.view, row.seq) : -1;
		return this.view[i] === row ? i : -1;
	}
}

// place finds the first row with this number or a greater one.
function place(rows, seq) {
	let low = 0, high = rows.length;
	while (low < high) {
		const middle = (low + high) >> 1;
		if (rows[middle].seq < seq) low = middle + 1;
		else high = middle;
	}
	return low;
}
