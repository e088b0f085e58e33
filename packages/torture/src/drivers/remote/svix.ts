// Svix, by its API (api.svix.com/docs): one application, an endpoint for each hook.
import type { Outcome } from '../../journal.ts';
import type { HookConfig, PublishedEvent } from '../../judge/history.ts';
import { type RemoteDelivery, RemoteDriver } from './remote.ts';

interface Page<Item> {
  data: Item[];
  iterator: string | null;
  done: boolean;
}

/** `MessageStatus`: success, pending, failed, sending, canceled. */
const states = ['delivered', 'pending', 'failed', 'pending', 'canceled'] as const;

export class SvixDriver extends RemoteDriver {
  override readonly store = 'svix';
  #app = '';

  override async start(types: readonly string[]): Promise<void> {
    const app = (await this.must('POST', '/api/v1/app', { name: 'Posthorn’s torture' })) as { id: string };
    this.#app = `/api/v1/app/${app.id}`;
    for (const name of types)
      await this.must('POST', '/api/v1/event-type', { name, description: name }, [409]);
  }

  override createEndpoint(_node: number, url: string, { types }: HookConfig): Promise<Outcome | null> {
    return this.change(
      'POST',
      `${this.#app}/endpoint`,
      { url, filterTypes: types },
      ({ id }: { id: string }) => ({ id }),
    );
  }

  override removeEndpoint(_node: number, id: string): Promise<Outcome | null> {
    return this.change('DELETE', `${this.#app}/endpoint/${id}`, undefined, () => ({}));
  }

  override publish(_node: number, events: readonly PublishedEvent[]): Promise<Outcome | null> {
    const [event] = events;
    const body = { eventType: event?.type, payload: event?.payload };
    return this.change(
      'POST',
      `${this.#app}/msg`,
      body,
      ({ id, timestamp }: { id: string; timestamp: string }) => ({
        events: [{ id, createdAt: Date.parse(timestamp), deliveries: 0 }],
      }),
    );
  }

  override async listEndpoints(): Promise<Map<string, string>> {
    const endpoints = await this.#all<{ id: string; url: string }>(`${this.#app}/endpoint`);
    return new Map(endpoints.map(({ id, url }) => [url, id]));
  }

  protected override async readDeliveries(endpointId: string): Promise<RemoteDelivery[]> {
    const messages = await this.#all<{ id: string; status: number }>(
      `${this.#app}/endpoint/${endpointId}/msg`,
    );
    const attempts = await this.#all<{ msgId: string; responseStatusCode: number; timestamp: string }>(
      `${this.#app}/attempt/endpoint/${endpointId}`,
    );
    const byMessage = Map.groupBy(attempts, ({ msgId }) => msgId);
    return messages.map(({ id, status }) => {
      const made = (byMessage.get(id) ?? []).toSorted((a, b) => (a.timestamp < b.timestamp ? -1 : 1));
      const last = made.at(-1)?.responseStatusCode ?? 0;
      return {
        event: id,
        state: states[status] ?? 'pending',
        attempts: made.length,
        lastStatus: last === 0 ? null : last,
      };
    });
  }

  async #all<Item>(path: string): Promise<Item[]> {
    const items: Item[] = [];
    let iterator: string | null = null;
    for (;;) {
      const page: Page<Item> = await this.read(
        `${path}?limit=250${iterator === null ? '' : `&iterator=${iterator}`}`,
      );
      items.push(...page.data);
      if (page.done || page.iterator === null) return items;
      iterator = page.iterator;
    }
  }
}
