import { relative } from 'node:path';
import type { KindRef, ObjectRef } from '../api/object.ts';
import { apiVersionOf } from './kinds.ts';
import { parseManifests } from './manifests.ts';
import type { Manifest, ManifestProblem } from './manifests.ts';

/** A document that names an object this server knows. */
export interface Declared {
  manifest: Manifest;
  kind: KindRef;
  ref: ObjectRef;
  /** `DataStore platform-db/analytics` */
  label: string;
}

/** A mistake in the files; `object` is there when it is about one document. */
export type DeclarationProblem = ManifestProblem & { object?: string };

function declare(manifest: Manifest, kinds: readonly KindRef[]): Declared | string {
  const { apiVersion, kind: name, metadata } = manifest.object;
  const kind = kinds.find((candidate) => candidate.kind === name && apiVersionOf(candidate) === apiVersion);
  if (kind === undefined) return `${name} of ${apiVersion} is not known here; check apiVersion and kind`;
  if (!kind.namespaced) return { manifest, kind, ref: { name: metadata.name }, label: `${name} ${metadata.name}` };
  const namespace = metadata.namespace ?? 'default';
  const object = { ...manifest.object, metadata: { ...metadata, namespace } };
  return { manifest: { ...manifest, object }, kind, ref: { namespace, name: metadata.name }, label: `${name} ${namespace}/${metadata.name}` };
}

/** Namespaces first, then what others refer to; within a rank the order of the files. */
function rank({ kind }: Declared): number {
  if (kind.kind === 'Namespace') return 0;
  return kind.group === '' ? 1 : 2;
}

/** What a folder's files declare, and which of it is still to be applied. */
export class Declarations {
  readonly #kinds: readonly KindRef[];
  readonly #texts = new Map<string, string>();
  /** Which document speaks for each object, over all files: a second one is refused, or the two would take turns. */
  readonly #speaking = new Map<string, Declared>();
  readonly #pending = new Set<string>();

  constructor(kinds: readonly KindRef[]) {
    this.#kinds = kinds;
  }

  /** Takes the files as they are now (path -> text). Returns the mistakes in those that changed. */
  update(dir: string, files: ReadonlyMap<string, string>): DeclarationProblem[] {
    for (const file of this.#texts.keys()) {
      if (files.has(file)) continue;
      this.#texts.delete(file);
      this.#forget(file);
    }
    const changed = [...files].filter(([file, text]) => this.#texts.get(file) !== text);
    return changed.flatMap(([file, text]) => {
      this.#texts.set(file, text);
      const { manifests, problems } = parseManifests(file, text);
      if (problems.length > 0) return problems;
      this.#forget(file);
      return manifests.flatMap((manifest) => this.#add(dir, manifest));
    });
  }

  /** What waits to be applied, in the order it should be. */
  pending(): Declared[] {
    return [...this.#speaking.values()].filter(({ label }) => this.#pending.has(label)).sort((a, b) => rank(a) - rank(b));
  }

  applied({ label }: Declared): void {
    this.#pending.delete(label);
  }

  #forget(file: string): void {
    for (const [label, { manifest }] of this.#speaking) {
      if (manifest.file !== file) continue;
      this.#speaking.delete(label);
      this.#pending.delete(label);
    }
  }

  #add(dir: string, manifest: Manifest): DeclarationProblem[] {
    const { file, line, object } = manifest;
    const declared = declare(manifest, this.#kinds);
    if (typeof declared === 'string') return [{ file, line, message: declared, object: `${object.kind} ${object.metadata.name}` }];
    const other = this.#speaking.get(declared.label);
    if (other !== undefined) {
      const where = `${relative(dir, other.manifest.file)}:${other.manifest.line}`;
      return [{ file, line, message: `also declared at ${where}; remove one of the two`, object: declared.label }];
    }
    this.#speaking.set(declared.label, declared);
    this.#pending.add(declared.label);
    return [];
  }
}
