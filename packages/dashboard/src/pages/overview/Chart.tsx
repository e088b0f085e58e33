// The overview's points as a chart. uPlot draws on a canvas; what it shows is said in words as well.
import { useEffect, useRef } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import type { Overview } from '../../api/types.ts';
import { useResolvedTheme } from '../../app/theme.ts';
import { formatCount } from '../../kit/format.ts';

const height = 260;
const series = [
  { name: 'delivered', label: 'Delivered', token: '--green-700' },
  { name: 'failed', label: 'Failed', token: '--red-700' },
  { name: 'attemptsFailed', label: 'Failed attempts', token: '--amber-700' },
  { name: 'accepted', label: 'Events accepted', token: '--gray-600' },
] as const;

export default function Chart({ overview }: { overview: Overview }) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const theme = useResolvedTheme();
  const data = dataOf(overview);
  const latest = useRef(data);
  latest.current = data;

  // biome-ignore lint/correctness/useExhaustiveDependencies: colours are read from the theme
  useEffect(() => {
    const element = place.current;
    if (element === null) return undefined;
    const drawn = new uPlot(optionsOf(element), latest.current, element);
    plot.current = drawn;
    const observer = new ResizeObserver(() => drawn.setSize({ width: element.clientWidth, height }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      drawn.destroy();
      plot.current = null;
    };
  }, [theme]);
  useEffect(() => plot.current?.setData(data));

  const { delivered, failed, accepted } = overview.totals;
  return (
    <figure className="chart">
      <div
        ref={place}
        className="chart-place"
        role="img"
        aria-label={`In this period ${formatCount(accepted)} events were accepted; ${formatCount(delivered)} deliveries arrived, ${formatCount(failed)} failed.`}
      />
      <figcaption className="chart-legend" aria-hidden>
        {series.map(({ name, label }) => (
          <span key={name} data-name={name}>
            {label}
          </span>
        ))}
      </figcaption>
    </figure>
  );
}

const dataOf = ({ points }: Overview): uPlot.AlignedData => [
  points.map(({ at }) => at / 1_000),
  ...series.map(({ name }) => points.map((point) => point[name])),
];

const clock = new Intl.DateTimeFormat('en', {
  timeZone: 'UTC',
  hour: '2-digit',
  minute: '2-digit',
  hourCycle: 'h23',
});
const date = new Intl.DateTimeFormat('en', { timeZone: 'UTC', month: 'short', day: 'numeric' });

/** A moment on the axis, in UTC: its day where that begins, else its time. */
function momentOf(seconds: number): string {
  const at = seconds * 1_000;
  return seconds % 86_400 === 0 ? date.format(at) : clock.format(at);
}

function optionsOf(element: HTMLElement): uPlot.Options {
  const styles = getComputedStyle(element);
  const colour = (token: string) => styles.getPropertyValue(token).trim();
  const axis: uPlot.Axis = {
    stroke: colour('--gray-900'),
    font: `12px ${colour('--font-sans')}`,
    grid: { stroke: colour('--gray-400'), width: 1 },
    ticks: { show: false },
  };
  return {
    width: Math.max(200, element.clientWidth),
    height,
    legend: { show: false },
    cursor: { y: false },
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1_000), 'Etc/UTC'),
    scales: { y: { range: (_, __, most) => [0, Math.max(4, Math.ceil(most * 1.1))] } },
    axes: [
      { ...axis, grid: { show: false }, space: 80, values: (_, splits) => splits.map(momentOf) },
      {
        ...axis,
        size: 56,
        values: (_, splits) => splits.map((value) => (Number.isInteger(value) ? formatCount(value) : '')),
      },
    ],
    series: [
      {},
      ...series.map(
        ({ label, name, token }): uPlot.Series => ({
          label,
          stroke: colour(token),
          width: name === 'accepted' ? 1 : 1.5,
          ...(name === 'accepted' ? { dash: [4, 4] } : {}),
          ...(name === 'delivered' ? { fill: `${colour(token)}1f` } : {}),
          points: { show: false },
        }),
      ),
    ],
  };
}
