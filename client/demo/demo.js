"use strict";
/* A sign-in dialog that goes nowhere, measured as a real one would be. What is typed stays in the inputs. */

const RELEASE = "2026.11.3";
const WRONG = "wrong"; // the one password that this dialog refuses

/** What the page says about each state of the record. */
const STATES = {
  deciding: ["Asking the server", "whether to record this use of the dialog."],
  recording: ["Recording.", "So far it is in this page's memory only; it is sent when the dialog ends, or when you look at another page."],
  sending: ["Sending", "what is below."],
  sent: ["Sent and stored.", "The server answered after it had written this to disk."],
  waiting: ["Waiting in this browser.", "The server could not take it now. It is kept here and sent with the next use of the dialog."],
  refused: ["Refused.", "The server does not want this, and it was thrown away."],
  off: ["Not recorded.", "Recording is switched off, you have opted out, or the server could not be asked."],
};

const $ = (selector) => document.querySelector(selector);
const card = $("#dialog");

let dialog;    // the recording of this use of the dialog
let over;      // whether it was finished
let confirmed; // the event that following the link in the mail stands for

/* The steps of the dialog: each records what happens, and shows the next screen. */

const steps = {
  open() {
    card.querySelectorAll(".screen input").forEach((input) => (input.value = ""));
    record();
    dialog.event("screen.rp_info");
    show("email");
    dialog.event("screen.authenticate");
    dialog.event("user.can_interact");
  },

  async "give-email"() {
    const address = $("#email").value;
    dialog.set({ email_type: /@gmail\.com$/i.test(address) ? "primary" : "secondary", new_account: false });
    await request("GET/wsapi/address_info", 180);
    dialog.event("authenticate.enter_password");
    show("password");
  },

  async "give-password"() {
    const right = $("#password").value !== WRONG;
    dialog.event("authenticate.password_submitted");
    await request("POST/wsapi/authenticate_user", 320);
    if (!right) return refuse();
    dialog.event("authenticate.password_success");
    dialog.set({ number_emails: 1, number_sites_logged_in: 1 });
    await signIn();
  },

  join() {
    dialog.set({ email_type: "secondary", number_emails: 0, number_sites_logged_in: 0, new_account: true });
    dialog.event("screen.set_password");
    show("join");
  },

  async "choose-password"() {
    await request("POST/wsapi/stage_user", 260);
    dialog.event("user.user_staged");
    askToConfirm("user.user_confirmed", "We sent you a link. Follow it, and your account is ready.");
  },

  async forget() {
    await request("POST/wsapi/stage_reset", 240);
    dialog.event("user.reset_password_staged");
    askToConfirm("user.reset_password_confirmed", "We sent you a link. Follow it to choose a new password.");
  },

  async confirm() {
    dialog.event(confirmed);
    await signIn();
  },

  async cancel() {
    dialog.event("screen.cancel");
    show("cancelled");
    await finish();
  },
};

async function signIn() {
  dialog.event("generate_assertion");
  dialog.event("screen.generate_assertion");
  await request("POST/wsapi/cert_key", 280);
  dialog.event("assertion_generated");
  show("done");
  await finish();
}

function refuse() {
  dialog.event("authenticate.password_fail");
  $("#password-error").textContent = "That password is not right. Try another one.";
  $("#password").value = "";
  $("#password").focus();
}

function askToConfirm(event, text) {
  confirmed = event;
  $("[data-inbox]").textContent = text;
  show("inbox");
}

/** Stands for a request to the site's own server: it takes its time, and is recorded with it. */
async function request(call, ms) {
  const end = dialog.time(`xhr_complete.${call}`);
  await new Promise((done) => setTimeout(done, ms));
  end();
}

async function finish() {
  const blob = dialog.preview();
  over = true;
  tell("sending");
  const outcome = await dialog.finish();
  tell(outcome === "stored" ? "sent" : outcome);
  draw(outcome === "off" ? null : blob);
}

/* Screens. One step runs at a time; a second click meanwhile does nothing. */

function show(name) {
  const changed = card.dataset.screen !== name;
  card.dataset.screen = name;
  $("#password-error").textContent = "";
  for (const screen of card.querySelectorAll(".screen")) screen.hidden = screen.dataset.screen !== name;
  for (const who of card.querySelectorAll("[data-email]")) who.textContent = $("#email").value;
  // Not at first: a page that takes the focus while it loads disturbs whoever reads it.
  if (changed) card.querySelector(`.screen[data-screen="${name}"]`).querySelector("input, h2").focus();
}

async function take(action) {
  if (card.getAttribute("aria-busy") === "true") return;
  card.setAttribute("aria-busy", "true");
  try {
    const step = steps[action]();
    refresh();
    await step;
  } finally {
    card.setAttribute("aria-busy", "false");
    refresh();
  }
}

card.addEventListener("submit", (event) => {
  event.preventDefault();
  take(event.target.dataset.action);
});

card.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-action]");
  if (button) take(button.dataset.action);
});

/* The record beside it. */

/** Begins a record of this use of the dialog. */
function record() {
  dialog = brine.interaction({ dialog: "sign_in", release: RELEASE });
  over = false;
  watch(dialog);
}

/** Shows the record as soon as the server has told whether there is one. */
function watch(watched) {
  const timer = setInterval(() => {
    if (watched.state !== "deciding" || watched !== dialog) clearInterval(timer);
    if (watched === dialog) refresh();
  }, 60);
}

/** Draws the record as it stands, while there is one that is not handed over. */
function refresh() {
  if (!dialog || over) return;
  tell(dialog.state);
  draw(dialog.preview());
}

function tell(state) {
  const status = $("#state");
  if (status.dataset.state === state) return;
  const [title, text] = STATES[state];
  status.dataset.state = state;
  $("#state-title").textContent = title;
  $("#state-text").textContent = text;
}

function draw(blob) {
  const text = blob ? JSON.stringify(blob) : "";
  const pre = $("#blob");
  if (pre.dataset.drawn === text) return;
  const seen = pre.querySelectorAll(".depth-2").length;
  pre.dataset.drawn = text;
  pre.replaceChildren(...(blob ? lines(blob) : []));
  [...pre.querySelectorAll(".depth-2")].slice(seen).forEach((entry) => entry.classList.add("fresh"));
  pre.scrollTop = pre.scrollHeight;
  $(".size").textContent = blob ? `${blob.event_stream.length} events, ${text.length} bytes` : "";
}

/** The blob as JSON, one field and one event a line. */
function lines(blob) {
  const fields = Object.entries(blob).flatMap(([key, value], i, all) => member(key, value, comma(i, all)));
  return [line(0, "{"), ...fields, line(0, "}")];
}

function member(key, value, end) {
  const name = span("key", `"${key}": `);
  if (key !== "event_stream") return [line(1, name, ...inline(value), end)];
  return [line(1, name, "["), ...value.map((entry, i, all) => line(2, ...event(entry), comma(i, all))), line(1, "]", end)];
}

/** A value on one line. */
function inline(value) {
  if (!(value instanceof Object)) return [span(typeof value, JSON.stringify(value))];
  const pairs = Object.entries(value).flatMap(([key, inner], i, all) =>
    [span("key", `"${key}": `), ...inline(inner), comma(i, all) && ", "]);
  return ["{", ...pairs, "}"];
}

const event = ([name, ...times]) =>
  ["[", span("name", JSON.stringify(name)), ...times.flatMap((time) => [", ", span("number", time)]), "]"];

const comma = (i, all) => (i < all.length - 1 ? "," : "");

const line = (depth, ...content) => span(`line depth-${depth}`, ...content);

function span(kind, ...content) {
  const element = document.createElement("span");
  element.className = kind;
  element.append(...content);
  return element;
}

/* The person's choice: a no ends the record at once, and a yes begins one. */

brine.notice($("#notice"));

$("#notice input").addEventListener("change", async ({ target }) => {
  const yes = target.checked && (await brine.optIn());
  if (yes && dialog.state === "off" && !card.querySelector(".ending:not([hidden])")) record();
});

addEventListener("brine", () => setTimeout(refresh)); // after the library itself has heard of it

/* A page that comes back from the browser's history has sent its record when it was left. */
addEventListener("pageshow", (event) => event.persisted && take("open"));

steps.open();
