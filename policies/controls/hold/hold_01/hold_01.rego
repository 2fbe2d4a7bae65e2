# METADATA
# title: Legal holds are justified, scoped and reviewed
# description: Every hold in force names a custodian and a legal basis under Union, Member State, EEA or United Kingdom law, narrows its scope, and is reviewed within the interval.
# custom:
#   id: HOLD-01
#   severity: high
#   facts: []
#   parameters:
#     holdReviewInterval:
#       description: A hold is reviewed at least this often.
#       schema: {type: string, format: duration}
#       default: P90D
#       tighter: Lower
#   reasonCodes:
#     HOLDS_JUSTIFIED: {outcome: Pass, message: "{holds} holds are justified, scoped and under review"}
#     NO_HOLDS: {outcome: NotApplicable, message: "no hold reaches this store"}
#     NO_AUTHORITY: {outcome: Fail, message: "hold {hold} lacks a custodian or a stated legal basis"}
#     THIRD_COUNTRY_ORDER: {outcome: Fail, message: "hold {hold} rests on the law of {jurisdiction}, which alone obliges nobody to keep personal data under the GDPR"}
#     SCOPE_UNBOUNDED: {outcome: Fail, message: "hold {hold} keeps everything; narrow it to collections, clients, subjects or a period"}
#     REVIEW_OVERDUE: {outcome: Fail, message: "hold {hold} was to be reviewed by {reviewAt:time}"}
#     REVIEW_TOO_FAR: {outcome: Fail, message: "hold {hold} is reviewed only at {reviewAt:time}, later than {interval:duration} from now"}
#     HOLD_INCOMPLETE: {outcome: Unknown, message: "it is not known of hold {hold}: {missing}"}
#   refs:
#     gdpr: ["5(1)(e)", "17(3)(b)", "17(3)(e)", "18(1)", "18(2)"]
#     iso27001: ["A.5.28", "A.5.31", "A.5.33"]
#     soc2: ["P4.2"]
#     nist80053: ["AU-11", "SI-12"]
#   remediation: State custodian and basis, narrow the scope by a superseding hold, and review or release the hold.
package dataward.controls.hold.hold_01

import data.dataward.lib.fact
import data.dataward.lib.outcome
import data.dataward.reference

facts := outcome.settle(found)

found contains outcome.unknown(outcome.store, "INPUT_MISSING", {"what": "legal holds"}) if not input.holds

found contains outcome.not_applicable("NO_HOLDS", {}) if {
	count(input.holds) >= 0
	count(standing) == 0
}

found contains outcome.fail(outcome.store, "NO_AUTHORITY", {"hold": hold.name}) if {
	some hold in standing
	lacks_authority(hold)
}

found contains outcome.fail(outcome.store, "THIRD_COUNTRY_ORDER", {"hold": hold.name, "jurisdiction": hold.jurisdiction}) if {
	some hold in standing
	hold.jurisdiction
	not recognised(hold.jurisdiction)
}

found contains outcome.fail(outcome.store, "SCOPE_UNBOUNDED", {"hold": hold.name}) if {
	some hold in standing
	hold.blanket == true
}

found contains outcome.fail(outcome.store, "REVIEW_OVERDUE", {"hold": hold.name, "reviewAt": hold.reviewAt}) if {
	some hold in standing
	hold.reviewAt <= input.now
}

found contains outcome.fail(outcome.store, "REVIEW_TOO_FAR", args) if {
	some hold in standing
	hold.reviewAt > input.now + input.params.holdReviewInterval
	args := {"hold": hold.name, "reviewAt": hold.reviewAt, "interval": input.params.holdReviewInterval}
}

found contains outcome.unknown(outcome.store, "HOLD_INCOMPLETE", {"hold": hold.name, "missing": missing}) if {
	some hold in standing
	missing := fact.absent(hold, ["basisStated", "blanket", "custodianNamed", "jurisdiction", "reviewAt"])
	count(missing) > 0
}

found contains outcome.pass(outcome.store, "HOLDS_JUSTIFIED", {"holds": count(standing)}) if {
	count(standing) > 0
	every hold in standing {
		hold.custodianNamed == true
		hold.basisStated == true
		hold.blanket == false
		recognised(hold.jurisdiction)
		hold.reviewAt > input.now
		hold.reviewAt <= input.now + input.params.holdReviewInterval
	}
}

standing contains hold if {
	some hold in input.holds
	hold.state != "Released"
}

lacks_authority(hold) if hold.custodianNamed == false

lacks_authority(hold) if hold.basisStated == false

# DE-BY is German law.
recognised(jurisdiction) if reference.hold_jurisdictions[upper(split(jurisdiction, "-")[0])]
