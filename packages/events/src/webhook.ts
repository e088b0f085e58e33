// Webhook Events: the one type that is sent only to try a webhook out. Undocumented: only its name is known.

import { defineType } from './define.ts';
import { outlinePayload } from './parts.ts';
import { teamAndUser } from './sample.ts';

export const webhookTypes = [
  defineType({
    type: 'test-webhook',
    label: 'Test Webhook',
    category: 'Webhook Events',
    description: 'Somebody sends a test to see that a webhook arrives.',
    availability: 'account',
    documented: false,
    schema: outlinePayload({}),
    sample: teamAndUser,
  }),
];
