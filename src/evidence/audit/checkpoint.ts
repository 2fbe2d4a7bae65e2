import type { KeyObject } from 'node:crypto';
import { canonicalJson } from '../canonical.ts';
import { signText, verifyText, type SigningKey } from '../keys.ts';
import type { ChainHead } from './record.ts';

/**
 * A chain proves that nothing in it was edited only to someone who knows where it ended. A checkpoint is that
 * knowledge, signed, and kept where whoever can write the log cannot.
 */

export interface Checkpoint {
  readonly chainId: string;
  /** Sequence number of the record it anchors, and that record's hash. */
  readonly seq: number;
  readonly rootHash: string;
  /** RFC 3339 in UTC. */
  readonly ts: string;
  readonly keyId: string;
  /** Base64 Ed25519 signature over the canonical JSON of all other members. */
  readonly sig: string;
}

/** A second place for checkpoints. */
export interface CheckpointSink {
  /** Names the sink in messages and metrics. */
  readonly name: string;
  /** Resolves when the checkpoint is durable there. Putting the same one again is no error; another one in its place is. */
  put(checkpoint: Checkpoint): Promise<void>;
  /** All checkpoints. Throws when they cannot all be read: a missing one would hide a truncation. */
  list(): Promise<Checkpoint[]>;
}

export function signCheckpoint(chainId: string, head: ChainHead, key: SigningKey, now: Date): Checkpoint {
  const body = { chainId, seq: head.seq, rootHash: head.hash, ts: now.toISOString(), keyId: key.keyId };
  return { ...body, sig: signText(canonicalJson(body), key) };
}

export function checkpointIsGenuine(checkpoint: Checkpoint, publicKey: KeyObject): boolean {
  const { sig, ...body } = checkpoint;
  return verifyText(canonicalJson(body), sig, publicKey);
}

/** Reads a checkpoint from foreign text. Throws an `Error` naming what is wrong. */
export function parseCheckpoint(text: string): Checkpoint {
  const value = ((JSON.parse(text) as unknown) ?? {}) as Record<string, unknown>;
  const keys = Object.keys(value).sort().join();
  if (keys !== 'chainId,keyId,rootHash,seq,sig,ts') throw new Error(`is no checkpoint: its members are ${keys || 'none'}`);
  const { chainId, seq, rootHash, ts, keyId, sig } = value;
  const texts = [chainId, rootHash, ts, keyId, sig];
  if (!texts.every((part) => typeof part === 'string') || !Number.isSafeInteger(seq) || (seq as number) < 1) {
    throw new Error('is no checkpoint: a member has the wrong type');
  }
  return value as unknown as Checkpoint;
}

export interface CheckpointRule {
  /** New records after which a checkpoint is due. */
  readonly everyRecords: number;
  /** Milliseconds after which one is due when there is any new record. */
  readonly everyMillis: number;
}

/** Whether the chain has run far enough ahead of its last checkpoint. Pure. */
export function checkpointIsDue(rule: CheckpointRule, last: { seq: number; at: number } | undefined, head: ChainHead, now: number): boolean {
  const behind = head.seq - (last?.seq ?? 0);
  if (behind <= 0) return false;
  return last === undefined || behind >= rule.everyRecords || now - last.at >= rule.everyMillis;
}

export interface PublishOutcome {
  readonly sink: string;
  readonly error?: Error;
}

/** Puts a checkpoint into every sink; one that fails does not keep it from the others. */
export async function publishCheckpoint(checkpoint: Checkpoint, sinks: readonly CheckpointSink[]): Promise<PublishOutcome[]> {
  return Promise.all(
    sinks.map(async (sink) => {
      try {
        await sink.put(checkpoint);
        return { sink: sink.name };
      } catch (error) {
        return { sink: sink.name, error: error instanceof Error ? error : new Error(String(error)) };
      }
    }),
  );
}
