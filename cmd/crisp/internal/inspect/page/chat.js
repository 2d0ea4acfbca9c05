// crisp serve: a visitor's window and an operator's, to try a program by hand.

import { ask, post } from "./api.js";
import { byID, count, el, button, show, showLines, shortID, tell, time } from "./text.js";

const control = "/control/v1/";

export class Chat {
  known = new Map(); // conversations by their IDs: {website_id, name, updated}
  current = "";

  constructor(root, store) {
    this.choice = el("select", { id: "conversations", on: { change: () => this.open(this.choice.value) } });
    this.state = el("span", { className: "type" });
    this.columns = el("div", { className: "columns" });
    root.append(el("div", { className: "bar" }, el("label", {}, "Conversation ", this.choice), button("New visitor", () => this.begin(), { className: "primary" }), this.state), this.columns);
    this.sides = {
      visitor: this.#side("Visitor", "user", (text) => this.#act("visitors", "say", { text }), (text) => this.#act("visitors", text ? "type" : "stop-typing", text ? { text } : {})),
      operator: this.#side("Operator", "operator", (text) => this.#operator("say", { text })),
    };
    this.sides.operator.form.append(
      button("Note", () => this.sides.operator.say((text) => this.#operator("note", { text }))),
      button("Resolve", () => this.#tried(this.#operator("set-state", { state: "resolved" }))));
    store.addEventListener("rows", ({ detail: rows }) => this.#learn(rows));
    this.#offer();
    this.#draw({ messages: [] });
  }

  #side(name, from, say, typing) {
    const list = el("ol", { className: "talk" });
    const input = el("input", { autocomplete: "off", "aria-label": `Message of the ${name.toLowerCase()}`, placeholder: `Write as the ${name.toLowerCase()}` });
    const types = el("p", { className: "typing", role: "status" });
    const side = { from, list, types };
    side.say = (run) => {
      const text = input.value.trim();
      if (!text) return input.focus();
      input.value = "";
      this.#tried(this.#begun().then(() => run(text)));
    };
    side.form = el("form", { on: { submit: (event) => { event.preventDefault(); side.say(say); } } }, input, el("button", { className: "primary" }, "Send"));
    if (typing) {
      input.addEventListener("input", () => {
        clearTimeout(side.timer);
        side.timer = setTimeout(() => { if (this.current) this.#tried(typing(input.value)); }, 300);
      });
    }
    this.columns.append(el("section", { "aria-label": name, className: "side" }, el("h2", {}, name), el("div", { className: "scroll", tabIndex: 0, role: "group", "aria-label": `Messages as the ${name.toLowerCase()} sees them` }, list), types, side.form));
    return side;
  }

  async #tried(work) {
    try {
      await work;
    } catch (error) {
      tell(show(error.message));
    }
    this.refresh();
  }

  #begun() { return this.current ? Promise.resolve() : this.begin(); }

  /** Begins the conversation of a new visitor. */
  async begin() {
    try {
      const made = await post(`${control}visitors`, { meta: { nickname: `Visitor ${this.known.size + 1}` } });
      this.known.set(made.session_id, { website_id: made.website_id });
      this.open(made.session_id);
    } catch (error) {
      tell(show(error.message));
    }
  }

  #act(who, act, more) {
    const { website_id } = this.known.get(this.current);
    return post(`${control}${who}/${encodeURIComponent(this.current)}/${act}`, { website_id, ...more });
  }

  #operator(act, more) {
    const { website_id } = this.known.get(this.current) ?? {};
    return post(`${control}operators/Olivia/${act}`, { website_id, session_id: this.current, ...more });
  }

  #learn(rows) {
    let isNew = false, isOurs = false;
    for (const { session_id: id, website_id } of rows) {
      if (!id) continue;
      isOurs ||= id === this.current;
      if (this.known.has(id)) continue;
      this.known.set(id, { website_id });
      isNew = true;
    }
    if (isNew) this.#offer();
    if (isNew && !this.current) this.open(this.known.keys().next().value);
    else if (isOurs) this.refresh();
  }

  #offer() {
    this.choice.disabled = this.known.size === 0;
    const last = [...this.known.keys()].slice(-200).reverse();
    this.choice.replaceChildren(...(last.length ? last : [""]).map((id) => el("option", { value: id }, id ? `${this.known.get(id).name ?? ""} ${shortID(id)}`.trim() : "none yet")));
    this.choice.value = this.current;
  }

  open(id) {
    this.current = id;
    this.#offer();
    this.refresh();
  }

  /** Fetches the conversation; at most once at a time. */
  async refresh() {
    const id = this.current;
    if (!id || this.fetching) {
      this.again = !!id;
      return;
    }
    this.fetching = true;
    try {
      const { website_id } = this.known.get(id);
      const now = await ask(`${control}conversations/${encodeURIComponent(id)}?${new URLSearchParams({ website_id: website_id ?? "" })}`);
      if (id === this.current) this.#draw(now);
    } catch (error) {
      if (id === this.current) this.#draw({ messages: [], state: error.message });
    }
    this.fetching = false;
    if (this.again) {
      this.again = false;
      this.refresh();
    }
  }

  #draw({ messages, state, availability, meta, composing = [] }) {
    if (meta?.nickname && this.known.get(this.current)?.name !== show(meta.nickname)) {
      this.known.get(this.current).name = show(meta.nickname);
      this.#offer();
    }
    this.state.textContent = show([state, availability, messages.length && count(messages.length, "message")].filter(Boolean).join(" · "));
    for (const side of Object.values(this.sides)) {
      const seen = messages.filter((m) => side.from === "operator" || m.type !== "note");
      side.list.replaceChildren(...seen.slice(-300).map((m) => bubble(m, side.from)));
      side.list.hidden = seen.length === 0;
      side.types.textContent = composing.some((who) => who !== side.from) ? "The other side is typing…" : seen.length || side.from === "operator" ? "" : "Write something: programs that listen get it as message:send.";
      side.list.parentNode.scrollTop = side.list.scrollHeight;
    }
  }
}

function bubble({ from, type, content, timestamp, user, automated }, mine) {
  const text = typeof content === "string" ? content : content?.text ?? JSON.stringify(content);
  const about = [user?.nickname ?? from, type !== "text" && type, automated && "automated"].filter(Boolean).join(" · ");
  return el("li", { className: `${from === mine ? "operator" : "visitor"} ${type === "note" ? "note" : ""}` },
    el("div", {}, el("b", {}, show(about)), " ", el("time", {}, time(timestamp)), el("span", { className: "said" }, showLines(text))));
}
