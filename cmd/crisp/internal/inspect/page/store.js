// The records that the page knows, and those that the filter lets be seen.

import { query } from "./api.js";
import { namespace } from "./text.js";

/** How many rows are kept. */
export const most = 100_000;

/**
 * A row is a record's summary, or something that only the page knows ("restart", "hole").
 * @typedef {{id?: string, seq: number, kind: string, event?: string, session_id?: string, preview?: string, delivery?: Row, wanted?: boolean}} Row
 */

export class Store extends EventTarget {
  /** @type {Row[]} */ rows = [];
  /** @type {Row[]} */ view = [];
  byID = new Map();
  seen = new Map(); // by the name of the run: the last number
  last = ""; // ID
  run = ""; // of the last record
  namespaces = new Map(); // how many events there are of each
  chips = new Set(); // the namespaces that are to be seen; none means all
  filter = "";
  #seq = 0;
  #new = [];
  #matched = null; // IDs that meet the filter; null if there is none
  #asked = ""; // up to where the filter was asked for
  #asking = null;
  #missed = false; // something came while that was asked for

  /** Takes a record of the stream, unless it is known. */
  add(record) {
    const run = record.id.slice(0, record.id.lastIndexOf("-"));
    if (record.n <= (this.seen.get(run) ?? 0)) return;
    this.seen.set(run, record.n);
    if (this.run && this.run !== run) this.note("restart", "The command was restarted, and goes on from its capture");
    this.run = run;
    this.last = record.id;
    record.at = record.time ?? record.at;
    if (record.kind === "event") this.namespaces.set(namespace(record.event), (this.namespaces.get(namespace(record.event)) ?? 0) + 1);
    if (record.kind === "delivery" && this.#mark(record)) return;
    this.#push(record);
  }

  /** Marks the event that was delivered. It reports whether that is all: a failure is a row of its own. */
  #mark(delivery) {
    const event = this.byID.get(delivery.of);
    if (event) event.delivery = delivery;
    this.dispatchEvent(new CustomEvent("delivery", { detail: delivery }));
    if (delivery.outcome === "accepted") this.#changed();
    return delivery.outcome === "accepted";
  }

  /** Adds a row that is no record. */
  note(kind, preview) {
    this.#push({ kind, preview, at: new Date().toISOString() });
  }

  /** The command has begun anew and knows nothing of before. */
  restarted(run) {
    if (this.run && this.run !== run) this.note("restart", "The command was restarted. What happened meanwhile is not known");
    this.run = run;
    this.#asked = "";
  }

  #push(row) {
    row.seq = ++this.#seq;
    this.rows.push(row);
    if (row.id) this.byID.set(row.id, row);
    this.#new.push(row);
    this.#changed();
  }

  // Changes are told once a frame, or so if the page is not seen.
  #changed() {
    this.timer ??= setTimeout(() => {
      this.timer = null;
      const fresh = this.#new;
      this.#new = [];
      this.#forget(this.rows.length - most);
      for (const row of fresh) if (this.#isSeen(row)) this.view.push(row);
      if (this.#matched && fresh.length > 0) this.#ask();
      if (fresh.length > 0) this.dispatchEvent(new CustomEvent("rows", { detail: fresh }));
      this.#show();
    }, 30);
  }

  #show() { this.dispatchEvent(new Event("view")); }

  #isSeen(row) {
    if (!row.id) return true;
    if (this.chips.size > 0 && row.event && !this.chips.has(namespace(row.event))) return false;
    return !this.#matched || this.#matched.has(row.id);
  }

  #forget(n) {
    if (n <= 0) return;
    for (const row of this.rows.splice(0, n)) {
      this.byID.delete(row.id);
      this.#matched?.delete(row.id);
      if (row.kind === "event") this.namespaces.set(namespace(row.event), this.namespaces.get(namespace(row.event)) - 1);
    }
    this.view.splice(0, place(this.view, this.rows[0].seq));
  }

  /** Lets those of the chips and of a query be seen. It rejects if the query is wrong. */
  async setFilter(text, chips = this.chips) {
    this.chips = chips;
    if (text !== this.filter || this.failed) {
      this.filter = text;
      this.#matched = text ? new Set() : null;
      this.#asked = "";
      this.#asking = null;
      this.#missed = false;
      if (text) await this.#ask();
    }
    if (this.filter === text) this.#all();
  }

  #all() {
    this.view = this.rows.filter((row) => this.#isSeen(row));
    this.#show();
  }

  /** Asks which of the records since the last time meet the filter. */
  #ask() {
    const filter = this.filter;
    const ask = async () => {
      this.failed = false;
      try {
        for (let more = true; more && filter === this.filter;) {
          const found = await query("/api/events", { q: filter, after: this.#asked, only: "ids", limit: 20_000 });
          if (filter !== this.filter) return;
          this.#asked = found.next || this.#asked;
          more = found.more;
          this.#take(found.ids ?? []);
        }
      } catch (error) {
        this.failed = true;
        throw error;
      } finally {
        if (this.#asking === mine) this.#asking = null;
        if (this.#missed && filter === this.filter) {
          this.#missed = false;
          this.#ask();
        }
      }
    };
    if (this.#asking) {
      this.#missed = true;
      return this.#asking;
    }
    const mine = this.#asking = Promise.resolve().then(ask);
    mine.catch(() => {}); // who has set the filter is told
    return mine;
  }

  #take(ids) {
    let late = false;
    for (const id of ids) {
      if (this.#matched.has(id)) continue;
      this.#matched.add(id);
      const row = this.byID.get(id);
      if (!row || this.#new.includes(row) || !this.#isSeen(row)) continue;
      if (row.seq > (this.view.at(-1)?.seq ?? 0)) this.view.push(row);
      else late = true;
    }
    if (late) this.#all();
    else this.#show();
  }

  /** Returns where in the view a row is, or -1. */
  indexOf(row) {
    const i = row ? place(this.view, row.seq) : -1;
    return this.view[i] === row ? i : -1;
  }
}

// place returns where the first row with such a number, or a greater one, is.
function place(rows, seq) {
  let low = 0, high = rows.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (rows[middle].seq < seq) low = middle + 1;
    else high = middle;
  }
  return low;
}
