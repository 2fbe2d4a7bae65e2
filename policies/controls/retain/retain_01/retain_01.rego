# METADATA
# title: Every collection of personal data has one computable maximum
# description: Each collection with personal data has a maximum that wins without conflict, counts from a time its rows really have, and meets no row whose time is unusable.
# custom:
#   id: RETAIN-01
#   severity: high
#   facts: [retention, coverage]
#   parameters:
#     maxIndeterminateRows:
#       description: Rows of one collection that may have no usable start time.
#       schema: {type: integer, minimum: 0, maximum: 1000000000}
#       default: 0
#       tighter: Lower
#   reasonCodes:
#     LIMITED: {outcome: Pass, message: "all {collections} collections with personal data have a maximum that can be computed"}
#     NO_PERSONAL_DATA: {outcome: NotApplicable, message: "every table is classified and none holds personal data"}
#     NO_RULE: {outcome: Fail, message: "no retention policy gives {collection} a maximum"}
#     NO_START_EVENT: {outcome: Fail, message: "{collection} has no time from which its period could be counted"}
#     MIN_GT_MAX: {outcome: Fail, message: "the rules for {collection} contradict each other; nothing of it is deleted until they agree"}
#     NULL_TIMESTAMPS: {outcome: Fail, message: "{count} rows of {collection} have no usable start time and will never become due"}
#     NOTHING_DECLARED: {outcome: Unknown, message: "no data map declares personal data here, and it is not proven that there is none"}
#     RULE_UNKNOWN: {outcome: Unknown, message: "it is not known of {collection}: {missing}"}
#     COUNT_UNAVAILABLE: {outcome: Unknown, message: "rows of {collection} without a usable start time were not counted exactly"}
#   refs:
#     gdpr: ["5(1)(e)", "13(2)(a)", "25(2)", "30(1)(f)"]
#     iso27001: ["A.5.33", "A.5.34", "A.8.10"]
#     soc2: ["P4.2"]
#     nist80053: ["SI-12", "SI-12(1)"]
#   remediation: Add a retention policy with a maximum for the collection, declare its start event in the data map, settle contradicting periods, and back-fill missing times.
package dataward.controls.retain.retain_01

import data.dataward.lib.declared
import data.dataward.lib.fact
import data.dataward.lib.outcome

facts := outcome.settle(found)

found contains reason if some reason in declared.obstacles

found contains reason if {
	count(declared.personal) > 0
	some reason in fact.unavailable("retention")
}

found contains outcome.fail(outcome.collection(collection.name), code, {"collection": collection.name}) if {
	some collection in declared.personal
	some code in broken(collection)
}

found contains outcome.unknown(outcome.collection(collection.name), "RULE_UNKNOWN", args) if {
	some collection in declared.personal
	missing := fact.absent(collection, ["conflicted", "hasMaximum", "startEventResolved"])
	count(missing) > 0
	args := {"collection": collection.name, "missing": missing}
}

found contains outcome.fail(outcome.collection(counted.name), "NULL_TIMESTAMPS", args) if {
	some counted in fact.retention.collections
	personal_names[counted.name]
	counted.indeterminate > input.params.maxIndeterminateRows
	args := {"collection": counted.name, "count": counted.indeterminate}
}

found contains outcome.unknown(outcome.collection(collection.name), "COUNT_UNAVAILABLE", {"collection": collection.name}) if {
	fact.retention
	some collection in declared.personal
	collection.hasMaximum == true
	not settled_count[collection.name]
}

found contains outcome.pass(outcome.store, "LIMITED", {"collections": count(declared.personal)}) if {
	count(declared.personal) > 0
	fact.retention
	every collection in declared.personal {
		collection.hasMaximum == true
		collection.startEventResolved == true
		collection.conflicted == false
		few_indeterminate[collection.name]
	}
}

broken(collection) := (no_rule(collection) | no_start(collection)) | contradiction(collection)

no_rule(collection) := {"NO_RULE" | collection.hasMaximum == false}

no_start(collection) := {"NO_START_EVENT" | collection.startEventResolved == false}

contradiction(collection) := {"MIN_GT_MAX" | collection.conflicted == true}

personal_names := {collection.name: true | some collection in declared.personal}

# A lower bound that is already too high settles the question; one that is low does not.
settled_count := {counted.name: true |
	some counted in fact.retention.collections
	settled(counted)
}

settled(counted) if counted.indeterminate > input.params.maxIndeterminateRows

settled(counted) if {
	counted.exact == true
	counted.indeterminate <= input.params.maxIndeterminateRows
}

few_indeterminate := {counted.name: true |
	some counted in fact.retention.collections
	counted.exact == true
	counted.indeterminate <= input.params.maxIndeterminateRows
}
