// app/api/webhook/route.ts
import { createHmac, timingSafeEqual } from 'node:crypto';

export async function POST(request: Request): Promise<Response> {
  // The signature is over the bytes as they came: never parse and stringify first.
  const body = Buffer.from(await request.arrayBuffer());
  const expected = createHmac('sha1', process.env.WEBHOOK_SECRET ?? '')
    .update(body)
    .digest();
  const given = Buffer.from(request.headers.get('x-vercel-signature') ?? '', 'hex');
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
    return Response.json({ error: 'invalid signature' }, { status: 403 });
  }

  const event = JSON.parse(body.toString('utf8'));
  console.log(event.type, event.id);
  return new Response('ok');
}
