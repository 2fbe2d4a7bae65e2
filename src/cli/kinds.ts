import { apiVersionOf, CONFIG_MAP, NAMESPACE, OWN_KINDS, SECRET } from '../api/kinds.ts';
import type { KindRef } from '../api/object.ts';

/** Kinds a folder of declarations may hold. */
export const DECLARABLE: readonly KindRef[] = [NAMESPACE, SECRET, CONFIG_MAP, ...OWN_KINDS];

/** Our own of them, by `apiVersion/kind`. */
export const KINDS_BY_NAME: ReadonlyMap<string, KindRef> = new Map(OWN_KINDS.map((kind) => [`${apiVersionOf(kind)}/${kind.kind}`, kind]));
