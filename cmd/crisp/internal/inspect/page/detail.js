// All that is known of the selected record, in tabs.

import { ask, query } from "./api.js";
import { conversation } from "./conversation.js";
import { diffTable } from "./diff.js";
import { sendForm } from "./send.js";
import { tree } from "./tree.js";
import { button, byID, copy, count, el, show, showLines, size, tell, time } from "./text.js";

const tabs = {
  payload: "Payload", raw: "Raw", deliveries: "Deliveries", conversation: "Conversation", diff: "Diff", edit: "Edit & send", copy: "Copy as",
};

export class Detail {
  tab = "payload";
  marked = null; // the detail of the event to compare with

  constructor({ store, select, info, changed }) {
    Object.assign(this, { store, select, info, changed });
    this.list = byID("tabs");
    this.tabs = {};
    this.panels = {};
    for (const [name, title] of Object.entries(tabs)) {
      this.tabs[name] = button(title, () => this.open(name), { id: `tab-${name}`, role: "tab", "aria-controls": `panel-${name}` });
      this.panels[name] = el("div", { id: `panel-${name}`, className: "panel", role: "tabpanel", tabIndex: 0, hidden: true, "aria-labelledby": `tab-${name}` });
    }
    this.list.append(...Object.values(this.tabs));
    this.list.addEventListener("keydown", (event) => this.#keys(event));
    byID("panels").append(...Object.values(this.panels));
    store.addEventListener("rows", ({ detail: rows }) => {
      if (this.row && this.tab === "conversation" && rows.some((row) => row.session_id === this.row.session_id)) this.#fill("conversation");
    });
    store.addEventListener("delivery", ({ detail: made }) => { if (this.row && made.of === this.row.id) this.reload(); });
  }

  #keys(event) {
    const shown = Object.keys(tabs).filter((name) => !this.tabs[name].hidden);
    const at = shown.indexOf(this.tab);
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: shown.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    this.open(shown[(to + shown.length) % shown.length]);
    this.tabs[this.tab].focus();
  }

  /** Shows a row: what the list knows of it at once, and the rest as soon as it is here. */
  async show(row) {
    this.row = row;
    this.detail = null;
    this.filled = new Set();
    byID("detail").hidden = !row;
    document.body.classList.toggle("opened", !!row);
    if (!row) return;
    this.#head();
    for (const panel of Object.values(this.panels)) if (!panel.contains(document.activeElement)) panel.setAttribute("aria-busy", "true");
    try {
      const detail = await ask(`/api/events/${encodeURIComponent(row.id)}`);
      if (this.row !== row) return;
      this.detail = detail;
      this.open(this.tab, true);
    } catch (error) {
      if (this.row !== row) return;
      for (const panel of Object.values(this.panels)) panel.replaceChildren(el("p", { className: "empty" }, show(error.message)));
      this.open("payload", true);
    } finally {
      for (const panel of Object.values(this.panels)) panel.removeAttribute("aria-busy");
    }
  }

  /** Fetches again what can have changed. */
  async reload() {
    const { row } = this;
    const detail = await ask(`/api/events/${encodeURIComponent(row.id)}`).catch(() => null);
    if (!detail || this.row !== row) return;
    this.detail = detail;
    this.#fill("deliveries");
    this.#names();
  }

  #head() {
    const { row } = this;
    byID("title").textContent = show(row.event ?? row.kind);
    byID("about").replaceChildren(...[time(row.at), row.source, row.size && size(row.size), row.session_id, row.website_id && `website ${row.website_id}`]
      .filter(Boolean).map((text) => el("span", {}, show(text))));
    const isEvent = row.kind === "event";
    for (const name of ["deliveries", "diff", "edit", "copy"]) this.tabs[name].hidden = !isEvent;
    this.tabs.conversation.hidden = !row.session_id;
    this.#names();
  }

  #names() {
    const n = this.detail?.deliveries?.length;
    this.tabs.deliveries.textContent = n ? `Deliveries (${n})` : "Deliveries";
  }

  /** Opens a tab. */
  open(name, quiet) {
    if (!(name in tabs)) name = "payload";
    const at = this.tabs[name].hidden ? "payload" : name;
    if (!quiet) this.tab = name;
    for (const key of Object.keys(tabs)) {
      this.tabs[key].setAttribute("aria-selected", String(key === at));
      this.tabs[key].tabIndex = key === at ? 0 : -1;
      this.panels[key].hidden = key !== at;
    }
    this.#names();
    if (this.detail && !this.filled.has(at)) this.#fill(at);
    if (!quiet) this.changed();
  }

  #fill(name) {
    if (!this.detail) return;
    this.filled.add(name);
    const panel = this.panels[name];
    const hadFocus = panel.contains(document.activeElement) && panel !== document.activeElement;
    panel.replaceChildren(...[this[`_${name}`](this.detail)].flat().filter(Boolean));
    if (hadFocus) (panel.querySelector(".primary") ?? panel).focus();
  }

  _payload({ envelope, envelope_text, record, fields, problem_list: problems = [] }) {
    if (envelope_text !== undefined) return [el("p", { className: "empty" }, "The body is no JSON. Raw shows it.")];
    return [
      problems.length > 0 && el("div", { className: "problems" }, el("b", {}, `${count(problems.length, "field")} of unexpected types`),
        el("ul", {}, problems.map((p) => el("li", {}, el("code", {}, show(p.path)), ` expected ${show(p.expected)}, got ${show(p.got)}`)))),
      tree(envelope ?? record, { fields, problems, base: envelope && "data." }),
    ];
  }

  _raw({ envelope, envelope_text, record }) {
    const value = envelope ?? record;
    const compact = envelope_text ?? JSON.stringify(value);
    const text = el("pre", { tabIndex: 0 });
    const set = (isIndented) => { text.textContent = isIndented ? showLines(JSON.stringify(value, null, 2)) : showLines(compact); };
    const box = el("input", { type: "checkbox", checked: envelope_text === undefined, disabled: envelope_text !== undefined, on: { change: () => set(box.checked) } });
    set(box.checked);
    return [el("p", { className: "bar" }, el("label", {}, box, "Indented"), button("Copy", () => copy(box.checked ? JSON.stringify(value, null, 2) : compact, "the body"))), text];
  }

  _deliveries({ deliveries = [] }) {
    if (deliveries.length === 0) return el("p", { className: "empty" }, this.info.targets.length > 0 ? "Not delivered yet." : "It was sent nowhere. Start the command with --forward and a URL to have events delivered, or send it by hand with Edit & send.");
    const cells = (d) => [time(d.time ?? d.at), `${d.attempt} of ${d.limit}`, d.target, d.outcome.replace("_", " "), d.status || "–", `${d.took_ms ?? 0} ms`, [d.error, d.answer].filter(Boolean).join(": ")];
    return el("table", {}, el("thead", {}, el("tr", {}, ["Time", "Attempt", "Target", "Outcome", "Status", "Took", "Answer"].map((name) => el("th", { scope: "col" }, name)))),
      el("tbody", {}, deliveries.map((d) => el("tr", { className: d.outcome === "accepted" ? "good" : "bad" }, cells(d).map((text) => el("td", {}, show(text)))))));
  }

  _conversation() { return conversation(this.store, this.row, this.select); }

  _diff(detail) {
    const { marked, store, row } = this;
    const index = store.rows.indexOf(row);
    const before = store.rows.findLast((other, i) => i < index && other.kind === "event" && other.event === row.event);
    const bar = el("p", { className: "bar" },
      button("Mark this event", () => this.mark()),
      before && button(`Compare with the ${show(row.event)} before`, async () => {
        await this.mark(before);
        this.#fill("diff");
      }));
    if (!marked) return [el("p", { className: "empty" }, "Mark one event with d, then open another: here is what differs."), bar];
    if (marked.id === detail.id) return [el("p", { className: "empty" }, "This is the event that is marked. Open another to compare it."), bar];
    return [el("p", { className: "type" }, `Compared with ${show(marked.event)} of ${time(marked.time ?? marked.at)}`), diffTable(marked.envelope, detail.envelope, ["Marked", "This"]), bar];
  }

  /** Marks the event to compare with. */
  async mark(row = this.row) {
    if (row?.kind !== "event") return;
    this.marked = row === this.row && this.detail ? this.detail : await ask(`/api/events/${encodeURIComponent(row.id)}`).catch((error) => { tell(error.message); return null; });
    this.filled.delete("diff");
    if (this.tab === "diff") this.#fill("diff");
    if (this.marked) tell(`Marked ${show(row.event)} of ${time(row.at)}`);
  }

  /** Compares with the marked event, or marks this one. */
  compare() {
    if (this.row?.kind !== "event") return;
    if (this.marked && this.marked.id !== this.row.id) {
      this.filled.delete("diff");
      this.open("diff");
    } else this.mark();
  }

  _edit(detail) { return sendForm(detail, this.info, this.select); }

  _copy({ id }) {
    return [["curl", "curl"], ["go", "Go"], ["trigger", "crisp trigger"]].map(([as, name]) => {
      const text = el("pre", { tabIndex: 0, "aria-label": name }, "…");
      let code = "";
      query(`/api/code/${encodeURIComponent(id)}`, { as }).then((made) => {
        code = made.text;
        text.textContent = showLines(code);
      }, (error) => { text.textContent = show(error.message); });
      return el("section", {}, el("p", { className: "bar" }, el("b", {}, name), button("Copy", () => copy(code, `as ${name}`), { "aria-label": `Copy as ${name}` })), text);
    });
  }
}
