// What `inspection.rs` measures of the page that is open. Every function answers a list of sentences about what is wrong; an empty list is
// a page in order. They run from outside by WebDriver, so that the page's own content policy does not stop them.

const shown = element => {
  const box = element.getBoundingClientRect();
  return element.checkVisibility({ visibilityProperty: true }) && box.width > 0 && box.height > 0;
};

// As a person who reads the list finds it: the id, or the way from the nearest element that has one.
const called = element => {
  if (element.id) return '#' + element.id;
  const place = element.parentElement;
  if (!place) return element.localName;
  const alike = [...place.children].filter(other => other.localName === element.localName);
  const nth = alike.length > 1 ? `:nth-of-type(${alike.indexOf(element) + 1})` : '';
  return `${called(place)} > ${element.localName}${nth}`;
};

const faultsOfStructure = language => {
  const found = [];
  const root = document.documentElement;
  if (root.lang !== language) found.push(`html has lang="${root.lang}", not ${language}`);
  for (const [selector, what] of [
    ['h1', 'heading of the first level'], ['main', 'main landmark'], ['body > header', 'banner'], ['body > footer', 'footer'],
  ]) {
    const count = document.querySelectorAll(selector).length;
    if (count !== 1) found.push(`${count} × ${what}`);
  }
  const heading = document.querySelector('h1')?.textContent.trim() ?? '';
  if (!heading || !document.title.startsWith(heading)) {
    found.push(`the title 「${document.title}」 does not begin with the heading 「${heading}」`);
  }
  const ids = [...document.querySelectorAll('[id]')].map(element => element.id);
  for (const id of new Set(ids.filter((id, at) => ids.indexOf(id) !== at))) found.push(`#${id} twice`);
  if (document.querySelector('[style], style, script:not([src])')) found.push('inline style or script');
  for (const element of document.querySelectorAll('script, link[rel="stylesheet"], link[rel="icon"], img')) {
    const from = new URL(element.src || element.href, location.href).origin;
    if (from !== location.origin) found.push(`${called(element)} comes from ${from}`);
  }
  return found;
};

// A link within a sentence: WCAG 2.5.8 and every measure of targets leave those out.
const inSentence = link => {
  if (getComputedStyle(link).display !== 'inline') return false;
  let block = link.parentElement;
  while (getComputedStyle(block).display === 'inline') block = block.parentElement;
  const words = block.cloneNode(true);
  for (const other of words.querySelectorAll('a, button')) other.remove();
  return words.textContent.trim() !== '';
};

// What a finger may hit for an element: a box that is ticked has its label.
const target = element => {
  const box = ['checkbox', 'radio'].includes(element.type) && element.labels[0];
  return (box || element).getBoundingClientRect();
};

const faultsOfLayout = (least, text) => {
  const found = [];
  const root = document.documentElement;
  if (root.scrollWidth > root.clientWidth) {
    const wide = [...document.body.querySelectorAll('*')]
      .filter(element => element.getBoundingClientRect().right > root.clientWidth + .5 && !element.closest('.scroll > *'))
      .slice(-3).map(called);
    found.push(`scrolls sideways: ${root.scrollWidth} px in ${root.clientWidth} (${wide.join(', ')})`);
  }
  const size = parseFloat(getComputedStyle(document.body).fontSize);
  if (size < text) found.push(`text of ${size} px, not ${text}`);
  for (const element of document.querySelectorAll('a[href], button, input:not([type="hidden"]), select, textarea, summary')) {
    if (!shown(element) || inSentence(element)) continue;
    const { height } = target(element);
    if (height < least - .01) found.push(`${called(element)} is ${Math.round(height * 10) / 10} px high, not ${least}`);
  }
  return found;
};

// What is folded is read and measured as well.
const unfold = () => {
  for (const folded of document.querySelectorAll('details')) folded.open = true;
};

// `measure` may answer later, with a promise.
const inElderMode = (elder, measure) => {
  const root = document.documentElement;
  const before = root.dataset.mode;
  const set = mode => { if (mode) root.dataset.mode = mode; else delete root.dataset.mode; };
  set(elder && 'elder');
  const answer = measure();
  if (answer instanceof Promise) return answer.finally(() => set(before));
  set(before);
  return answer;
};

// axe-core's rules of WCAG 2.1 A and AA, and its best practices (landmarks, order of headings).
const faultsByAxe = async () => {
  const { violations } = await axe.run(document, {
    runOnly: { type: 'tag', values: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice'] },
    resultTypes: ['violations'],
    preload: false,
  });
  return violations.flatMap(rule => rule.nodes.map(node =>
    `${rule.id}: ${node.target.flat().join(' ')} (${node.failureSummary.split('\n').slice(1).join('; ').trim()})`));
};
