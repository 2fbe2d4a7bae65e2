import { expect } from '@jest/globals';
import type { OperatorProcess } from '../support/dataward-process.ts';
import type { SampleStore } from '../support/sample-store.ts';
import { allFiles, allObjects, leaks } from '../support/scan.ts';
import type { Readable } from '../support/scan.ts';
import { accessOf } from './people.ts';

/** Objects of the API server, evidence, log and metrics of an operator that runs. */
export async function readablesOf(operator: OperatorProcess, reader: string): Promise<Readable[]> {
  const metrics = { where: 'metrics', text: await operator.metrics() };
  return [...(await allObjects(accessOf(reader))), ...(await allFiles(operator.evidence)), { where: 'log', text: operator.log() }, metrics];
}

/** None of it has a value of a data subject or a password in it. */
export async function quiet(readables: readonly Readable[], store: Pick<SampleStore, 'identifiers'>): Promise<void> {
  const identifiers = await store.identifiers();
  expect(identifiers.length).toBeGreaterThan(500);
  expect(leaks([{ where: 'planted', text: `visitor ${identifiers[7]} was seen` }], identifiers)).not.toEqual([]);
  expect(leaks(readables, identifiers)).toEqual([]);
  expect(leaks(readables, ['-password'])).toEqual([]);
}
