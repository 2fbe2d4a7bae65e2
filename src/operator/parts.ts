import type { OperatorConfig } from '../config.ts';
import type { Engine } from '../policy/engine.ts';
import type { Access } from '../runtime/client.ts';
import type { Clock } from '../runtime/clock.ts';
import type { StoreDriver, StoreEngine } from '../stores/port.ts';
import type { Logger } from '../telemetry/logger.ts';

/** What an operator is put together from; main.ts constructs them. */
export interface OperatorParts {
  config: OperatorConfig;
  access: Access;
  drivers: Record<StoreEngine, StoreDriver>;
  engine: Engine;
  clock: Clock;
  logger: Logger;
  version: string;
  commit: string;
}
