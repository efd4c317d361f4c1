/** The reflector's contract over random histories of objects and failures. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { Reflector } from '../../src/kube/reflector.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { type ConnectionFault, ModelCollection } from '../support/model-collection.ts';
import { Recorder, waitFor } from '../support/recorder.ts';
import { clientOf, widgets } from '../support/reflecting.ts';

type Command =
  | { readonly do: 'put' | 'remove'; readonly name: string }
  | { readonly do: 'fail'; readonly fault: ConnectionFault }
  | { readonly do: 'end' | 'cut' | 'compact' | 'wait' | 'settle' | 'retell' };

const name = fc.constantFrom('a', 'b', 'c', 'd', 'e');
const after = fc.nat(6);
const fault: fc.Arbitrary<ConnectionFault> = fc.oneof(
  fc.record({ kind: fc.constantFrom('cut', 'half line', 'end', 'garbage', 'stall'), after }),
  fc.record({ kind: fc.constant('error event'), after, code: fc.constantFrom(0, 410, 429, 500) }),
  fc.record({ kind: fc.constant('status'), code: fc.constantFrom(400, 401, 403, 404, 410, 422, 429, 500, 503) }),
  fc.constant({ kind: 'replay' }),
);
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constantFrom('put', 'put', 'remove'), name }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('fail'), fault }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom('settle', 'settle', 'wait', 'end', 'cut', 'compact') }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('retell' as const) }) },
);

/**
 * Fails at the moment when something is told that the contract rules out. `untold`: what was told before the last retell()
 * and not since.
 */
function strictRecorder(model: ModelCollection, broken: string[], untold: Set<string>): Recorder {
  const recorder = new Recorder();
  const { gone } = recorder;
  recorder.onObject = ({ metadata }) => {
    const before = Number(recorder.picture.get(`a/${metadata.name}`) ?? 0);
    const now = Number(metadata.resourceVersion);
    const isToldAgain = now === before && untold.has(`a/${metadata.name}`);
    untold.delete(`a/${metadata.name}`);
    if (now <= before && !isToldAgain) broken.push(`${metadata.name}@${now} was told after @${before}`);
  };
  recorder.gone = (namespace, objectName) => {
    const before = Number(recorder.picture.get(`a/${objectName}`) ?? 0);
    if (before === 0) broken.push(`${objectName} was told gone and never told`);
    if (!model.wasDeletedAfter(objectName, before)) broken.push(`${objectName}@${before} was told gone and is not`);
    untold.delete(`a/${objectName}`);
    gone.call(recorder, namespace, objectName);
  };
  return recorder;
}

async function play(commands: readonly Command[], canStream: boolean): Promise<void> {
  const model = new ModelCollection();
  model.canStream = canStream;
  await model.server.listen();
  const broken: string[] = [];
  const untold = new Set<string>();
  const recorder = strictRecorder(model, broken, untold);
  const client = clientOf(model.server.kubeConfig());
  const timing = { inactivityMs: 25, listInactivityMs: 25, watchSeconds: 60 };
  const pause = () => nextTurn();
  const reflector = new Reflector(
    { client, collection: widgets, shape: 'full', clock: systemClock, random: Math.random, timing, pause },
    recorder,
  );
  const isCaughtUp = () => {
    const there = [...model.objects].map(([key, version]) => [`a/${key}`, String(version)]);
    return (
      recorder.listings > 0 &&
      untold.size === 0 &&
      JSON.stringify(there.sort()) === JSON.stringify([...recorder.picture].sort())
    );
  };
  reflector.start();
  try {
    for (const each of commands) {
      if (each.do === 'put') model.put(each.name);
      else if (each.do === 'remove') model.remove(each.name);
      else if (each.do === 'fail') model.plan(each.fault);
      else if (each.do === 'compact') model.compact();
      else if (each.do === 'retell') {
        for (const key of recorder.picture.keys()) untold.add(key);
        reflector.retell();
      } else if (each.do === 'wait') await sleep(2);
      else if (each.do === 'settle') for (let i = 0; i < 30 && !isCaughtUp(); i += 1) await sleep(2);
      else model.breakAll(each.do);
    }
    model.heal();
    await waitFor('the same picture', isCaughtUp);
    assert.deepEqual(broken, []);
    assert.equal(reflector.size, recorder.picture.size);
  } finally {
    await reflector.stop();
    await client.close();
    await model.server.close();
  }
}

test('whatever fails, and however often: what is told is true, in order, and complete in the end', async () => {
  const script = fc.array(command, { minLength: 1, maxLength: 50, size: 'max' });
  await fc.assert(fc.asyncProperty(script, fc.boolean(), play), {
    seed: 20_260_101,
    numRuns: 250,
    endOnFailure: true,
  });
});
