// SPDX-License-Identifier: Apache-2.0

// Turns a message's text and entities into DOM nodes. Everything that a message says goes in as text, never as HTML.

const safeLink = /^(https?|ftp|tg|ton|mailto):/i;

/** el makes an element with a class and children, which are nodes or strings. */
export function el(tag, className = "", ...children) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.append(...children);
  return node;
}

/** formatted renders text with entities, whose offsets are UTF-16 units as in every JavaScript string. */
export function formatted(text, entities, onCommand) {
  const root = document.createDocumentFragment();
  fill(root, text, 0, text.length, [...(entities ?? [])], onCommand);
  return root;
}

// fill adds text[from, to) to parent. Entities come outermost first; one that reaches over the end of what holds it is
// cut there, and its rest waits its turn.
function fill(parent, text, from, to, entities, onCommand) {
  let at = from;
  while (entities.length > 0) {
    const entity = entities.shift();
    const start = Math.max(entity.offset, at);
    const stop = Math.min(entity.offset + entity.length, to);
    if (stop <= start) continue;
    parent.append(text.slice(at, start));
    const inside = [];
    while (entities.length > 0 && entities[0].offset < stop) {
      const next = entities.shift();
      inside.push(next);
      const rest = next.offset + next.length - stop;
      if (rest > 0) entities.unshift({ ...next, offset: stop, length: rest });
      if (rest > 0) break;
    }
    const node = element(entity, text.slice(start, stop), onCommand);
    fill(node, text, start, stop, inside, onCommand);
    parent.append(node);
    at = stop;
    if (/^(PRE|BLOCKQUOTE)$/.test(node.tagName) && text[at] === "\n") at++; // the block ends its line by itself
  }
  parent.append(text.slice(at, to));
}

function link(href) {
  const node = el("a");
  if (!safeLink.test(href)) return el("span");
  node.href = href;
  node.target = "_blank";
  node.rel = "noopener noreferrer";
  return node;
}

function element(entity, inner, onCommand) {
  switch (entity.type) {
    case "bold": return el("b");
    case "italic": return el("i");
    case "underline": return el("u");
    case "strikethrough": return el("s");
    case "code": return el("code");
    case "pre": {
      const node = el("pre");
      if (entity.language) node.dataset.language = entity.language;
      return node;
    }
    case "blockquote": return el("blockquote");
    case "expandable_blockquote": {
      const node = el("blockquote", "folded");
      node.onclick = () => node.classList.remove("folded");
      return node;
    }
    case "spoiler": {
      const node = el("span", "spoiler");
      node.onclick = () => node.classList.add("shown");
      return node;
    }
    case "text_link": return link(entity.url);
    case "url": return link(/^[a-z]+:\/\//i.test(inner) ? inner : "http://" + inner);
    case "email": return link("mailto:" + inner);
    case "bot_command": {
      const node = el("button", "tag");
      node.type = "button";
      node.onclick = () => onCommand(inner);
      return node;
    }
    case "hashtag": case "cashtag": case "mention": case "text_mention": return el("span", "tag");
    default: return el("span");
  }
}
