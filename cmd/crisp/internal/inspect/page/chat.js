// crisp serve: a visitor's window and an operator's, to try a program by hand.

import { ask, post } from "./api.js";
import { button, count, el, on, show, showLines, shortID, tell, time } from "./text.js";

const path = (id, what = "") => `/api/chat/${encodeURIComponent(id)}${what}`;

export class Chat {
	current = "";
	choice = el("select", { onchange: () => this.open(this.choice.value) });
	state = el("span.type");

	constructor(root, store) {
		this.sides = [this.#side("Visitor", "user"), this.#side("Operator", "operator")];
		root.append(el("div.bar", el("label", "Conversation ", this.choice), button("New visitor", () => this.#begin(), { className: "primary" }),
			button("Resolve", () => this.#post("/state", { state: "resolved" })), this.state), el("div.columns", this.sides.map((side) => side.node)));
		on(store, "rows", () => this.refresh());
		this.#draw({ messages: [] });
		this.refresh();
	}

	#side(name, from) {
		const who = name.toLowerCase();
		const list = el("ol.talk");
		const scroll = el("div.scroll", { tabIndex: 0, role: "group", "aria-label": `What the ${who} sees` }, list);
		const types = el("p.typing", { role: "status" });
		const input = el("input", { autocomplete: "off", "aria-label": `Message of the ${who}`, placeholder: `Write as the ${who}` });
		let timer;
		on(input, "input", () => {
			clearTimeout(timer);
			timer = setTimeout(() => this.current && this.#post("/compose", { from, typing: !!input.value, excerpt: input.value }), 300);
		});
		const onsubmit = (event) => {
			event.preventDefault();
			clearTimeout(timer);
			const text = input.value.trim();
			input.value = "";
			if (text) this.#post("", { from, text });
		};
		const node = el("section.side", { "aria-label": name }, el("h2", name), scroll, types, el("form", { onsubmit }, input, el("button.primary", "Send")));
		return { from, list, scroll, types, node };
	}

	async #post(what, value) {
		if (!this.current) await this.#begin();
		await post(path(this.current, what), value).catch(({ message }) => tell(show(message)));
		this.refresh();
	}

	async #begin() {
		const made = await post(path("new"), { from: "user", nickname: `Visitor ${this.choice.length + 1}` }).catch(({ message }) => tell(show(message)));
		if (made) this.open(made.session_id);
	}

	open(id) {
		this.current = id;
		return this.refresh();
	}

	/** Fetches what to show, one request at a time. */
	async refresh() {
		this.again = true;
		if (this.fetching) return;
		this.fetching = true;
		while (this.again) {
			this.again = false;
			try {
				this.#offer((await ask("/api/chat")).conversations ?? []);
				const id = this.current;
				const now = id && await ask(path(id));
				if (now && id === this.current) this.#draw(now);
			} catch ({ message }) {
				this.state.textContent = show(message);
			}
		}
		this.fetching = false;
	}

	#offer(list) {
		this.current ||= list[0]?.session_id ?? "";
		this.choice.disabled = list.length === 0;
		this.choice.replaceChildren(...list.map((one) => el("option", { value: one.session_id }, show(`${one.nickname} ${shortID(one.session_id)}`))));
		this.choice.value = this.current;
	}

	#draw({ messages, conversation, composing = [] }) {
		this.state.textContent = [show(conversation?.state), count(messages.length, "message")].filter(Boolean).join(" · ");
		for (const { from, list, scroll, types } of this.sides) {
			const seen = messages.filter((m) => from === "operator" || m.type !== "note").slice(-300);
			list.replaceChildren(...seen.map((m) => bubble(m, from)));
			list.hidden = seen.length === 0;
			types.textContent = composing.some((who) => who !== from) ? "The other side is typing…" : seen.length === 0 && from === "user" ? "Write something: programs get it as message:send." : "";
			scroll.scrollTop = scroll.scrollHeight;
		}
	}
}

function bubble({ from, type, content, timestamp, user }, side) {
	const about = [user?.nickname || from, type !== "text" && type].filter(Boolean).join(" · ");
	return el(`li.${from === side ? "ours" : ""} ${type}`,
		el("div", el("b", show(about)), " ", el("time", time(timestamp)), el("span.said", showLines(content?.text ?? (typeof content === "string" ? content : JSON.stringify(content))))));
}
