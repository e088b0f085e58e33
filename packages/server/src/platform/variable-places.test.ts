import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { explainPlacement, placesOf, planVariables, type Standing, targets } from './variable-places.ts';

const placement = fc
  .record({
    target: fc.uniqueArray(fc.constantFrom(...targets), { maxLength: 3 }),
    gitBranch: fc.option(fc.constantFrom('main', 'next'), { nil: null }),
    customEnvironmentIds: fc.uniqueArray(fc.constantFrom('env_a', 'env_b'), { maxLength: 2 }),
  })
  .filter((placed) => explainPlacement(placed) === null);
const keyed = fc
  .record({ key: fc.constantFrom('A', 'B') })
  .chain(({ key }) => placement.map((at) => ({ key, ...at })));

/** Variables as a store could hold them: no two of one key in one place. */
const standing = fc.array(keyed, { maxLength: 6 }).map((all) => {
  const kept: Standing[] = [];
  for (const variable of all) {
    const [plan] = planVariables([variable], kept, false);
    if (plan?.kind === 'create') kept.push({ id: `v${kept.length}`, ...variable });
  }
  return kept;
});

const spots = (variable: Standing | (typeof keyed extends fc.Arbitrary<infer One> ? One : never)) =>
  placesOf(variable).map((place) => `${variable.key} ${place}`);

test('whatever is written, no place has two variables of one key afterwards', () => {
  fc.assert(
    fc.property(standing, fc.array(keyed, { maxLength: 6 }), fc.boolean(), (there, written, upsert) => {
      const after = new Map(there.map((variable) => [variable.id, spots(variable)]));
      for (const [index, plan] of planVariables(written, there, upsert).entries()) {
        const variable = written[index];
        if (variable === undefined || plan.kind === 'conflict') continue;
        after.set(plan.kind === 'overwrite' ? plan.id : `new${index}`, spots(variable));
      }
      const all = [...after.values()].flat();
      assert.equal(new Set(all).size, all.length);
    }),
  );
});

test('writing over never takes a place from a variable without taking all of them', () => {
  fc.assert(
    fc.property(standing, keyed, (there, written) => {
      const [plan] = planVariables([written], there, true);
      const before = there.flatMap(spots);
      const after =
        plan?.kind === 'overwrite' ? there.filter(({ id }) => id !== plan.id).flatMap(spots) : before;
      const held = new Set([...after, ...(plan?.kind === 'conflict' ? [] : spots(written))]);
      assert.deepEqual(
        before.filter((spot) => !held.has(spot)),
        [],
      );
    }),
  );
});

test('a variable in the way is named, and one of the same call is not', () => {
  const there: Standing = {
    id: 'v1',
    key: 'A',
    target: ['production', 'preview'],
    gitBranch: null,
    customEnvironmentIds: [],
  };
  const written = { key: 'A', target: ['production' as const], gitBranch: null, customEnvironmentIds: [] };
  assert.deepEqual(planVariables([written], [there], true), [{ kind: 'conflict', id: 'v1' }]);
  assert.deepEqual(planVariables([written, written], [], true), [
    { kind: 'create' },
    { kind: 'conflict', id: null },
  ]);
  const wider = { ...written, target: ['production' as const, 'preview' as const, 'development' as const] };
  assert.deepEqual(planVariables([wider], [there], true), [{ kind: 'overwrite', id: 'v1' }]);
  assert.deepEqual(planVariables([wider], [there], false), [{ kind: 'conflict', id: 'v1' }]);
});

test('a branch is another place than all previews, and only previews have branches', () => {
  const common = { target: ['preview' as const], gitBranch: null, customEnvironmentIds: [] };
  const branch = { ...common, gitBranch: 'main' };
  const there = [{ id: 'v1', key: 'A', ...common }];
  assert.deepEqual(planVariables([{ key: 'A', ...branch }], there, false), [{ kind: 'create' }]);
  assert.equal(explainPlacement(branch), null);
  assert.match(explainPlacement({ ...branch, target: ['production'] }) ?? '', /preview alone/);
  assert.match(explainPlacement({ ...common, target: [] }) ?? '', /where the variable stands/);
});
