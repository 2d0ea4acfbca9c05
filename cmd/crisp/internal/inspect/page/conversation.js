// A conversation of the list: its messages as a chat, all else as marks between them.

import { button, el, empty, show, time } from "./text.js";

const most = 500;
const sides = { "message:send": "theirs", "message:received": "ours" };
const ofAll = ["gap", "lost", "restart", "hole", "dropped"];

/** Returns a row's conversation, with the row marked. */
export function conversation(store, of, select) {
	const id = of.session_id;
	if (!id) return empty("This belongs to no conversation.");
	const rows = store.rows.filter((row) => row.session_id === id || ofAll.includes(row.kind) || store.byID.get(row.of)?.session_id === id);
	const first = rows.findIndex((row) => row.session_id === id);
	const cut = rows.length - first > most;
	return [cut && empty(`The last ${most} of what is known of it`), el("ol.talk", rows.slice(cut ? -most : first).map((row) => line(row, of, select)))];
}

function line(row, of, select) {
	const side = row.kind === "event" && sides[row.event];
	const [, name, text] = /^([^:]*): (.*)$/s.exec(row.preview ?? "") ?? ["", side, row.preview];
	const says = side ? [el("b", show(name)), " ", el("time", time(row.at)), el("span.said", show(text))]
		: [time(row.at), row.event ?? row.kind, row.preview].filter(Boolean).map(show).join(" · ");
	const props = row.id === of.id ? { "aria-current": "true" } : {};
	return el(`li.${side || `mark ${row.kind} ${row.outcome ? "failed" : ""}`}`, row.id ? button(says, () => select(row), props) : el("span", props, says));
}
