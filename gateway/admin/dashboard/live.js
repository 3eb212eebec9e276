// Follows the gateway: a document a second. The browser comes again by itself after a break;
// where it gives up, this does.

const silence = 5_000; // ms after which the connection counts as lost

// follow calls show for every document, and lost when none comes any more. It answers how to
// stop.
export function follow(show, lost) {
  let source, watchdog, again;
  const awaitNext = () => {
    clearTimeout(watchdog);
    watchdog = setTimeout(() => { lost(); open(); }, silence);
  };
  const open = () => {
    source?.close();
    clearTimeout(again);
    source = new EventSource("/v1/live");
    source.onmessage = (message) => { awaitNext(); show(JSON.parse(message.data)); };
    source.onerror = () => {
      lost();
      if (source.readyState === EventSource.CLOSED) again = setTimeout(open, 2_000); // refused: 401, 503
    };
    awaitNext();
  };
  open();
  return () => { source.close(); clearTimeout(watchdog); clearTimeout(again); };
}

// events calls show for every event, the last ones first of all, and missing if this gateway
// tells none. It answers how to stop.
export function events(show, missing) {
  const source = new EventSource("/v1/events");
  source.addEventListener("event", (message) => show(JSON.parse(message.data)));
  source.onerror = () => { if (source.readyState === EventSource.CLOSED) missing(); };
  return () => source.close();
}
