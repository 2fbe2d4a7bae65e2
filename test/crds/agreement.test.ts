import { describe, expect, test } from '@jest/globals';
import { CONDITION_TYPES, setCondition } from '../../src/api/conditions.ts';
import { DATA_STORE, RETENTION_POLICY } from '../../src/api/kinds.ts';
import type { KubeObject } from '../../src/api/object.ts';
import { REASONS } from '../../src/api/reasons.ts';
import { loadApi } from '../../src/api/validation/load.ts';
import { cronProblem, zoneProblem } from '../../src/api/validation/semantic.ts';
import { dayBounds } from '../../src/rules/period.ts';
import { CRDS, acceptedObjects } from './cases.ts';
import { withValue } from './walk.ts';
import { fc, runs } from '../support/properties.ts';

const { validator } = loadApi(CRDS);
const policy = acceptedObjects().find((object) => object.kind === 'RetentionPolicy' && object.metadata.name === 'behaviour-25-months');
const store = acceptedObjects().find((object) => object.kind === 'DataStore');
if (policy === undefined || store === undefined) throw new Error('an example is missing');

function accepts(keys: readonly string[], value: unknown): boolean {
  const { object } = validator.prepare(RETENTION_POLICY, withValue(policy as KubeObject & { spec: Record<string, unknown> }, keys, value));
  return validator.validate(RETENTION_POLICY, object).length === 0;
}

/** Texts made of the parts of an alphabet, so that many are almost right. */
const almost = (...parts: string[]): fc.Arbitrary<string> => fc.array(fc.constantFrom(...parts), { maxLength: 8 }).map((list) => list.join(''));

describe('what the schema accepts, the code can use', () => {
  test('a period is at least one day and can be counted with', () => {
    const text = almost('P', 'T', '-', '0', '1', '25', '999', 'Y', 'M', 'W', 'D', 'H', '.5');
    fc.assert(
      fc.property(fc.oneof(text, text.map((rest) => `P${rest}`)), (period) => {
        if (!accepts(['spec', 'maximum', 'period'], period)) return;
        expect(dayBounds(period).least).toBeGreaterThanOrEqual(1);
      }),
      { numRuns: runs(400), examples: [['P1D'], ['P1M'], ['P999Y'], ['P0Y0M0W1D'], ['P9999W'], ['P99999D']] },
    );
  });

  test('a schedule has five fields for the parser too', () => {
    fc.assert(
      fc.property(almost('*', '0', '5', ' ', '/', ',', '-', 'MON', '?', '\t', '@daily'), (cron) => {
        if (!accepts(['spec', 'purge', 'schedule', 'cron'], cron)) return;
        expect(cronProblem(cron) ?? '').not.toContain('five fields');
      }),
      { numRuns: runs(400), examples: [['* * * * *'], ['0 2 * * MON'], ['0 2 * *'], ['']] },
    );
  });

  test('a zone that is accepted is an IANA name or is found out later, never another form', () => {
    fc.assert(
      fc.property(almost('Europe', 'Paris', '/', 'UTC', 'Local', '02:00', '+', '-', 'Etc', 'GMT', '1'), (zone) => {
        const isAccepted = accepts(['spec', 'timeZone'], zone);
        if (!isAccepted) expect(zoneProblem(zone)).toBeDefined();
      }),
      { numRuns: runs(400), examples: [['UTC'], ['Europe/Paris'], ['Etc/GMT+1']] },
    );
  });
});

describe('what the code writes, the schema accepts', () => {
  test('every reason, in every condition, with the longest message', () => {
    const message = 'x'.repeat(40_000);
    const reasons = Object.keys(REASONS);
    const types = Object.values(CONDITION_TYPES);
    const conditions = types.flatMap((type, index) =>
      setCondition([], { type, status: 'Unknown', observedGeneration: 1, reason: reasons[index] ?? 'Evaluated', message }, Date.UTC(2026, 10, 24)),
    );
    const errors = validator.validate(DATA_STORE, { ...store, status: { conditions } } as unknown as KubeObject);
    expect(errors).toEqual([]);
    for (const reason of reasons) {
      const [condition] = setCondition([], { type: 'Ready', status: 'True', reason, message: '' }, 0);
      expect(validator.validate(DATA_STORE, { ...store, status: { conditions: [condition] } } as unknown as KubeObject)).toEqual([]);
    }
  });
});
