// The door of the catalogue: every event type, and the operator's own additions.
import { Type } from 'typebox';
import type { KnownType } from '../platform/catalogue.ts';
import { addEventType } from '../platform/event-types.ts';
import type { Door } from './app.ts';
import { actorOf, bodyOf } from './context.ts';
import { Line, Name } from './fields.ts';

const AnyObject = Type.Unsafe<object>({ type: 'object', additionalProperties: true });
const EventType = Type.Object({
  type: Type.String(),
  label: Type.String(),
  category: Type.String(),
  description: Type.String(),
  availability: Type.String(),
  requiresAllProjects: Type.Boolean(),
  legacy: Type.Boolean(),
  schema: AnyObject,
  sample: AnyObject,
});
const EventTypes = Type.Object({ eventTypes: Type.Array(EventType) });
const PutBody = Type.Object({
  type: Type.String({ pattern: '^[a-z0-9][a-z0-9.:_-]{0,127}$' }),
  label: Name,
  category: Name,
  description: Type.Optional(Line),
  schema: AnyObject,
  sample: Type.Optional(AnyObject),
});

export const eventTypesDoor: Door = (app, house) => {
  const { platform } = house;
  const tags = ['event types'];

  app.get(
    '/event-types',
    {
      config: { access: 'token' },
      schema: { tags, summary: 'Lists every event type', response: { 200: EventTypes } },
    },
    async () => {
      await platform.catalogue.look();
      return { eventTypes: platform.catalogue.all().map(showType) };
    },
  );

  app.post(
    '/event-types',
    {
      config: { access: 'operate' },
      schema: {
        tags,
        summary: 'Adds an event type, or replaces one of the operator’s own',
        body: PutBody,
        response: { 200: EventType },
      },
    },
    async (request) => {
      const { type, label, category, description = '', schema, sample = null } = bodyOf(request, PutBody);
      const input = { type, label, category, description, schema, sample };
      return showType(await addEventType(platform, actorOf(request), input));
    },
  );
};

function showType(known: KnownType) {
  const { builtIn: _builtIn, ...shown } = known;
  return shown;
}
