/*
 * What the driver puts into every page, before any script of the page runs: a clock and random numbers that are functions of
 * a seed, marks on elements that listen to clicks, and window.rein, which walks the page.
 *
 *   rein.seed(n)       random numbers and the clock begin anew
 *   rein.observe(o)    the page as text with numbered references; they are valid until the next observe
 *   rein.point(ref)    a point at which a mouse reaches the element: {x, y}, or {error}
 *   rein.focus, fill, select, scroll
 *
 * An error is a return value {error: "..."}: it is told to the policy.
 */
(() => {
'use strict';
if (window.rein) return;

// ---- time and chance ----

const START = Date.UTC(2026, 0, 5, 9, 0, 0); // a Monday
const RealDate = Date, realNow = RealDate.now;
let epoch = realNow();
const now = () => START + (realNow() - epoch);

// Only the current time is replaced; dates that are spelled out stay what they are.
const FakeDate = new Proxy(RealDate, {
  construct: (target, args, newTarget) => Reflect.construct(target, args.length ? args : [now()], newTarget),
  apply: () => new RealDate(now()).toString(),
  get: (target, key, receiver) => (key === 'now' ? now : Reflect.get(target, key, receiver)),
});
RealDate.prototype.constructor = FakeDate;
window.Date = FakeDate;
performance.now = () => now() - START;
// Frames come by the page's time, not by the screen's.
window.requestAnimationFrame = (callback) => setTimeout(() => callback(performance.now()), 16);
window.cancelAnimationFrame = (id) => clearTimeout(id);

let state = 1;
const random32 = () => { // mulberry32
  state = (state + 0x6D2B79F5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return (t ^ (t >>> 14)) >>> 0;
};
Math.random = () => random32() / 4294967296;
crypto.getRandomValues = (array) => {
  const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  for (let i = 0; i < bytes.length; i++) bytes[i] = random32() & 255;
  return array;
};
const seed = (n) => {
  state = n | 0;
  epoch = realNow();
};

// ---- the page stays in its tab, and does not animate ----

window.open = () => null;
document.addEventListener('click', (e) => {
  const a = e.target.closest && e.target.closest('a[target],area[target]');
  if (a) a.removeAttribute('target');
}, true);
document.addEventListener('DOMContentLoaded', () => {
  const style = document.createElement('style');
  style.textContent = '*,*::before,*::after{animation:none!important;transition:none!important;' +
    'scroll-behavior:auto!important;caret-color:transparent!important}';
  document.documentElement.appendChild(style);
  if (window.jQuery && window.jQuery.fx) window.jQuery.fx.off = true;
});

// ---- who listens to clicks ----

const CLICKS = new Set(['click', 'mousedown', 'mouseup', 'pointerdown', 'pointerup', 'dblclick']);
const listening = new WeakMap(); // element -> number of listeners
const clickable = new WeakMap(); // the same, of "click" alone
const add = EventTarget.prototype.addEventListener, remove = EventTarget.prototype.removeEventListener;
const count = (target, type, by) => {
  if (!(target instanceof Element) || !CLICKS.has(type)) return;
  listening.set(target, (listening.get(target) || 0) + by);
  if (type === 'click') clickable.set(target, (clickable.get(target) || 0) + by);
};
EventTarget.prototype.addEventListener = function (type, ...rest) {
  count(this, type, 1);
  return add.call(this, type, ...rest);
};
EventTarget.prototype.removeEventListener = function (type, ...rest) {
  count(this, type, -1);
  return remove.call(this, type, ...rest);
};

// ---- what an element is ----

const ROLES = new Set(['button', 'link', 'checkbox', 'radio', 'tab', 'menuitem', 'option', 'switch', 'combobox', 'textbox',
  'searchbox', 'spinbutton', 'slider', 'treeitem', 'menuitemcheckbox', 'menuitemradio']);
const VALUE_TYPES = new Set(['date', 'time', 'month', 'week', 'datetime-local', 'color', 'range']);
const FORMATS = { date: 'yyyy-mm-dd', time: 'hh:mm', month: 'yyyy-mm', week: 'yyyy-Www', 'datetime-local': 'yyyy-mm-ddThh:mm',
  color: '#rrggbb', range: 'number' };
const BUTTONS = new Set(['button', 'submit', 'reset', 'image', 'file']);
const TOGGLES = new Set(['checkbox', 'radio']);

const isNative = (e) => {
  switch (e.localName) {
    case 'button': case 'select': case 'textarea': case 'summary': return true;
    case 'input': return e.type !== 'hidden';
    case 'a': case 'area': return e.hasAttribute('href');
    default: return e.isContentEditable && !(e.parentElement && e.parentElement.isContentEditable);
  }
};
const isInteractive = (e) => isNative(e) || ROLES.has(e.getAttribute('role')) || typeof e.onclick === 'function' ||
  typeof e.onmousedown === 'function' || (listening.get(e) || 0) > 0;
const isShown = (e) => e.checkVisibility({ visibilityProperty: true });
const isText = (e) => e.localName === 'textarea' || e.isContentEditable ||
  (e.localName === 'input' && !TOGGLES.has(e.type) && !BUTTONS.has(e.type));

// Control characters and direction marks have no business in an observation; runs of white space are one blank.
const clean = (text, most) => {
  text = String(text).replace(/[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g, ' ')
    .replace(/\s+/g, ' ').trim().toWellFormed();
  if (text.length <= most) return text;
  const cut = text.slice(0, most).toWellFormed().replace(/\ufffd$/, '');
  return cut + '\u2026';
};
const quote = (text, most) => '"' + clean(text, most).replace(/"/g, "'") + '"';

const roleOf = (e) => {
  const role = e.getAttribute('role');
  if (role && ROLES.has(role)) return role;
  switch (e.localName) {
    case 'a': return 'link';
    case 'textarea': return 'textbox';
    case 'select': return 'combobox';
    case 'input':
      if (TOGGLES.has(e.type)) return e.type;
      return BUTTONS.has(e.type) ? 'button' : 'textbox';
    default: return e.isContentEditable ? 'textbox' : e.localName;
  }
};

// What a person would call it: its label, its text, or what its author called it.
const nameOf = (e) => {
  const labelled = e.getAttribute('aria-label');
  if (labelled) return labelled;
  if (e.labels && e.labels.length) return [...e.labels].map(ownText).join(' ');
  if (e.localName === 'input' && BUTTONS.has(e.type)) return e.value || e.alt || e.type;
  if (isText(e)) return e.getAttribute('placeholder') || '';
  if (e.localName === 'select' || e.localName === 'input') return '';
  const text = e.innerText === undefined ? e.textContent : e.innerText;
  if (/\S/.test(text)) return text;
  const image = e.querySelector('img[alt],[aria-label],title');
  const author = e.title || e.getAttribute('alt') ||
    (image && (image.getAttribute('alt') || image.getAttribute('aria-label') || image.textContent));
  if (author) return author;
  return typeof e.className === 'string' && e.className ? '.' + e.className.trim().split(/\s+/)[0] : e.id ? '#' + e.id : '';
};

const stateOf = (e, limits) => {
  const out = [];
  if (e.disabled || e.getAttribute('aria-disabled') === 'true') out.push('disabled');
  if (TOGGLES.has(e.type) ? e.checked : e.getAttribute('aria-checked') === 'true') out.push('checked');
  if (e.getAttribute('aria-selected') === 'true') out.push('selected');
  const expanded = e.getAttribute('aria-expanded');
  if (expanded) out.push(expanded === 'true' ? 'expanded' : 'collapsed');
  if (isText(e)) {
    const value = e.isContentEditable ? e.innerText : e.value;
    if (FORMATS[e.type]) out.push(FORMATS[e.type]);
    if (value) out.push('value=' + quote(e.type === 'password' ? '*'.repeat(value.length) : value, limits.name));
  }
  if (e.localName === 'select') {
    const options = [...e.options].slice(0, limits.options);
    const chosen = [...e.selectedOptions].map((o) => clean(o.label, limits.name)).join('|');
    out.push('value=' + quote(chosen, limits.name));
    out.push('options=[' + options.map((o) => clean(o.label, limits.name)).join('|') +
      (options.length < e.options.length ? '|\u2026' : '') + ']');
  }
  return out;
};

// ---- the walk ----

const SKIP = new Set(['script', 'style', 'template', 'noscript', 'head', 'title', 'option', 'optgroup', 'iframe']);
let refs = [];
let kinds = ''; // a letter a reference: c can be clicked, t takes text, s is a list to select from

const isInline = (e) => /^(inline|contents|table-cell)/.test(getComputedStyle(e).display);
const isCell = (e) => e.localName === 'td' || e.localName === 'th';
const hasInteractiveInside = (e) => {
  const walker = document.createTreeWalker(e, NodeFilter.SHOW_ELEMENT);
  for (let n = 0; n < 500 && walker.nextNode(); n++)
    if (isInteractive(walker.currentNode) && isShown(walker.currentNode)) return true;
  return false;
};

// What an element says itself, beside the interactive ones in it: a mail's summary, not its star.
const ownText = (e) => {
  const walker = document.createTreeWalker(e, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT, (n) =>
    n !== e && n.nodeType === Node.ELEMENT_NODE && (!isShown(n) || isInteractive(n) || n.control) ? NodeFilter.FILTER_REJECT :
      NodeFilter.FILTER_ACCEPT);
  let text = '';
  for (let n = 0; n < 500 && walker.nextNode(); n++)
    text += walker.currentNode.nodeType === Node.TEXT_NODE ? walker.currentNode.data : ' ';
  return text.trim();
};

class Page {
  constructor(limits) {
    this.limits = limits;
    this.lines = [];
    this.text = '';  // of the line that is being written
    this.chars = 0;
    this.nodes = 0;
    this.full = false;
    this.said = null; // an element whose own text was its name
  }
  put(line) {
    this.chars += line.length + 1;
    if (this.chars > this.limits.chars) this.full = true;
    else this.lines.push(line);
  }
  flush() {
    const text = clean(this.text, this.limits.line).replace(/( \|)+$/, '');
    this.text = '';
    if (text) this.put(text);
  }
  element(e, given) {
    this.flush();
    refs.push(e);
    kinds += e.localName === 'select' ? 's' : isText(e) ? 't' : 'c';
    const name = clean(given || nameOf(e), this.limits.name), role = roleOf(e);
    this.put(['[' + refs.length + ']', role, ...stateOf(e, this.limits), ...(name ? [quote(name, this.limits.name)] : [])]
      .join(' '));
  }
  // Returns whether to go on below the node.
  enter(node) {
    if (node.nodeType === Node.TEXT_NODE) {
      if (!this.said) this.text += node.data.slice(0, this.limits.line);
      return false;
    }
    if (SKIP.has(node.localName) || !isShown(node)) return false;
    if (this.limits.hide && node.matches(this.limits.hide)) return false;
    if (node.localName === 'br') this.flush();
    if (node.localName === 'label' && node.control && isShown(node.control)) { // its text is the control's name
      if (node.contains(node.control)) this.element(node.control);
      return false;
    }
    if (node !== document.body && isInteractive(node)) {
      const native = isNative(node), inside = !native && hasInteractiveInside(node);
      if (!inside) this.element(node);
      const own = inside && !this.said && (clickable.get(node) || 0) > 0 ? ownText(node) : '';
      if (own) {
        this.element(node, own);
        this.said = node;
      }
      return inside;
    }
    if (!isInline(node)) this.flush();
    else if (isCell(node) && this.text) this.text += ' | ';
    return true;
  }
  leave(node) {
    if (node.nodeType !== Node.ELEMENT_NODE) return;
    if (node === this.said) this.said = null;
    if (!isInline(node)) this.flush();
  }
  walk(root) { // without recursion: a page may be as deep as it likes
    let node = root, below = this.enter(root);
    while (!this.full && ++this.nodes <= this.limits.nodes) {
      if (below && node.firstChild) {
        node = node.firstChild;
      } else {
        for (;;) {
          if (below) this.leave(node);
          if (node === root) return this.flush();
          below = true; // parents were entered
          if (node.nextSibling) break;
          node = node.parentNode;
        }
        node = node.nextSibling;
      }
      below = (node.nodeType === Node.ELEMENT_NODE || node.nodeType === Node.TEXT_NODE) && this.enter(node);
    }
    this.full = true;
    this.flush();
  }
}

const observe = (options) => {
  const page = new Page({ chars: 4000, line: 400, name: 80, options: 30, nodes: 20000, hide: '', ...options });
  refs = [];
  kinds = '';
  if (document.body) page.walk(document.body);
  if (page.full) page.lines.push('(cut here)');
  return { text: page.lines.join('\n'), kinds, url: location.href.toWellFormed(), title: clean(document.title, 120) };
};

// ---- acting ----

const find = (ref) => {
  const e = refs[ref - 1];
  if (!e) return { error: 'there is no [' + ref + '] on the page' };
  if (!e.isConnected || !isShown(e)) return { error: '[' + ref + '] is gone' };
  return e;
};

// Points of each box, the middle first; the first one at which the mouse would meet the element, or what it labels or holds.
const PLACES = [0.5, 0.2, 0.8, 0.03, 0.97];
const point = (ref) => {
  const e = find(ref);
  if (e.error) return e;
  if (e.disabled) return { error: '[' + ref + '] is disabled' };
  e.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  let second = null; // a point that another interactive element in it takes first
  for (const box of e.getClientRects())
    for (const fy of PLACES)
      for (const fx of PLACES) {
        const x = box.left + box.width * fx, y = box.top + box.height * fy;
        const hit = document.elementFromPoint(x, y);
        if (!hit || !(e.contains(hit) || (hit.localName === 'label' && hit.control === e))) continue;
        let n = hit;
        while (n !== e && e.contains(n) && !isInteractive(n)) n = n.parentElement;
        if (n === e || !e.contains(n)) return { x, y };
        second = second || { x, y };
      }
  if (second) return second;
  return { error: '[' + ref + '] is covered' };
};

const focus = (ref) => {
  const e = find(ref);
  if (e.error) return e;
  e.focus();
  return { ok: true };
};

const changed = (e) => {
  e.dispatchEvent(new Event('input', { bubbles: true }));
  e.dispatchEvent(new Event('change', { bubbles: true }));
};

const setValue = (e, value) => { // past the page's own setters
  const proto = Object.getPrototypeOf(e);
  Object.getOwnPropertyDescriptor(proto, 'value').set.call(e, value);
};

// Ready to be typed over: {type: true} if the text is still to be inserted by the keyboard.
const fill = (ref, text) => {
  const e = find(ref);
  if (e.error) return e;
  if (!isText(e)) return { error: '[' + ref + '] takes no text' };
  if (e.disabled || e.readOnly) return { error: '[' + ref + '] is ' + (e.disabled ? 'disabled' : 'read only') };
  e.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  e.focus();
  if (VALUE_TYPES.has(e.type)) {
    setValue(e, text);
    if (e.value !== text) return { error: '[' + ref + '] wants ' + FORMATS[e.type] };
    changed(e);
    return { ok: true };
  }
  if (e.isContentEditable) getSelection().selectAllChildren(e);
  else e.select();
  if (text === '' && (e.isContentEditable ? e.innerText : e.value) !== '') document.execCommand('delete');
  return { type: text !== '' };
};

const select = (ref, labels) => {
  const e = find(ref);
  if (e.error) return e;
  if (e.localName !== 'select') return { error: '[' + ref + '] is no list to select from' };
  if (e.disabled) return { error: '[' + ref + '] is disabled' };
  if (labels.length !== 1 && !e.multiple) return { error: '[' + ref + '] takes one option' };
  const named = labels.map((label) =>
    [...e.options].find((o) => clean(o.label, 1000) === clean(label, 1000)) || [...e.options].find((o) => o.value === label));
  const missing = named.indexOf(undefined);
  if (missing >= 0) return { error: '[' + ref + '] has no option ' + quote(labels[missing], 60) };
  e.focus();
  for (const o of e.options) o.selected = named.includes(o);
  changed(e);
  return { ok: true };
};

const scroll = (dx, dy) => {
  (document.scrollingElement || document.body).scrollBy(dx, dy);
  return { ok: true };
};

const ref = (e) => refs.indexOf(e) + 1; // 0: it has none

Object.defineProperty(window, 'rein', {
  value: Object.freeze({ seed, observe, point, focus, fill, select, scroll, ref, clean }),
});
})();
