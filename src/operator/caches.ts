import type { ComplianceProfile } from '../api/generated/complianceProfile.ts';
import type { DataMap } from '../api/generated/dataMap.ts';
import type { DataStore } from '../api/generated/dataStore.ts';
import type { LegalHold } from '../api/generated/legalHold.ts';
import type { PurgeRun } from '../api/generated/purgeRun.ts';
import type { RetentionPolicy } from '../api/generated/retentionPolicy.ts';
import { COMPLIANCE_PROFILE, DATA_MAP, DATA_STORE, LEGAL_HOLD, NAMESPACE, PURGE_RUN, RETENTION_POLICY } from '../api/kinds.ts';
import type { KubeObject } from '../api/object.ts';
import { createCache, type Cache } from '../runtime/cache.ts';
import type { Client } from '../runtime/client.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { RuntimeMetrics } from '../telemetry/runtime-metrics.ts';

/** What the operator follows. Secrets are not among them: they are read by name at the moment of use and kept nowhere. */
export interface Caches {
  stores: Cache<DataStore>;
  maps: Cache<DataMap>;
  policies: Cache<RetentionPolicy>;
  holds: Cache<LegalHold>;
  runs: Cache<PurgeRun>;
  profiles: Cache<ComplianceProfile>;
  namespaces: Cache<KubeObject>;
}

export function createCaches(client: Client, options: { logger: Logger; metrics: RuntimeMetrics }): Caches {
  return {
    stores: createCache<DataStore>(client, DATA_STORE, options),
    maps: createCache<DataMap>(client, DATA_MAP, options),
    policies: createCache<RetentionPolicy>(client, RETENTION_POLICY, options),
    holds: createCache<LegalHold>(client, LEGAL_HOLD, options),
    runs: createCache<PurgeRun>(client, PURGE_RUN, options),
    profiles: createCache<ComplianceProfile>(client, COMPLIANCE_PROFILE, options),
    namespaces: createCache<KubeObject>(client, NAMESPACE, options),
  };
}
