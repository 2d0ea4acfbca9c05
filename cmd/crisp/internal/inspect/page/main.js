// The page: what comes is kept by the store, shown by the list, and looked at in the detail.

import { follow } from "./api.js";
import { Chat } from "./chat.js";
import { Detail } from "./detail.js";
import { Filter } from "./filter.js";
import { keys } from "./keys.js";
import { List } from "./list.js";
import { Plot } from "./plot.js";
import { Store } from "./store.js";
import { byID, count, on, set, show } from "./text.js";

const store = new Store();
const info = { command: "", targets: [], signing: true };
let wanted = ""; // ID to select once it is here

const list = new List(store, select);
const detail = new Detail({ store, select, info, changed: keep });
const filter = new Filter(store, keep);
const plot = new Plot(store);
keys({ list, detail, filter, select });

/** Selects a row, also by its ID; null closes the detail. */
function select(row) {
	if (typeof row === "string") {
		wanted = row;
		row = store.get(row);
		if (!row) return;
	}
	wanted = "";
	if (row !== detail.row) detail.show(row);
	list.mark(row);
	keep();
}

on(store, "view", () => store.get(wanted) && select(wanted));
on(byID("close"), "click", () => {
	select(null);
	list.root.focus();
});
on(byID("clear"), "click", () => {
	store.chips = new Set();
	filter.set("");
	list.root.focus();
});

// The address keeps the filter and the selection.
function keep() {
	const state = { q: store.filter, id: detail.row?.id ?? wanted, tab: detail.row ? detail.tab : "" };
	const hash = new URLSearchParams(Object.entries(state).filter(([, value]) => value));
	clearTimeout(keep.timer); // browsers allow few changes a second
	keep.timer = setTimeout(() => history.replaceState(null, "", `#${hash}`), 200);
}

function restore() {
	const state = new URLSearchParams(location.hash.slice(1));
	const q = state.get("q") ?? "";
	detail.tab = state.get("tab") ?? "payload";
	wanted = state.get("id") ?? "";
	if (q !== filter.field.value) filter.set(q);
	if (wanted) select(wanted);
}
on(window, "hashchange", restore);

let chat; // only for crisp serve
function view(name) {
	for (const button of byID("views").children) {
		set(button, "aria-pressed", button.value === name);
		byID(button.value).hidden = button.value !== name;
	}
	if (name === "events") list.draw();
	else chat.refresh();
}
for (const button of byID("views").children) on(button, "click", () => view(button.value));

let lostAt = "";
function state(name, why) {
	lostAt = name === "connected" ? "" : lostAt || new Date().toLocaleTimeString("en-GB");
	byID("state").dataset.state = name;
	byID("state").textContent = show(why ?? (lostAt ? `reconnecting since ${lostAt}` : name));
}

function hello(told) {
	const isOther = info.run && info.run !== told.run;
	Object.assign(info, told);
	document.title = byID("command").textContent = `crisp ${show(info.command)}`;
	byID("command").title = show([info.version, info.capture].filter(Boolean).join(", "));
	for (const part of byID("waiting").querySelectorAll("p")) part.hidden = part.className !== info.command;
	if (told.restarted || (isOther && !info.capture)) store.restarted(told.run);
	byID("views").hidden = !info.chat;
	if (info.chat) chat ??= new Chat(byID("chat"), store);
}

restore();
follow({
	after: () => store.last,
	state,
	on: {
		hello,
		record: (record) => store.add(record),
		stats: (stats) => plot.add(stats),
		hole: (hole) => store.note("hole", `${count(hole.count, "record")} had left the memory of the command before this page could show them`),
	},
});
