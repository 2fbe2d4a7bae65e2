# METADATA
# title: Nothing under an active hold is destroyed
# description: Every hold is in force inside the store, nothing else deletes within its scope, and the last verification of each purge found the held rows unchanged.
# custom:
#   id: HOLD-02
#   severity: critical
#   facts: []
#   reasonCodes:
#     HOLDS_ENFORCED: {outcome: Pass, message: "{holds} holds are in force in the store and held rows were left alone"}
#     NO_HOLDS: {outcome: NotApplicable, message: "no hold reaches this store"}
#     HELD_DATA_DESTROYED: {outcome: Fail, message: "after a purge of policy {policy}, held rows were missing or changed"}
#     HOLD_NOT_ENFORCED: {outcome: Fail, message: "hold {hold} is not in force in this store"}
#     TTL_NOT_SUSPENDED: {outcome: Fail, message: "{deleters} may still delete what hold {hold} keeps"}
#     HOLD_PENDING: {outcome: Unknown, message: "hold {hold} is on its way and not yet in force in this store"}
#     HOLD_INCOMPLETE: {outcome: Unknown, message: "it is not known of hold {hold}: {missing}"}
#     VERIFICATION_MISSING: {outcome: Unknown, message: "no verification shows whether policy {policy} left the held rows alone"}
#   refs:
#     gdpr: ["17(3)(e)", "28(3)(g)"]
#     iso27001: ["A.5.28", "A.5.33"]
#     soc2: ["C1.1", "P4.2"]
#     nist80053: ["AU-11", "SI-12"]
#   remediation: Freeze the store, stop what else deletes, restore from a backup if something is gone, and tell the custodian.
package dataward.controls.hold.hold_02

import data.dataward.lib.fact
import data.dataward.lib.outcome

facts := outcome.settle(found)

found contains outcome.unknown(outcome.store, "INPUT_MISSING", {"what": "legal holds"}) if not input.holds

found contains outcome.not_applicable("NO_HOLDS", {}) if {
	count(input.holds) >= 0
	count(standing) == 0
}

found contains outcome.unknown(outcome.store, "INPUT_MISSING", {"what": "retention policies and purge runs"}) if {
	count(standing) > 0
	not input.purges
}

found contains outcome.unknown(outcome.store, "HOLD_PENDING", {"hold": hold.name}) if {
	some hold in standing
	hold.state == "Pending"
	hold.enforced == false
}

found contains outcome.fail(outcome.store, "HOLD_NOT_ENFORCED", {"hold": hold.name}) if {
	some hold in standing
	hold.state == "Active"
	hold.enforced == false
}

found contains outcome.fail(outcome.store, "TTL_NOT_SUSPENDED", {"hold": hold.name, "deleters": sort(hold.otherDeleters)}) if {
	some hold in standing
	count(hold.otherDeleters) > 0
}

found contains outcome.unknown(outcome.store, "HOLD_INCOMPLETE", {"hold": hold.name, "missing": missing}) if {
	some hold in standing
	missing := fact.absent(hold, ["enforced", "otherDeleters"])
	count(missing) > 0
}

found contains outcome.fail(outcome.store, "HELD_DATA_DESTROYED", {"policy": purge.policy}) if {
	count(standing) > 0
	some purge in input.purges
	purge.heldUnchanged == false
}

found contains outcome.unknown(outcome.store, "VERIFICATION_MISSING", {"policy": purge.policy}) if {
	count(standing) > 0
	some purge in input.purges
	fact.absent(purge, ["heldUnchanged"]) == ["heldUnchanged"]
	not left_held_rows_alone(purge)
}

found contains outcome.pass(outcome.store, "HOLDS_ENFORCED", {"holds": count(standing)}) if {
	count(standing) > 0
	every hold in standing {
		hold.enforced == true
		count(hold.otherDeleters) == 0
	}
	input.purges
	every purge in input.purges {
		left_held_rows_alone(purge)
	}
}

standing contains hold if {
	some hold in input.holds
	hold.state != "Released"
}

left_held_rows_alone(purge) if purge.heldUnchanged == true

# A policy that never ran touched nothing.
left_held_rows_alone(purge) if {
	purge.attempted == false
	not purge.heldUnchanged == false
}
