// What is wrong with a payload that is being typed. The server judges it all the same; this only says it sooner.
import { Errors } from 'typebox/schema';

/**
 * @param text JSON, perhaps not yet
 * @param schema the event type's JSON Schema
 * @returns one sentence, null if nothing is wrong
 */
export function explainPayload(text: string, schema: object): string | null {
  let payload: unknown;
  try {
    payload = JSON.parse(text);
  } catch (error) {
    return `This is not JSON yet: ${error instanceof Error ? error.message : 'it can’t be read'}.`;
  }
  const [, [first]] = Errors(schema as never, payload);
  if (first === undefined) return null;
  const place = first.instancePath.split('/').slice(1).join('.');
  return `${place === '' ? 'The payload' : `payload.${place}`} ${first.message}.`;
}
