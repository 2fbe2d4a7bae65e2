/**
 * A process of its own that appends without end and prints the number of each record it was told is durable. For
 * tests that kill it. Arguments: folder.
 */
import { writeSync } from 'node:fs';
import { openAuditLog } from '../../src/evidence/audit/log.ts';
import { openJournal } from '../../src/evidence/audit/journal.ts';

const log = await openAuditLog({ dir: process.argv[2]!, clock: () => new Date(), segmentBytes: 200_000 });
const journal = await openJournal(log);
const run = { store: 'platform-db/analytics', run: 'run-1', object: { kind: 'PurgeRun', name: 'run-1' }, actor: 'dataward' };
for (let row = journal.through(run.store, run.run) + 1; ; row += 20) {
  const rows = Array.from({ length: 20 }, (_, i) => ({ seq: row + i, deleted: 5, note: 'x'.repeat((row * 37 + i * 11) % 900) }));
  const { through } = await journal.takeOver(run, rows);
  // Synchronous, so that nothing acknowledged stays in a buffer of the killed process.
  writeSync(1, `${through}\n`);
}
