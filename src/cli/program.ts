import { Command, InvalidArgumentError, Option } from 'commander';
import type { ApproveFlags } from './approve.ts';
import { OUTPUTS, type ClusterFlags, type CliContext, type ExitCode } from './context.ts';
import type { EvidenceFlags } from './evidence.ts';
import type { FreezeFlags } from './freeze.ts';
import type { LocalFlags } from './local.ts';
import type { PlanFlags } from './plan.ts';
import type { StatusFlags } from './status.ts';
import type { OperatorFlags } from '../config.ts';

/**
 * The command line: names and flags; each command is a file of its own, loaded when it is called, so that the operator
 * does not keep in memory what only other commands need. `exit` is told the code a command earned.
 */
export function createProgram(context: CliContext, exit: (code: ExitCode) => void): Command {
  const program = new Command('dataward')
    .description('Keeps personal data in real data stores under the rules that were promised.')
    .configureOutput({ writeOut: (text) => context.stdout.write(text), writeErr: (text) => context.stderr.write(text) })
    .version(`dataward ${context.version} (${context.commit})`, '-V, --version', 'version of this program')
    .exitOverride()
    .showHelpAfterError('(add --help for the flags)');
  const output = (): Option => new Option('-o, --output <format>', 'format of the result').choices(OUTPUTS).default('table');
  const cluster = (command: Command, namespace = 'namespace; that of the context when left out'): Command =>
    command
      .option('--kubeconfig <file>', 'kubeconfig to use')
      .option('--context <name>', 'context of the kubeconfig')
      .option('-n, --namespace <name>', namespace)
      .addOption(output());

  program
    .command('validate')
    .description('check manifests by every rule the API server would apply, offline')
    .requiredOption('-f, --filename <path>', 'file or folder')
    .option('--root-namespace <name>', 'namespace of the operator')
    .addOption(output())
    .action(async (flags: { filename: string; rootNamespace?: string; output: ClusterFlags['output'] }) => exit(await (await import('./validate.ts')).validate(context, flags)));

  cluster(program.command('plan [retentionpolicy/NAME]'))
    .description('show what a purge would delete and why the rest stays; reads only')
    .option('-f, --filename <dir>', 'folder of declarations instead of a cluster')
    .option('--sql', 'print the read-only SELECTs that show the same rows')
    .option('--months', 'show how the rows of each collection lie in time')
    .option('--root-namespace <name>', 'namespace of the operator')
    .action(async (policy: string | undefined, flags: PlanFlags) => exit(await (await import('./plan.ts')).plan(context, policy, flags)));

  cluster(program.command('approve <purgerun/NAME>'))
    .description('approve exactly the plan of a run, in your own name')
    .option('--max-rows <n>', 'the most rows you agree to', positive)
    .option('--root-namespace <name>', 'namespace of the operator')
    .action(async (run: string, flags: ApproveFlags) => exit(await (await import('./approve.ts')).approve(context, run, flags)));

  cluster(program.command('freeze'), 'only the stores of this namespace; all when left out')
    .description('stop all destruction before the next batch')
    .requiredOption('--reason <text>', 'why')
    .option('--root-namespace <name>', 'namespace of the operator')
    .action(async (flags: FreezeFlags) => exit(await (await import('./freeze.ts')).freeze(context, flags)));

  cluster(program.command('thaw'), 'the freeze of this namespace; the one of all stores when left out')
    .description('end a freeze')
    .option('--root-namespace <name>', 'namespace of the operator')
    .action(async (flags: FreezeFlags) => exit(await (await import('./freeze.ts')).thaw(context, flags)));

  cluster(program.command('status'))
    .description('stores, policies, holds and runs on one page')
    .option('-A, --all-namespaces', 'in every namespace')
    .option('--root-namespace <name>', 'namespace of the operator')
    .action(async (flags: StatusFlags) => exit(await (await import('./status.ts')).status(context, flags)));

  const evidence = (command: Command): Command => command.option('--keys <dir>', 'folder of public keys; the one beside the evidence when left out').option('--checkpoints <dir>', 'folder of checkpoints kept apart from the log').addOption(output());
  evidence(program.command('certificate').description('deletion certificates').command('verify <file>'))
    .description('check a certificate offline')
    .option('--audit <dir>', 'folder of the audit log; compares what the certificate states with what the log records')
    .action(async (file: string, flags: EvidenceFlags) => exit(await (await import('./evidence.ts')).verifyCertificateFile(context, file, flags)));
  evidence(program.command('audit').description('the audit log').command('verify <dir>'))
    .description('check an audit log offline: integrity and completeness')
    .action(async (dir: string, flags: EvidenceFlags) => exit(await (await import('./evidence.ts')).verifyAuditDir(context, dir, flags)));

  program
    .command('local')
    .description('run the operator on this machine, against a small Kubernetes API on loopback')
    .requiredOption('-f, --filename <dir>', 'folder of declarations; edits are applied')
    .option('--state <dir>', 'keep objects and evidence here, for the next start too')
    .option('--listen <host:port>', 'address of the API', '127.0.0.1:0')
    .option('--metrics-listen <host:port>', 'address of metrics and health', '127.0.0.1:0')
    .option('--kubeconfig <file>', 'where to write the kubeconfig')
    .option('--person <name>', 'a user beside the operator; may be given again', (name: string, all: string[]) => [...all, name], [])
    .option('--until-idle', 'end when nothing is left to do without people and time')
    .option('--frozen', 'measure everything, destroy nothing')
    .option('--no-probe-entry-points', 'send no requests to Ingresses and Gateways')
    .addOption(new Option('--log-level <level>', 'detail of the log').choices(['error', 'warn', 'info', 'debug']).default('warn'))
    .action(async (flags: LocalFlags) => exit(await (await import('./local.ts')).local(context, flags)));

  program
    .command('operator')
    .description('run the operator in a cluster')
    .option('--kubeconfig <file>', 'kubeconfig; in a pod the service account is used')
    .option('--namespace <name>', 'namespace of the operator')
    .option('--evidence-dir <dir>', 'folder of the audit log, certificates and signing key')
    .option('--listen <host:port>', 'address of metrics and health')
    .option('--frozen', 'measure everything, destroy nothing')
    .option('--no-probe-entry-points', 'send no requests to Ingresses and Gateways')
    .option('--no-leader-election', 'for a single process')
    .option('--log-level <level>', 'error, warn, info or debug')
    .action(async (flags: OperatorFlags) => exit(await (await import('./operator.ts')).operator(context, flags)));

  program
    .command('version')
    .description('version of this program')
    .addOption(output())
    .action(async (flags: { output: ClusterFlags['output'] }) => exit((await import('./version.ts')).version(context, flags)));

  return program;
}

function positive(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError('write a whole number of at least 1');
  return value;
}

