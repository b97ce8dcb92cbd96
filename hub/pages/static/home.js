// The home page's Stop button: ask, wait until it has stopped, show the page again.
"use strict";
(() => {
  const button = document.getElementById("mh-stop");
  if (!button) return;
  const config = JSON.parse(document.getElementById("mh-config").textContent);
  const url = `${config.server_url}?_xsrf=${encodeURIComponent(config.xsrf)}`;
  const message = document.getElementById("mh-home-message");

  button.addEventListener("click", async () => {
    const label = button.textContent;
    button.disabled = true;
    button.textContent = button.dataset.stopping;
    message.textContent = "";
    try {
      const answer = await fetch(url, { method: "DELETE" });
      if (!answer.ok) throw new Error(answer.status);
      window.location.reload(); // "is stopping" or "not running", as the hub sees it
    } catch (error) {
      button.disabled = false;
      button.textContent = label;
      message.textContent = message.dataset.failed;
    }
  });
})();
