// The page: what comes is kept by the store, shown by the list, and looked at in the detail.

import { ask, follow } from "./api.js";
import { Chat } from "./chat.js";
import { Detail } from "./detail.js";
import { Filter } from "./filter.js";
import { keys } from "./keys.js";
import { List } from "./list.js";
import { Plot } from "./plot.js";
import { Store } from "./store.js";
import { byID, count, show, tell } from "./text.js";

const store = new Store();
const info = { command: "", targets: [], signing: true, events: [] };
const root = byID("list");
let wanted = ""; // the ID of what is to be selected once it is here

const list = new List({ root, fresh: byID("fresh"), store, select });
const detail = new Detail({ store, select, info, changed: keep });
const filter = new Filter(store, keep);
const plot = new Plot(store);
keys({ list, detail, filter, root });

/** Selects a row, also by its ID; null closes the detail. */
function select(row) {
  if (typeof row === "string") {
    wanted = store.byID.has(row) ? "" : row;
    row = store.byID.get(row);
    if (!row) return;
  }
  wanted = "";
  if (row !== detail.row) detail.show(row);
  list.mark(row);
  keep();
}

store.addEventListener("rows", () => { if (wanted && store.byID.has(wanted)) select(wanted); });
byID("close").addEventListener("click", () => {
  select(null);
  root.focus();
});
byID("clear").addEventListener("click", () => {
  store.chips = new Set();
  filter.set("");
  root.focus();
});

// The address keeps the filter, and what is selected.
function keep() {
  const state = Object.entries({ q: store.filter, id: detail.row?.id ?? wanted, tab: detail.row && detail.tab !== "payload" ? detail.tab : "" }).filter(([, value]) => value);
  history.replaceState(null, "", `#${new URLSearchParams(state)}`);
}

function restore() {
  const state = new URLSearchParams(location.hash.slice(1));
  detail.tab = state.get("tab") || "payload";
  if ((state.get("q") ?? "") !== filter.field.value) filter.set(state.get("q") ?? "");
  if (state.get("id")) select(state.get("id"));
}
window.addEventListener("hashchange", restore);

// Chat is there if the command is one that can be driven.
let chat;
function offerChat() {
  if (!info.control || chat) return;
  chat = new Chat(byID("chat"), store);
  byID("views").hidden = false;
  for (const button of byID("views").children) button.addEventListener("click", () => view(button.value));
}

function view(name) {
  for (const button of byID("views").children) {
    button.setAttribute("aria-pressed", String(button.value === name));
    byID(button.value).hidden = button.value !== name;
  }
  if (name === "chat") chat.refresh();
  else list.draw();
}

const since = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
let lostAt = null;

function state(name, why) {
  const shown = byID("state");
  if (name === "connected") lostAt = null;
  else lostAt ??= new Date();
  shown.dataset.state = name;
  const text = name === "connected" ? "connected" : why ? show(why) : `reconnecting since ${since.format(lostAt)}`;
  if (shown.textContent !== text) shown.textContent = text;
}

function hello(told) {
  const isOther = info.run && info.run !== told.run;
  Object.assign(info, told, { events: info.events });
  byID("command").textContent = `crisp ${show(info.command)}`;
  byID("command").title = show([info.version, info.capture && `capture ${info.capture}`].filter(Boolean).join(" · "));
  document.title = `crisp ${show(info.command)}`;
  for (const part of byID("waiting").querySelectorAll("[data-of]")) part.hidden = part.dataset.of !== info.command;
  if (told.restarted || (isOther && !info.capture)) store.restarted(told.run);
  offerChat();
}

restore();
follow({
  after: () => store.last,
  state,
  on: {
    hello,
    record: (record) => store.add(record),
    stats: (stats) => plot.add(stats),
    hole: ({ count: n }) => store.note("hole", `${count(n, "record")} had left the memory of the command before this page could show them`),
  },
});
