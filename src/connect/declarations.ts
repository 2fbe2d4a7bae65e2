import type { DataMap } from '../api/generated/dataMap.ts';
import type { LegalHold } from '../api/generated/legalHold.ts';
import type { RetentionPolicy } from '../api/generated/retentionPolicy.ts';
import { DATA_MAP, LEGAL_HOLD, NAMESPACE, RETENTION_POLICY } from '../api/kinds.ts';
import type { KubeObject } from '../api/object.ts';
import type { Declarations } from '../rules/store-rules.ts';
import type { Client } from '../runtime/client.ts';

/** Where declarations are read from. */
export interface DeclarationSource {
  /** @throws ApiError; a list that could not be read is never an empty list. */
  read(): Promise<Declarations>;
}

/**
 * Reads everything from the API server itself. What is about to be destroyed is decided on this, never on a
 * cache: an old list after a restart of the API server has made other operators delete live data.
 */
export function liveDeclarations(client: Client, rootNamespace: string): DeclarationSource {
  return {
    async read() {
      const [maps, policies, holds, namespaces] = await Promise.all([
        client.list<DataMap>(DATA_MAP),
        client.list<RetentionPolicy>(RETENTION_POLICY),
        client.list<LegalHold>(LEGAL_HOLD),
        client.list<KubeObject>(NAMESPACE),
      ]);
      return declarations(maps, policies, holds, namespaces, rootNamespace);
    },
  };
}

interface Listing<T> {
  synced(): Promise<void>;
  list(): readonly T[];
}

/** Reads from caches, for counting and status. */
export function cachedDeclarations(
  caches: { maps: Listing<DataMap>; policies: Listing<RetentionPolicy>; holds: Listing<LegalHold>; namespaces: Listing<KubeObject> },
  rootNamespace: string,
): DeclarationSource {
  return {
    async read() {
      const { maps, policies, holds, namespaces } = caches;
      // Not what else the caller follows: a declaration does not wait for it.
      await Promise.all([maps, policies, holds, namespaces].map((cache) => cache.synced()));
      return declarations([...maps.list()], [...policies.list()], [...holds.list()], namespaces.list(), rootNamespace);
    },
  };
}

function declarations(maps: DataMap[], policies: RetentionPolicy[], holds: LegalHold[], namespaces: readonly KubeObject[], rootNamespace: string): Declarations {
  const labels = new Map(namespaces.map((namespace) => [namespace.metadata.name, namespace.metadata.labels ?? {}]));
  return { maps, policies, holds, namespaces: labels, rootNamespace };
}
