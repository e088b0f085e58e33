// Posthorn Events: what Posthorn itself has to say of a team's webhooks. Vercel has no such types.

import { Type } from 'typebox';
import { defineType } from './define.ts';
import { nullableString, teamAndUser } from './parts.ts';
import * as sample from './sample.ts';

const failingSchema = Type.Object({
  ...teamAndUser,
  webhook: Type.Object({ id: Type.String(), host: Type.String() }),
  // Epoch ms.
  failingSince: Type.Number(),
  lastFailure: Type.Object({
    at: Type.Number(),
    cause: Type.String(),
    status: Type.Unsafe<number | null>({ type: ['number', 'null'] }),
    message: nullableString,
  }),
});

const failingSample = {
  team: sample.team,
  user: sample.nobody,
  webhook: { id: 'account_hook_p4VnXq9LzTb2KwYr7McHs5Gd', host: 'hooks.acme-store.example' },
  failingSince: sample.happenedAt - 86_400_000,
  lastFailure: {
    at: sample.happenedAt,
    cause: 'status_500',
    status: 500,
    message:
      'hooks.acme-store.example answered 500; it failed while handling the event: look for the error in its log.',
  },
};

export const posthornTypes = [
  defineType({
    type: 'posthorn.webhook.failing',
    label: 'Webhook Failing',
    category: 'Posthorn Events',
    description: 'Every attempt at a webhook has failed for a day.',
    availability: 'account',
    schema: Type.Object({
      ...failingSchema.properties,
      // When it would be disabled, epoch ms; null if that is switched off.
      disabledFrom: Type.Unsafe<number | null>({ type: ['number', 'null'] }),
    }),
    sample: { ...failingSample, disabledFrom: sample.happenedAt + 4 * 86_400_000 },
  }),
  defineType({
    type: 'posthorn.webhook.disabled',
    label: 'Webhook Disabled',
    category: 'Posthorn Events',
    description: 'A webhook was disabled after days of nothing but failures.',
    availability: 'account',
    schema: failingSchema,
    sample: failingSample,
  }),
];
