// Code to read and to copy.
import { type ReactNode, useMemo } from 'react';
import { Copy } from './Copy.tsx';
import { colourCode, type Language } from './colour-code.ts';
import './code.css';

export function Code({
  text,
  language = 'plain',
  what,
  title,
  maxHeight,
}: {
  text: string;
  language?: Language;
  /** What the copy button copies, as in "Copied the command". */
  what: string;
  title?: ReactNode;
  maxHeight?: number;
}) {
  const pieces = useMemo(() => colourCode(text, language), [text, language]);
  return (
    <figure className="code">
      {title === undefined ? null : <figcaption className="code-title">{title}</figcaption>}
      <div className="code-copy">
        <Copy text={text} what={what} />
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, so the keyboard must reach it */}
      <pre tabIndex={0} style={maxHeight === undefined ? undefined : { maxHeight }}>
        <code>
          {pieces.map(({ kind, text: part }, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: the pieces of one text have no other name
            <span key={index} data-kind={kind}>
              {part}
            </span>
          ))}
        </code>
      </pre>
    </figure>
  );
}
