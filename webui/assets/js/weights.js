// Ctrl+↑ and Ctrl+↓ on a word, as in A1111: (word:1.1), and the brackets go when the weight is 1 again.

const WORD_ENDS = /[.,/!?%^*;:{}=`~()<>[\]\s\\|]/;

// Returns {from, to, text, start, end}: replace text[from, to) by `text`, then select [start, end). Null: nothing to weigh.
export function weigh(text, start, end, up) {
  const tag = start === end ? around(text, start, "<", ">") : null;
  if (tag) return weighTag(text, tag, up);
  const block = start === end ? around(text, start, "(", ")") : wrapped(text, start, end);
  if (block) return weighBlock(text, block, up);
  const [from, to] = start === end ? word(text, start) : trimmed(text, start, end);
  if (from === to) return null;
  return written(from, to, text.slice(from, to), 1 + step(up, 0.1));
}

const step = (up, size) => (up ? size : -size);

// The innermost bracket around a place; escaped ones are letters.
function around(text, at, open, close) {
  let depth = 0;
  for (let from = at - 1; from >= 0; from--) {
    if (text[from - 1] === "\\") continue;
    if (text[from] === close) depth++;
    else if (text[from] === open && depth-- === 0) {
      const to = partner(text, from, open, close);
      return to >= at ? { from, to: to + 1 } : null;
    }
  }
  return null;
}

function partner(text, from, open, close) {
  let depth = 0;
  for (let to = from; to < text.length; to++) {
    if (text[to - 1] === "\\") continue;
    if (text[to] === open) depth++;
    else if (text[to] === close && --depth === 0) return to;
  }
  return -1;
}

// A selection that is the inside of brackets, or the brackets with what they hold.
function wrapped(text, start, end) {
  const [from, to] = trimmed(text, start, end);
  if (text[from] === "(" && partner(text, from, "(", ")") === to - 1) return { from, to };
  const rest = /^(:[+-]?[\d.]+)?\)/.exec(text.slice(to));
  return text[from - 1] === "(" && text[from - 2] !== "\\" && rest ? { from: from - 1, to: to + rest[0].length } : null;
}

function weighBlock(text, block, up) {
  let { from, to } = block;
  // ((word)) is a weight too: 1.1 for each pair.
  while (text[from - 1] === "(" && text[to] === ")" && text[from - 2] !== "\\") { from--; to++; }
  let inside = text.slice(from + 1, to - 1);
  let weight = /^([\s\S]*):\s*([+-]?(?:\d+\.?\d*|\.\d+))\s*$/.exec(inside);
  if (weight) return written(from, to, weight[1], Number(weight[2]) + step(up, 0.1));
  let pairs = 1;
  while (inside.startsWith("(") && partner(inside, 0, "(", ")") === inside.length - 1) { inside = inside.slice(1, -1); pairs++; }
  weight = /^([\s\S]*):\s*([+-]?(?:\d+\.?\d*|\.\d+))\s*$/.exec(inside);
  if (weight) return written(from, to, weight[1], Number(weight[2]) * 1.1 ** (pairs - 1) + step(up, 0.1));
  return written(from, to, inside, Math.round(100 * 1.1 ** pairs) / 100 + step(up, 0.1));
}

function written(from, to, inside, weight) {
  const shown = Number(weight.toFixed(2));
  if (shown === 1) return { from, to, text: inside, start: from, end: from + inside.length };
  return { from, to, text: `(${inside}:${shown})`, start: from + 1, end: from + 1 + inside.length };
}

function weighTag(text, { from, to }, up) {
  const found = /^<([^>]*):([+-]?(?:\d+\.?\d*|\.\d+))>$/.exec(text.slice(from, to));
  const [head, weight] = found ? [found[1], Number(found[2])] : [text.slice(from + 1, to - 1), 1];
  const result = `<${head}:${Number((weight + step(up, 0.05)).toFixed(2))}>`;
  return { from, to, text: result, start: from + 1, end: from + 1 };
}

function word(text, at) {
  let [from, to] = [at, at];
  while (from > 0 && !WORD_ENDS.test(text[from - 1])) from--;
  while (to < text.length && !WORD_ENDS.test(text[to])) to++;
  return [from, to];
}

function trimmed(text, start, end) {
  while (start < end && /\s/.test(text[start])) start++;
  while (end > start && /\s/.test(text[end - 1])) end--;
  return [start, end];
}
