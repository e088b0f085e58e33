// Firewall events: an attack on a project, and rules that see unusual traffic. Vercel documents none of these
// payloads; the attack's follows its attack-status API and what handlers in the wild read.

import { Type } from 'typebox';
import { defineType } from './define.ts';
import { looseNumber, looseString, openObject, outlinePayload } from './parts.ts';
import * as sample from './sample.ts';

const place = {
  team: sample.team,
  user: sample.nobody,
  project: sample.project,
  teamId: sample.teamId,
  projectId: sample.projectId,
  projectSlug: sample.projectName,
};
const minute = '2026-03-02T09:30:00.000Z';

export const attackTypes = [
  defineType({
    type: 'firewall.attack',
    label: 'Attack Detected',
    category: 'Firewall events',
    description:
      'The firewall sees an attack on a project: over 100,000 malicious requests within ten minutes.',
    availability: 'account',
    documented: false,
    schema: outlinePayload({
      projectSlug: looseString,
      startedAt: looseNumber,
      endTime: Type.Optional(Type.Unsafe<number | null>({ type: ['number', 'null'] })),
      state: looseString,
      affectedHostMap: Type.Optional(openObject),
    }),
    sample: {
      ...place,
      startedAt: sample.happenedAt,
      endTime: null,
      state: 'active',
      affectedHostMap: {
        [`www.${sample.domainName}`]: {
          ddosAlerts: { [minute]: { atMinute: minute, totalReqs: 184203 } },
        },
      },
    },
  }),
];

const anomaly = outlinePayload({ projectSlug: looseString, startedAt: looseNumber });
const describe = <const Name extends string>(type: Name, label: string, description: string) =>
  defineType({
    type,
    label,
    category: 'Firewall Anomaly Events',
    description,
    availability: 'account',
    documented: false,
    schema: anomaly,
    sample: { ...place, startedAt: sample.happenedAt },
  });

export const anomalyTypes = [
  describe(
    'firewall.system-rule-anomaly',
    'Firewall System Rule Anomaly',
    "One of the firewall's own rules meets unusual traffic.",
  ),
  describe(
    'firewall.custom-rule-anomaly',
    'Firewall Custom Rule Anomaly',
    'A firewall rule of the team meets unusual traffic.',
  ),
  describe('botid.anomaly', 'BotID Anomaly', 'Bot detection sees an unusual number of bots on a project.'),
];
