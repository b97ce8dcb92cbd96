// The start page: refresh what is free while the page is visible, and send once.
"use strict";
(() => {
  const config = JSON.parse(document.getElementById("mh-config").textContent);
  const texts = config.texts;
  const cards = [...document.querySelectorAll(".mh-card[data-key]")];
  const note = document.getElementById("mh-refreshed");
  const nowFree = document.getElementById("mh-now-free");
  const PERIOD_MS = 15000;
  let timer = null;
  let signedOut = false;

  const fill = (text, values) =>
    text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);

  const stateOf = (figures) => {
    if (figures.free === null) return "unknown";
    if (figures.total === 0) return "none";
    return figures.free > 0 ? "free" : "busy";
  };

  const textOf = (state, figures) => {
    let key = state;
    if (state === "free" && figures.waiting) key = "free_waiting";
    if (state === "busy" && !figures.waiting) key = "busy_first";
    return fill(texts.capacity[key], figures);
  };

  function show(card, figures) {
    const state = stateOf(figures);
    if (card.dataset.state === "busy" && state === "free") {
      nowFree.textContent = fill(texts.capacity.now_free, card.dataset);
    }
    card.dataset.state = state;
    card.querySelector(".mh-available-text").textContent = textOf(state, figures);
    card.querySelector(".mh-meter span").style.width =
      (figures.total ? (100 * (figures.free ?? 0)) / figures.total : 0) + "%";
    if (!sent) {
      card.querySelector(".mh-start-text").textContent =
        state === "busy" ? texts.start.queue : texts.start.now;
    }
  }

  async function refresh() {
    try {
      // a redirect means the login page
      const answer = await fetch(config.capacity_url, { redirect: "manual" });
      signedOut = answer.type === "opaqueredirect" || answer.status === 403;
      if (!signedOut) {
        if (!answer.ok) throw new Error(answer.status);
        const capacity = await answer.json();
        for (const card of cards) {
          if (capacity[card.dataset.key]) show(card, capacity[card.dataset.key]);
        }
      }
      note.textContent = signedOut ? texts.capacity.signed_out : texts.capacity.refreshed;
    } catch (error) {
      note.textContent = texts.capacity.stale;
    }
  }

  function schedule() {
    clearTimeout(timer);
    if (signedOut || document.visibilityState !== "visible") return;
    // a class that opens the page at once does not ask at once for ever
    timer = setTimeout(() => refresh().then(schedule), PERIOD_MS + 2000 * (Math.random() - 0.5));
  }

  let hiddenAt = 0;
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState !== "visible") {
      hiddenAt = Date.now();
      clearTimeout(timer);
    } else if (Date.now() - hiddenAt > PERIOD_MS) {
      refresh().then(schedule);
    } else {
      schedule();
    }
  });

  // One click, one request.
  let sent = null;
  document.getElementById("spawn_form").addEventListener("submit", (event) => {
    if (sent) {
      event.preventDefault();
      return;
    }
    sent = event.submitter;
    if (sent) {
      sent.setAttribute("aria-busy", "true");
      const label = sent.querySelector(".mh-start-text");
      if (label) label.textContent = texts.start.sent;
    }
  });
  // back from the next page: the browser may show this one as it was left
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) window.location.reload();
  });

  if (cards.length) {
    note.textContent = texts.capacity.refreshed;
    schedule();
  }
})();
