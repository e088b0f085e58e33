import { createHmac, timingSafeEqual } from 'node:crypto';
import express from 'express';

const app = express();

// The signature is over the bytes as they came, so this route takes the body raw.
app.post('/webhook', express.raw({ type: 'application/json', limit: '2mb' }), (request, response) => {
  const expected = createHmac('sha1', process.env.WEBHOOK_SECRET).update(request.body).digest();
  const given = Buffer.from(request.get('x-vercel-signature') ?? '', 'hex');
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
    response.status(403).json({ error: 'invalid signature' });
    return;
  }

  const event = JSON.parse(request.body);
  console.log(event.type, event.id);
  response.send('ok');
});

app.listen(process.env.PORT ?? 3000);
