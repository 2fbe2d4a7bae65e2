# METADATA
# title: Certificates are valid and not about to expire
# description: The certificate the server presents verifies to the declared CA, covers the declared name, has a strong key, and stays valid longer than the warning window.
# custom:
#   id: TRANSIT-02
#   severity: high
#   facts: [transport]
#   parameters:
#     certExpiryWindow:
#       description: A certificate that ends within this time fails.
#       schema: {type: string, format: duration}
#       default: P21D
#       tighter: Higher
#     minRSABits:
#       description: Shortest RSA key.
#       schema: {type: integer, minimum: 2048, maximum: 16384}
#       default: 2048
#       tighter: Higher
#     minECBits:
#       description: Shortest elliptic curve key.
#       schema: {type: integer, minimum: 224, maximum: 521}
#       default: 256
#       tighter: Higher
#   reasonCodes:
#     CERTIFICATE_VALID: {outcome: Pass, message: "the certificate is trusted, names the server, and is valid until {notAfter:time}"}
#     EXPIRED: {outcome: Fail, message: "the certificate ended at {notAfter:time}"}
#     EXPIRING: {outcome: Fail, message: "the certificate ends at {notAfter:time}, within {window:duration}"}
#     NOT_YET_VALID: {outcome: Fail, message: "the certificate is not valid before {notBefore:time}"}
#     NAME_MISMATCH: {outcome: Fail, message: "the certificate does not cover the declared server name"}
#     UNTRUSTED: {outcome: Fail, message: "the certificate does not verify to the declared CA"}
#     WEAK_KEY: {outcome: Fail, message: "the {keyType} key of {keyBits} bits is too weak"}
#     PROBE_FAILED: {outcome: Unknown, message: "the handshake showed no {missing} of the certificate"}
#   refs:
#     gdpr: ["32(1)(a)", "32(1)(b)"]
#     iso27001: ["A.8.9", "A.8.24"]
#     soc2: ["CC6.1", "CC6.7"]
#     nist80053: ["SC-8(1)", "SC-12", "SC-17"]
#   remediation: Renew the certificate through its issuer, with the server name as subject alternative name and a stronger key.
package dataward.controls.transit.transit_02

import data.dataward.lib.fact
import data.dataward.lib.outcome

facts := outcome.settle(found)

certificate := fact.transport.certificate

found contains reason if some reason in fact.unavailable("transport")

found contains outcome.unknown(outcome.store, "PROBE_FAILED", {"missing": missing}) if count(missing) > 0

found contains outcome.fail(outcome.store, "EXPIRED", {"notAfter": certificate.notAfter}) if certificate.notAfter <= input.now

found contains outcome.fail(outcome.store, "EXPIRING", {"notAfter": certificate.notAfter, "window": input.params.certExpiryWindow}) if {
	certificate.notAfter > input.now
	certificate.notAfter <= input.now + input.params.certExpiryWindow
}

found contains outcome.fail(outcome.store, "NOT_YET_VALID", {"notBefore": certificate.notBefore}) if {
	certificate.notBefore > input.now
}

found contains outcome.fail(outcome.store, "NAME_MISMATCH", {}) if certificate.nameMatches == false

found contains outcome.fail(outcome.store, "UNTRUSTED", {}) if certificate.trusted == false

found contains outcome.fail(outcome.store, "WEAK_KEY", {"keyType": certificate.keyType, "keyBits": certificate.keyBits}) if weak_key

found contains outcome.pass(outcome.store, "CERTIFICATE_VALID", {"notAfter": certificate.notAfter}) if {
	certificate.trusted == true
	certificate.nameMatches == true
	certificate.notBefore <= input.now
	certificate.notAfter > input.now + input.params.certExpiryWindow
	strong_key
}

# DSA is in neither table: no size makes it strong. Edwards curves have one size each.
smallest_key := {"RSA": input.params.minRSABits, "EC": input.params.minECBits}

fixed_size := {"Ed25519": true, "Ed448": true}

strong_key if certificate.keyBits >= smallest_key[certificate.keyType]

strong_key if has_fixed_size

has_fixed_size if fixed_size[certificate.keyType]

weak_key if {
	certificate.keyBits
	certificate.keyType
	not strong_key
}

details := ["keyType", "nameMatches", "notAfter", "notBefore", "trusted"] if has_fixed_size

details := ["keyBits", "keyType", "nameMatches", "notAfter", "notBefore", "trusted"] if not has_fixed_size

missing := fact.absent(object.get(fact.transport, "certificate", {}), details)
