import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse, parseAllDocuments } from 'yaml';
import type { KubeObject } from '../../src/api/object.ts';

const HERE = path.dirname(fileURLToPath(import.meta.url));

/** The folder the CRDs and admission policies are read from. */
export const CRDS = path.join(HERE, '..', '..', 'crds');

/** A change as JSON merge patch: null removes, lists are replaced. */
export type Patch = Record<string, unknown>;

/** One example of a rule, as written in cases/*.yaml. */
export interface Case {
  name: string;
  /** `Kind/name` of an accepted object. */
  from: string;
  create?: Patch;
  /** Later writes, one after the other. */
  update?: Patch;
  then?: Patch;
  finally?: Patch;
  /** Part of the message of the last write; absent: every write is accepted. */
  refused?: string;
  /** Path of the field that is named. */
  at?: string;
}

/** A custom resource as a manifest has it. */
export interface Manifest extends KubeObject {
  spec: Record<string, unknown>;
  status?: Record<string, unknown>;
}

/** Objects that are accepted; together they use every field of every kind. */
export function acceptedObjects(): Manifest[] {
  return yamlFiles('objects').flatMap((text) => parseAllDocuments(text).map((document) => document.toJS() as Manifest));
}

export function cases(): Case[] {
  return yamlFiles('cases').flatMap((text) => parse(text) as Case[]);
}

/** The writes of a case: the object that is created, then the changed object of each later write. */
export function writesOf(example: Case, objects: readonly Manifest[]): Manifest[] {
  const from = objects.find((object) => `${object.kind}/${object.metadata.name}` === example.from);
  if (from === undefined) throw new Error(`${example.name}: there is no object ${example.from}`);
  const { status: _, ...withoutStatus } = from;
  const later = [example.update, example.then, example.finally].filter((patch) => patch !== undefined);
  const writes = [mergePatch(withoutStatus, example.create ?? {}) as Manifest];
  for (const patch of later) writes.push(mergePatch(writes.at(-1), patch) as Manifest);
  return writes;
}

export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isPlain(patch)) return patch;
  const out: Record<string, unknown> = isPlain(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete out[name];
    else out[name] = mergePatch(out[name], value);
  }
  return out;
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function yamlFiles(folder: string): string[] {
  const dir = path.join(HERE, folder);
  const files = readdirSync(dir).filter((file) => file.endsWith('.yaml')).toSorted();
  return files.map((file) => readFileSync(path.join(dir, file), 'utf8'));
}
