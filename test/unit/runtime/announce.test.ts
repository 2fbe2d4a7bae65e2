import { describe, expect, test } from '@jest/globals';
import type { Condition, KubeObject } from '../../../src/api/object.ts';
import { announce } from '../../../src/runtime/announce.ts';
import type { EventRecorder } from '../../../src/runtime/events.ts';

type Short = readonly [type: string, status: Condition['status'], reason: string];

const conditions = (list: readonly Short[]): Condition[] => list.map(([type, status, reason]) => ({ type, status, reason, message: `because ${reason}`, lastTransitionTime: '2026-03-01T00:00:00Z' }));

/** The events a change from one list of conditions to another leads to. */
function events(before: readonly Short[] | undefined, after: readonly Short[]): string[] {
  const told: string[] = [];
  const recorder: EventRecorder = { event: (_object, input) => void told.push(`${input.type} ${input.reason} ${input.action} ${input.note}`), flush: async () => {}, stop: async () => {} };
  const object = { apiVersion: 'v1', kind: 'PurgeRun', metadata: { name: 'a' }, status: { conditions: conditions(after) } } as KubeObject & { status: { conditions: Condition[] } };
  announce(recorder, before && conditions(before), object, 'Purge');
  return told;
}

describe('an event', () => {
  test('is told for a condition that changed, with its own reason and words', () => {
    expect(events([['Ready', 'False', 'Frozen']], [['Ready', 'True', 'Running']])).toEqual(['Normal Running Purge Ready=True: because Running']);
  });

  test.each<[string, readonly Short[] | undefined, readonly Short[], string[]]>([
    ['a status that turned bad is a warning', [['Ready', 'True', 'Running']], [['Ready', 'False', 'Frozen']], ['Warning Frozen']],
    ['another reason of the same status is news', [['Ready', 'False', 'Frozen']], [['Ready', 'False', 'HoldPending']], ['Warning HoldPending']],
    ['True is the bad news of Failed', [], [['Failed', 'True', 'ResidualRows']], ['Warning ResidualRows']],
    ['False is the good news of Stalled', [['Stalled', 'True', 'Unreachable']], [['Stalled', 'False', 'Reconciled']], ['Normal Reconciled']],
    ['Unknown that was known is no warning, but news', [['Compliant', 'True', 'Pass']], [['Compliant', 'Unknown', 'ReadFailed']], ['Normal ReadFailed']],
    ['nothing changed', [['Ready', 'False', 'Frozen']], [['Ready', 'False', 'Frozen']], []],
    ['the first look finds it unknown', undefined, [['Compliant', 'Unknown', 'ReadFailed']], []],
    ['nobody was in conflict and nobody is', undefined, [['Conflicted', 'False', 'NoConflict']], []],
    ['it is applied as written from the start', undefined, [['AsWritten', 'True', 'AppliedAsWritten']], []],
    ['it turned out to be more or less than written', undefined, [['AsWritten', 'False', 'HoldWidened']], ['Warning HoldWidened']],
    ['a conflict ended', [['Conflicted', 'True', 'Conflict']], [['Conflicted', 'False', 'NoConflict']], ['Normal NoConflict']],
    ['a statement lapsed', [['Ready', 'True', 'Evaluated']], [['Ready', 'True', 'Evaluated'], ['Lapsed', 'True', 'Unclassified']], ['Warning Unclassified']],
    ['a condition that moves with others', [], [['Reconciling', 'True', 'Progressing']], []],
    ['one of two changed', [['Ready', 'True', 'A'], ['Covered', 'True', 'B']], [['Ready', 'True', 'A'], ['Covered', 'False', 'C']], ['Warning C']],
  ])('%s', (_, before, after, told) => {
    expect(events(before, after).map((event) => event.split(' ').slice(0, 2).join(' '))).toEqual(told);
  });

  test('is not told of an object that is gone', () => {
    const recorder = { event: () => { throw new Error('told'); } } as unknown as EventRecorder;
    expect(() => announce(recorder, [], undefined, 'Purge')).not.toThrow();
  });
});
