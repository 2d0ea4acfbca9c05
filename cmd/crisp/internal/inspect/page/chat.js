// crisp serve: a visitor's window and an operator's, to try a program by hand.

import { ask, post, url } from "./api.js";
import { button, count, el, on, show, showLines, shortID, tell, time } from "./text.js";

const control = "/control/v1/";

export class Chat {
	known = new Map(); // conversations by their IDs: {website_id, name}
	current = "";
	choice = el("select", { onchange: () => this.open(this.choice.value) });
	state = el("span.type");

	constructor(root, store) {
		this.sides = [
			this.#side("Visitor", "user", (text) => this.#visitor("say", text)),
			this.#side("Operator", "operator", (text) => this.#operator("say", { text })),
		];
		const resolve = button("Resolve", () => this.#try(() => this.#operator("set-state", { state: "resolved" })));
		root.append(el("div.bar", el("label", "Conversation ", this.choice), button("New visitor", () => this.#try(() => this.#begin()), { className: "primary" }), resolve, this.state),
			el("div.columns", this.sides.map((side) => side.node)));
		on(store, "rows", ({ detail: rows }) => this.#learn(rows));
		this.#learn(store.rows);
		this.#offer();
		this.#draw({ messages: [] });
	}

	#side(name, from, say) {
		const who = name.toLowerCase();
		const list = el("ol.talk");
		const scroll = el("div.scroll", { tabIndex: 0, role: "group", "aria-label": `What the ${who} sees` }, list);
		const types = el("p.typing", { role: "status" });
		const input = el("input", { autocomplete: "off", "aria-label": `Message of the ${who}`, placeholder: `Write as the ${who}` });
		let timer;
		if (from === "user") on(input, "input", () => {
			clearTimeout(timer);
			timer = setTimeout(() => this.current && this.#try(() => this.#visitor(input.value ? "type" : "stop-typing", input.value)), 300);
		});
		const submit = (event) => {
			event.preventDefault();
			clearTimeout(timer);
			const text = input.value.trim();
			input.value = "";
			if (text) this.#try(() => say(text));
		};
		const node = el("section.side", { "aria-label": name }, el("h2", name), scroll, types,
			el("form", { onsubmit: submit }, input, el("button.primary", "Send")));
		return { from, list, scroll, types, node };
	}

	async #try(work) {
		try {
			await work();
		} catch (error) {
			tell(show(error.message));
		}
		this.refresh();
	}

	async #begin() {
		const { session_id, website_id } = await post(`${control}visitors`, { meta: { nickname: `Visitor ${this.known.size + 1}` } });
		this.known.set(session_id, { website_id });
		this.open(session_id);
	}

	async #visitor(act, text) {
		if (!this.current) await this.#begin();
		return post(`${control}visitors/${encodeURIComponent(this.current)}/${act}`, { text, website_id: this.known.get(this.current).website_id });
	}

	async #operator(act, what) {
		if (!this.current) throw new Error("There is no conversation yet");
		return post(`${control}operators/Olivia/${act}`, { ...what, session_id: this.current, website_id: this.known.get(this.current).website_id });
	}

	#learn(rows) {
		const n = this.known.size;
		for (const { session_id: id, website_id } of rows) if (id && !this.known.has(id)) this.known.set(id, { website_id });
		if (this.known.size > n) this.#offer();
		if (!this.current && this.known.size > 0) this.open(this.known.keys().next().value);
		else if (rows.some((row) => row.session_id === this.current)) this.refresh();
	}

	#offer() {
		const ids = [...this.known.keys()].slice(-200).reverse();
		this.choice.replaceChildren(...ids.map((id) => el("option", { value: id }, `${this.known.get(id).name ?? ""} ${shortID(id)}`)));
		this.choice.disabled = ids.length === 0;
		this.choice.value = this.current;
	}

	open(id) {
		this.current = id;
		this.#offer();
		this.refresh();
	}

	/** Fetches the conversation; once at a time. */
	async refresh() {
		this.again = true;
		if (this.fetching) return;
		this.fetching = true;
		while (this.again && this.current) {
			this.again = false;
			const id = this.current, { website_id } = this.known.get(id);
			const now = await ask(url(`${control}conversations/${encodeURIComponent(id)}`, { website_id })).catch(({ message }) => ({ messages: [], state: message }));
			if (id === this.current) this.#draw(now);
		}
		this.fetching = false;
	}

	#draw({ messages, state, availability, meta, composing = [] }) {
		const known = this.known.get(this.current);
		if (meta?.nickname && known.name !== show(meta.nickname)) {
			known.name = show(meta.nickname);
			this.#offer();
		}
		this.state.textContent = show([state, availability, count(messages.length, "message")].filter(Boolean).join(" · "));
		for (const { from, list, scroll, types } of this.sides) {
			const seen = messages.filter((m) => from === "operator" || m.type !== "note").slice(-300);
			list.replaceChildren(...seen.map((m) => bubble(m, from)));
			list.hidden = seen.length === 0;
			types.textContent = composing.some((who) => who !== from) ? "The other side is typing…" : seen.length === 0 && from === "user" ? "Write something: programs get it as message:send." : "";
			scroll.scrollTop = scroll.scrollHeight;
		}
	}
}

function bubble({ from, type, content, timestamp, user, automated }, side) {
	const about = [user?.nickname ?? from, type !== "text" && type, automated && "automated"].filter(Boolean).join(" · ");
	return el(`li.${from === side ? "ours" : ""} ${type}`,
		el("div", el("b", show(about)), " ", el("time", time(timestamp)), el("span.said", showLines(content?.text ?? (typeof content === "string" ? content : JSON.stringify(content))))));
}
