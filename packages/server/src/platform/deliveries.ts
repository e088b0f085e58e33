// Redelivering: one attempt more, now, outside the schedule.
import { ApiError } from '../errors.ts';
import { deliveryId } from '../id.ts';
import type { DeliveryRow } from '../store/control/history.ts';
import { type Actor, demand } from './actor.ts';
import { auditOf, type Platform } from './platform.ts';

/** @throws ApiError delivery_canceled, webhook_disabled, not_found */
export async function redeliver(platform: Platform, actor: Actor, delivery: DeliveryRow): Promise<void> {
  demand(actor, 'webhooks.write');
  const at = platform.clock.now();
  const id = deliveryId(delivery.key);
  const audit = auditOf(platform, actor, {
    teamId: delivery.webhookTeamId,
    action: 'delivery.redelivered',
    subject: id,
    at,
  });
  const outcome = await platform.publisher.redeliver(delivery.key, delivery.tag, at, audit);
  switch (outcome) {
    case 'queued':
      return;
    case 'canceled':
      throw new ApiError(
        'delivery_canceled',
        `The webhook of ${id} was removed, so there is nowhere to send it.`,
      );
    case 'disabled':
      throw new ApiError(
        'webhook_disabled',
        'The webhook is disabled, so nothing is sent to it. Enable it first.',
      );
    case 'missing':
      throw new ApiError('not_found', `There is no delivery ${id}.`);
  }
}
