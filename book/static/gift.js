// A table of four rows or more is sorted by the column whose head is pressed; once more turns it round.
function sortable(table) {
  const rows = [...table.querySelectorAll("tbody tr")];
  const heads = [...table.querySelectorAll("thead tr:last-child > *")];
  if (rows.length < 4 || table.querySelectorAll("thead tr").length > 1) return;
  const value = (row, k) => {
    const text = row.cells[k] ? row.cells[k].textContent.trim() : "";
    const number = parseFloat(text.replace("\u2212", "-").replace(/^< /, ""));
    return Number.isNaN(number) ? text : number;
  };
  const order = (a, b) => {
    if (a === "" || b === "") return a === b ? 0 : a === "" ? 1 : -1; // what is missing stays below
    return typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
  };
  heads.forEach((head, k) => {
    if (!head.textContent.trim()) return;
    const button = document.createElement("button");
    button.className = "gift-sort";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const sign = head.getAttribute("aria-sort") === "descending" ? 1 : -1;
      heads.forEach((h) => h.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
      const missing = (r) => value(r, k) === "";
      const sorted = rows.toSorted((a, b) => (missing(a) || missing(b) ? 1 : sign) * order(value(a, k), value(b, k)));
      table.tBodies[0].append(...sorted);
    });
  });
}

// The head of a column of numbers stands over them, at the right.
function align(table) {
  const rows = [...table.querySelectorAll("tbody tr")];
  [...table.querySelectorAll("thead tr:last-child > *")].forEach((head, k) => {
    const cells = rows.map((row) => row.cells[k]).filter((cell) => cell && cell.textContent.trim());
    if (cells.length && cells.every((cell) => cell.classList.contains("gift-number"))) head.classList.add("gift-number");
  });
}

// Sentences in a table are wrapped even on a phone, where numbers and names are not.
function sentences(table) {
  for (const cell of table.querySelectorAll("td")) if (cell.textContent.trim().length > 40) cell.classList.add("gift-text");
}

// A table that goes on beyond its right edge says so, until it is scrolled there.
function hinted(table) {
  const look = () => table.classList.toggle("gift-more", table.scrollLeft + table.clientWidth < table.scrollWidth - 2);
  table.addEventListener("scroll", look, { passive: true });
  new ResizeObserver(look).observe(table);
}

// What a term means, or which work is cited, in a box beside the link while a pointer or the focus is on it.
function tips() {
  const box = document.createElement("div");
  box.className = "gift-tip";
  box.id = "gift-tip";
  box.role = "tooltip";
  box.hidden = true;
  document.body.append(box);
  const hide = () => { box.hidden = true; };
  const show = (link) => {
    box.textContent = link.dataset.tip;
    box.hidden = false;
    const place = link.getBoundingClientRect(), size = box.getBoundingClientRect();
    const left = Math.min(place.left, document.documentElement.clientWidth - size.width - 8);
    const below = place.bottom + size.height + 8 < window.innerHeight;
    box.style.left = `${Math.max(8, left)}px`;
    box.style.top = `${below ? place.bottom + 6 : Math.max(8, place.top - size.height - 6)}px`;
  };
  for (const link of document.querySelectorAll("a[data-tip]")) {
    link.setAttribute("aria-describedby", "gift-tip");
    link.addEventListener("pointerenter", (event) => { if (event.pointerType === "mouse") show(link); });
    link.addEventListener("focus", () => show(link));
    link.addEventListener("pointerleave", hide);
    link.addEventListener("blur", hide);
  }
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
  const move = () => { // a link that is tabbed to scrolls into view
    const link = document.activeElement;
    if (!box.hidden && link && link.dataset.tip) show(link); else hide();
  };
  window.addEventListener("scroll", move, { passive: true });
}

// A link to a solution opens what it is folded in.
function unfold() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const folded = target && target.closest("details");
  if (folded) {
    folded.open = true;
    target.scrollIntoView();
  }
}

document.addEventListener("DOMContentLoaded", () => {
  tips();
  unfold();
  window.addEventListener("hashchange", unfold);
  // What scrolls sideways can be reached with the keyboard.
  for (const box of document.querySelectorAll(".bd-article table, .bd-article pre, .bd-article div.math")) {
    if (box.scrollWidth > box.clientWidth + 1) box.tabIndex = 0;
  }
  // A list holds list items; the role that Sphinx gives a source is not one of them for every reader.
  for (const source of document.querySelectorAll(".citation-list > [role]")) source.setAttribute("role", "listitem");
  for (const table of document.querySelectorAll(".bd-article table:not(.gift-matrix)")) {
    align(table);
    sentences(table);
    sortable(table);
    hinted(table);
  }
  // The visible text is the better name: the theme's labels say something else.
  for (const named of document.querySelectorAll("summary[aria-label], .search-button-field[aria-label]")) {
    named.removeAttribute("aria-label");
  }
});
