// Asks the gateway. It answers JSON, and failures as {kind, error, report}.

export class Refusal extends Error {
  constructor(status, answer) {
    super(answer?.error ?? "The gateway answered " + status + ".");
    this.status = status;
    this.kind = answer?.kind;
    this.report = answer?.report; // with the guards, where one refused
  }
}

async function ask(method, path, document) {
  let response;
  try {
    response = await fetch(path, {
      method, headers: document === undefined ? {} : { "Content-Type": "application/json" },
      body: document === undefined ? undefined : JSON.stringify(document),
    });
  } catch {
    throw new Refusal(0, { error: "The gateway does not answer." });
  }
  const text = await response.text();
  const json = response.headers.get("Content-Type")?.startsWith("application/json");
  const answer = json && text ? JSON.parse(text) : text;
  if (!response.ok) {
    if (response.status === 401) dispatchEvent(new Event("loggedout"));
    throw new Refusal(response.status, json ? answer : null);
  }
  return answer;
}

const of = (bucket) => "/v1/buckets/" + encodeURIComponent(bucket);

export const session = () => ask("GET", "/v1/session"); // {open}: whether one is
export const login = (token) => ask("POST", "/v1/session", { token });
export const logout = () => ask("DELETE", "/v1/session");
export const command = (bucket, name, order = {}) => ask("POST", of(bucket) + "/" + name, order);
export const verify = (bucket, order) => ask("POST", of(bucket) + "/verify", order);
export const stopVerify = (bucket) => ask("DELETE", of(bucket) + "/verify");
export const findingsPath = (bucket) => of(bucket) + "/verify/findings";
export const throttle = () => ask("GET", "/v1/throttle");
export const setThrottle = (limits) => ask("PUT", "/v1/throttle", limits);
export const purge = (bucket, order) => ask("POST", of(bucket) + "/purge", order);
export const certificates = () => ask("GET", "/v1/certificates");
export const object = (bucket, key) => ask("GET", of(bucket) + "/object?key=" + encodeURIComponent(key));

// plan is what a command would do. A guard that refuses is part of the answer.
export async function plan(bucket, name) {
  try {
    return await command(bucket, name, { dry_run: true });
  } catch (refusal) {
    if (refusal.report) return refusal.report;
    throw refusal;
  }
}

// findings are the first lines of the last verification; more tells whether there are others.
export async function findings(bucket, most) {
  const response = await fetch(findingsPath(bucket));
  if (!response.ok || !response.body) throw new Refusal(response.status, null);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return { lines: text.split("\n").filter(Boolean), more: false };
    text += value;
    const lines = text.split("\n");
    if (lines.length > most) {
      reader.cancel();
      return { lines: lines.slice(0, most), more: true };
    }
  }
}
