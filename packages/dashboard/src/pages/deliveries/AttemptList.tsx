// The attempts of a delivery, the last one first and open: where its time went, what was sent, what came back.
import { ChevronRight, Terminal } from 'lucide-react';
import { useState } from 'react';
import type { Attempt } from '../../api/types.ts';
import { HttpStatus } from '../../kit/Badge.tsx';
import { Copy, CopyButton } from '../../kit/Copy.tsx';
import { exactTime, formatBytes, formatMs } from '../../kit/format.ts';
import { BodyView } from '../../kit/Json.tsx';
import { Card, Empty } from '../../kit/Page.tsx';
import { Pieces, PlainText } from '../../kit/PlainText.tsx';
import { Tabs } from '../../kit/Tabs.tsx';
import { Time } from '../../kit/Time.tsx';
import { curlOf } from './curl.ts';
import { type Phase, phasesOf } from './phases.ts';

const shownAtOnce = 20;

export function AttemptList({ attempts, deliveryId }: { attempts: Attempt[]; deliveryId: string }) {
  const [shown, setShown] = useState(shownAtOnce);
  const newest = attempts.toReversed();
  return (
    <Card title="Attempts" flush>
      {newest.length === 0 ? (
        <Empty icon={Terminal} title="No attempt yet">
          The first one appears here as soon as it has ended.
        </Empty>
      ) : (
        <ol className="attempts">
          {newest.slice(0, shown).map((attempt, index) => (
            <AttemptItem key={`${deliveryId} ${attempt.number}`} attempt={attempt} isFirst={index === 0} />
          ))}
          {newest.length > shown ? (
            <li className="attempts-more">
              <button type="button" className="more" onClick={() => setShown(newest.length)}>
                {`Show all ${newest.length}`}
              </button>
            </li>
          ) : null}
        </ol>
      )}
    </Card>
  );
}

function AttemptItem({ attempt, isFirst }: { attempt: Attempt; isFirst: boolean }) {
  const [isOpen, setOpen] = useState(isFirst);
  const contentId = `attempt-${attempt.number}`;
  return (
    <li className="attempt">
      <h3>
        <button
          type="button"
          className="attempt-head"
          aria-expanded={isOpen}
          aria-controls={contentId}
          onClick={() => setOpen(!isOpen)}
        >
          <ChevronRight size={16} aria-hidden className="attempt-chevron" />
          <span className="attempt-number">{`Attempt ${attempt.number}`}</span>
          <span className="attempt-answer cut">
            {attempt.status === null && attempt.error !== null ? (
              <code className="attempt-cause">{attempt.error}</code>
            ) : (
              <HttpStatus code={attempt.status} />
            )}
          </span>
          <span className="number quiet attempt-took">{formatMs(attempt.durationMs)}</span>
          <span className="quiet">
            <Time at={attempt.startedAt} />
          </span>
        </button>
      </h3>
      <div id={contentId} className="attempt-body" hidden={!isOpen}>
        {isOpen ? <AttemptContent attempt={attempt} /> : null}
      </div>
    </li>
  );
}

function AttemptContent({ attempt }: { attempt: Attempt }) {
  const [view, setView] = useState<'response' | 'request'>(
    attempt.response === null ? 'request' : 'response',
  );
  return (
    <div className="stack">
      {attempt.message === null ? null : (
        <p className="attempt-message">
          <PlainText text={attempt.message} />
        </p>
      )}
      <Timeline
        phases={phasesOf(attempt.timings)}
        totalMs={attempt.durationMs}
        startedAt={attempt.startedAt}
      />
      <Tabs<'response' | 'request'>
        label={`Attempt ${attempt.number}`}
        tabs={[
          { value: 'response', label: 'Response' },
          { value: 'request', label: 'Request' },
        ]}
        value={view}
        onChange={setView}
      >
        {view === 'request' ? (
          <Request request={attempt.request} />
        ) : (
          <Response response={attempt.response} />
        )}
      </Tabs>
    </div>
  );
}

function Timeline({ phases, totalMs, startedAt }: { phases: Phase[]; totalMs: number; startedAt: number }) {
  return (
    <div className="timeline">
      <div className="timeline-bar" aria-hidden>
        {phases.map(({ name, ms }) => (
          <span key={name} data-phase={name} style={{ flexGrow: Math.max(ms, totalMs / 200) }} />
        ))}
      </div>
      <dl className="timeline-legend">
        {phases.map(({ name, label, ms }) => (
          <div key={name} data-phase={name}>
            <dt>{label}</dt>
            <dd className="number">{formatMs(ms)}</dd>
          </div>
        ))}
        <div>
          <dt>Total</dt>
          <dd className="number">{formatMs(totalMs)}</dd>
        </div>
        <div>
          <dt>Began</dt>
          <dd className="number">{exactTime(startedAt)}</dd>
        </div>
      </dl>
    </div>
  );
}

function Request({ request }: { request: Attempt['request'] }) {
  return (
    <div className="stack">
      <div className="row spread">
        <div className="request-line mono">
          {request.method} <PlainText text={request.url} />
        </div>
        <CopyButton text={() => curlOf(request)} what="the request as cURL">
          Copy as cURL
        </CopyButton>
      </div>
      <HeaderTable headers={request.headers} />
      <Body body={request.body} what="the request’s body" isCut={false} />
    </div>
  );
}

function Response({ response }: { response: Attempt['response'] }) {
  if (response === null) return <p className="quiet">No answer came, so there is nothing to show.</p>;
  return (
    <div className="stack">
      <HeaderTable headers={response.headers} />
      <Body body={response.body} what="the response’s body" isCut={response.truncated} />
    </div>
  );
}

function HeaderTable({ headers }: { headers: Record<string, string> }) {
  const entries = Object.entries(headers);
  if (entries.length === 0) return <p className="quiet">No headers.</p>;
  return (
    <dl className="headers mono">
      {entries.map(([name, value]) => (
        <div key={name}>
          <dt>
            <Pieces text={name} />
          </dt>
          <dd>
            <PlainText text={value} />
          </dd>
        </div>
      ))}
    </dl>
  );
}

function Body({ body, what, isCut }: { body: string; what: string; isCut: boolean }) {
  const [isRaw, setRaw] = useState(false);
  if (body === '') return <p className="quiet">An empty body.</p>;
  return (
    <figure className="body">
      <figcaption className="row spread">
        <span className="quiet small">
          {`Body, ${formatBytes(new Blob([body]).size)}${isCut ? '; it was longer, and cut here' : ''}`}
        </span>
        <span className="row">
          <button type="button" className="more" aria-pressed={isRaw} onClick={() => setRaw(!isRaw)}>
            {isRaw ? 'Pretty' : 'Raw'}
          </button>
          <Copy text={body} what={what} />
        </span>
      </figcaption>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, so the keyboard must reach it */}
      <section className="body-content" tabIndex={0} aria-label={what}>
        {isRaw ? (
          <div className="json raw">
            <PlainText text={body} limit={20_000} />
          </div>
        ) : (
          <BodyView body={body} />
        )}
      </section>
    </figure>
  );
}
