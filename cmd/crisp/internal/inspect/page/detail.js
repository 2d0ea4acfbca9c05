// Everything about the selected record, in tabs.

import { ask, eventURL } from "./api.js";
import { conversation } from "./conversation.js";
import { diffTable } from "./diff.js";
import { sendForm } from "./send.js";
import { tree } from "./tree.js";
import { button, byID, copy, count, el, empty, on, set, show, showLines, table, tell, time } from "./text.js";

const tabs = { payload: "Payload", raw: "Raw", deliveries: "Deliveries", conversation: "Conversation", diff: "Diff", edit: "Edit & send", copy: "Copy as" };

export class Detail {
	tab = "payload"; // chosen
	tabs = {};
	panels = {};
	marked = null; // the detail of the event to compare with

	constructor(of) {
		Object.assign(this, of); // {store, select, info, changed}
		for (const [name, title] of Object.entries(tabs)) {
			this.tabs[name] = button(title, () => this.open(name), { id: `tab-${name}`, role: "tab", "aria-controls": `panel-${name}` });
			this.panels[name] = el("div.panel", { id: `panel-${name}`, role: "tabpanel", tabIndex: 0, hidden: true, "aria-labelledby": `tab-${name}` });
		}
		byID("tabs").append(...Object.values(this.tabs));
		on(byID("tabs"), "keydown", (event) => this.#keys(event));
		byID("panels").append(...Object.values(this.panels));
		on(this.store, "rows", ({ detail: rows }) => {
			if (this.row && this.tab === "conversation" && rows.some((row) => row.session_id === this.row.session_id)) this.#fill("conversation");
		});
		on(this.store, "delivery", ({ detail: made }) => {
			if (this.row && made.of === this.row.id) this.#fetch(this.row).then((detail) => detail && this.#fill("deliveries"), () => {});
		});
	}

	#keys(event) {
		const shown = Object.keys(tabs).filter((name) => !this.tabs[name].hidden);
		const at = shown.indexOf(this.shown);
		const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: -1 }[event.key];
		if (to === undefined) return;
		event.preventDefault();
		this.open(shown.at(to % shown.length));
		this.tabs[this.shown].focus();
	}

	/** Shows a row: what the list has at once, and the rest once it is fetched. */
	show(row) { this.ready = this.#show(row); } // true unless it has changed

	async #show(row) {
		this.row = row;
		this.detail = null;
		this.filled = new Set();
		byID("detail").hidden = !row;
		document.body.classList.toggle("opened", !!row);
		if (!row) return;
		byID("title").textContent = show(row.event ?? row.kind);
		byID("about").replaceChildren(...[time(row.at), row.source, row.size && count(row.size, "byte"), row.session_id, row.website_id && `website ${row.website_id}`]
			.filter(Boolean).map((text) => el("span", show(text))));
		for (const name of ["deliveries", "diff", "edit", "copy"]) this.tabs[name].hidden = row.kind !== "event";
		this.tabs.conversation.hidden = !row.session_id;
		const failed = await this.#fetch(row).then(() => "", (error) => error.message);
		if (this.row !== row) return;
		this.#open(this.tab);
		if (failed) this.panels[this.shown].replaceChildren(empty(show(failed)));
		return true;
	}

	async #fetch(row) {
		const detail = await ask(eventURL(row.id));
		if (this.row !== row) return null;
		const n = detail.deliveries?.length;
		this.tabs.deliveries.textContent = n ? `Deliveries (${n})` : "Deliveries";
		return this.detail = detail;
	}

	/** Opens a tab, also for rows selected later. */
	open(name) {
		this.tab = name;
		this.#open(name);
		this.changed();
	}

	#open(name) {
		this.shown = !this.tabs[name] || this.tabs[name].hidden ? "payload" : name;
		for (const key of Object.keys(tabs)) {
			const isShown = key === this.shown;
			set(this.tabs[key], "aria-selected", isShown);
			this.tabs[key].tabIndex = isShown ? 0 : -1;
			this.panels[key].hidden = !isShown;
		}
		if (this.detail && !this.filled.has(this.shown)) this.#fill(this.shown);
	}

	#fill(name) {
		if (!this.detail) return;
		this.filled.add(name);
		const panel = this.panels[name];
		const hadFocus = panel.contains(document.activeElement);
		panel.replaceChildren(...[this[name](this.detail)].flat().filter(Boolean));
		if (hadFocus) (panel.querySelector(".primary") ?? panel).focus();
	}

	payload({ envelope, envelope_text, record, fields, problem_list: problems = [] }) {
		if (!envelope && envelope_text) return empty("The body is no JSON. Raw shows it.");
		return [
			problems.length > 0 && el("div.problems", el("b", `${count(problems.length, "field")} of unexpected types`),
				el("ul", problems.map((p) => el("li", el("code", show(p.path)), ` expected ${show(p.expected)}, got ${show(p.got)}`)))),
			tree(envelope ?? record, { fields, problems, base: envelope && "data." }),
		];
	}

	raw({ envelope, envelope_text, record }) {
		const value = envelope ?? (envelope_text ? undefined : record);
		const text = (indent) => (value && (indent || !envelope_text) ? JSON.stringify(value, null, indent) : envelope_text);
		const pre = el("pre", { tabIndex: 0 });
		const box = el("input", { type: "checkbox", checked: true, onchange: () => set() });
		const set = () => { pre.textContent = showLines(text(box.checked && 2)); };
		set();
		return [el("p.bar", el("label", box, "Indented"), button("Copy", () => copy(text(box.checked && 2), "the body"))), pre];
	}

	deliveries({ deliveries = [] }) {
		if (deliveries.length === 0) {
			return empty(this.info.targets.length > 0 ? "Not delivered yet." : "It was sent nowhere: the command has no target. Send it by hand with Edit & send.");
		}
		return table(["Time", "Attempt", "Target", "Outcome", "Status", "Took", "Answer"], deliveries.map((d) => el(d.outcome === "accepted" ? "tr.good" : "tr.bad",
			[time(d.at), `${d.attempt} of ${d.limit}`, d.target, d.outcome.replace("_", " "), d.status || "–", `${d.took_ms ?? 0} ms`, [d.error, d.answer].filter(Boolean).join(": ")]
				.map((text) => el("td", show(text))))));
	}

	conversation() { return conversation(this.store, this.row, this.select); }

	diff(detail) {
		const { marked } = this;
		const mark = button("Mark this event", () => this.mark());
		if (!marked) return [empty("Mark one event, then open another: here is what differs."), mark];
		if (marked.id === detail.id) return empty("This is the event that is marked. Open another to compare it.");
		return [empty(`Compared with ${show(marked.event)} of ${time(marked.at)}`), diffTable(marked.envelope, detail.envelope), mark];
	}

	mark() {
		this.marked = this.detail;
		tell(`Marked ${show(this.row.event)} of ${time(this.row.at)}`);
		this.filled.delete("diff");
		if (this.shown === "diff") this.#fill("diff");
	}

	/** Compares with the marked event, or marks this one. */
	async compare() {
		if (!await this.ready || !this.detail?.envelope) return;
		if (!this.marked || this.marked.id === this.row.id) return this.mark();
		this.filled.delete("diff");
		this.open("diff");
	}

	edit(detail) { return sendForm(detail, this.info, this.select); }

	copy({ id }) {
		return [["curl", "curl"], ["go", "Go"], ["trigger", "crisp trigger"]].map(([as, name]) => {
			const pre = el("pre", { tabIndex: 0 });
			const code = ask(`/api/code/${encodeURIComponent(id)}?as=${as}`).then(({ text }) => text, (error) => error.message);
			code.then((text) => { pre.textContent = showLines(text); });
			return el("section", el("p.bar", el("b", name), button("Copy", async () => copy(await code, `as ${name}`), { "aria-label": `Copy as ${name}` })), pre);
		});
	}
}
