# METADATA
# title: Purges run as scheduled and end verified
# description: Every policy whose maximum wins for a collection here is allowed to delete, is not suspended, and had each scheduled run confirmed by an independent read in time, unless exact counts found nothing due.
# custom:
#   id: RETAIN-03
#   severity: high
#   facts: [coverage]
#   parameters:
#     purgeInterval:
#       description: How long after its scheduled time a purge may stay unverified.
#       schema: {type: string, format: duration}
#       default: P1D
#       tighter: Lower
#   reasonCodes:
#     PURGE_ALIVE: {outcome: Pass, message: "{policies} retention policies purge on schedule and were verified, or have nothing due"}
#     NO_PERSONAL_DATA: {outcome: NotApplicable, message: "every table is classified and none holds personal data"}
#     NO_LIMIT: {outcome: NotApplicable, message: "no collection here has a maximum, so nothing is to be purged"}
#     NOT_ENFORCED: {outcome: Fail, message: "policy {policy} has a maximum but deletes nothing: its mode is {mode}"}
#     PURGE_SUSPENDED: {outcome: Fail, message: "policy {policy} is suspended or frozen"}
#     PURGE_FAILED: {outcome: Fail, message: "the last purge of policy {policy} failed"}
#     PURGE_STALE: {outcome: Fail, message: "policy {policy} has had no verified purge for the run due at {dueAt:time}, and no count found that nothing is due"}
#     NOTHING_DECLARED: {outcome: Unknown, message: "no data map declares personal data here, and it is not proven that there is none"}
#     RULE_UNKNOWN: {outcome: Unknown, message: "it is not known of {collection}: {missing}"}
#     POLICY_UNKNOWN: {outcome: Unknown, message: "nothing is known about the purges of policy {policy}, which limits {collection}"}
#     COLLECTION_UNPROVEN: {outcome: Unknown, message: "policy {policy} makes rows of {collection} due, and no run of it has planned them yet; if the next does not either, its status tells what refuses them"}
#     NOT_YET_RUN: {outcome: Unknown, message: "no verified purge of policy {policy} is known yet, or too little of it to tell whether it was on time"}
#   refs:
#     gdpr: ["5(1)(e)", "5(1)(f)", "25(1)"]
#     iso27001: ["A.8.10", "A.8.32"]
#     soc2: ["CC8.1", "P4.3"]
#     nist80053: ["AC-5", "SI-12", "SI-12(3)"]
#   remediation: Set the policy to Apply once its plans are right, approve what waits, and see why its last PurgeRun did not end Succeeded.
package dataward.controls.retain.retain_03

import data.dataward.lib.declared
import data.dataward.lib.fact
import data.dataward.lib.outcome

facts := outcome.settle(found)

found contains reason if some reason in declared.obstacles

found contains outcome.unknown(outcome.store, "INPUT_MISSING", {"what": "retention policies and purge runs"}) if {
	not input.purges
}

found contains outcome.not_applicable("NO_LIMIT", {}) if {
	count(declared.personal) > 0
	every collection in declared.personal {
		collection.hasMaximum == false
	}
}

found contains outcome.unknown(outcome.collection(collection.name), "RULE_UNKNOWN", args) if {
	some collection in declared.personal
	missing := unknown_of(collection)
	count(missing) > 0
	args := {"collection": collection.name, "missing": missing}
}

found contains outcome.unknown(outcome.collection(collection.name), "POLICY_UNKNOWN", args) if {
	input.purges
	some collection in limited
	some policy in collection.maximaFrom
	not reported[policy]
	args := {"collection": collection.name, "policy": policy}
}

found contains outcome.fail(outcome.store, "NOT_ENFORCED", {"policy": purge.policy, "mode": purge.mode}) if {
	some purge in deciding
	purge.mode != "Apply"
}

found contains outcome.fail(outcome.store, "PURGE_SUSPENDED", {"policy": purge.policy}) if {
	some purge in deciding
	purge.suspended == true
}

found contains outcome.fail(outcome.store, "PURGE_FAILED", {"policy": purge.policy}) if {
	some purge in applying
	purge.lastState == "Failed"
}

found contains outcome.fail(outcome.store, "PURGE_STALE", {"policy": purge.policy, "dueAt": purge.nextDueAt}) if {
	some purge in applying
	purge.nextDueAt + input.params.purgeInterval <= input.now
}

found contains outcome.unknown(outcome.store, "NOT_YET_RUN", {"policy": purge.policy}) if {
	some purge in applying
	not conclusive(purge)
}

found contains outcome.unknown(outcome.collection(collection), "COLLECTION_UNPROVEN", {"policy": purge.policy, "collection": collection}) if {
	some purge in applying
	some collection in purge.unplanned
}

found contains outcome.pass(outcome.store, "PURGE_ALIVE", {"policies": count(deciding)}) if {
	count(deciding) > 0
	every collection in declared.personal {
		count(unknown_of(collection)) == 0
	}
	every collection in limited {
		every policy in collection.maximaFrom {
			reported[policy]
		}
	}
	every purge in deciding {
		purge.mode == "Apply"
		purge.suspended == false
		purge.unplanned == []
		on_time(purge)
	}
}

limited := [collection | some collection in declared.personal; collection.hasMaximum == true]

unknown_of(collection) := fact.absent(collection, ["hasMaximum", "maximaFrom"]) if not collection.hasMaximum == false

unknown_of(collection) := [] if collection.hasMaximum == false

reported := {purge.policy: true | some purge in input.purges}

winners := {policy: true | some collection in limited; some policy in collection.maximaFrom}

deciding := [purge | some purge in input.purges; winners[purge.policy]]

applying := [purge | some purge in deciding; purge.mode == "Apply"]

# Late and failed are findings of their own; on time needs the state of the last run as well.
conclusive(purge) if late(purge)

conclusive(purge) if purge.lastState == "Failed"

conclusive(purge) if {
	on_time(purge)
	is_array(purge.unplanned)
}

on_time(purge) if {
	in_time(purge, purge.lastVerifiedAt)
	purge.lastState != "Failed"
}

on_time(purge) if {
	in_time(purge, purge.nothingDueAt)
	purge.lastState != "Failed"
}

# Where nothing was ever due there was no run, and so no state of one.
on_time(purge) if {
	in_time(purge, purge.nothingDueAt)
	purge.attempted == false
	not purge.lastState == "Failed"
}

late(purge) if purge.nextDueAt + input.params.purgeInterval <= input.now

in_time(purge, at) if {
	at <= input.now + fact.clock_tolerance
	purge.nextDueAt + input.params.purgeInterval > input.now
}
