/* Keyboard help of the console: "s" goes to the search box. */
document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, textarea, select, [contenteditable]");
  const search = document.getElementById("console-search");
  if (event.key === "s" && !typing && search && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    search.focus();
    search.select();
  }
});

/* On a narrow screen the tab that one is on may lie out of sight. */
document.addEventListener("DOMContentLoaded", () => {
  const here = document.querySelector(".cb-tabs .cb-tab[aria-current]");
  if (here) {
    here.parentElement.scrollLeft = here.offsetLeft - here.parentElement.offsetLeft - 16;
  }
});
