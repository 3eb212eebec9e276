// Follows the gateway: a document a second.

const silence = 3_000; // ms after which the connection counts as lost

// follow calls show for every document, and lost when none comes any more; it goes on trying.
// It answers how to stop.
export function follow(show, lost) {
  let source, watchdog;
  const awaitNext = () => {
    clearTimeout(watchdog);
    watchdog = setTimeout(() => { lost(); open(); }, silence);
  };
  const open = () => {
    source?.close();
    source = new EventSource("/v1/live");
    source.onmessage = (message) => { awaitNext(); show(JSON.parse(message.data)); };
    awaitNext();
  };
  open();
  return () => { source.close(); clearTimeout(watchdog); };
}

// events calls show for every event, the last ones first of all, and missing if this gateway
// tells none. It answers how to stop.
export function events(show, missing) {
  const source = new EventSource("/v1/events");
  source.addEventListener("event", (message) => show(JSON.parse(message.data)));
  source.onerror = () => { if (source.readyState === EventSource.CLOSED) missing(); };
  return () => source.close();
}
