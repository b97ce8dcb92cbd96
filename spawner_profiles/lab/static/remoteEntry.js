/*
 * The time left, in JupyterLab's status bar, and warnings before the job ends or an idle server stops.
 * For instructors (hub/grading/config.py switches it on), their course's Formgrader in a browser tab of its own:
 * JupyterHub forbids the frame that nbgrader's own extension would show it in.
 *
 * A prebuilt extension without a build: `init` and `get` at the end are all that JupyterLab asks of one (webpack's
 * "module federation container"). Its own packages come from the share scope that it hands to `init`.
 * The server's side is spawner_profiles/timeleft.py.
 */
'use strict';
(() => {
  const POLL_S = 60;
  const DRAW_S = 10;
  const END_WARNINGS_S = [15 * 60, 5 * 60];

  // -- words --------------------------------------------------------------------------------------------
  // In the language that the person has chosen in JupyterLab; hub/translations has the catalogue.
  // JupyterLab cuts a notification after 140 characters.

  /** JupyterLab's translator for our texts; set when the extension is activated. */
  let trans = null;

  function duration(seconds) {
    if (seconds < 60) {
      return trans.__('less than a minute');
    }
    const minutes = Math.round(seconds / 60);
    const hours = Math.floor(minutes / 60);
    const rest = minutes % 60;
    return [hours && `${hours} h`, rest && `${rest} min`].filter(Boolean).join(' ');
  }

  const left = seconds => (seconds > 0 ? trans.__('%1 left', duration(seconds)) : trans.__('time is up'));

  const clock = epoch =>
    new Date(epoch * 1000).toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' });

  const endText = (endsAt, now) =>
    trans.__(
      'Your job ends at %1, in %2. Save now: files stay, what kernels hold in memory is lost. Then start a new server.',
      clock(endsAt),
      duration(endsAt - now)
    );

  const idleText = (state, now) =>
    trans.__(
      'Nothing has run here for %1: this server stops at %2 so that others get its place.',
      duration(now - state.idle_since),
      clock(state.idle_since + state.idle_after)
    );

  // -- when to warn -------------------------------------------------------------------------------------

  /** The warning before the end that is due: the last one whose time has come, or undefined. */
  const endWarning = (state, now) =>
    state.ends_at && now < state.ends_at
      ? END_WARNINGS_S.filter(before => state.ends_at - now <= before).pop()
      : undefined;

  /** Ten minutes before an idle server stops; if its limit is short, for the last third of it. */
  function idleWarning(state, now) {
    if (!state.idle_after || state.busy || !state.idle_since) {
      return false;
    }
    return now >= state.idle_since + state.idle_after - Math.min(600, state.idle_after / 3);
  }

  // -- in JupyterLab ------------------------------------------------------------------------------------

  function activate(app, statusBar, { Widget, Notification, ServerConnection }) {
    const settings = ServerConnection.makeSettings();
    let state = null;
    let ahead = 0; // the server's clock before ours, in seconds
    let askedAt = -Infinity;
    let endWarned = Infinity;
    let endNote = null;
    let idleNote = null;
    let timer = null;

    const item = new Widget();
    const text = document.createElement('span');
    text.className = 'jp-StatusBar-TextItem';
    item.node.appendChild(text);
    item.id = 'mandrillhub-time-left';
    item.hide();
    statusBar?.registerStatusItem('mandrillhub:time-left', { item, align: 'right', rank: 1000 });

    const now = () => Date.now() / 1000 + ahead;

    async function ask(method) {
      askedAt = Date.now() / 1000;
      try {
        const response = await ServerConnection.makeRequest(`${settings.baseUrl}mandrillhub/time`, { method }, settings);
        if (response.status === 404) {
          clearInterval(timer); // the server's side is switched off
        } else if (response.ok) {
          state = await response.json();
          ahead = state.now - Date.now() / 1000;
          warnIdle();
        }
      } catch {
        // The server is gone or the network is: JupyterLab says so itself.
      }
      draw();
    }

    function draw() {
      if (!state?.ends_at) {
        return;
      }
      const seconds = state.ends_at - now();
      text.textContent = left(seconds);
      text.style.fontWeight = seconds < END_WARNINGS_S[0] ? 'bold' : '';
      item.node.title = [
        trans.__('Your job ends at %1.', clock(state.ends_at)),
        state.idle_after &&
          trans.__('Your server stops earlier when nothing runs for %1.', duration(state.idle_after))
      ].filter(Boolean).join(' ');
      item.show();
      warnEnd();
    }

    function warnEnd() {
      const due = endWarning(state, now());
      if (due === undefined || due >= endWarned) {
        return;
      }
      endWarned = due;
      dismiss(endNote);
      endNote = Notification.warning(endText(state.ends_at, now()), {
        autoClose: false,
        actions: [{ label: trans.__('Save all'), callback: () => void app.commands.execute('docmanager:save-all') }]
      });
    }

    /** Only on what the server has just said: a cell may have run since the last time. */
    function warnIdle() {
      const due = idleWarning(state, now());
      if (due && !idleNote) {
        idleNote = Notification.warning(idleText(state, now()), {
          autoClose: false,
          actions: [{ label: trans.__('I am still here'), displayType: 'accent', callback: () => void ask('POST') }]
        });
      } else if (!due && idleNote) {
        dismiss(idleNote);
        idleNote = null;
      }
    }

    function dismiss(id) {
      if (id && Notification.manager.has(id)) {
        Notification.dismiss(id);
      }
    }

    function tick() {
      if (document.visibilityState !== 'visible') {
        return;
      }
      if (Date.now() / 1000 - askedAt >= POLL_S) {
        void ask('GET');
      } else {
        draw();
      }
    }

    // Not before JupyterLab has drawn what the person waits for.
    void app.restored.then(() => {
      timer = setInterval(tick, DRAW_S * 1000);
      document.addEventListener('visibilitychange', tick);
      tick();
    });
  }

  /**
   * nbgrader's menu shows its command for as long as somebody has registered it: here we do. The hub knows which
   * course's formgrader is meant, and starts it if need be.
   */
  function formgrader(app, { PageConfig }) {
    const hub = PageConfig.getOption('hubHost') + PageConfig.getOption('hubPrefix');
    app.commands.addCommand('nbgrader:open-formgrader', {
      label: 'Formgrader',
      execute: () => void window.open(`${hub}mandrillhub/formgrader`, '_blank', 'noopener')
    });
  }

  // -- the container ------------------------------------------------------------------------------------

  let scope = {};

  /** A package of JupyterLab's own, not a copy that another extension may have brought along. */
  async function shared(name) {
    const versions = Object.values(scope[name] ?? {});
    const ours = versions.find(each => (each.from ?? '').startsWith('@jupyterlab/application')) ?? versions[0];
    return (await ours.get())();
  }

  async function extension() {
    const names = [
      '@jupyterlab/statusbar', '@lumino/widgets', '@jupyterlab/apputils', '@jupyterlab/services', '@jupyterlab/translation',
      '@jupyterlab/coreutils'
    ];
    const [{ IStatusBar }, { Widget }, { Notification }, { ServerConnection }, { ITranslator }, { PageConfig }] =
      await Promise.all(names.map(shared));
    return {
      __esModule: true,
      default: [
        {
          id: 'mandrillhub:time-left',
          description: 'Shows the time left in the job and warns before it ends.',
          autoStart: true,
          requires: [ITranslator],
          optional: [IStatusBar],
          activate: (app, translator, statusBar) => {
            trans = translator.load('mandrillhub');
            activate(app, statusBar, { Widget, Notification, ServerConnection });
          }
        },
        {
          id: 'mandrillhub:formgrader',
          description: 'Opens Formgrader in a tab of its own.',
          autoStart: true,
          activate: app => formgrader(app, { PageConfig })
        }
      ]
    };
  }

  const modules = {
    './extension': extension,
    // for tests
    './words': async () => ({
      left, duration, clock, endText, idleText, endWarning, idleWarning,
      speak: translator => {
        trans = translator;
      }
    })
  };

  globalThis._JUPYTERLAB = globalThis._JUPYTERLAB ?? {};
  globalThis._JUPYTERLAB.mandrillhub = {
    init: shareScope => {
      scope = shareScope;
    },
    get: async name => {
      if (!(name in modules)) {
        throw new Error(`Module "${name}" does not exist in container.`);
      }
      const module = await modules[name]();
      return () => module;
    }
  };
})();
