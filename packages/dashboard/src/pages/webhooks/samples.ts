// The handlers shown after a webhook is created. Each is a file in packages/dashboard/samples, run by a test as it is.

import ruby from '../../../samples/config.ru?raw';
import express from '../../../samples/express.js?raw';
import fastapi from '../../../samples/fastapi.py?raw';
import fastify from '../../../samples/fastify.js?raw';
import hono from '../../../samples/hono.js?raw';
import go from '../../../samples/main.go?raw';
import nextjs from '../../../samples/nextjs-route.ts?raw';
import php from '../../../samples/webhook.php?raw';
import type { Language } from '../../kit/colour-code.ts';

export interface Sample {
  value: string;
  label: string;
  language: Language;
  text: string;
}

export const samples: readonly [Sample, ...Sample[]] = [
  { value: 'nextjs', label: 'Next.js', language: 'javascript', text: nextjs },
  { value: 'express', label: 'Express', language: 'javascript', text: express },
  { value: 'hono', label: 'Hono', language: 'javascript', text: hono },
  { value: 'fastify', label: 'Fastify', language: 'javascript', text: fastify },
  { value: 'fastapi', label: 'FastAPI', language: 'python', text: fastapi },
  { value: 'go', label: 'Go', language: 'go', text: go },
  { value: 'ruby', label: 'Ruby', language: 'ruby', text: ruby },
  { value: 'php', label: 'PHP', language: 'php', text: php },
];
