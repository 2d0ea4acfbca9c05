// The field of the filter, its chips, and what is wrong with it.

import { exportURL } from "./api.js";
import { button, byID, count, el, hue, show } from "./text.js";

const qualities = { failed: "Failed", problem: "Problems", gap: "Gaps" };

export class Filter {
  constructor(store, changed) {
    Object.assign(this, { store, changed, chips: new Map() });
    this.field = byID("filter");
    this.field.addEventListener("input", () => {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.apply(), 120);
    });
    for (const [name, title] of Object.entries(qualities)) {
      byID("qualities").append(button(title, () => this.#toggle(`is:${name}`), { "aria-pressed": "false", className: "chip", value: `is:${name}` }));
    }
    store.addEventListener("view", () => this.#draw());
    this.#draw();
  }

  get words() { return this.field.value.match(/-?(?:\w+:)?"[^"]*"?|\S+/g) ?? []; }

  #toggle(word) {
    const { words } = this;
    this.set((words.includes(word) ? words.filter((other) => other !== word) : [...words, word]).join(" "));
  }

  /** Sets what to filter by. */
  set(text) {
    this.field.value = text;
    return this.apply();
  }

  async apply() {
    const text = this.field.value.trim();
    let wrong = "";
    try {
      await this.store.setFilter(text);
    } catch (error) {
      wrong = error.message;
    }
    if (text !== this.field.value.trim()) return;
    byID("filter-error").textContent = show(wrong);
    this.field.setAttribute("aria-invalid", String(!!wrong));
    byID("export").href = exportURL(wrong ? "" : text);
    this.#draw();
    this.changed();
  }

  #draw() {
    const { store } = this;
    for (const [ns, n] of store.namespaces) {
      let chip = this.chips.get(ns);
      if (!chip) {
        chip = button(show(ns), () => {
          const chips = new Set(store.chips);
          if (!chips.delete(ns)) chips.add(ns);
          store.setFilter(store.filter, chips).catch(() => {});
          this.#draw();
        }, { className: `chip hue${hue(ns)}` });
        this.chips.set(ns, chip);
        byID("chips").append(chip);
      }
      chip.setAttribute("aria-pressed", String(store.chips.has(ns)));
      chip.title = count(n, "event");
    }
    for (const chip of byID("qualities").children) chip.setAttribute("aria-pressed", String(this.words.includes(chip.value)));
    const all = store.rows.length, seen = store.view.length;
    byID("count").textContent = seen === all ? count(all, "row") : `${seen.toLocaleString("en")} of ${count(all, "row")}`;
    byID("empty").hidden = seen > 0;
    byID("waiting").hidden = all > 0;
    byID("unmatched").hidden = all === 0;
  }
}
