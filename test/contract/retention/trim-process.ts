/**
 * An operator that takes runs over into its audit log, anchors it and trims the journal, in a process of its own, so that
 * a test can kill it at any point. Takes what it needs as JSON in its one argument; says `opened`, `taken`, `anchored` and `done`.
 */
import { writeSync } from 'node:fs';
import { PURGE_RUN } from '../../../src/api/kinds.ts';
import type { StoreConnections } from '../../../src/connect/stores.ts';
import { openEvidence } from '../../../src/operator/evidence.ts';
import { openLedger } from '../../../src/retention/run/ledger.ts';
import { trimJournal } from '../../../src/retention/run/trim.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import type { Credential, StoreTarget } from '../../../src/stores/port.ts';
import { createPostgresDriver } from '../../../src/stores/postgres/driver.ts';
import { silentLogger } from '../../../src/telemetry/logger.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import { aStore } from '../../support/declared.ts';
import { memoryClient } from '../../support/memory-client.ts';
import { aRun } from '../../unit/retention/run/declared-run.ts';

export interface TrimProcess {
  target: StoreTarget;
  credential: Credential;
  /** Folder of the evidence. */
  dir: string;
  /** Runs to take over, by name; the first of them has not ended. */
  runs: string[];
  /** Milliseconds to add to the clock where the age of rows is judged. */
  later: number;
}

const { target, credential, dir, runs, later } = JSON.parse(process.argv[2] ?? '') as TrimProcess;
const say = (word: string): void => void writeSync(1, `${word}\n`); // synchronous, so that a kill loses nothing that was said
const metrics = createMetrics({ version: '0.1.0', commit: 'test' }).domain;
const evidence = await openEvidence({ dir, sinks: [], clock: systemClock, logger: silentLogger, metrics, actor: 'dataward', lockWaitMillis: 10_000 });
say('opened');
const store = aStore();
const signal = AbortSignal.timeout(60_000);
const connections = { writer: () => createPostgresDriver().openWriter(target, credential, { purpose: 'enforce', signal }) } as Partial<StoreConnections> as StoreConnections;
const writer = await connections.writer(store);
for (const name of runs) {
  const run = aRun({}, undefined, name);
  // An operator opens no run that has ended; here those are not opened that an earlier process trimmed.
  if ((await writer.journalTotals(run.metadata.uid ?? '', Number.MAX_SAFE_INTEGER)).lastSeq === 0) continue;
  await openLedger({ run, store }, writer, { journal: evidence.journal, actor: 'dataward', nameClient: evidence.nameClient, metrics: createMetrics({ version: '0', commit: 'c' }).domain });
}
await writer.close();
say('taken');
await evidence.anchor();
say('anchored');
const client = memoryClient([[PURGE_RUN, aRun({}, { state: 'Running' }, runs[0])]]);
const context = { client, connections, audit: evidence.audit, journal: evidence.journal, anchored: evidence.anchored, actor: 'dataward', owner: 'cluster-a', logger: silentLogger, now: () => Date.now() + later, signal };
while ((await trimJournal(store, context)).runs > 0);
await evidence.close();
say('done');
