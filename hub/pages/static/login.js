// Show or hide the password.
"use strict";
(() => {
  const button = document.getElementById("mh-show-password");
  const input = document.getElementById("password_input");
  if (!button || !input) return;
  button.addEventListener("click", () => {
    input.type = input.type === "password" ? "text" : "password";
    const label = button.textContent;
    button.textContent = button.dataset.other;
    button.dataset.other = label;
  });
})();
