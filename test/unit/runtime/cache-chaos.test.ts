import { expect, test } from '@jest/globals';
import { createCache } from '../../../src/runtime/cache.ts';
import { createClient } from '../../../src/runtime/client.ts';
import { eventually, matching, startFakeApiServer, widget, WIDGET } from '../../support/fake-apiserver.ts';
import type { FakeApiServer, Widget } from '../../support/fake-apiserver.ts';
import { fc, runs } from '../../support/properties.ts';

const name = fc.constantFrom('a', 'b', 'c', 'd');

type Step = { say: string; run: (server: FakeApiServer) => void | Promise<void> };
const step = (say: string, run: Step['run']): Step => ({ say, run, toString: () => say }) as Step;

const steps: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(name, fc.nat(99)).map(([which, size]) => step(`put ${which} ${size}`, (server) => void server.put(WIDGET, widget(which, size)))) },
  { weight: 3, arbitrary: name.map((which) => step(`remove ${which}`, (server) => server.remove(WIDGET, 'shop', which))) },
  { weight: 2, arbitrary: fc.constantFrom('end' as const, 'reset' as const, 'freeze' as const).map((how) => step(`watch ${how}`, (server) => server.disturbWatches(how))) },
  fc.constantFrom('{"type":"ADDED","obj', 'garbage\n', '{"type":"ERROR","object":{"code":410,"reason":"Expired"}}\n', '{"type":"ERROR","object":{"code":500,"reason":"InternalError"}}\n').map((text) =>
    step(`write ${text.trim()}`, (server) => {
      server.disturbWatches({ write: text });
      server.disturbWatches('end');
    }),
  ),
  fc.constant(step('compact', (server) => server.compact())),
  fc.constant(step('bookmark', (server) => server.bookmark())),
  fc.tuple(fc.constantFrom(410, 429, 500, 503), fc.constantFrom('list' as const, 'watch' as const), fc.integer({ min: 1, max: 3 })).map(([status, what, times]) => step(`${status} for ${times} ${what}`, (server) => server.inject({ status }, matching[what], times))),
  fc.constantFrom('list' as const, 'watch' as const).map((what) => step(`reset one ${what}`, (server) => server.inject('reset', matching[what], 1))),
  fc.integer({ min: 0, max: 15 }).map((ms) => step(`wait ${ms}`, () => new Promise((resolve) => setTimeout(resolve, ms)))),
);

test('whatever changes and breaks, in whatever order: the cache ends up equal to the server, and its listeners could follow', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(steps, { maxLength: 30 }), async (sequence) => {
      const server = await startFakeApiServer();
      const client = createClient(server.kubeConfig(), { userAgent: 'test/1', random: () => 0, qps: 0 });
      const abort = new AbortController();
      const cache = createCache<Widget>(client, WIDGET, { timing: { baseMs: 2, maxMs: 10, idleMs: 40 }, random: () => 0 });
      /** What a listener that only heard the changes would believe. */
      const believed = new Map<string, string>();
      const wrong: string[] = [];
      cache.onChange(({ type, object, old }) => {
        const uid = object.metadata.uid ?? '';
        if (believed.has(uid) !== (type !== 'added')) wrong.push(`${type} ${uid}`);
        if (type === 'modified' && old?.metadata.resourceVersion !== believed.get(uid)) wrong.push(`${uid} from an unheard state`);
        if (type === 'deleted') believed.delete(uid);
        else believed.set(uid, object.metadata.resourceVersion ?? '');
      });
      const running = cache.start(abort.signal);
      try {
        for (const each of sequence) await each.run(server);
        const states = (objects: Widget[]): string => objects.map(({ metadata }) => `${metadata.uid}/${metadata.resourceVersion}`).toSorted().join();
        await eventually('the cache equals the server', () => cache.hasSynced && states(cache.list()) === states(server.stored<Widget>(WIDGET)), 3_000);
        expect(wrong).toEqual([]);
        expect([...believed].map(([uid, version]) => `${uid}/${version}`).toSorted().join()).toBe(states(server.stored<Widget>(WIDGET)));
      } finally {
        abort.abort();
        await running;
        client.close();
        await server.stop();
      }
    }),
    { numRuns: runs(60) },
  );
});
