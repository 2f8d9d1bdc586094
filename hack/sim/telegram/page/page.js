// SPDX-License-Identifier: Apache-2.0

// The page shows what GET /sim/state says and acts through /sim/say and /sim/press. See doc.go for both.

import { el, formatted } from "/page/format.js";

const $ = (id) => document.getElementById(id);
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

let people = [], bot = {}, chats = [], commands = [];
let me = Number(localStorage.getItem("person")) || 0; // the person's id
let open = Number(location.hash.slice(1)) || 0;       // the open chat's id
let revision = 0;
let shown = new Map();                                // messages of the open chat by id
let replyTo = 0;
let polling = new AbortController();

async function request(method, path, body, signal) {
  const response = await fetch(path, { method, signal, body: body && JSON.stringify(body) });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error ?? response.statusText);
  return answer;
}

// --- Staying up to date

async function follow() {
  for (;;) {
    polling = new AbortController();
    const chat = open;
    try {
      const state = await request("GET", `/sim/state?chat=${chat}&since=${revision}&me=${me}&wait=25s`, null, polling.signal);
      if (chat !== open) continue;
      if (state.revision < revision) { // another simulator listens here now
        forget();
        continue;
      }
      show(state);
      $("live").className = "on";
      $("live").textContent = "live";
      await sleep(120); // a busy chat is redrawn a few times a second, not at every message
    } catch (error) {
      if (error.name === "AbortError") continue;
      $("live").className = "";
      $("live").textContent = "reconnecting";
      await sleep(1000);
    }
  }
}

function forget() {
  revision = 0;
  shown = new Map();
  $("messages").replaceChildren();
}

function show(state) {
  const first = revision === 0;
  ({ people, bot, chats, revision } = state);
  commands = state.commands ?? [];
  if (first && open > 0 && people.some((p) => p.id === open)) me = open; // whose chat with the bot the address names
  if (!people.some((p) => p.id === me)) me = people[0]?.id ?? 0;
  const instead = visibleChats()[0]?.id ?? 0;
  const wide = matchMedia("(min-width: 721px)").matches;
  if (!visibleChats().some((c) => c.id === open) && instead !== open && (open || wide)) return choose(instead);
  showPeople();
  showChats();
  showTop();
  showMessages(state, first);
}

// --- Chats and people

/** visibleChats are the groups and the person's own chat with the bot, which may not have begun. */
function visibleChats() {
  const list = chats.filter((c) => c.type !== "private" || c.id === me);
  if (me && !list.some((c) => c.id === me)) list.push({ id: me, type: "private", title: "", messages: 0, bot_status: "member" });
  return list;
}

const chatTitle = (c) => c.type === "private" ? bot.first_name : c.title || String(c.id);
const personName = (p) => [p.first_name, p.last_name].filter(Boolean).join(" ") || String(p.id);
const color = (id) => "c" + Math.abs(id) % 7;

function setAvatar(node, name, id) {
  node.textContent = name.split(/\s+/).slice(0, 2).map((w) => [...w][0] ?? "").join("").toUpperCase();
  node.className = "avatar " + color(id);
  return node;
}

function showPeople() {
  const select = $("person");
  const wanted = people.map((p) => p.id).join();
  if (select.dataset.people !== wanted) {
    select.dataset.people = wanted;
    select.replaceChildren(...people.map((p) => new Option(personName(p), p.id)));
  }
  select.value = me;
  const person = people.find((p) => p.id === me);
  if (person) setAvatar($("me-avatar"), personName(person), me);
}

const mediaIcons = { photo: "🖼", document: "📄", voice: "🎤", video: "🎬", video_note: "🎥", audio: "🎵", animation: "🎞", sticker: "🩷" };
const mediaName = (m) => `${mediaIcons[m.media.kind]} ${m.media.file_name || m.media.kind.replace("_", " ")}`;
const summary = (m) => m.service || [m.media && mediaName(m), m.text].filter(Boolean).join(" ");

const clockTime = (date) => new Date(date).toLocaleTimeString("ru", { hour: "2-digit", minute: "2-digit" });

function showChats() {
  $("chats").replaceChildren(...visibleChats().map((c) => {
    const name = el("span", "name", el("b", "", chatTitle(c)));
    if (c.last) name.append(el("time", "", clockTime(c.last.date)));
    const preview = c.last ? `${c.type === "private" ? "" : personName(c.last.from) + ": "}${summary(c.last)}` : "no messages yet";
    const button = el("button", c.id === open ? "chat open" : "chat",
      setAvatar(el("span"), chatTitle(c), c.type === "private" ? bot.id : c.id),
      el("span", "grow", name, el("span", "preview", preview.replaceAll("\n", " "))));
    button.onclick = () => choose(c.id);
    return button;
  }));
}

function choose(id) {
  open = id;
  replyTo = 0;
  history.replaceState(null, "", "#" + id);
  document.body.classList.add("reading");
  forget();
  showReply();
  polling.abort();
}

const botIs = { administrator: "the bot is an administrator", member: "the bot is a member", restricted: "the bot is restricted",
  left: "the bot is not here", kicked: "the bot was kicked" };

function showTop() {
  const c = visibleChats().find((c) => c.id === open);
  if (!c) return;
  $("title").textContent = chatTitle(c);
  setAvatar($("top-avatar"), chatTitle(c), c.type === "private" ? bot.id : c.id);
  $("subtitle").textContent = c.type === "private" ? `bot, @${bot.username}`
    : [c.type, `${c.messages} ${c.messages === 1 ? "message" : "messages"}`, botIs[c.bot_status],
       c.migrated_to && `moved to ${c.migrated_to}`].filter(Boolean).join(" · ");
  const fresh = c.type === "private" && c.messages === 0;
  $("start").hidden = !fresh;
  document.querySelector(".line").hidden = fresh;
  $("menu").hidden = commands.length === 0;
}

// --- Messages

function showMessages(state, first) {
  const stay = first || atEnd();
  const present = new Set(state.present);
  let removed = false;
  for (const id of shown.keys()) {
    if (!present.has(id)) removed = shown.delete(id);
  }
  for (const m of state.messages) shown.set(m.id, m);
  if (!first && !removed && state.messages.length === 0) return;
  const changed = new Set(first ? [] : state.messages.filter((m) => m.edits > 0).map((m) => m.id));
  draw(changed);
  if (stay) toEnd();
}

function draw(changed) {
  const list = [];
  const sorted = [...shown.values()].sort((a, b) => a.id - b.id);
  let before = null;
  for (const [i, m] of sorted.entries()) {
    const day = new Date(m.date).toDateString();
    if (!before || new Date(before.date).toDateString() !== day) {
      list.push(el("li", "day", new Date(m.date).toLocaleDateString([], { day: "numeric", month: "long" })));
      before = null;
    }
    const node = messageNode(m, before?.from.id === m.from.id);
    if (sorted[i + 1]?.from.id !== m.from.id) node.classList.add("last");
    if (changed.has(m.id)) node.classList.add("flash");
    list.push(node);
    before = m;
  }
  if (list.length === 0) list.push(el("li", "empty", "No messages here yet"));
  $("messages").replaceChildren(...list);
}

function messageNode(m, more) {
  if (m.service) return el("li", "day", `${personName(m.from)} ${m.service}`);
  const mine = m.from.id === me;
  const bubble = el("div", "bubble");
  if (!mine && !more) {
    const from = el("div", "from " + color(m.from.id), m.anonymous ? $("title").textContent : personName(m.from));
    if (m.from.is_bot) from.append(el("i", "", "bot"));
    bubble.append(from);
  }
  const original = shown.get(m.reply_to);
  if (m.reply_to) {
    const quoted = el("button", "quoted", el("b", "", original ? personName(original.from) : "Deleted message"),
      el("span", "", original ? summary(original).replaceAll("\n", " ") : ""));
    quoted.type = "button";
    quoted.onclick = () => $("m" + m.reply_to)?.scrollIntoView({ behavior: "smooth", block: "center" });
    bubble.append(quoted);
  }
  const reply = el("button", "answer", "↩");
  reply.type = "button";
  reply.title = "Reply";
  reply.onclick = () => { replyTo = m.id; showReply(); $("text").focus(); };
  const meta = el("span", "meta", (m.edited ? "edited " : "") + clockTime(m.date));
  meta.title = `message ${m.id}, ${new Date(m.date).toLocaleString()}`;
  if (m.media) bubble.append(el("div", "file", mediaName(m)));
  if (m.reaction) meta.prepend(el("span", "reaction", m.reaction));
  bubble.append(el("div", "text", formatted(m.text, m.entities, say), meta), reply);
  const body = el("div", "body", bubble, ...(m.buttons ?? []).map((row) => el("div", "row", ...row.map((b) => buttonNode(m, b)))));
  const node = el("li", `msg${mine ? " mine" : ""}${more ? " more" : ""}`);
  if (!mine) node.append(setAvatar(el("span"), personName(m.from), m.from.id));
  node.id = "m" + m.id;
  node.append(body);
  return node;
}

function buttonNode(m, b) {
  if (b.url) {
    const a = el("a", "", b.text);
    if (/^(https?|tg):/i.test(b.url)) a.href = b.url;
    a.target = "_blank";
    a.rel = "noopener noreferrer";
    return a;
  }
  const button = el("button", "", b.text);
  button.type = "button";
  button.onclick = () => press(m, b, button);
  return button;
}

function atEnd() {
  const s = $("scroll");
  return s.scrollHeight - s.scrollTop - s.clientHeight < 100;
}

function toEnd() { $("scroll").scrollTop = $("scroll").scrollHeight; }

// --- What the person does

async function press(m, b, button) {
  button.classList.add("busy");
  try {
    const { id } = await request("POST", "/sim/press", { chat_id: m.chat_id, message_id: m.id, data: b.callback_data, by: { id: me } });
    const answer = await request("GET", `/sim/callback?id=${id}&wait=15s`);
    if (!answer.answered) toast("The bot did not answer within 15 seconds", true);
    else if (answer.alert) { $("alert-text").textContent = answer.text; $("alert").showModal(); }
    else if (answer.text) toast(answer.text);
  } catch (error) {
    toast(error.message, true);
  } finally {
    button.classList.remove("busy");
  }
}

async function say(text) {
  if (!text.trim() || !open) return;
  try {
    await request("POST", "/sim/say", { chat_id: open, text, by: { id: me }, reply_to: replyTo });
    replyTo = 0;
    showReply();
    toEnd();
  } catch (error) {
    toast(error.message, true);
  }
}

function showReply() {
  const m = shown.get(replyTo);
  const stay = atEnd();
  $("reply").hidden = !m;
  $("reply-name").textContent = m ? personName(m.from) : "";
  $("reply-text").textContent = m ? summary(m).replaceAll("\n", " ") : "";
  if (stay) toEnd();
}

let toastTimer = 0;

function toast(text, bad = false) {
  clearTimeout(toastTimer);
  $("toast").textContent = text;
  $("toast").className = bad ? "bad" : "";
  $("toast").hidden = false;
  toastTimer = setTimeout(() => { $("toast").hidden = true; }, 3500);
}

function fit() {
  $("text").style.height = "auto";
  $("text").style.height = $("text").scrollHeight + "px";
}

function submit() {
  const text = $("text").value;
  $("text").value = "";
  fit();
  $("commands").hidden = true;
  say(text);
}

$("composer").onsubmit = (event) => { event.preventDefault(); submit(); };
$("text").oninput = fit;
$("text").onkeydown = (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); submit(); }
};
$("start").onclick = () => say("/start");
$("reply-cancel").onclick = () => { replyTo = 0; showReply(); };
$("menu").onclick = () => {
  $("commands").replaceChildren(...commands.map((c) => {
    const button = el("button", "", el("b", "", "/" + c.command), c.description);
    button.type = "button";
    button.onclick = () => { $("commands").hidden = true; say("/" + c.command); };
    return button;
  }));
  $("commands").hidden = !$("commands").hidden;
};
$("person").onchange = () => {
  const before = me;
  me = Number($("person").value);
  localStorage.setItem("person", me);
  choose(open === before ? me : open); // one's chat with the bot is one's own
};
$("back").onclick = () => document.body.classList.remove("reading");
$("down").onclick = toEnd;
$("scroll").onscroll = () => { $("down").hidden = atEnd(); };
if (open) document.body.classList.add("reading");
follow();
