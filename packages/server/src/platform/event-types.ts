// The operator's own event types: added, or replaced under the same name. They are listed, validated and subscribed
// to like Vercel's.
import { ApiError } from '../errors.ts';
import { putEventType } from '../store/control/event-types.ts';
import { type Actor, demand } from './actor.ts';
import type { KnownType } from './catalogue.ts';
import { compileOwnSchema, explainOwnSchema } from './payload-schema.ts';
import { commit, type Platform } from './platform.ts';

export interface EventTypeInput {
  type: string;
  label: string;
  category: string;
  description: string;
  schema: object;
  sample: object | null;
}

/** @throws ApiError conflict for a reserved name, bad_request for a schema or sample that can't be used */
export async function addEventType(
  platform: Platform,
  actor: Actor,
  input: EventTypeInput,
): Promise<KnownType> {
  demand(actor, 'operate');
  const { catalogue, store, clock } = platform;
  const { type, label, category, description, schema } = input;
  if (catalogue.isReserved(type)) {
    throw new ApiError(
      'conflict',
      `The name ${type} is reserved: it is Vercel’s, or begins with "posthorn.". Choose another name.`,
    );
  }
  const wrong = explainOwnSchema(schema);
  if (wrong !== null) throw new ApiError('bad_request', wrong);
  const sample = judgeSample(schema, input.sample);
  const at = clock.now();
  const [written] = await commit(platform, actor, {
    teamId: null,
    action: 'event-type.put',
    subject: type,
    detail: { label, category },
    steps: [
      putEventType(store, {
        type,
        label,
        category,
        description,
        schema: JSON.stringify(schema),
        sample: JSON.stringify(sample),
        created_at: at,
        updated_at: at,
      }),
    ],
    tells: 'event types',
    at,
  });
  const [{ updated_at: writtenAt }] = written as [{ updated_at: number }];
  return catalogue.put({ type, label, category, description, schema, sample }, writtenAt);
}

function judgeSample(schema: object, given: object | null): object {
  const validate = compileOwnSchema(schema);
  if (validate(given ?? {})) return given ?? {};
  const first = validate.errors?.[0];
  const path = first?.instancePath.replaceAll('/', '.') ?? '';
  const why = `sample${path} ${first?.message ?? 'does not fit the schema'}`;
  throw new ApiError(
    'bad_request',
    given === null
      ? `An empty payload does not fit the schema, so give a sample that does: it is what test events carry (${why}).`
      : `The sample does not fit the schema: ${why}.`,
  );
}
