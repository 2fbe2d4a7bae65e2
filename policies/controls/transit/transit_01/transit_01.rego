# METADATA
# title: The store speaks only modern TLS
# description: A handshake at the minimum version succeeds, every lower version and plaintext are refused, and no session is open without TLS.
# custom:
#   id: TRANSIT-01
#   severity: critical
#   facts: [transport]
#   parameters:
#     minTLSVersion:
#       description: Lowest TLS version a store may accept.
#       schema: {type: string, enum: ["1.2", "1.3"]}
#       default: "1.2"
#       tighter: Higher
#   reasonCodes:
#     TLS_REQUIRED: {outcome: Pass, message: "only {version} or better is accepted, and nothing is connected without TLS"}
#     PLAINTEXT_ACCEPTED: {outcome: Fail, message: "the store accepts connections without TLS"}
#     TLS_BELOW_MIN: {outcome: Fail, message: "the store still accepts {accepted}; the minimum is TLS {minimum}"}
#     PLAINTEXT_SESSION: {outcome: Fail, message: "{count} open sessions do not use TLS"}
#     PROBE_FAILED: {outcome: Unknown, message: "the probe has no clear answer for {missing}"}
#     POOLER_IN_PATH: {outcome: Unknown, message: "a pooler or proxy ends the TLS connection, so the hop behind it was not seen; declare the server itself as endpoint"}
#   refs:
#     gdpr: ["5(1)(f)", "32(1)(a)"]
#     iso27001: ["A.5.14", "A.8.20", "A.8.24"]
#     soc2: ["CC6.7"]
#     nist80053: ["SC-8", "SC-8(1)", "SC-13"]
#   remediation: Make the server require TLS (hostssl, require_secure_transport, no plain port) and raise its lowest protocol version.
package dataward.controls.transit.transit_01

import data.dataward.lib.fact
import data.dataward.lib.outcome
import data.dataward.reference

facts := outcome.settle(found)

found contains reason if some reason in fact.unavailable("transport")

found contains outcome.fail(outcome.store, "PLAINTEXT_ACCEPTED", {}) if fact.transport.plaintextRefused == false

found contains outcome.fail(outcome.store, "TLS_BELOW_MIN", {"accepted": version, "minimum": input.params.minTLSVersion}) if {
	some version in accepted_too_low
}

found contains outcome.fail(outcome.store, "PLAINTEXT_SESSION", {"count": fact.transport.livePlaintextSessions}) if {
	fact.transport.livePlaintextSessions > 0
}

found contains outcome.unknown(outcome.store, "PROBE_FAILED", {"missing": missing}) if count(missing) > 0

found contains outcome.unknown(outcome.store, "POOLER_IN_PATH", {}) if fact.transport.pooler == true

found contains outcome.pass(outcome.store, "TLS_REQUIRED", {"version": input.params.minTLSVersion}) if {
	fact.transport.plaintextRefused == true
	fact.transport.livePlaintextSessions == 0
	fact.transport.pooler == false
	reference.tls_rank[fact.transport.version] >= minimum
	lower_versions_refused
}

minimum := reference.tls_rank[input.params.minTLSVersion]

accepted_too_low contains "TLS 1.0 or 1.1" if fact.transport.legacyRefused == false

accepted_too_low contains "TLS 1.2" if {
	minimum > reference.tls_rank["1.2"]
	fact.transport.tls12Refused == false
}

accepted_too_low contains fact.transport.version if reference.tls_rank[fact.transport.version] < minimum

lower_versions_refused if {
	fact.transport.legacyRefused == true
	minimum == reference.tls_rank["1.2"]
}

lower_versions_refused if {
	fact.transport.legacyRefused == true
	fact.transport.tls12Refused == true
}

probes := ["legacyRefused", "livePlaintextSessions", "plaintextRefused", "pooler", "version"]

missing := fact.absent(fact.transport, probes) if minimum == reference.tls_rank["1.2"]

missing := fact.absent(fact.transport, array.concat(probes, ["tls12Refused"])) if minimum > reference.tls_rank["1.2"]
