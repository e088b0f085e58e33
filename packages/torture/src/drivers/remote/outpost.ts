// Outpost, by its API (docs/apis/openapi.yaml of its repository): one tenant, a webhook destination for each hook.
import type { Outcome } from '../../journal.ts';
import type { HookConfig, PublishedEvent } from '../../judge/history.ts';
import type { Ability } from '../driver.ts';
import { type RemoteDelivery, RemoteDriver } from './remote.ts';

const tenant = 'posthorn-torture';

interface Attempt {
  event_id: string;
  status: 'success' | 'failed';
  code: string;
  attempt_number: number;
}

interface Page<Item> {
  models: Item[];
  pagination: { next: string | null };
}

export class OutpostDriver extends RemoteDriver {
  override readonly store = 'outpost';
  override readonly abilities: ReadonlySet<Ability> = new Set(['own ids'] as const);

  /** Its topics are a setting of its own: an instance without topics takes them all. */
  override async start(): Promise<void> {
    await this.must('PUT', `/api/v1/tenants/${tenant}`, {});
  }

  override createEndpoint(_node: number, url: string, { types }: HookConfig): Promise<Outcome | null> {
    const body = { type: 'webhook', topics: types, config: { url } };
    return this.change('POST', `/api/v1/tenants/${tenant}/destinations`, body, ({ id }: { id: string }) => ({
      id,
    }));
  }

  override removeEndpoint(_node: number, id: string): Promise<Outcome | null> {
    return this.change('DELETE', `/api/v1/tenants/${tenant}/destinations/${id}`, undefined, () => ({}));
  }

  override publish(_node: number, events: readonly PublishedEvent[]): Promise<Outcome | null> {
    const [event] = events;
    const createdAt = event?.createdAt ?? 0;
    const body = {
      ...(event?.id != null && { id: event.id }),
      tenant_id: tenant,
      topic: event?.type,
      eligible_for_retry: true,
      data: event?.payload,
    };
    return this.change('POST', '/api/v1/publish', body, ({ id }: { id: string }) => ({
      events: [{ id, createdAt, deliveries: 0 }],
    }));
  }

  override async listEndpoints(): Promise<Map<string, string>> {
    const found = await this.read<{ id: string; config: { url: string } }[]>(
      `/api/v1/tenants/${tenant}/destinations`,
    );
    return new Map(found.map(({ id, config }) => [config.url, id]));
  }

  /** It tells of attempts: a delivery is what its attempts make it. */
  protected override async readDeliveries(endpointId: string): Promise<RemoteDelivery[]> {
    const attempts: Attempt[] = [];
    let next: string | null = null;
    do {
      const page: Page<Attempt> = await this.read(
        `/api/v1/attempts?tenant_id=${tenant}&destination_id=${endpointId}&limit=100${next === null ? '' : `&next=${next}`}`,
      );
      attempts.push(...page.models);
      next = page.pagination.next;
    } while (next !== null);
    return [...Map.groupBy(attempts, ({ event_id: event }) => event)].map(([event, made]) => {
      const last = made.toSorted((a, b) => a.attempt_number - b.attempt_number).at(-1);
      const delivered = made.some(({ status }) => status === 'success');
      const isOver = made.length >= this.terms.attempts;
      const status = Number(last?.code);
      return {
        event,
        state: delivered ? 'delivered' : isOver ? 'failed' : 'pending',
        attempts: made.length,
        lastStatus: Number.isInteger(status) && status > 0 ? status : null,
      };
    });
  }
}
