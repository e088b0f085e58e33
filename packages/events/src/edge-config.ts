// Edge Config Events: a team's edge configs and what is in them. Undocumented: only the names are known.

import { Type } from 'typebox';
import { defineType } from './define.ts';
import { looseString, outlinePayload } from './parts.ts';
import * as sample from './sample.ts';

const schema = outlinePayload({
  edgeConfigId: looseString,
  edgeConfig: Type.Optional(Type.Object({ id: looseString, slug: looseString })),
});
const edgeConfigId = 'ecfg_k7vqt2mzr5xnyw4lb9hcpdjs3fgt';

const describe = <const Name extends string>(type: Name, label: string, description: string) =>
  defineType({
    type,
    label,
    category: 'Edge Config Events',
    description,
    availability: 'account',
    documented: false,
    schema,
    sample: { ...sample.teamAndUser, edgeConfigId, edgeConfig: { id: edgeConfigId, slug: 'store-settings' } },
  });

export const edgeConfigTypes = [
  describe('edge-config.created', 'Edge Config Created', 'An edge config is created.'),
  describe('edge-config.deleted', 'Edge Config Deleted', 'An edge config is deleted.'),
  describe('edge-config.items.updated', 'Edge Config Items Updated', 'Items of an edge config are changed.'),
];
