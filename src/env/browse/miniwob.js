/*
 * Episodes of a MiniWoB++ page without its clock: window.miniwob.start(seed), .state(), and .oracle(task), the action that an
 * expert takes now. The oracles see what the policy sees (the goal and the page), and remember nothing.
 */
(() => {
'use strict';
const HUD = '#query,#reward-display,#click-canvas,#sync-task-cover'; // the frame around the task

const goal = () => {
  const said = core.getUtterance();
  return rein.clean(typeof said === 'string' ? said : said.utterance, 1000);
};

const state = (options) => ({
  done: WOB_DONE_GLOBAL, raw: WOB_RAW_REWARD_GLOBAL, goal: goal(), page: rein.observe({ ...options, hide: HUD }),
});

const start = (seed) => {
  if (document.activeElement) document.activeElement.blur();
  if (window.jQuery && jQuery.fx) jQuery.fx.off = true;
  rein.seed(seed);
  Math.seedrandom(seed);
  core.EPISODE_MAX_TIME = 1e9; // the page's own time limit never comes
  core.startEpisodeReal();
  return null;
};

// ---- experts ----

const one = (selector) => document.querySelector('#area ' + selector) || document.querySelector(selector);
const all = (selector) => [...document.querySelectorAll(selector)];
const shown = (e) => e && e.checkVisibility({ visibilityProperty: true });
const text = (e) => (e ? e.textContent.replace(/\s+/g, ' ').trim() : '');
const named = (selector, name) => all(selector).find((e) => shown(e) && text(e) === name);
const quoted = () => [...goal().matchAll(/"([^"]*)"/g)].map((m) => m[1]);
const number = (pattern) => parseInt(goal().match(pattern)[1], 10);
const literal = (s) => "'" + s.replace(/\\/g, '\\\\').replace(/'/g, "\\'") + "'";

const click = (e) => (e && rein.ref(e) ? "click('" + rein.ref(e) + "')" : null);
// Nothing if it is done already: what is done is seen on the page.
const fill = (e, s) => (e && e.value !== s ? "fill('" + rein.ref(e) + "', " + literal(s) + ')' : null);
const choose = (e, s) => (text(e.selectedOptions[0]) !== s ? "select_option('" + rein.ref(e) + "', " + literal(s) + ')' : null);
const check = (e, wanted) => (e.checked !== wanted ? click(e) : null);
const first = (steps) => { for (const step of steps) if (step) return step; return null; };
const submit = () => click(one('#subbtn') || named('#area button', 'Submit') || one('#submit'));

const enter = (s) => fill(one('#tt'), s) || submit();
const quotedLink = () => click(named('.alink', quoted()[0]));
const tickBoxes = (names) =>
  first(all('#boxes label').map((l) => check(l.querySelector('input'), names.includes(text(l))))) || submit();
const between = (before, after) => goal().slice(before.length, -after.length);

const arithmetic = () => {
  const [, a, op, b] = text(one('#math-problem')).match(/(\d+) (.) (\d+)/);
  const value = op === '+' ? +a + +b : op === '-' ? a - b : a * b;
  return fill(one('#math-answer'), String(value)) || submit();
};

const tree = () => {
  const spans = all('#tree span').filter((s) => text(s) === quoted()[0]);
  const target = spans.find(shown) || spans[0];
  let e = target;
  for (let up = target.parentElement; up && up.id !== 'tree'; up = up.parentElement)
    if (up.localName === 'ul' && !shown(up)) e = up.parentElement.querySelector(':scope > span');
  return click(e) || click(e.parentElement); // a file's handler is on its line
};

const searchResult = () => {
  const query = quoted()[0], position = number(/the (\d+)/) - 1;
  const box = one('#search-text');
  if (box.value !== query) return fill(box, query);
  const pages = all('#pagination li').filter((l) => /^\d$/.test(text(l)));
  if (!pages.length) return click(one('#search'));
  const page = pages[Math.floor(position / 3)];
  if (!page.classList.contains('active')) return click(page.querySelector('a'));
  return click(all('#page-content a')[position % 3]);
};

const tableValue = (key) => {
  const row = all('#tab tr').find((r) => text(r.cells[0]) === key);
  return row ? text(row.cells[1]) : '';
};

const experts = {
  'click-test': () => click(one('#subbtn')),
  'click-test-2': () => click(one('#subbtn')),
  'click-button': () => click(named('#area button', quoted()[0])),
  'unicode-test': () => click(named('#area button', quoted()[0])),
  'click-button-sequence': () => click(document.activeElement === one('#subbtn') ? one('#subbtn2') : one('#subbtn')),
  'click-link': quotedLink,
  'click-tab-2-easy': quotedLink,
  'click-dialog': () => click(one('.ui-dialog-titlebar button')),
  'click-dialog-2': () => click(quoted()[0] === 'x' ? one('.ui-dialog-titlebar button') :
    named('.ui-dialog-buttonpane button', quoted()[0])),
  'focus-text': () => click(one('input')),
  'focus-text-2': () => click(all('#area input')[number(/(\d)/) - 1]),
  'enter-text': () => enter(quoted()[0]),
  'enter-text-dynamic': () => enter(quoted()[0]),
  'enter-text-2': () => enter(/upper/.test(goal()) ? quoted()[0].toUpperCase() : quoted()[0].toLowerCase()),
  'enter-password': () => fill(one('#password'), quoted()[0]) || fill(one('#verify'), quoted()[0]) || submit(),
  'login-user': () => fill(one('#username'), quoted()[0]) || fill(one('#password'), quoted()[1]) || submit(),
  'click-checkboxes': () => tickBoxes(between('Select ', ' and click Submit.').split(', ')),
  'click-option': () => {
    const name = between('Select ', ' and click Submit.');
    return check(named('#boxes label', name).querySelector('input'), true) || submit();
  },
  'choose-list': () => choose(one('select'), between('Select ', ' from the list and click Submit.')) || submit(),
  'click-tab': () => click(named('#area ul a', goal().match(/Tab #\d/)[0])),
  'click-collapsible': () => (all('.ui-accordion-content').some(shown) ? submit() : click(one('h3'))),
  'simple-arithmetic': arithmetic,
  'find-word': () => {
    const words = text(one('p')).split(' ');
    return fill(one('#answer-input'), words[number(/the (\d+)/) - 1].replace(/[^a-zA-Z]+/g, '')) || submit();
  },
  'navigate-tree': tree,
  'use-spinner': () => fill(one('#spinner'), String(number(/Select (-?\d+)/))) || submit(),
  'search-engine': searchResult,
  'enter-date': () => enter(goal().replace(/.*?(\d+)\/(\d+)\/(\d+).*/, '$3-$1-$2')),
  'read-table': () => enter(tableValue(between('Enter the value of ', ' into the text field and press Submit.'))),
};

const oracle = (task) => (WOB_DONE_GLOBAL || !experts[task] ? null : experts[task]());

window.miniwob = { start, state, oracle };
})();
