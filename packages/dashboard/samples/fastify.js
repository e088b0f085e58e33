import { createHmac, timingSafeEqual } from 'node:crypto';
import Fastify from 'fastify';

const app = Fastify({ bodyLimit: 2 * 1024 * 1024 });

// The signature is over the bytes as they came, so JSON bodies stay buffers here.
app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) =>
  done(null, body),
);

app.post('/webhook', async (request, reply) => {
  const expected = createHmac('sha1', process.env.WEBHOOK_SECRET).update(request.body).digest();
  const given = Buffer.from(request.headers['x-vercel-signature'] ?? '', 'hex');
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
    return reply.code(403).send({ error: 'invalid signature' });
  }

  const event = JSON.parse(request.body);
  console.log(event.type, event.id);
  return 'ok';
});

await app.listen({ port: Number(process.env.PORT ?? 3000) });
