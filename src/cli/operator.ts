import { ConfigError, operatorConfig, type OperatorFlags } from '../config.ts';
import { startOperator } from '../operator/operator.ts';
import { createEngine } from '../policy/engine.ts';
import { createLogger } from '../telemetry/logger.ts';
import { EXIT, type CliContext, type ExitCode } from './context.ts';

/** `operator`: the controllers in a cluster, until a signal or until the lease is lost. */
export async function operator(context: CliContext, flags: OperatorFlags): Promise<ExitCode> {
  const config = operatorConfig(flags, context.env);
  const logger = createLogger({ level: config.logLevel, stream: context.stderr, fields: { version: context.version } });
  const { access, server, from } = await context.cluster(config.kubeconfig ? { kubeconfig: config.kubeconfig } : {});
  // Whoever reads that it does not answer has to know which one was asked.
  logger.info('the API server to work with', { server, from });
  const engine = await createEngine({ bundleDir: context.paths.bundle });
  const running = await startOperator({
    config,
    access,
    drivers: context.drivers,
    engine,
    clock: context.clock,
    logger,
    version: context.version,
    commit: context.commit,
  });
  const stopped = new Promise<void>((resolve) => context.signal.addEventListener('abort', () => resolve(running.stop()), { once: true }));
  try {
    // A stop that was asked for ends in its time, also when what it stops does not.
    await Promise.race([running.ended, stopped]);
    if (context.signal.aborted) await stopped;
    return EXIT.fine;
  } catch (error) {
    logger.error('the operator ended', { error });
    // Whoever restarts it starts clean; a half-stopped leader must not linger.
    await running.stop();
    return error instanceof ConfigError ? EXIT.input : EXIT.unreachable;
  } finally {
    await engine.close();
  }
}
