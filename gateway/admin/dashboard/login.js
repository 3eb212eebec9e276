// Asks for the token.

import * as api from "./api.js";
import { el, say } from "./dom.js";

// loginForm calls entered when the token was right.
export function loginForm(entered) {
  const token = el("input", { id: "token", type: "password", required: true, autocomplete: "current-password", "aria-describedby": "token-where" });
  const wrong = el("p", { class: "wrong", role: "alert" });
  const form = el("form", { class: "card login" },
    el("h1", {}, "Log in"),
    el("p", { id: "token-where", class: "muted" }, "The token is in ", el("code", {}, "admin.token"), " in the gateway's state directory."),
    el("div", { class: "field" }, el("label", { for: "token" }, "Token"), token), wrong,
    el("button", { type: "submit", class: "primary" }, "Log in"));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    say(wrong, "");
    try {
      await api.login(token.value);
      token.value = "";
      entered();
    } catch (refusal) {
      say(wrong, refusal.status === 401 ? "That is not the token." : refusal.message);
      token.select();
    }
  });
  return { node: form, focus: () => token.focus() };
}
