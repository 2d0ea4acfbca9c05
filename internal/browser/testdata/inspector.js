// What the tests see of the page, by roles and names, as somebody with a screen reader would. It is run in each document
// before the page's own scripts.
'use strict';
(() => {
  const shown = (element) => element.checkVisibility({visibilityProperty: true, opacityProperty: true}) && element.getClientRects().length > 0;
  const all = (selector, within = document) => [...within.querySelectorAll(selector)].filter(shown);
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  const task = () => new Promise((done) => { const {port1, port2} = new MessageChannel(); port1.onmessage = done; port2.postMessage(0); });

  // Resolves when what the page does in the next frame is on the screen.
  const painted = async () => { await frame(); await task(); };

  // The name of an element, near enough.
  const name = (element) => {
    const by = (element.getAttribute('aria-labelledby') ?? '').split(' ').map((id) => document.getElementById(id)?.textContent).join(' ');
    const label = [...(element.labels ?? [])].map((l) => l.textContent).join(' ');
    return (element.getAttribute('aria-label') ?? '') || by.trim() || label.trim() || element.textContent.trim() || element.title || '';
  };

  // Elements that are shown, of a role and with a name that begins like that.
  const find = (selector, beginning = '', within = document) => all(selector, within).filter((e) => name(e).trim().startsWith(beginning));

  const list = () => document.querySelector('[role=listbox],[role=grid]');
  const scroller = () => {
    let element = list();
    while (element && !/auto|scroll/.test(getComputedStyle(element).overflowY)) element = element.parentElement;
    return element;
  };

  // The rows that are in the list's window, as they are on the screen.
  const rows = () => {
    const box = scroller().getBoundingClientRect();
    return all('[data-kind]', list())
      .map((e) => ({e, r: e.getBoundingClientRect()}))
      .filter(({r}) => r.bottom > box.top + 1 && r.top < box.bottom - 1)
      .sort((a, b) => a.r.top - b.r.top)
      .map(({e, r}) => ({
        id: e.dataset.id ?? '', kind: e.dataset.kind, text: e.innerText, top: r.top, bottom: r.bottom,
        position: Number(e.getAttribute('aria-posinset') ?? e.getAttribute('aria-rowindex')), selected: e.getAttribute('aria-selected') === 'true',
      }));
  };

  // How many lines of the list's window show no row, though there are rows to fill it.
  const blank = () => {
    const box = scroller().getBoundingClientRect();
    const bottom = Math.min(box.bottom, box.top + scroller().scrollHeight, innerHeight);
    let lines = 0;
    for (let y = box.top + 2; y < bottom - 2; y += 8) {
      const row = document.elementFromPoint(box.left + box.width / 2, y)?.closest('[data-kind]');
      if (!row?.innerText.trim()) lines++;
    }
    return lines;
  };

  const scrollTo = async (top) => { scroller().scrollTop = top; await painted(); };

  // All rows of the list, from the first to the last, each once.
  const everything = async () => {
    const found = new Map();
    await scrollTo(0);
    for (;;) {
      for (const row of rows()) found.set(row.position, row);
      const before = scroller().scrollTop;
      await scrollTo(before + scroller().clientHeight - 40);
      if (scroller().scrollTop <= before) break;
    }
    for (const row of rows()) found.set(row.position, row);
    return [...found.entries()].sort((a, b) => a[0] - b[0]).map(([, row]) => row);
  };

  // How many rows the list has, as it tells those who can't see it.
  const size = () => Number(list().getAttribute('aria-rowcount') ?? all('[aria-setsize]', list())[0]?.getAttribute('aria-setsize') ?? 0);

  const until = async (isSo, ms = 10_000) => {
    for (const end = performance.now() + ms; !isSo();) {
      if (performance.now() > end) throw new Error('waited in vain until ' + isSo);
      await task();
    }
  };

  window.inspector = {shown, all, frame, task, painted, name, find, list, scroller, rows, blank, scrollTo, everything, size, until};
})();
