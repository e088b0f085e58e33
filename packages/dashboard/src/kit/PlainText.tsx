// Text that others wrote: never markup, kept in its own direction, with hidden characters named and a long one cut.
import { Fragment, useState } from 'react';
import { cutText, splitUnseen } from './unseen.ts';
import './text.css';

const usualLimit = 300;

export function PlainText({ text, limit = usualLimit }: { text: string; limit?: number }) {
  const [isWhole, setWhole] = useState(false);
  const isLong = text.length > limit;
  return (
    <>
      <bdi>
        <Pieces text={isLong && !isWhole ? cutText(text, limit) : text} />
        {isLong && !isWhole ? '…' : null}
      </bdi>
      {isLong ? (
        <button type="button" className="more" aria-expanded={isWhole} onClick={() => setWhole(!isWhole)}>
          {isWhole ? 'Show less' : `Show all ${text.length.toLocaleString('en')} characters`}
        </button>
      ) : null}
    </>
  );
}

/** The same in one line, for tables and lists: what does not fit is in the title. */
export function PlainLine({ text, mono = false }: { text: string; mono?: boolean }) {
  return (
    <bdi className={mono ? 'cut line mono' : 'cut line'} title={cutText(text, 1_000)}>
      <Pieces text={cutText(text, usualLimit)} />
      {text.length > usualLimit ? '…' : null}
    </bdi>
  );
}

/** The text with what can't be seen in it named. */
export function Pieces({ text }: { text: string }) {
  const pieces = splitUnseen(text);
  if (pieces.length === 1 && pieces[0]?.kind === 'text') return text;
  return pieces.map((piece, index) =>
    piece.kind === 'text' ? (
      // biome-ignore lint/suspicious/noArrayIndexKey: the pieces of one text have no other name
      <Fragment key={index}>{piece.text}</Fragment>
    ) : (
      // biome-ignore lint/suspicious/noArrayIndexKey: the same
      <span key={index} className="unseen" title="A character that can’t be seen">
        {piece.code}
      </span>
    ),
  );
}
