// A conversation of the list: its messages as a chat, all else as marks between them.

import { button, el, show, shortID, time } from "./text.js";

const most = 500;
const sides = { "message:send": "visitor", "message:received": "operator" };

/** Returns the conversation of a row, of which the row is marked. */
export function conversation(store, of, select) {
  if (!of.session_id) return el("p", { className: "empty" }, "This belongs to no conversation.");
  const rows = store.rows.filter((row) => row.session_id === of.session_id
    || ["gap", "lost", "restart", "hole", "dropped"].includes(row.kind)
    || (row.of && store.byID.get(row.of)?.session_id === of.session_id));
  const first = rows.findIndex((row) => row.session_id === of.session_id);
  const list = el("ol", { className: "talk" }, rows.slice(Math.max(first, rows.length - most)).map((row) => line(row, of, select)));
  return [el("p", { className: "type" }, `Conversation ${shortID(of.session_id)}, ${show(of.session_id)}`,
    rows.length > most && ` · the last ${most} of ${rows.length}`), list];
}

function line(row, of, select) {
  const side = sides[row.event];
  const current = row.id === of.id ? { "aria-current": "true" } : {};
  const open = (...children) => (row.id ? button("", () => select(row), { ...current }) : el("div", current)).appendChild(el("span", {}, children)).parentNode;
  if (!side || row.kind !== "event") {
    return el("li", { className: `mark ${row.kind}` }, open(`${time(row.at)} · ${show(row.event ?? row.kind)}${row.preview ? " · " + show(row.preview) : ""}`));
  }
  const [, name, text] = /^([^:]*): (.*)$/s.exec(row.preview ?? "") ?? [null, side, row.preview];
  return el("li", { className: side }, open(el("b", {}, show(name)), " ", el("time", {}, time(row.at)), el("span", { className: "said" }, show(text))));
}
