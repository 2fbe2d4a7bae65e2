# METADATA
# title: Public entry points are TLS only
# description: Every Ingress and every Gateway listener with a route, in the namespaces that declare data of the store, serves TLS under its own name, tells browsers to stay with it, and answers plain HTTP with nothing but the way there.
# custom:
#   id: TRANSIT-03
#   severity: high
#   facts: [entryPoints]
#   parameters:
#     minHSTSMaxAge:
#       description: Seconds for which Strict-Transport-Security has to bind a browser.
#       schema: {type: integer, minimum: 1, maximum: 315360000}
#       default: 15552000
#       tighter: Higher
#   reasonCodes:
#     TLS_ONLY: {outcome: Pass, message: "all {count} entry points speak TLS only"}
#     NO_ENTRY_POINTS: {outcome: NotApplicable, message: "no Ingress and no HTTPRoute is in the namespaces that declare data of the store"}
#     NO_TLS: {outcome: Fail, message: "no TLS 1.2 or newer at {entryPoints}"}
#     NAME_MISMATCH: {outcome: Fail, message: "the certificate does not cover the host at {entryPoints}"}
#     HTTP_OPEN: {outcome: Fail, message: "plain HTTP is answered, not redirected, at {entryPoints}"}
#     NO_HSTS: {outcome: Fail, message: "no Strict-Transport-Security of {minimum} s or more at {entryPoints}"}
#     PROBE_FAILED: {outcome: Unknown, message: "nothing clear was answered at {entryPoints}"}
#     NOT_READ: {outcome: Unknown, message: "Ingresses, Gateways and routes were not read yet; when it stays so, the log of the operator says why"}
#     TOO_MANY: {outcome: Unknown, message: "there are more entry points than the {count} that were asked"}
#   refs:
#     gdpr: ["25(1)", "32(1)(a)"]
#     iso27001: ["A.8.20", "A.8.24", "A.8.26"]
#     soc2: ["CC6.6", "CC6.7"]
#     nist80053: ["SC-7", "SC-8"]
#   remediation: Give the Ingress a tls section, or the Gateway an HTTPS listener, with a certificate for the host; redirect plain HTTP to it, and send Strict-Transport-Security.
package dataward.controls.transit.transit_03

import data.dataward.lib.fact
import data.dataward.lib.outcome

facts := outcome.settle(found)

points := fact.entry_points.points

found contains outcome.unknown(outcome.store, "NOT_READ", {}) if not input.facts.entryPoints

found contains reason if {
	input.facts.entryPoints
	some reason in fact.unavailable("entryPoints")
}

found contains outcome.not_applicable("NO_ENTRY_POINTS", {}) if {
	points == []
	fact.entry_points.complete == true
}

found contains outcome.fail(outcome.store, "NO_TLS", {"entryPoints": without_tls}) if count(without_tls) > 0

found contains outcome.fail(outcome.store, "NAME_MISMATCH", {"entryPoints": misnamed}) if count(misnamed) > 0

found contains outcome.fail(outcome.store, "HTTP_OPEN", {"entryPoints": open}) if count(open) > 0

found contains outcome.fail(outcome.store, "NO_HSTS", args) if {
	count(unbound) > 0
	args := {"entryPoints": unbound, "minimum": input.params.minHSTSMaxAge}
}

found contains outcome.unknown(outcome.store, "PROBE_FAILED", {"entryPoints": unanswered}) if count(unanswered) > 0

found contains outcome.unknown(outcome.store, "TOO_MANY", {"count": count(points)}) if fact.entry_points.complete == false

found contains outcome.pass(outcome.store, "TLS_ONLY", {"count": count(points)}) if {
	fact.entry_points.complete == true
	count(points) > 0
	count(points) == count([point | some point in points; tls_only(point)])
}

tls_only(point) if {
	point.https == "Served"
	no_plain_http[point.http]
	point.hstsMaxAge >= input.params.minHSTSMaxAge
}

no_plain_http := {"Closed": true, "Redirects": true}

# What was measured counts, and what the objects say only where nothing was: a load balancer may bring its own certificate.
lacks_tls(point) if point.https == "Refused"

lacks_tls(point) if {
	not point.https
	point.tls == false
}

without_tls := sort([point.name | some point in points; lacks_tls(point)])

misnamed := sort([point.name | some point in points; point.https == "OtherName"])

open := sort([point.name | some point in points; point.http == "Open"])

unbound := sort([point.name | some point in points; point.hstsMaxAge < input.params.minHSTSMaxAge])

unanswered := sort([point.name | some point in points; silent(point)])

silent(point) if {
	not point.https
	not lacks_tls(point)
}

silent(point) if not point.http

silent(point) if {
	point.https == "Served"
	not has_hsts(point)
}

# 0 is known, and would be false by itself.
has_hsts(point) if point.hstsMaxAge >= 0
