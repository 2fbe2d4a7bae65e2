/** Values a pattern has to accept and to refuse, each within the bounds of length of every field that uses it. */
export interface PatternExamples {
  accepted: string[];
  refused: string[];
}

const LABEL: PatternExamples = { accepted: ['a', 'a1', '0', 'page-views'], refused: ['', '-a', 'a-', 'A', 'a_b', 'a.b', 'a b', 'a\n'] };

/** By the pattern's text, as it stands in the CRDs. */
export const PATTERN_EXAMPLES: Readonly<Record<string, PatternExamples>> = {
  '^(0[.][0-9]{2}|1[.]00)$': { accepted: ['0.00', '0.91', '1.00'], refused: ['1.01', '.91', '0.9', '2.00'] },
  '^(UTC|[A-Z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)+)$': {
    accepted: ['UTC', 'Europe/Paris', 'Etc/GMT+1', 'America/Port-au-Prince', 'America/Argentina/Buenos_Aires'],
    refused: ['', 'Local', '02:00', '+02:00', 'CET', 'utc', 'Europe/', '/Paris', 'Europe Paris', 'Europe/Paris\n'],
  },
  '^P([0-9]{1,3}Y)?([0-9]{1,4}M)?([0-9]{1,4}W)?([0-9]{1,5}D)?$': {
    accepted: ['P25M', 'P8Y', 'P30D', 'P2W', 'P1Y6M', 'P1Y2M3W4D', 'P999Y'],
    refused: ['', 'PT1H', 'P1DT1H', 'P1.5D', '-P1D', 'P-1D', 'p1d', 'P1', 'P1D1M', 'P1000Y', '1D', 'P1D\n'],
  },
  '^PT([0-9]{1,3}H)?([0-9]{1,4}M)?$': { accepted: ['PT4H', 'PT30M', 'PT1H30M'], refused: ['', 'P1D', 'PT1S', 'PT1.5H', '-PT1H', 'PT1M1H'] },
  '^[-._a-zA-Z0-9]+$': { accepted: ['ca.crt', 'tls_ca-1'], refused: ['', 'a/b', 'a b'] },
  '^[0-9A-Za-z*/,-]+( [0-9A-Za-z*/,-]+)*$': {
    accepted: ['0 2 * * *', '*/15 0-6 1,15 JAN-MAR MON-FRI', '0 2 L * *'],
    refused: ['', '0  2 * * *', ' 0 2 * * *', '0 2 * * * ', '0 2 * * ?', '@daily', '0\t2 * * *'],
  },
  '^[0-9]{1,10}$': { accepted: ['1', '16402', '4294967295'], refused: ['', '0x1', '-1', '1.5', '16402 '] },
  '^[0-9]{1,10}( [0-9]{1,10})*$': { accepted: ['16402', '16402 16405 4294967295'], refused: ['', ' 16402', '16402 ', '16402  16405', '16402,16405', '0x1'] },
  '^[0-9a-f]{16}$': { accepted: ['0123456789abcdef'], refused: ['', 'F'.repeat(16), '0'.repeat(15), 'g'.repeat(16)] },
  '^[0-9a-f]{64}$': { accepted: ['0'.repeat(64), 'f'.repeat(64)], refused: ['', 'F'.repeat(64), '0'.repeat(63)] },
  '^[A-Za-z0-9][A-Za-z0-9.()-]*$': { accepted: ['S04', '5(1)(e)', '28(3)(a)', 'A-1'], refused: ['', '(1)', '-1', 'S 04', 'Art. 5'] },
  '^[A-Z][A-Z0-9]*(-[A-Z0-9]+)*$': { accepted: ['TRANSIT-01', 'A', 'RET-02-B'], refused: ['', 'transit-01', '-01', 'A-', 'A--1'] },
  '^[A-Z][A-Za-z0-9]*$': { accepted: ['Created', 'A', 'Art17Request'], refused: ['', 'created', 'Contract Ended', '1st', 'A-B', 'A_B'] },
  '^[A-Z][A-Za-z]*$': { accepted: ['A', 'Created'], refused: ['', 'created', 'A1', 'A B'] },
  '^[A-Z]{2}$': { accepted: ['DE', 'NO'], refused: ['', 'de', 'D', 'D1'] },
  '^[A-Z]{2}(-[A-Z0-9]{1,3})?$': { accepted: ['DE', 'EU', 'DE-BY', 'FR-75'], refused: ['', 'de', 'DEU', 'DE-', 'DE_BY'] },
  '^[A-Za-z0-9:]([A-Za-z0-9.:_-]*[A-Za-z0-9.:])?$': {
    accepted: ['a', 'db.example.com', '10.0.0.7', 'fd00::7', '::1', 'db_1.example.com.'],
    refused: ['', 'db/', '-db', 'a b', 'user@db', 'db?x=1', '/var/run/postgresql'],
  },
  '^[A-Za-z0-9]([A-Za-z0-9._/-]*[A-Za-z0-9])?$': { accepted: ['2026-014', 'A/7', '7'], refused: ['', '-7', '7-', 'Smith v. Jones', 'é'] },
  '^[^*]*[*][^*]*$': { accepted: ['tenant_*', '*', '*_data'], refused: ['', 'tenant', '*_*'] },
  '^[a-z0-9]([-_a-z0-9]*[a-z0-9])?$': { accepted: ['visitor', 'job_applicant', 'a-b'], refused: ['', '_a', 'a_', 'Visitor', 'a b'] },
  '^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$': { accepted: ['analytics-ca', 'analytics.verify', '1'], refused: ['', '.a', 'a.', 'A', 'a_b', 'a/b'] },
  '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$': LABEL,
  '^[a-z0-9_]+(\\.[a-z0-9_]+)*$': { accepted: ['user', 'user.device.ip_address'], refused: ['', '.user', 'user.', 'user..device', 'User', 'user device'] },
  '^[a-z][A-Za-z0-9]*$': { accepted: ['transport', 'rowCounts'], refused: ['', 'Transport', '1a', 'a-b'] },
  '^\\$([.][A-Za-z0-9_-]+)+$': { accepted: ['$.user', '$.user.id', '$.a-b_1'], refused: ['', '$', 'user.id', '$..id', '$.a[0]', "$.a'b"] },
  '^sha256:[0-9a-f]{64}$': { accepted: [`sha256:${'0'.repeat(64)}`], refused: ['', 'sha256:', `sha512:${'0'.repeat(64)}`, `sha256:${'F'.repeat(64)}`] },
};
