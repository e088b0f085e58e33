import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Queue } from './queue.ts';

test('whatever is pushed and taken, it comes in the order it went in', () => {
  const steps = fc.array(fc.oneof(fc.constant('push'), fc.constant('take'), fc.constant('take all')), {
    maxLength: 500,
  });
  fc.assert(
    fc.property(steps, fc.nat({ max: 300 }), (all, before) => {
      const queue = new Queue<number>();
      let model: number[] = [];
      let next = 0;
      const push = () => {
        queue.push(next);
        model.push(next);
        next += 1;
      };
      for (let i = 0; i < before; i++) push();
      for (const step of all) {
        if (step === 'push') push();
        else if (step === 'take') assert.equal(queue.take(), model.shift());
        else {
          assert.deepEqual(queue.takeAll(), model);
          model = [];
        }
        assert.deepEqual([queue.size, queue.peek()], [model.length, model[0]]);
      }
      for (const item of model) assert.equal(queue.take(), item);
      assert.equal(queue.take(), undefined);
    }),
  );
});
