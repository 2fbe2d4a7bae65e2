import { appendFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestCa } from './certificates.ts';
import { give } from './postgres-binaries.ts';
import type { PostgresTemplate } from './postgres-binaries.ts';
import type { PostgresOptions } from './postgres.ts';

/** Settings, who may log in and how, and a certificate for localhost. */
export async function writeConfiguration(
  template: PostgresTemplate,
  dataFolder: string,
  ca: TestCa,
  options: PostgresOptions,
): Promise<void> {
  const tls = options.tls ?? 'required';
  const settings: Record<string, string> = {
    listen_addresses: "'127.0.0.1'",
    unix_socket_directories: "''", // loopback TCP only: the tests are about the wire
    password_encryption: "'scram-sha-256'",
    timezone: "'UTC'",
    max_connections: '60',
    max_wal_size: "'1GB'",
    jit: 'off',
    ...(options.durable === true ? {} : { fsync: 'off', full_page_writes: 'off' }),
    ...(tls === 'off' ? { ssl: 'off' } : tlsSettings(options.minTls ?? 'TLSv1.2')),
    ...options.settings,
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}\n`);
  await appendFile(join(dataFolder, 'postgresql.conf'), `\n${lines.join('')}`);

  const kind = { required: 'hostssl', optional: 'host', off: 'host' }[tls];
  const everybody = ['all', 'replication'].map((database) => `${kind} ${database} all 127.0.0.1/32 ${options.clientCertAuth === true ? 'cert' : 'scram-sha-256'}\n`);
  const superuser = `${kind} all,replication ${template.superuser.user} 127.0.0.1/32 scram-sha-256\n`;
  await writeFile(join(dataFolder, 'pg_hba.conf'), `${superuser}${options.hba ?? everybody.join('')}\n`);

  const certificate = await ca.issue({ commonName: 'localhost', sans: ['localhost', '127.0.0.1'] });
  const files = { 'server.crt': certificate.certPem, 'server.key': certificate.keyPem, 'ca.crt': ca.pem };
  for (const [name, text] of Object.entries(files)) {
    const path = join(dataFolder, name);
    await writeFile(path, text, { mode: 0o600 });
    await give(path, template.account);
  }
}

function tlsSettings(minimum: string): Record<string, string> {
  const settings = { ssl: 'on', ssl_min_protocol_version: `'${minimum}'`, ssl_ca_file: "'ca.crt'" };
  // OpenSSL's default security level refuses the SHA-1 of TLS 1.1 and older whatever the minimum says.
  return minimum === 'TLSv1' || minimum === 'TLSv1.1' ? { ...settings, ssl_ciphers: "'ALL:@SECLEVEL=0'" } : settings;
}
