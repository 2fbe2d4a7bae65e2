import { apiVersionOf, CONFIG_MAP, NAMESPACE, OWN_KINDS, SECRET } from '../api/kinds.ts';
import type { KindRef } from '../api/object.ts';

/** Kinds a folder of declarations may hold, by `apiVersion/kind`. */
export const DECLARABLE: readonly KindRef[] = [NAMESPACE, SECRET, CONFIG_MAP, ...OWN_KINDS];

export const KINDS_BY_NAME: ReadonlyMap<string, KindRef> = new Map(OWN_KINDS.map((kind) => [`${apiVersionOf(kind)}/${kind.kind}`, kind]));

export const DECLARABLE_BY_NAME: ReadonlyMap<string, KindRef> = new Map(DECLARABLE.map((kind) => [`${apiVersionOf(kind)}/${kind.kind}`, kind]));
