// The admin's choice of light or dark holds here too; without one the system's does.
(() => {
  "use strict";
  try {
    const choice = JSON.parse(localStorage.getItem("adminTheme") ?? '"auto"');
    if (choice === "light" || choice === "dark") document.documentElement.dataset.theme = choice;
  } catch {
    // A stored value that cannot be read is no choice.
  }
})();
