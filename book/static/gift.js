document.addEventListener("DOMContentLoaded", () => {
  // What scrolls sideways can be reached with the keyboard.
  for (const box of document.querySelectorAll(".bd-article table, .bd-article pre, .bd-article div.math")) {
    if (box.scrollWidth > box.clientWidth + 1) box.tabIndex = 0;
  }
  // The visible text is the better name: the theme's labels say something else.
  for (const named of document.querySelectorAll("summary[aria-label], .search-button-field[aria-label]")) {
    named.removeAttribute("aria-label");
  }
});
