import type { ComplianceProfile } from '../api/generated/complianceProfile.ts';
import type { DataMap } from '../api/generated/dataMap.ts';
import type { DataStore } from '../api/generated/dataStore.ts';
import type { LegalHold } from '../api/generated/legalHold.ts';
import type { PurgeRun } from '../api/generated/purgeRun.ts';
import type { RetentionPolicy } from '../api/generated/retentionPolicy.ts';
import { COMPLIANCE_PROFILE, DATA_MAP, DATA_STORE, GATEWAY, HTTP_ROUTE, INGRESS, LEGAL_HOLD, NAMESPACE, PURGE_RUN, RETENTION_POLICY } from '../api/kinds.ts';
import type { KubeObject, ObjectRef } from '../api/object.ts';
import type { Gateway, HttpRoute, Ingress } from '../entrypoints/objects.ts';
import { parentsOf } from '../entrypoints/plan.ts';
import { projectGateway, projectIngress, projectRoute } from '../entrypoints/project.ts';
import { createCache, type Cache } from '../runtime/cache.ts';
import type { Client } from '../runtime/client.ts';
import { keyOf } from '../runtime/keys.ts';
import { createOptionalCache } from '../runtime/optional-cache.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { RuntimeMetrics } from '../telemetry/runtime-metrics.ts';

/** What the operator follows. Secrets are not among them: they are read by name at the moment of use and kept nowhere. */
export interface Caches {
  stores: Cache<DataStore>;
  /** Found by the store they point at, see `MAPS_BY_STORE`. */
  maps: Cache<DataMap>;
  /** Found by uid, see `POLICIES_BY_UID`. */
  policies: Cache<RetentionPolicy>;
  holds: Cache<LegalHold>;
  runs: Cache<PurgeRun>;
  profiles: Cache<ComplianceProfile>;
  namespaces: Cache<KubeObject>;
  ingresses: Cache<Ingress>;
  gateways: Cache<Gateway>;
  /** Found by the Gateways they come in by, see `ROUTES_BY_GATEWAY`. */
  routes: Cache<HttpRoute>;
}

/** Index of the maps by the store they point at, `namespace/name`. */
export const MAPS_BY_STORE = 'store';
export const POLICIES_BY_UID = 'uid';
/** Index of the routes by their Gateways, `namespace/name`. */
export const ROUTES_BY_GATEWAY = 'gateway';

export function createCaches(client: Client, options: { logger: Logger; metrics: RuntimeMetrics }): Caches {
  return {
    stores: createCache<DataStore>(client, DATA_STORE, options),
    maps: createCache<DataMap>(client, DATA_MAP, { ...options, indexers: { [MAPS_BY_STORE]: (map) => [keyOf(storeOfMap(map))] } }),
    policies: createCache<RetentionPolicy>(client, RETENTION_POLICY, { ...options, indexers: { [POLICIES_BY_UID]: (policy) => [policy.metadata.uid ?? ''] } }),
    holds: createCache<LegalHold>(client, LEGAL_HOLD, options),
    runs: createCache<PurgeRun>(client, PURGE_RUN, options),
    profiles: createCache<ComplianceProfile>(client, COMPLIANCE_PROFILE, options),
    namespaces: createCache<KubeObject>(client, NAMESPACE, options),
    ingresses: createCache<Ingress>(client, INGRESS, { ...options, project: projectIngress }),
    // The Gateway API is an extension, which may come later or never.
    gateways: createOptionalCache<Gateway>(client, GATEWAY, { ...options, project: projectGateway }),
    routes: createOptionalCache<HttpRoute>(client, HTTP_ROUTE, { ...options, project: projectRoute, indexers: { [ROUTES_BY_GATEWAY]: (route) => parentsOf(route).map(keyOf) } }),
  };
}

/** The store a map points at, whether there is one of that name or not. */
export function storeOfMap(map: DataMap): ObjectRef {
  const { namespace = map.metadata.namespace ?? '', name } = map.spec.storeRef;
  return { namespace, name };
}
