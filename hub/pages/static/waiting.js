// The waiting page: follow JupyterHub's progress events, survive a lost
// connection, cancel, and swap for what is free.
"use strict";
(() => {
  const config = JSON.parse(document.getElementById("mh-config").textContent);
  const texts = config.texts.wait;
  const byId = (id) => document.getElementById(id);
  const title = document.title;
  const steps = new Map(
    [...document.querySelectorAll("[data-step]")].map((item) => [item.dataset.step, item]),
  );
  const PHASES = [...steps.keys()];
  const labels = new Map(
    [...steps].map(([name, item]) => [name, item.querySelector(".mh-step-label").textContent]),
  );
  const again = byId("mh-again");
  const cancel = byId("mh-cancel");
  const withXsrf = (url) => `${url}?_xsrf=${encodeURIComponent(config.xsrf)}`;
  const later = (ms) => new Promise((done) => setTimeout(done, ms));
  const fill = (text, values) =>
    text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);

  // following | cancelling | failed | ready
  let state = "following";
  let phase = "submitted";
  let percent = 0;
  let source = null;
  let retries = 0;

  // ---- what is shown

  function say(text) {
    const status = byId("progress-message");
    if (status.textContent !== text) status.textContent = text;
  }

  function showSteps() {
    const at = state === "ready" ? PHASES.length : PHASES.indexOf(phase);
    for (const [name, item] of steps) {
      const place = PHASES.indexOf(name);
      item.dataset.state = place < at ? "done" : place === at ? state === "failed" ? "failed" : "now" : "next";
      if (place === at) item.setAttribute("aria-current", "step");
      else item.removeAttribute("aria-current");
    }
  }

  function showProgress(value) {
    percent = Math.max(0, Math.min(100, value));
    const bar = byId("progress-bar");
    bar.setAttribute("aria-valuenow", String(percent));
    bar.firstElementChild.style.width = percent + "%";
  }

  function detail(name, text) {
    steps.get(name).querySelector(".mh-step-detail").textContent = text;
  }

  // reason: words, or the name of a text of ours
  function reasonOf(event) {
    const reason = String(event.reason ?? "").trim();
    if (!reason) return "";
    const known = texts.reasons[reason.toLowerCase()];
    if (known) return known;
    return reason[0].toUpperCase() + reason.slice(1) + (/[.!?…]$/.test(reason) ? "" : ".");
  }

  function timeOf(value) {
    const time = new Date(typeof value === "number" ? value * 1000 : value);
    if (Number.isNaN(time.getTime())) return "";
    return time.toLocaleTimeString(document.documentElement.lang, { hour: "2-digit", minute: "2-digit" });
  }

  let lastSentence = texts.submitted;

  function sentence(event) {
    if (event.silent) return texts.silent;
    if (event.phase === "in_line") {
      return fill(event.seconds ? texts.in_line_seconds : texts.in_line, event);
    }
    if (phase === "queued") {
      const parts = [texts.queued];
      if (event.position === 1) parts[0] = texts.position_next;
      else if (event.position) parts[0] = fill(texts.position, event);
      if (event.reason) parts.push(reasonOf(event));
      const time = event.expected_start ? timeOf(event.expected_start) : "";
      if (time) parts.push(fill(texts.expected, { time }));
      return parts.join(" ");
    }
    return texts[phase];
  }

  const logged = new Set();
  function log(text) {
    // a stream that starts again tells its story again
    if (!text || logged.has(text)) return;
    logged.add(text);
    const line = document.createElement("li");
    line.textContent = `${byId("mh-elapsed").textContent}  ${text}`;
    byId("progress-log").append(line);
  }

  // JupyterHub puts its own words around a reason
  function plain(text) {
    if (texts.hub[text]) return texts.hub[text];
    return String(text ?? "")
      .replace(/^Spawn failed:?\s*/, "")
      .replace(/^HTTP \d+: [^(]*\(([^]*)\)$/, "$1")
      .replace(/^\d+ SpawnException\(reason=[^)]*\): /, "");
  }

  // ---- events

  function follow(event) {
    retries = 0;
    if (state === "cancelling" || state === "ready") return;
    log(event.ready ? texts.ready : plain(event.message));
    if (event.ready) return ready();
    if (event.failed) return failed(reasonOf(event) || plain(event.message));
    if (state === "failed") return;

    const inLine = event.phase === "in_line"; // before it is submitted
    if (steps.has(event.phase) || inLine) {
      // while the scheduler is silent nothing is known, so nothing goes back either
      if (!event.silent || PHASES.indexOf(phase) < PHASES.indexOf(event.phase)) {
        phase = inLine ? "submitted" : event.phase;
      }
      if (event.progress !== undefined) showProgress(event.progress);
      if (event.silent) byId("mh-alternatives").hidden = true;
      if (event.job_id) detail("submitted", fill(texts.job, event));
      else detail("submitted", inLine ? fill(texts.in_line_short, event) : "");
      detail("queued", phase === "queued" && event.position ? fill(texts.position_short, event) : "");
      const starting = steps.get("starting").querySelector(".mh-step-label");
      if (event.node) starting.textContent = fill(texts.starting_on, event);
      else if (PHASES.indexOf(phase) < 2) starting.textContent = labels.get("starting");
      lastSentence = sentence(event);
      say(lastSentence);
      document.title = !event.position ? title : fill(inLine ? texts.title_in_line : texts.title_position, event);
      lookForFree();
    } else {
      // a word from JupyterHub itself; it never takes the bar back
      if (event.progress > percent) showProgress(event.progress);
    }
    showSteps();
  }

  function ready() {
    state = "ready";
    source.close();
    document.title = title;
    showProgress(100);
    showSteps();
    say(texts.ready);
    byId("mh-alternatives").hidden = true;
    cancel.hidden = true;
    window.location.reload(); // the hub knows where to go from here
  }

  function failed(reason) {
    if (state !== "failed") {
      state = "failed";
      document.title = title;
      byId("mh-alternatives").hidden = true;
      byId("progress-message").hidden = true;
      byId("mh-waiting").hidden = true;
      byId("mh-wait-title").textContent = texts.failed_title;
      byId("progress-bar").classList.add("mh-failed");
      byId("mh-failure-reason").textContent = reason || texts.failed;
      byId("mh-failure").hidden = false;
      cancel.hidden = true;
      again.hidden = false;
      again.focus();
    }
    showSteps();
  }

  function connect() {
    source = new EventSource(config.progress_url);
    source.onmessage = (message) => follow(JSON.parse(message.data));
    source.onopen = () => {
      if (state === "following") say(lastSentence);
    };
    source.onerror = () => {
      if (state !== "following") {
        source.close();
        return;
      }
      say(texts.lost);
      // the browser tries again by itself, except after an answer it can't read
      if (source.readyState === EventSource.CLOSED) reconnect();
    };
  }

  async function reconnect() {
    source.close();
    await later(Math.min(15000, 1000 * 2 ** retries++) * (0.75 + Math.random() / 2));
    if (state !== "following") return;
    try {
      const answer = await fetch(withXsrf(config.server_url), { redirect: "manual" });
      if (answer.status >= 500) throw new Error(answer.status);
      const server = answer.ok ? await answer.json() : {};
      // still starting: listen again; anything else: the hub has a page for it
      if (server.pending === "spawn") connect();
      else window.location.reload();
    } catch (error) {
      reconnect();
    }
  }

  // ---- cancel, and start another instead

  // then: what follows when this start is gone
  async function giveUp(words, then) {
    if (state !== "following") return;
    state = "cancelling";
    cancel.disabled = true;
    byId("mh-alternatives").hidden = true;
    say(words);
    try {
      const answer = await fetch(withXsrf(config.server_url), { method: "DELETE" });
      if (!answer.ok && answer.status !== 404) throw new Error(answer.status);
      source.close();
      let gone = answer.status !== 202;
      for (let tries = 0; !gone && tries < 60; tries++) {
        await later(500);
        const now = await fetch(withXsrf(config.server_url));
        gone = !now.ok || !(await now.json()).pending;
      }
      if (gone) then();
      else window.location.assign(again.href); // the hub's page says that it is still being cancelled
    } catch (error) {
      state = "following";
      cancel.disabled = false;
      say(texts.cancel_failed);
      if (source.readyState === EventSource.CLOSED) reconnect();
    }
  }

  cancel.addEventListener("click", () =>
    giveUp(texts.cancelling, () => window.location.assign(again.href)),
  );

  // As the start page does it: should that start be refused, its page says why and offers the others.
  function take(key) {
    const form = byId("mh-swap");
    const next = new URLSearchParams(window.location.search).get("next");
    form.action = withXsrf(form.action) + (next ? `&next=${encodeURIComponent(next)}` : "");
    form.elements.profile.value = key;
    form.submit();
  }

  function swapButton(key) {
    const named = { title: config.titles[key] ?? key };
    const button = document.createElement("button");
    button.type = "button";
    button.className = "mh-btn mh-btn-quiet";
    button.dataset.key = key;
    button.textContent = fill(texts.swap, named);
    button.addEventListener("click", () => giveUp(fill(texts.swapping, named), () => take(key)));
    return button;
  }

  // ---- what else is free, while in the queue

  let lookedAt = 0;
  async function lookForFree() {
    const hint = byId("mh-alternatives");
    if (state !== "following" || phase !== "queued") {
      hint.hidden = true;
      return;
    }
    if (document.visibilityState !== "visible" || Date.now() - lookedAt < 14000) return;
    lookedAt = Date.now();
    try {
      const answer = await fetch(config.capacity_url, { redirect: "manual" });
      const capacity = await answer.json();
      const free = Object.keys(capacity)
        .filter((key) => key !== config.profile && capacity[key].free > 0);
      const shown = hint.querySelector(".mh-actions");
      // buttons that stay the same keep the focus
      if ([...shown.children].map((button) => button.dataset.key).join() !== free.join()) {
        shown.replaceChildren(...free.map(swapButton));
      }
      hint.hidden = !free.length || state !== "following" || phase !== "queued";
    } catch (error) {
      hint.hidden = true;
    }
  }
  setInterval(lookForFree, 15000);

  // ---- elapsed time: by the server's clock up to now, by ours from here on

  const before = config.started ? Math.max(0, config.now - Date.parse(config.started) / 1000) : 0;
  const opened = performance.now();
  function tick() {
    if (state === "failed") return;
    const seconds = Math.floor(before + (performance.now() - opened) / 1000);
    const two = (value) => String(value).padStart(2, "0");
    const hours = Math.floor(seconds / 3600);
    const minutes = Math.floor(seconds / 60) % 60;
    byId("mh-elapsed").textContent =
      (hours ? `${hours}:${two(minutes)}` : minutes) + ":" + two(seconds % 60);
  }
  tick();
  setInterval(tick, 1000);

  showSteps();
  connect();
})();
