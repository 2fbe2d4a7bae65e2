import { describe, expect, test } from '@jest/globals';
import type { KubeObject } from '../../../src/api/object.ts';
import { ApiError } from '../../../src/runtime/client.ts';
import { eventObject, truncateBytes } from '../../../src/runtime/event-object.ts';
import { createEventRecorder } from '../../../src/runtime/events.ts';
import { silentLogger } from '../../../src/telemetry/logger.ts';
import { widget } from '../../support/fake-apiserver.ts';
import { createFakeClock } from '../../support/fake-clock.ts';

const input = { type: 'Warning' as const, reason: 'StoreUnreachable', action: 'Probe', note: 'no answer' };

function setUp() {
  const clock = createFakeClock();
  const created: (KubeObject & Record<string, unknown>)[] = [];
  const patched: { name: string; body: unknown }[] = [];
  const answers: { fail?: Error; failPatch?: Error } = {};
  const client = {
    create: async (_kind: unknown, object: KubeObject) => {
      if (answers.fail !== undefined) throw answers.fail;
      created.push(object as KubeObject & Record<string, unknown>);
      return object;
    },
    mergePatch: async (_kind: unknown, ref: { name: string }, body: object) => {
      if (answers.failPatch !== undefined) throw answers.failPatch;
      patched.push({ name: ref.name, body });
      return body;
    },
  };
  const recorder = createEventRecorder({ client: client as never, controller: 'example.com/operator', instance: 'pod-1', clock, logger: silentLogger });
  return { clock, created, patched, answers, recorder };
}

describe('the event recorder', () => {
  test('writes an event of events.k8s.io/v1 about the object', async () => {
    const { recorder, created } = setUp();
    recorder.event({ ...widget('a'), metadata: { ...widget('a').metadata, uid: 'u1' } }, input);
    await recorder.flush();
    expect(created).toHaveLength(1);
    expect(created[0]).toMatchObject({
      apiVersion: 'events.k8s.io/v1',
      metadata: { namespace: 'shop', name: expect.stringMatching(/^a\.[0-9a-f]{16}$/) },
      eventTime: '2026-01-01T00:00:00.000000Z',
      reportingController: 'example.com/operator',
      reportingInstance: 'pod-1',
      regarding: { kind: 'Widget', namespace: 'shop', name: 'a', uid: 'u1' },
      ...input,
    });
  });

  test('a hundred repeats are one event with a count, written once in half a minute', async () => {
    const { recorder, clock, created, patched } = setUp();
    for (let time = 0; time < 100; time += 1) recorder.event(widget('a'), { ...input, note: `no answer ${time}` });
    await clock.advance(30_000);
    expect([created.length, patched]).toEqual([1, [{ name: created[0]?.metadata.name, body: { series: { count: 100, lastObservedTime: '2026-01-01T00:00:00.000000Z' } } }]]);
  });

  test('another object, reason, type or action is another event', async () => {
    const { recorder, created } = setUp();
    recorder.event(widget('a'), input);
    recorder.event(widget('b'), input);
    recorder.event(widget('a'), { ...input, reason: 'Other' });
    recorder.event(widget('a'), { ...input, type: 'Normal' });
    recorder.event(widget('a'), { ...input, action: 'Other' });
    await recorder.flush();
    expect(created).toHaveLength(5);
    expect(new Set(created.map((event) => event.metadata.name)).size).toBe(5);
  });

  test('a repeat after more than six minutes is a new event', async () => {
    const { recorder, clock, created } = setUp();
    recorder.event(widget('a'), input);
    await clock.advance(360_001);
    recorder.event(widget('a'), input);
    await recorder.flush();
    expect(created).toHaveLength(2);
  });

  test('an event whose first writing has expired on the server is written anew with its count', async () => {
    const { recorder, clock, created, answers } = setUp();
    recorder.event(widget('a'), input);
    recorder.event(widget('a'), input);
    answers.failPatch = new ApiError({ status: 404, reason: 'NotFound', message: 'gone' });
    await clock.advance(30_000);
    expect(created).toHaveLength(2);
    expect(created[1]).toMatchObject({ metadata: { name: created[0]?.metadata.name }, series: { count: 2 } });
  });

  test('nothing is thrown when the API server refuses, and later events are written', async () => {
    const { recorder, created, answers } = setUp();
    answers.fail = new ApiError({ status: 403, reason: 'Forbidden', message: 'no' });
    recorder.event(widget('a'), input);
    await recorder.flush();
    delete answers.fail;
    recorder.event(widget('b'), input);
    await recorder.flush();
    expect(created.map((event) => event.metadata.name.slice(0, 1))).toEqual(['b']);
  });

  test('stopping writes the counts still open, leaves no timer, and takes no more', async () => {
    const { recorder, clock, patched, created } = setUp();
    recorder.event(widget('a'), input);
    recorder.event(widget('a'), input);
    await recorder.stop();
    recorder.event(widget('b'), input);
    await recorder.flush();
    expect([patched.length, created.length, clock.timers]).toEqual([1, 1, 0]);
  });

  test('of very many open series the oldest is given up, so that a later repeat is a new event', async () => {
    const { recorder, created } = setUp();
    for (let index = 0; index <= 1_000; index += 1) {
      recorder.event(widget(`w${index}`), input);
      await recorder.flush();
    }
    recorder.event(widget('w1000'), input);
    recorder.event(widget('w0'), input);
    await recorder.flush();
    expect(created.length).toBe(1_002);
    await recorder.stop();
  });

  test('ten thousand different events do not pile up in memory', async () => {
    const { recorder, created, clock } = setUp();
    for (let index = 0; index < 10_000; index += 1) recorder.event(widget(`w${index}`), input);
    await recorder.stop();
    expect(created.length).toBeLessThanOrEqual(500);
    expect(clock.timers).toBe(0);
  });
});

describe('an event object', () => {
  const by = { controller: 'c', instance: 'i', now: 0, sequence: 1 };
  test('about a cluster-scoped object lies in the namespace default', () => {
    expect(eventObject({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'n' } }, input, by).metadata.namespace).toBe('default');
  });

  test('keeps to the limits of the API: name, note, and no credentials in it', () => {
    const event = eventObject(widget('x'.repeat(253)), { ...input, note: `postgres://u:hunter2@host/db ${'ä'.repeat(2_000)}` }, by);
    expect(event.metadata.name.length).toBeLessThanOrEqual(253);
    expect(Buffer.byteLength(String(event['note']))).toBeLessThanOrEqual(1_024);
    expect(event['note']).not.toContain('hunter2');
  });

  test.each([
    ['short', 'short'],
    ['exactly-10', 'exactly-10'],
    ['eleven bytes', 'eleven …'.slice(0, 7) + '…'],
    ['ääääääää', 'äää…'],
    ['😀😀😀😀', '😀…'],
  ])('"%s" cut to 10 bytes is "%s"', (text, expected) => {
    expect(truncateBytes(text, 10)).toBe(expected);
  });
});
