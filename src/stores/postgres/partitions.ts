import type { BatchResult } from '../port.ts';
import type { Connection } from './connection.ts';
import type { StepWork } from './walk.ts';

export async function* dropPartitions(_connection: Connection, _work: StepWork): AsyncGenerator<BatchResult> {
  yield* [];
}
