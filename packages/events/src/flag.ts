// Flag Events: feature flags of a project and the segments they are switched by. Undocumented: the samples
// borrow the fields that the flags API answers with.

import { Type } from 'typebox';
import { defineType } from './define.ts';
import { looseString, outlinePayload } from './parts.ts';
import * as sample from './sample.ts';

const flagSchema = outlinePayload({
  flag: Type.Optional(Type.Object({ id: looseString, slug: looseString })),
});
const flagSample = {
  ...sample.teamAndUser,
  project: sample.project,
  projectId: sample.projectId,
  flag: { id: 'flag_6tRvK2mXqL9zYw4N', slug: 'new-cart', kind: 'boolean', state: 'active', revision: 3 },
};
const segmentSchema = outlinePayload({
  segment: Type.Optional(Type.Object({ id: looseString, slug: looseString })),
});
const segmentSample = {
  ...sample.teamAndUser,
  project: sample.project,
  projectId: sample.projectId,
  segment: { id: 'segment_2wNyT8vKqL5zXm7R', slug: 'returning-customers' },
};

const shared = { category: 'Flag Events', availability: 'account', documented: false } as const;
const describeFlag = <const Name extends string>(type: Name, label: string, description: string) =>
  defineType({ ...shared, type, label, description, schema: flagSchema, sample: flagSample });
const describeSegment = <const Name extends string>(type: Name, label: string, description: string) =>
  defineType({ ...shared, type, label, description, schema: segmentSchema, sample: segmentSample });

export const flagTypes = [
  describeFlag('flag.created', 'Flag Created', 'A feature flag is created.'),
  describeFlag('flag.updated', 'Flag Updated', 'A feature flag is changed.'),
  describeFlag('flag.deleted', 'Flag Deleted', 'A feature flag is deleted.'),
  describeSegment('flag.segment.created', 'Flag Segment Created', 'A segment for feature flags is created.'),
  describeSegment('flag.segment.updated', 'Flag Segment Updated', 'A segment for feature flags is changed.'),
  describeSegment('flag.segment.deleted', 'Flag Segment Deleted', 'A segment for feature flags is deleted.'),
];
