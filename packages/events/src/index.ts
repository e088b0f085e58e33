// The catalogue of events: every type with its label, category, availability, payload schema and sample, and
// the TypeScript types that follow from the schemas. Data and types, no I/O.

export type { Event, EventName, LegacyEventName, Payload } from './catalogue.ts';
export { eventTypes, eventTypesByName } from './catalogue.ts';
export { categories } from './categories.ts';
export type { Availability, EventType } from './define.ts';
export { canonicalType, hyphenSpellings } from './spelling.ts';
