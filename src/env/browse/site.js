/*
 * A small web site with a task, drawn from a seed: a shop, documentation and an account. Every page of it is this script, which
 * writes what belongs to its address; what the visitor did is in the browser's storage. window.world is that of world.h.
 *
 * Each task ends with one deliberate act (an order, saved settings, an answer, an account), and is judged by what is then stored.
 */
(() => {
'use strict';

const KINDS = ['order', 'cheapest', 'settings', 'lookup', 'register'];

// ---- the site ----

const load = (key, otherwise) => JSON.parse(localStorage.getItem(key) || 'null') || otherwise;
const store = (key, value) => localStorage.setItem(key, JSON.stringify(value));

const chance = (seed) => { // mulberry32
  let state = (seed * 2654435761 + 12345) | 0;
  const below = (n) => {
    state = (state + 0x6D2B79F5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % n;
  };
  const pick = (list) => list[below(list.length)];
  const some = (list, n) => {
    const rest = [...list], out = [];
    while (out.length < n && rest.length) out.push(rest.splice(below(rest.length), 1)[0]);
    return out;
  };
  return { below, pick, some };
};

const NAMES = ['Ada', 'Boris', 'Carla', 'Dmitri', 'Elena', 'Farid', 'Grace', 'Hugo', 'Ines', 'Jonas', 'Kira', 'Liam', 'Mona', 'Nils'];
const SURNAMES = ['Abbott', 'Berger', 'Castro', 'Dvorak', 'Engel', 'Fischer', 'Gomez', 'Hansen', 'Ito', 'Jensen', 'Kaya', 'Lopez'];
const COLOURS = ['red', 'blue', 'green', 'black', 'white', 'grey', 'yellow', 'brown'];
const GOODS = { Kitchen: ['kettle', 'pan', 'bowl', 'mug', 'whisk', 'toaster'], Garden: ['rake', 'hose', 'spade', 'bench', 'lantern', 'pot'],
  Office: ['lamp', 'stapler', 'desk', 'chair', 'binder', 'clock'], Sport: ['ball', 'racket', 'tent', 'helmet', 'rope', 'bottle'],
  Music: ['flute', 'drum', 'guitar', 'stand', 'cable', 'speaker'] };
const TOPICS = ['Atlas', 'Beacon', 'Comet', 'Delta', 'Ember', 'Falcon', 'Glacier', 'Harbor'];
const FACTS = { 'default port': (r) => 1000 + r.below(9000), 'time limit': (r) => 5 * (1 + r.below(60)) + ' seconds',
  'largest file': (r) => (1 + r.below(64)) + ' MB', 'first release': (r) => 1990 + r.below(36) };
const LANGUAGES = ['English', 'French', 'German', 'Spanish', 'Turkish', 'Polish'];
const ZONES = ['UTC', 'Paris', 'Tokyo', 'Denver', 'Lima', 'Cairo'];
const SWITCHES = ['News by e-mail', 'Sounds', 'Dark mode', 'Show birthday'];
const PLANS = ['Free', 'Basic', 'Team', 'Pro'];

const makeGoods = (r, level) => {
  const goods = [];
  for (const category of r.some(Object.keys(GOODS), 2 + level))
    for (const thing of r.some(GOODS[category], 2 + level))
      goods.push({ id: goods.length + 1, category, name: r.pick(COLOURS) + ' ' + thing, price: 0 });
  const prices = r.some([...Array(95).keys()], goods.length); // all different: there is one cheapest
  goods.forEach((g, i) => { g.price = 5 + prices[i]; });
  return goods;
};

const makeTopics = (r, level) => r.some(TOPICS, 2 + 2 * level).map((name) => ({ name,
  facts: Object.entries(FACTS).map(([what, value]) => [what, String(value(r))]) }));

const makeSettings = (r) => ({ language: r.pick(LANGUAGES), zone: r.pick(ZONES), name: r.pick(NAMES),
  ...Object.fromEntries(SWITCHES.map((s) => [s, r.below(2) === 1])) });

const other = (r, list, now) => r.pick(list.filter((x) => x !== now));

// What is asked, and the end that it wants.
const makeTask = (r, kind, level, site) => {
  if (kind === 'order') {
    const good = r.pick(site.goods), n = level > 1 ? 1 + r.below(4) : 1;
    return { goal: 'Order ' + (level > 1 ? n + ' of: ' : 'the ') + good.name + ' (' + good.category + ').', good, n };
  }
  if (kind === 'cheapest') {
    const category = r.pick(site.goods).category;
    const good = site.goods.filter((g) => g.category === category).sort((a, b) => a.price - b.price)[0];
    return { goal: 'Order the cheapest thing in ' + category + '.', good, n: 1 };
  }
  if (kind === 'lookup') {
    const topic = r.pick(site.topics), [what, answer] = r.pick(topic.facts);
    return { goal: 'Look up the ' + what + ' of ' + topic.name + ' in the docs, and send it as your answer.', topic, answer };
  }
  if (kind === 'register') {
    const name = r.pick(NAMES) + ' ' + r.pick(SURNAMES), email = name.toLowerCase().replace(' ', '.') + '@mail.test';
    const plan = r.pick(PLANS);
    return { goal: 'Register ' + name + ' with the e-mail address ' + email + ' and the plan ' + plan + '.',
      account: { name, email, plan } };
  }
  const wanted = { ...site.settings }, words = [];
  const changes = [
    () => { wanted.language = other(r, LANGUAGES, wanted.language); words.push('set the language to ' + wanted.language); },
    () => { const s = r.pick(SWITCHES); wanted[s] = !wanted[s]; words.push('turn "' + s + '" ' + (wanted[s] ? 'on' : 'off')); },
    () => { wanted.zone = other(r, ZONES, wanted.zone); words.push('set the time zone to ' + wanted.zone); },
    () => { wanted.name = other(r, NAMES, wanted.name); words.push('change the name to ' + wanted.name); },
  ];
  for (const change of r.some(changes, level)) change();
  return { goal: 'In the settings, ' + words.join(', ') + ', and save.', wanted };
};

const make = ({ kind, level, seed }) => {
  const r = chance(seed * 5 + KINDS.indexOf(kind));
  const site = { goods: makeGoods(r, level), topics: makeTopics(r, level), settings: makeSettings(r) };
  return { ...site, kind, level, task: makeTask(r, kind, level, site) };
};

let config = load('config', { kind: 'order', level: 1, seed: 0 });
let site = make(config);

// ---- how a visit ends ----

const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
const end = (good) => {
  store('result', { raw: good ? 1 : -1 });
  location.href = '/thanks';
};
const cart = () => load('cart', {});
const wants = { order: ['order', 'cheapest'], settings: ['settings'], answer: ['lookup'], account: ['register'] };
const ends = (what, good) => end(wants[what].includes(site.kind) && good);

// ---- its pages ----

const escape = (s) => String(s).replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c]);
const link = (to, words) => '<a href="' + to + '">' + escape(words) + '</a>';
const rows = (list) => '<table>' + list.map((cells) => '<tr>' + cells.map((c) => '<td>' + c + '</td>').join('') + '</tr>').join('') + '</table>';
const options = (list, now) => list.map((x) => '<option' + (x === now ? ' selected' : '') + '>' + x + '</option>').join('');
const value = (id) => document.getElementById(id).value.trim();
const checked = (id) => document.getElementById(id).checked;
const PER_PAGE = 4;

const pages = {
  '': () => '<h1>Welcome</h1><p>Use the links above.</p>',
  shop: (category, page = '1') => {
    const names = [...new Set(site.goods.map((g) => g.category))];
    if (!category) return '<h1>Shop</h1>' + names.map((c) => '<div>' + link('/shop/' + c, c) + '</div>').join('');
    const goods = site.goods.filter((g) => g.category === category), from = (page - 1) * PER_PAGE;
    const more = goods.length > from + PER_PAGE ? link('/shop/' + category + '/' + (+page + 1), 'Next page') : '';
    return '<h1>' + escape(category) + '</h1>' +
      rows(goods.slice(from, from + PER_PAGE).map((g) => [link('/thing/' + g.id, g.name), '$' + g.price])) + more;
  },
  thing: (id) => {
    const g = site.goods[id - 1];
    if (!g) return '<p>There is no such thing.</p>';
    return '<h1>' + g.name + '</h1><p>$' + g.price + '</p><label>Number <select id=n>' + options(['1', '2', '3', '4'], '1') +
      '</select></label> <button data-do=add>Add to cart</button>';
  },
  cart: () => {
    const lines = Object.entries(cart());
    if (!lines.length) return '<h1>Cart</h1><p>It is empty.</p>';
    return '<h1>Cart</h1>' + rows(lines.map(([id, n]) => [n, escape(site.goods[id - 1].name),
      '<button data-do=drop data-id=' + id + '>Remove</button>'])) + '<button data-do=order>Place order</button>';
  },
  docs: (name) => {
    const topic = site.topics.find((t) => t.name === name);
    if (!topic) return '<h1>Docs</h1>' + site.topics.map((t) => '<div>' + link('/docs/' + t.name, t.name) + '</div>').join('');
    return '<h1>' + topic.name + '</h1>' + topic.facts.map(([what, fact]) =>
      '<p>The ' + what + ' of ' + topic.name + ' is ' + fact + '.</p>').join('');
  },
  answer: () => '<h1>Answer</h1><label>Your answer <input id=answer></label> <button data-do=answer>Send</button>',
  settings: () => {
    const s = load('settings', site.settings);
    return '<h1>Settings</h1><p><label>Name <input id=name value="' + s.name + '"></label></p><p><label>Language <select id=language>' +
      options(LANGUAGES, s.language) + '</select></label></p><p><label>Time zone <select id=zone>' + options(ZONES, s.zone) +
      '</select></label></p>' + SWITCHES.map((w, i) => '<p><label><input type=checkbox id=s' + i + (s[w] ? ' checked' : '') + '>' +
      w + '</label></p>').join('') + '<button data-do=save>Save</button>';
  },
  register: (step = '1') => {
    const a = load('account', {});
    if (step === '1')
      return '<h1>Register: you</h1><p><label>Name <input id=name></label></p><p><label>E-mail <input id=email></label></p>' +
        '<button data-do=person>Next</button>';
    if (step === '2')
      return '<h1>Register: plan</h1>' + PLANS.map((p) => '<p><label><input type=radio name=plan value=' + p + '>' + p +
        '</label></p>').join('') + '<button data-do=plan>Next</button>';
    return '<h1>Register: check</h1><p>' + escape(a.name) + ', ' + escape(a.email) + ', ' + escape(a.plan) + '</p>' +
      '<button data-do=account>Create account</button>';
  },
  thanks: () => '<h1>Done</h1>',
};

const acts = {
  add: () => {
    const id = path()[1];
    store('cart', { ...cart(), [id]: (cart()[id] || 0) + +value('n') });
    location.href = '/cart';
  },
  drop: (e) => {
    const left = cart();
    delete left[e.dataset.id];
    store('cart', left);
    render();
  },
  order: () => ends('order', site.task.good && same(cart(), { [site.task.good.id]: site.task.n })),
  answer: () => ends('answer', value('answer').toLowerCase() === String(site.task.answer).toLowerCase()),
  save: () => {
    const s = { language: value('language'), zone: value('zone'), name: value('name'),
      ...Object.fromEntries(SWITCHES.map((w, i) => [w, checked('s' + i)])) };
    ends('settings', same(s, site.task.wanted));
  },
  person: () => {
    store('account', { name: value('name'), email: value('email') });
    location.href = '/register/2';
  },
  plan: () => {
    const chosen = document.querySelector('[name=plan]:checked');
    store('account', { ...load('account', {}), plan: chosen ? chosen.value : '' });
    location.href = '/register/3';
  },
  account: () => ends('account', same(load('account', {}), site.task.account)),
};

const path = () => location.pathname.split('/').slice(1).map(decodeURIComponent);
const NAV = [['/shop', 'Shop'], ['/docs', 'Docs'], ['/answer', 'Answer'], ['/settings', 'Settings'], ['/register', 'Register'], ['/cart', 'Cart']];

const render = () => {
  const [name, ...rest] = path(), page = Object.hasOwn(pages, name) ? pages[name] : () => '<p>There is no such page.</p>';
  document.body.innerHTML = '<nav>' + NAV.map(([to, words]) => link(to, words)).join(' ') + '</nav>' + page(...rest.filter((x) => x));
  for (const button of document.querySelectorAll('[data-do]')) button.onclick = () => acts[button.dataset.do](button);
};

// ---- the expert ----

const click = (e) => (e && rein.ref(e) ? "click('" + rein.ref(e) + "')" : null);
const literal = (s) => "'" + String(s).replace(/\\/g, '\\\\').replace(/'/g, "\\'") + "'";
const field = (id, s) => (value(id) === s ? null : "fill('" + rein.ref(document.getElementById(id)) + "', " + literal(s) + ')');
const choice = (id, s) => (value(id) === s ? null : "select_option('" + rein.ref(document.getElementById(id)) + "', " + literal(s) + ')');
const tick = (e, on) => (e.checked === on ? null : click(e));
const press = (act) => click(document.querySelector('[data-do=' + act + ']'));
const follow = (to) => click(document.querySelector('a[href="' + to + '"]'));
const at = (...where) => same(path().filter((x) => x), where.map(String));
const first = (...steps) => { for (const step of steps) { const s = step(); if (s) return s; } return null; };

const buy = ({ good, n }) => {
  const wrong = Object.keys(cart()).find((id) => +id !== good.id || cart()[id] !== n);
  if (wrong) return at('cart') ? click(document.querySelector('[data-do=drop][data-id="' + wrong + '"]')) : follow('/cart');
  if (cart()[good.id]) return at('cart') ? press('order') : follow('/cart');
  if (at('thing', good.id)) return choice('n', String(n)) || press('add');
  return follow('/thing/' + good.id) ||
    (path()[1] === good.category && click([...document.querySelectorAll('a')].find((a) => a.textContent === 'Next page'))) ||
    follow('/shop/' + good.category) || follow('/shop');
};

// The answer is read before it is sent: a visitor who has not been at the topic goes there first.
const lookUp = ({ topic, answer }) => {
  if (at('answer') && load('read', '') === topic.name) return field('answer', answer) || press('answer');
  if (at('docs', topic.name)) {
    store('read', topic.name);
    return follow('/answer');
  }
  return follow('/docs/' + topic.name) || follow('/docs');
};

const change = ({ wanted }) => (!at('settings') ? follow('/settings') : first(
  () => field('name', wanted.name), () => choice('language', wanted.language), () => choice('zone', wanted.zone),
  ...SWITCHES.map((w, i) => () => tick(document.getElementById('s' + i), wanted[w])), () => press('save')));

const register = ({ account }) => {
  if (at('register', 3)) return same(load('account', {}), account) ? press('account') : follow('/register');
  if (at('register', 2)) return tick(document.querySelector('[value=' + account.plan + ']'), true) || press('plan');
  if (at('register')) return field('name', account.name) || field('email', account.email) || press('person');
  return follow('/register');
};

const experts = { order: buy, cheapest: buy, lookup: lookUp, settings: change, register };

// ---- the world ----

const start = (kind, level, seed) => {
  localStorage.clear();
  config = { kind, level, seed };
  store('config', config);
  site = make(config);
  render();
  return null;
};
const state = (limits) => {
  const result = load('result', null);
  return { done: !!result, raw: result ? result.raw : 0, goal: site.task.goal, page: rein.observe(limits) };
};
const oracle = () => (load('result', null) ? null : experts[site.kind](site.task));

window.world = { start, state, oracle };
render();
})();
