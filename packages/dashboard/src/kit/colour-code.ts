// A little colour for samples of code: comments, strings, numbers and the words of the language. It never changes a
// character of the text; what it does not know stays plain.

export type Language = 'plain' | 'javascript' | 'python' | 'go' | 'ruby' | 'php' | 'shell' | 'json';
export type Kind = 'plain' | 'comment' | 'string' | 'number' | 'word';

export interface Coloured {
  kind: Kind;
  text: string;
}

const words: Record<Exclude<Language, 'plain' | 'json'>, string> = {
  javascript:
    'import export from const let function return async await if else new throw try catch default for of null true false',
  python:
    'import from def return if else elif raise try except async await not in is None True False with as for',
  go: 'package import func return if else nil var const type struct defer for range true false',
  ruby: 'require def end return if else elsif unless do then nil true false class module',
  php: 'php require use function return if else exit null true false echo',
  shell: 'curl npm npx export posthorn',
};

const comments: Record<Exclude<Language, 'plain' | 'json'>, string> = {
  javascript: '//[^\\n]*',
  python: '#[^\\n]*',
  go: '//[^\\n]*',
  ruby: '#[^\\n]*',
  php: '(?://|#)[^\\n]*',
  shell: '(?<=^|\\s)#[^\\n]*',
};

const strings = '"(?:\\\\.|[^"\\\\\\n])*"|\'(?:\\\\.|[^\'\\\\\\n])*\'|`(?:\\\\.|[^`\\\\])*`';
const longest = 100_000;

/** Cuts code into coloured pieces; together they are the text. */
export function colourCode(text: string, language: Language): Coloured[] {
  if (language === 'plain' || text.length > longest) return [{ kind: 'plain', text }];
  const pattern = new RegExp(
    language === 'json'
      ? `(?<string>${strings})|(?<number>-?\\d[\\d.eE+-]*)|(?<word>\\b(?:true|false|null)\\b)`
      : `(?<comment>${comments[language]})|(?<string>${strings})|(?<number>\\b\\d[\\d._]*\\b)|(?<word>\\b(?:${words[
          language
        ].replaceAll(' ', '|')})\\b)`,
    'gm',
  );
  const pieces: Coloured[] = [];
  let from = 0;
  for (const match of text.matchAll(pattern)) {
    if (match.index > from) pieces.push({ kind: 'plain', text: text.slice(from, match.index) });
    const kind = Object.entries(match.groups ?? {}).find(([, value]) => value !== undefined)?.[0] as Kind;
    pieces.push({ kind, text: match[0] });
    from = match.index + match[0].length;
  }
  if (from < text.length) pieces.push({ kind: 'plain', text: text.slice(from) });
  return pieces;
}
