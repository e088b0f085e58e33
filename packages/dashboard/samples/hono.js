import { createHmac, timingSafeEqual } from 'node:crypto';
import { Hono } from 'hono';

const app = new Hono();

app.post('/webhook', async (context) => {
  // The signature is over the bytes as they came: never parse and stringify first.
  const body = Buffer.from(await context.req.arrayBuffer());
  const expected = createHmac('sha1', process.env.WEBHOOK_SECRET).update(body).digest();
  const given = Buffer.from(context.req.header('x-vercel-signature') ?? '', 'hex');
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
    return context.json({ error: 'invalid signature' }, 403);
  }

  const event = JSON.parse(body.toString('utf8'));
  console.log(event.type, event.id);
  return context.text('ok');
});

export default app;
