import { describe, expect, test } from '@jest/globals';
import type { DataStore } from '../../../src/api/generated/dataStore.ts';
import { countAt } from '../../../src/connect/counting-reader.ts';
import { StoreError } from '../../../src/stores/errors.ts';
import type { StoreReader } from '../../../src/stores/port.ts';
import { aStore } from '../../support/declared.ts';
import { aReplica, type ReplicaScript } from '../../support/scripted-replicas.ts';

const TARGET = 'sha256:target';

function store(replicas: number, runOn: 'Primary' | 'Replica' = 'Replica'): DataStore {
  const one = aStore();
  return { ...one, spec: { ...one.spec, endpoint: { ...one.spec.endpoint, replicas: Array.from({ length: replicas }, (_, index) => ({ host: `r${index}.example`, port: 5432 })) }, observation: { ...one.spec.observation, counts: { ...one.spec.observation.counts, runOn } } } };
}

interface Seen {
  /** Where it was counted, or why not. */
  result: string;
  /** Logins at replicas, and how many of them were ended. */
  opened: number[];
  closed: number;
}

/** Counts somewhere; `looks` is called before each question whether a replica is there yet. */
async function counted(declared: DataStore, replicas: readonly ReplicaScript[], options: { catchUpMs?: number; looks?: (asked: number) => void; breaks?: Error } = {}): Promise<Seen> {
  const seen: Seen = { result: '', opened: [], closed: 0 };
  let asked = 0;
  const primary = { name: 'primary', identity: async () => ({ ...aReplica().identity, fingerprint: TARGET, replica: false }), position: async () => 'P7' } as unknown as StoreReader;
  const replicaReader = async (_store: DataStore, place: number): Promise<StoreReader> => {
    const script = replicas[place] as ReplicaScript;
    seen.opened.push(place);
    if (script.refuses) throw script.refuses;
    const reader: Partial<StoreReader> = {
      identity: async () => script.identity,
      async hasReached(position) {
        expect(position).toBe('P7');
        options.looks?.((asked += 1));
        return script.reached;
      },
      async close() {
        seen.closed += 1;
      },
    };
    return { ...reader, name: `replicas[${place}]` } as unknown as StoreReader;
  };
  const count = async (reader: StoreReader): Promise<string> => {
    if (options.breaks) throw options.breaks;
    return (reader as unknown as { name: string }).name;
  };
  try {
    seen.result = await countAt(declared, primary, count, { connections: { replicaReader }, signal: new AbortController().signal, catchUpMs: options.catchUpMs ?? 0 });
  } catch (error) {
    seen.result = `${(error as { reason?: string }).reason}: ${(error as Error).message}`;
  }
  return seen;
}

const stranger = aReplica({ identity: { ...aReplica().identity, fingerprint: 'sha256:other' } });
const promoted = aReplica({ identity: { ...aReplica().identity, replica: false } });
const behind = aReplica({ reached: false });
const down = aReplica({ refuses: new StoreError('Unreachable', 'no answer') });

describe('rows are counted', () => {
  test.each<[string, DataStore, ReplicaScript[], string, number[]]>([
    ['at the primary, when that is declared', store(1, 'Primary'), [aReplica()], 'primary', []],
    ['at the replica that shows all the primary had written', store(1), [aReplica()], 'replicas[0]', [0]],
    ['at the next one, when the first is another store', store(2), [stranger, aReplica()], 'replicas[1]', [0, 1]],
    ['at the next one, when the first is down', store(2), [down, aReplica()], 'replicas[1]', [0, 1]],
    ['at the next one, when the first is behind', store(3), [behind, aReplica(), aReplica()], 'replicas[1]', [0, 1]],
  ])('%s', async (_, declared, replicas, where, opened) => {
    const seen = await counted(declared, replicas);
    expect([seen.result, seen.opened]).toEqual([where, opened]);
    expect(seen.closed).toBe(opened.length - replicas.slice(0, opened.length).filter(({ refuses }) => refuses).length);
  });

  test('at a replica that comes in time', async () => {
    const late = aReplica({ reached: false });
    const seen = await counted(store(1), [late], { catchUpMs: 5_000, looks: (asked) => void (late.reached = asked >= 2) });
    expect(seen).toEqual({ result: 'replicas[0]', opened: [0], closed: 1 });
  });
});

describe('nothing is said', () => {
  test.each<[string, ReplicaScript[], RegExp]>([
    ['where another store answers', [stranger], /^NotAReplica: .*replicas\[0\]: another system or database answers/],
    ['where the replica was promoted, which has rows of its own', [promoted], /^NotAReplica: .*takes writes/],
    ['where it stands still', [behind], /^ReplicaBehind: .*replicas\[0\]: A declared replica did not show in time/],
    ['where it does not answer', [down], /^Unreachable: .*replicas\[0\]: no answer/],
    ['where none of several can be used, and each is named', [behind, stranger], /^ReplicaBehind: .*replicas\[0\].*; replicas\[1\]: another system/],
    ['where none is declared any more', [], /^InvalidSpec: .*spec\.endpoint\.replicas names none/],
  ])('%s', async (_, replicas, why) => {
    const seen = await counted(store(replicas.length), replicas);
    expect(seen.result).toMatch(why);
    expect(seen.closed).toBe(replicas.filter(({ refuses }) => !refuses).length);
  });

  test('of a fault nobody foresaw but that it happened', async () => {
    const seen = await counted(store(2), [aReplica({ refuses: new TypeError('a bug') }), aReplica()]);
    expect([seen.result, seen.opened]).toEqual(['undefined: a bug', [0]]);
  });

  test('when the count itself breaks, and the login is ended', async () => {
    const seen = await counted(store(1), [aReplica()], { breaks: new StoreError('Conflict', 'cancelled') });
    expect(seen).toMatchObject({ result: 'Conflict: cancelled', closed: 1 });
  });
});
