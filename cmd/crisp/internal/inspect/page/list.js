// The list: as many rows as can be seen, which are written anew whenever it is scrolled. They are in a
// layer that does not scroll itself, so that there is never a blank one.

import { count, el, hue, namespace, shortID, show, time } from "./text.js";

const names = { event: "", delivery: "delivery", hole: "not shown", restart: "restart" };

export class List {
  first = 0;
  follows = true; // the end

  /** @param {{root: HTMLElement, fresh: HTMLElement, store: import("./store.js").Store, select: (row: object) => void}} with_ */
  constructor({ root, fresh, store, select }) {
    Object.assign(this, { root, fresh, store, select, pool: [], missed: 0, selected: null });
    this.layer = el("div", { className: "layer" });
    this.spacer = el("div", {}, this.layer);
    root.append(this.spacer);
    root.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    root.addEventListener("mousedown", (event) => { this.pressed = rowOf(event); });
    root.addEventListener("click", (event) => {
      const row = this.pressed ?? rowOf(event); // what comes meanwhile may have moved it
      this.pressed = null;
      if (row?.id) select(row);
    });
    fresh.addEventListener("click", () => this.toEnd());
    new ResizeObserver(() => this.#resized()).observe(root);
    store.addEventListener("rows", ({ detail }) => { if (!this.follows) this.missed += detail.length; });
    store.addEventListener("view", () => this.draw());
  }

  #resized() {
    this.high = parseFloat(getComputedStyle(this.root).getPropertyValue("--row")) || 28;
    this.draw();
  }

  #scrolled() {
    const { scrollTop, clientHeight, scrollHeight } = this.root;
    this.follows = scrollTop + clientHeight >= scrollHeight - this.high / 2;
    this.#rows();
  }

  toEnd() {
    this.follows = true;
    this.draw();
  }

  /** Draws what has changed. Who has scrolled away from the end stays with what was seen. */
  draw() {
    const { root, store } = this;
    const seen = root.clientHeight;
    if (!seen) return;
    const anchor = this.anchor && !this.follows ? store.indexOf(this.anchor) : -1;
    const height = `${Math.max(store.view.length * this.high, seen)}px`;
    if (this.spacer.style.height !== height) this.spacer.style.height = height;
    this.layer.style.height = `${seen}px`;
    if (this.follows) root.scrollTop = store.view.length * this.high;
    else if (anchor >= 0 && anchor !== this.first) root.scrollTop += (anchor - this.first) * this.high;
    this.#rows();
  }

  #rows() {
    const { root, store: { view }, pool, high } = this;
    const top = root.scrollTop;
    this.first = Math.min(Math.floor(top / high), view.length);
    this.anchor = view[this.first];
    const need = Math.ceil(root.clientHeight / high) + 1;
    while (pool.length < need) pool.push(new Line(this.layer, pool.length));
    let active = "";
    for (let i = 0; i < pool.length; i++) {
      const at = this.first + i, row = i < need ? view[at] : undefined;
      pool[i].show(row, at, view.length, row && row === this.selected);
      if (row) pool[i].node.style.transform = `translateY(${at * high - top}px)`;
      if (row && row === this.selected) active = pool[i].node.id;
    }
    if (active) root.setAttribute("aria-activedescendant", active);
    else root.removeAttribute("aria-activedescendant");
    if (this.follows) this.missed = 0;
    this.fresh.hidden = this.follows || this.missed === 0;
    if (!this.fresh.hidden) this.fresh.textContent = `${this.missed.toLocaleString("en")} new ↓`;
  }

  /** Marks a row as the selected one, and brings it into sight. */
  mark(row) {
    this.selected = row;
    const i = this.store.indexOf(row);
    if (i >= 0) {
      const { root, high } = this;
      const top = i * high;
      if (top < root.scrollTop) root.scrollTop = top;
      else if (top + high > root.scrollTop + root.clientHeight) root.scrollTop = top + high - root.clientHeight;
      const { scrollTop, clientHeight } = root;
      this.follows = i === this.store.view.length - 1 || (this.follows && scrollTop + clientHeight >= root.scrollHeight - high / 2);
    }
    this.#rows();
  }

  /** Selects the row so many behind the selected one that can be. */
  move(by) {
    const { view } = this.store;
    const from = this.store.indexOf(this.selected);
    let to = from < 0 ? (by > 0 ? this.first : Math.min(this.first + this.page, view.length - 1)) : from + by;
    to = Math.max(0, Math.min(to, view.length - 1));
    const step = by < 0 ? -1 : 1;
    while (view[to] && !view[to].id) to += step;
    if (view[to]) this.select(view[to]);
  }

  moveTo(end) {
    const { view } = this.store;
    const row = end ? view.findLast((row) => row.id) : view.find((row) => row.id);
    if (row) this.select(row);
    if (end) this.toEnd();
  }

  get page() { return Math.max(1, Math.floor(this.root.clientHeight / this.high) - 1); }
}

const rowOf = (event) => event.target.closest?.("[role=option]")?.row;

/** A line of the list, which shows one row or another. */
class Line {
  constructor(layer, i) {
    const part = (name) => el("span", { className: name });
    this.parts = ["at", "what", "who", "said", "state"].map(part);
    this.node = el("div", { className: "row", id: `row${i}`, role: "option", hidden: true }, ...this.parts);
    layer.append(this.node);
  }

  show(row, at, of, selected) {
    const { node } = this;
    const key = row && `${row.seq} ${row.delivery?.id} ${at} ${of} ${selected}`;
    if (key === this.key) return;
    this.key = key;
    node.row = row;
    node.hidden = !row;
    if (!row) return;
    node.dataset.kind = row.kind;
    if (row.id) node.dataset.id = row.id;
    else delete node.dataset.id;
    const failed = row.outcome && row.outcome !== "accepted";
    node.className = `row ${row.kind}${failed ? " failed" : ""} hue${hue(namespace(row.event))}`;
    node.setAttribute("aria-selected", String(!!selected));
    node.setAttribute("aria-posinset", at + 1);
    node.setAttribute("aria-setsize", of);
    const texts = [time(row.at), show(row.event ?? names[row.kind] ?? row.kind), shortID(row.session_id ?? row.website_id), show(row.preview), stateOf(row)];
    texts.forEach((text, i) => { if (this.parts[i].textContent !== text) this.parts[i].textContent = text; });
    this.parts[4].className = `state ${row.problems ? "warn" : ""} ${outcomeClass(row)}`;
  }
}

const outcomeClass = ({ outcome, delivery }) => ((outcome ?? delivery?.outcome) ? ((outcome ?? delivery.outcome) === "accepted" ? "good" : "bad") : "");

/** Says in a few words what is wrong with a row, and what became of it. */
function stateOf(row) {
  const words = [];
  if (row.problems) words.push(count(row.problems, "problem"));
  if (row.source && !["rtm", "webhook"].includes(row.source)) words.push(show(row.source));
  const made = row.outcome ? row : row.delivery;
  if (made) {
    const mark = made.outcome === "accepted" ? "✓" : made.outcome === "given_up" ? "✗ given up" : "✗";
    words.push([mark, made.status || (made.error ? "no answer" : ""), `${made.took_ms ?? 0} ms`, made.attempt > 1 ? `attempt ${made.attempt}` : ""].filter(Boolean).join(" "));
  }
  return words.join(" · ");
}
