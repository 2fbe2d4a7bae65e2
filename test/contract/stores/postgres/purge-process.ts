/**
 * A purge in a process of its own, so that a test can kill or stop it at any point. Takes what it needs as JSON in
 * its one argument; says `go` before the first batch and `done` at the end; exits with 3 and the reason when refused.
 */
import { StoreError } from '../../../../src/stores/errors.ts';
import type { Claim } from '../../../../src/stores/fence.ts';
import type { Credential, StoreTarget } from '../../../../src/stores/port.ts';
import type { Pace, PurgeRequest, PurgeStep } from '../../../../src/stores/purging.ts';
import { connect } from '../../../../src/stores/postgres/connection.ts';
import type { Connection } from '../../../../src/stores/postgres/connection.ts';
import { createReader } from '../../../../src/stores/postgres/reader.ts';
import { createWriter } from '../../../../src/stores/postgres/writer.ts';

export interface PurgeProcess {
  target: StoreTarget;
  credential: Credential;
  claim: Claim;
  steps: PurgeStep[];
  request: PurgeRequest;
  pace: Pace;
}

const { target, credential, claim, steps, request, pace } = JSON.parse(process.argv[2] ?? '') as PurgeProcess;
const login = (): Promise<Connection> => connect(target, credential, { purpose: 'enforce' }, { readOnly: false });
const connection = await login();
const writer = createWriter({ reader: createReader(connection), connection, connect: login });
process.stdout.write('go\n');
try {
  for (const step of steps) {
    for await (const _batch of writer.purge(step, { request, claim, pace, signal: AbortSignal.timeout(60_000) }));
  }
  process.stdout.write('done\n');
} catch (error) {
  process.stdout.write(`${error instanceof StoreError ? error.reason : String(error)}\n`);
  process.exitCode = 3;
}
await writer.close();
