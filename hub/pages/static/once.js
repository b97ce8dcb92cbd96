// A form that is sent once, however often its button is pressed.
"use strict";
for (const form of document.querySelectorAll("form.mh-once")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
    event.submitter?.setAttribute("aria-busy", "true");
  });
}
// back from the next page: the browser may show this one as it was left
window.addEventListener("pageshow", (event) => {
  if (event.persisted) window.location.reload();
});
