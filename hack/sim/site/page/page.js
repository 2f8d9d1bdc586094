"use strict";

// The page sends the form to the control API and follows what becomes of every feedback by long polls.
const shown = 100;
const form = document.getElementById("form");
const list = document.getElementById("list");
const rows = new Map();
let lastNumber = 0;

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector("button");
  const data = Object.fromEntries([...new FormData(form)].filter(([, value]) => value.trim() !== ""));
  lastNumber = Math.max(lastNumber + 1, Math.floor(Date.now() / 1000));
  data.feedback_id = lastNumber;
  data.created_at = new Date().toISOString().slice(0, 19);
  data.source = "website";
  button.disabled = true;
  try {
    const answer = await fetch("/sim/feedback", { method: "POST", body: JSON.stringify({ data }) });
    const body = await answer.json();
    if (!answer.ok) throw new Error(body.error);
    form.elements.message.value = "";
    problem("");
  } catch (error) {
    problem("Not sent: " + error.message);
  } finally {
    button.disabled = false;
  }
});

function problem(text) {
  const element = document.getElementById("problem");
  element.textContent = text;
  element.hidden = text === "";
}

function fate(feedback) {
  const result = feedback.result;
  if (result && result.ok) {
    const seconds = (parseDuration(result.latency)).toFixed(2);
    return ["good", `✓ ${result.ticket_id} · message ${result.message_id} · after ${seconds} s`];
  }
  if (result) return ["bad", "✗ " + result.error];
  if (feedback.refused) return ["bad", "✗ " + feedback.refused];
  if (feedback.sent_at) return ["", "… sent, waiting for its result"];
  return ["", "… waiting for a connection"];
}

// parseDuration reads Go's durations ("1m2.5s", "850ms", "12µs") as seconds.
function parseDuration(text) {
  const units = { h: 3600, m: 60, s: 1, ms: 1e-3, "µs": 1e-6, ns: 1e-9 };
  let seconds = 0;
  for (const [, number, unit] of text.matchAll(/([\d.]+)(h|ms|m|s|µs|ns)/g)) seconds += Number(number) * units[unit];
  return seconds;
}

function show(feedback) {
  let row = rows.get(feedback.id);
  if (!row) {
    row = document.createElement("li");
    const message = document.createElement("p");
    message.className = "message";
    message.textContent = String(feedback.data.message ?? "(no message)");
    row.append(message, document.createElement("p"));
    rows.set(feedback.id, row);
    list.prepend(row);
  }
  const [kind, text] = fate(feedback);
  row.lastChild.className = "fate " + kind;
  row.lastChild.textContent = text;
}

function showStats(connected, stats) {
  document.getElementById("link").className = "link " + (connected ? "on" : "off");
  document.getElementById("linktext").textContent = connected ? "the bot is connected" :
    stats.last_refusal && !stats.connections ? "the bot was refused: " + stats.last_refusal : "no bot connected";
  document.getElementById("total").textContent =
    stats.feedback ? `· ${stats.feedback} sent, ${stats.ok} posted, ${stats.failed} refused` : "";
  document.getElementById("empty").hidden = stats.feedback > 0;
}

async function follow() {
  let since = 0;
  for (;;) {
    try {
      const answer = await fetch(`/sim/state?since=${since}&limit=${shown}&wait=25s`);
      const state = await answer.json();
      since = state.revision < since ? 0 : state.revision; // less after a restart: everything is shown again
      state.feedback.forEach(show);
      while (list.children.length > shown) {
        const oldest = list.lastChild;
        for (const [id, row] of rows) if (row === oldest) rows.delete(id);
        oldest.remove();
      }
      showStats(state.connected, state.stats);
      await pause(100); // a burst becomes a few updates
    } catch {
      document.getElementById("linktext").textContent = "the site has stopped";
      document.getElementById("link").className = "link off";
      await pause(2000);
      since = 0;
    }
  }
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

follow();
