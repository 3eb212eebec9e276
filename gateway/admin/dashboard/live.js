// Follows the gateway while somebody looks: a hidden tab would only take connections, of which
// a browser has six for all tabs of one host.

const silence = 3_000; // ms after which the connection counts as lost

// whileVisible opens and closes with the tab, and answers how to stop.
function whileVisible(open, close) {
  const turn = () => (document.hidden ? close() : open());
  document.addEventListener("visibilitychange", turn);
  turn();
  return () => { document.removeEventListener("visibilitychange", turn); close(); };
}

// follow calls show for the document of every second, and lost when none comes any more; it
// goes on trying. It answers how to stop.
export function follow(show, lost) {
  let source, watchdog;
  const close = () => { source?.close(); clearTimeout(watchdog); };
  const awaitNext = () => {
    clearTimeout(watchdog);
    watchdog = setTimeout(() => { lost(); open(); }, silence);
  };
  const open = () => {
    close();
    source = new EventSource("/v1/live");
    source.onmessage = (message) => { awaitNext(); show(JSON.parse(message.data)); };
    awaitNext();
  };
  return whileVisible(open, close);
}

// events calls show for every event, the last ones first of all and again after a break, and
// missing if this gateway tells none. It answers how to stop.
export function events(show, missing) {
  let source;
  const close = () => source?.close();
  const open = () => {
    source = new EventSource("/v1/events");
    source.addEventListener("event", (message) => show(JSON.parse(message.data)));
    source.onerror = () => { if (source.readyState === EventSource.CLOSED) missing(); };
  };
  return whileVisible(open, close);
}
