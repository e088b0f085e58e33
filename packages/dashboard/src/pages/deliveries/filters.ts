// The filters of the list of deliveries: they live in the address, and become the query of the API.
import type { Delivery } from '../../api/types.ts';

export const filterNames = [
  'state',
  'type',
  'webhookId',
  'projectId',
  'status',
  'cause',
  'eventId',
  'period',
  'since',
  'until',
] as const;
export type Filters = Record<(typeof filterNames)[number], string>;

export const periods = [
  { value: '', label: 'Any time', ms: null },
  { value: '1h', label: 'Last hour', ms: 3_600_000 },
  { value: '24h', label: 'Last 24 hours', ms: 86_400_000 },
  { value: '7d', label: 'Last 7 days', ms: 604_800_000 },
  { value: 'custom', label: 'From … to …', ms: null },
] as const;

/** `<input type="datetime-local">` has no zone; here it is always UTC, as every time in the dashboard. */
export const atOfInput = (text: string): number | null => {
  const at = Date.parse(`${text}Z`);
  return Number.isNaN(at) ? null : at;
};

/** The query of `GET /v1/deliveries`. A period is counted back from `nowAt`. */
export function queryOf(filters: Filters, nowAt: number): Record<string, string | number | null> {
  const { period, since, until, ...rest } = filters;
  const ms = periods.find(({ value }) => value === period)?.ms ?? null;
  return {
    ...rest,
    since: ms === null ? (period === 'custom' ? atOfInput(since) : null) : nowAt - ms,
    until: period === 'custom' ? atOfInput(until) : null,
  };
}

export const isFiltered = (filters: Filters): boolean =>
  filterNames.some((name) => name !== 'since' && name !== 'until' && filters[name] !== '');

/** Whether a delivery that just came belongs to the list. Times need no look: it is new. */
export function fits(delivery: Delivery, filters: Filters): boolean {
  const { state, type, webhookId, projectId, status, cause, eventId, period, until } = filters;
  if (period === 'custom' && until !== '' && (atOfInput(until) ?? 0) < delivery.createdAt) return false;
  return (
    isOneOf(state, delivery.state) &&
    isOneOf(type, delivery.type) &&
    isOneOf(webhookId, delivery.webhookId) &&
    isOneOf(projectId, delivery.projectId ?? '') &&
    isOneOf(eventId, delivery.eventId) &&
    isOneOf(cause, delivery.lastCause ?? '') &&
    (status === '' || isStatus(status, delivery.lastStatus))
  );
}

const isOneOf = (wanted: string, value: string): boolean =>
  wanted === '' || wanted.split(',').includes(value);

const isStatus = (wanted: string, code: number | null): boolean =>
  code !== null &&
  wanted.split(',').some((one) => {
    const text = one.trim().toLowerCase();
    return text === String(code) || text === `${String(code)[0]}xx`;
  });

/** Whether the API takes it: codes and kinds of codes. */
export const isStatusFilter = (text: string): boolean =>
  text === '' || text.split(',').every((one) => /^(?:[1-5]\d\d|[1-5]xx)$/i.test(one.trim()));
