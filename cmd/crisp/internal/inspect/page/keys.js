// What keys do. None is taken from who writes in a field.

import { byID, el } from "./text.js";

const help = [
  ["j  k  ↓  ↑", "next, previous"], ["g  G", "first, last"], ["PageDown  PageUp", "a page on, back"], ["Enter", "open what is selected"], ["Esc", "back"],
  ["/", "filter"], ["r", "send again"], ["e", "edit and send"], ["d", "mark, then compare"], ["c", "conversation"], ["y", "copy as code"], ["?", "this help"],
];

export function keys({ list, detail, filter, root }) {
  const dialog = byID("help");
  byID("help-keys").append(...help.flatMap(([key, what]) => [el("dt", {}, key.split("  ").map((k) => el("kbd", {}, k))), el("dd", {}, what)]));
  byID("help-open").addEventListener("click", () => dialog.showModal());
  byID("help-close").addEventListener("click", () => dialog.close());

  const enter = () => {
    if (!detail.row) return list.move(1);
    const panel = Object.values(detail.panels).find((one) => !one.hidden);
    panel?.focus();
  };
  const open = (tab, then) => () => {
    if (detail.row?.kind !== "event") return;
    detail.open(tab);
    then?.();
  };
  const focus = (selector) => () => requestAnimationFrame(() => detail.panels.edit.querySelector(selector)?.focus());
  const everywhere = {
    j: () => list.move(1), k: () => list.move(-1), g: () => list.moveTo(false), G: () => list.moveTo(true),
    "/": () => filter.field.select(), "?": () => dialog.showModal(), d: () => detail.compare(),
    r: open("edit", focus(".primary")), e: open("edit", focus("textarea")),
    c: open("conversation", () => detail.panels.conversation.focus()), y: open("copy", () => detail.panels.copy.querySelector("button")?.focus()),
  };
  const inList = {
    ArrowDown: () => list.move(1), ArrowUp: () => list.move(-1), PageDown: () => list.move(list.page), PageUp: () => list.move(-list.page),
    Home: () => list.moveTo(false), End: () => list.moveTo(true), Enter: enter, " ": enter,
  };
  const back = () => {
    if (root.contains(document.activeElement) || document.activeElement === document.body) detail.select(null);
    root.focus();
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || dialog.open || byID("events").hidden) return;
    const { target, key } = event;
    const writes = target.matches("input:not([type=checkbox]), textarea, select");
    let run = key === "Escape" ? back : !writes && everywhere[key];
    if (target === root) run = inList[key] ?? run;
    else if (target === document.body && (key === "Enter" || key.startsWith("Arrow"))) run = inList[key];
    else if (target === filter.field && (key === "Enter" || key === "ArrowDown")) run = () => root.focus();
    if (!run) return;
    event.preventDefault();
    run();
  });
}
