// Characters that hide or turn text around: what others wrote is shown with each of them made visible.

/** Controls, invisible spaces and joiners, and the marks that change the direction of text. */
const ranges = [
  String.raw`\u0000-\u0008\u000b-\u001f\u007f-\u009f`,
  String.raw`\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\uffa0`,
  String.raw`\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb`,
  // All variation selectors and tags but the two that only say how an emoji is drawn.
  String.raw`\ufe00-\ufe0d\u{e0000}-\u{e0fff}`,
];
const unseen = new RegExp(`[${ranges.join('')}]`, 'gu');

export type Piece = { kind: 'text'; text: string } | { kind: 'unseen'; code: string };

/** Cuts a text into what can be seen and, each by its code point, what can't. */
export function splitUnseen(text: string): Piece[] {
  const pieces: Piece[] = [];
  let from = 0;
  for (const match of text.matchAll(unseen)) {
    if (match.index > from) pieces.push({ kind: 'text', text: text.slice(from, match.index) });
    const code = match[0].codePointAt(0) ?? 0;
    pieces.push({ kind: 'unseen', code: `U+${code.toString(16).toUpperCase().padStart(4, '0')}` });
    from = match.index + match[0].length;
  }
  if (from < text.length) pieces.push({ kind: 'text', text: text.slice(from) });
  return pieces;
}

/** Cuts after `limit` characters without splitting a pair of surrogates. */
export function cutText(text: string, limit: number): string {
  if (text.length <= limit) return text;
  const last = text.charCodeAt(limit - 1);
  return text.slice(0, last >= 0xd800 && last <= 0xdbff ? limit - 1 : limit);
}
