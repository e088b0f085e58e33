// Columns of the tables of figures and what an upsert does with them, the same words in both dialects.
import { latencyBuckets } from '../core/latency.ts';
import { slotMs } from './tally.ts';

export const latencyColumns = Array.from({ length: latencyBuckets }, (_, bucket) => `l${bucket}`);
/** The counts of `endpoint_figures`, in the order in which they are written. */
export const endpointCounts = [
  'delivered',
  'failed',
  'canceled',
  'attempts',
  'attempts_failed',
  ...latencyColumns,
];
export const teamCounts = ['accepted', 'delivered', 'failed', 'attempts', 'attempts_failed'];
/** What an endpoint's row of `endpoint_health` is written from. */
export const healthColumns = [
  'tag',
  'failing_since',
  'last_success_at',
  'last_failure_at',
  'last_failure_status',
  'last_failure_cause',
  'last_failure_detail',
  'last_failure_url',
  'last_end_at',
  'last_end_state',
  'rests_until',
  'slot_at',
  'slot_came',
  'slot_left',
  'written_at',
];

export const addCounts = (table: string, counts: readonly string[]): string =>
  counts.map((count) => `${count} = ${table}.${count} + excluded.${count}`).join(', ');

const h = 'endpoint_health';
const newer = `excluded.last_failure_at IS NOT NULL`;
const lastFailure = ['at', 'status', 'cause', 'detail', 'url'].map((part) => {
  const column = `last_failure_${part}`;
  return `${column} = CASE WHEN ${newer} THEN excluded.${column} ELSE ${h}.${column} END`;
});
const slots = ['came', 'left'].flatMap((way) => [
  `before_${way} = CASE WHEN excluded.slot_at <= ${h}.slot_at THEN ${h}.before_${way}
     WHEN excluded.slot_at = ${h}.slot_at + ${slotMs} THEN ${h}.slot_${way} ELSE 0 END`,
  `slot_${way} = CASE WHEN excluded.slot_at <= ${h}.slot_at THEN ${h}.slot_${way} + excluded.slot_${way}
     ELSE excluded.slot_${way} END`,
]);

/** `rests_until` is -1 where nothing is known of it; a success says that the lane does not rest. */
export const mergeHealth = [
  `failing_since = CASE WHEN excluded.last_success_at IS NOT NULL THEN excluded.failing_since
     ELSE coalesce(${h}.failing_since, excluded.failing_since) END`,
  `warned_at = CASE WHEN excluded.last_success_at IS NOT NULL THEN NULL ELSE ${h}.warned_at END`,
  `last_success_at = coalesce(excluded.last_success_at, ${h}.last_success_at)`,
  ...lastFailure,
  `last_end_at = coalesce(excluded.last_end_at, ${h}.last_end_at)`,
  `last_end_state = coalesce(excluded.last_end_state, ${h}.last_end_state)`,
  `rests_until = CASE WHEN excluded.rests_until >= 0 THEN excluded.rests_until
     WHEN excluded.last_success_at IS NOT NULL THEN 0 ELSE ${h}.rests_until END`,
  ...slots,
  `slot_at = CASE WHEN excluded.slot_at <= ${h}.slot_at THEN ${h}.slot_at ELSE excluded.slot_at END`,
  'written_at = excluded.written_at',
].join(', ');
