// Convoy, by its API (docs/v3/openapi3.yaml of its repository): one project, whose path is part of the URL that is given
// (…/api/v1/projects/<id>), an endpoint and a subscription for each hook, and one owner to whom events fan out.
import type { Outcome } from '../../journal.ts';
import type { HookConfig, PublishedEvent } from '../../judge/history.ts';
import { eventHeader } from '../../receiver/messages.ts';
import type { Ability } from '../driver.ts';
import { type RemoteDelivery, RemoteDriver } from './remote.ts';

const owner = 'posthorn-torture';
const states: Record<string, RemoteDelivery['state']> = {
  Success: 'delivered',
  Failure: 'failed',
  Discarded: 'canceled',
};

interface Answer<Data> {
  data: Data;
}

interface Page<Item> {
  content: Item[];
  pagination: { has_next_page: boolean; next_page_cursor: string };
}

interface Delivery {
  event_id: string;
  status: string;
  metadata: { num_trials: number };
}

export class ConvoyDriver extends RemoteDriver {
  override readonly store = 'convoy';
  override readonly abilities: ReadonlySet<Ability> = new Set(['own ids'] as const);
  /** The publisher’s ids of events by Convoy’s. */
  readonly #ownIds = new Map<string, string>();

  override async start(): Promise<void> {
    await this.must('GET', '/endpoints', undefined);
  }

  override async createEndpoint(_node: number, url: string, { types }: HookConfig): Promise<Outcome | null> {
    const name = url.split('/').at(-1) ?? url;
    const made = await this.change(
      'POST',
      '/endpoints',
      { name, url, owner_id: owner },
      (answer: Answer<{ uid: string }>) => ({
        id: answer.data.uid,
      }),
    );
    if (made?.body?.id === undefined) return made;
    const subscription = { name, endpoint_id: made.body.id, filter_config: { event_types: types } };
    const subscribed = await this.call('POST', '/subscriptions', subscription);
    return subscribed !== null && subscribed.status < 300 ? made : null;
  }

  override removeEndpoint(_node: number, id: string): Promise<Outcome | null> {
    return this.change('DELETE', `/endpoints/${id}`, undefined, () => ({}));
  }

  override publish(_node: number, events: readonly PublishedEvent[]): Promise<Outcome | null> {
    const [event] = events;
    const id = event?.id ?? `own-${event?.n}`;
    const body = {
      owner_id: owner,
      event_type: event?.type,
      data: event?.payload,
      idempotency_key: id,
      custom_headers: { [eventHeader]: id },
    };
    return this.change('POST', '/events/fanout', body, (answer: Answer<{ uid?: string }>) => {
      if (answer.data.uid !== undefined) this.#ownIds.set(answer.data.uid, id);
      return { events: [{ id, createdAt: event?.createdAt ?? 0, deliveries: 0 }] };
    });
  }

  override async listEndpoints(): Promise<Map<string, string>> {
    const found = await this.#all<{ uid: string; url: string }>('/endpoints');
    return new Map(found.map(({ uid, url }) => [url, uid]));
  }

  protected override async readDeliveries(endpointId: string): Promise<RemoteDelivery[]> {
    const found = await this.#all<Delivery>('/eventdeliveries', `&endpointId=${endpointId}`);
    const deliveries: RemoteDelivery[] = [];
    for (const { event_id: event, status, metadata } of found) {
      deliveries.push({
        event: await this.#ownIdOf(event),
        state: states[status] ?? 'pending',
        attempts: metadata.num_trials,
        lastStatus: null,
      });
    }
    return deliveries;
  }

  /** Of an event whose publish was not answered Convoy knows the key that it was given. */
  async #ownIdOf(event: string): Promise<string> {
    const known = this.#ownIds.get(event);
    if (known !== undefined) return known;
    const { data } = await this.read<Answer<{ idempotency_key: string }>>(`/events/${event}`);
    this.#ownIds.set(event, data.idempotency_key);
    return data.idempotency_key;
  }

  async #all<Item>(path: string, query = ''): Promise<Item[]> {
    const items: Item[] = [];
    let cursor: string | null = null;
    for (;;) {
      const { data }: Answer<Page<Item>> = await this.read(
        `${path}?perPage=100${query}${cursor === null ? '' : `&next_page_cursor=${cursor}`}`,
      );
      items.push(...data.content);
      if (!data.pagination.has_next_page) return items;
      cursor = data.pagination.next_page_cursor;
    }
  }
}
