// The last 24 hours of a webhook: a column for each hour, what was delivered below, what failed on top of it.
import type { WebhookActivity } from '../../api/types.ts';
import { countOf, formatCount } from '../../kit/format.ts';

const columns = 24;
const step = 5;
const columnWidth = 3.5;
const height = 24;

type Bucket = WebhookActivity['webhooks'][number]['buckets'][number];

export function OutcomeBar({ buckets }: { buckets: readonly Bucket[] }) {
  const shown = buckets.slice(-columns);
  const highest = Math.max(1, ...shown.map(({ delivered, failed }) => delivered + failed));
  const delivered = shown.reduce((sum, one) => sum + one.delivered, 0);
  const failed = shown.reduce((sum, one) => sum + one.failed, 0);
  const said =
    delivered + failed === 0
      ? 'Nothing was sent in the last 24 hours'
      : `Last 24 hours: ${formatCount(delivered)} delivered, ${countOf(failed, 'failure')}`;
  // By the square root, so that a quiet hour is still seen beside a busy one.
  const scale = (count: number) => (count === 0 ? 0 : Math.max(3, Math.sqrt(count / highest) * height));
  return (
    <svg
      className="outcomes"
      role="img"
      aria-label={said}
      width={columns * step}
      height={height}
      viewBox={`0 0 ${columns * step} ${height}`}
    >
      <title>{said}</title>
      {shown.map(({ at, delivered: good, failed: bad }, index) => {
        const whole = scale(good + bad);
        const red = bad === 0 ? 0 : Math.min(whole, Math.max(2.5, (whole * bad) / (good + bad)));
        const x = index * step;
        if (whole === 0) {
          return (
            <rect key={at} x={x} y={height - 2} width={columnWidth} height={2} rx={1} className="none" />
          );
        }
        return (
          <g key={at}>
            <rect x={x} y={height - whole} width={columnWidth} height={whole} rx={1} className="good" />
            {red === 0 ? null : (
              <rect x={x} y={height - whole} width={columnWidth} height={red} rx={1} className="bad" />
            )}
          </g>
        );
      })}
    </svg>
  );
}
