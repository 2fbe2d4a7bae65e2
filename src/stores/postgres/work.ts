import type { PurgeContext, PurgeStep } from '../purging.ts';
import type { Allowance } from './allowance.ts';
import type { Connection } from './connection.ts';
import type { Consent } from './consent.ts';
import type { ResolvedTable } from './sql.ts';
import type { BlockRange, Resolver } from './statements.ts';
import type { Shapes, Target } from './target.ts';

/** What a worker's batches are compiled from; made anew whenever a hold, a foreign key or a trigger came or went. */
export interface Compiled {
  holdsRevision: number;
  shapes: Shapes;
  target: Target;
  resolver: Resolver;
}

/** Clock, chance and waiting, so that tests can decide them. */
export interface Surroundings {
  monotonicMs(): number;
  random(): number;
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

/** Shared by the workers of one step. */
export interface StepWork extends Surroundings {
  step: PurgeStep;
  context: PurgeContext;
  compile(connection: Connection): Promise<Compiled>;
  history: { walBytes: number; snapshotWaitMs: number };
  allowance: Allowance;
  consent: Consent;
}

/** A run of heap pages of one table. */
export interface Unit {
  leaf: ResolvedTable;
  range: BlockRange;
  pass: number;
}
