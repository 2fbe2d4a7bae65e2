# METADATA
# title: No record is kept past its limit
# description: In every collection with a maximum, no row that nothing keeps has been due for longer than the grace, and no row is kept for ever by rows without a maximum that refer to it.
# custom:
#   id: RETAIN-02
#   severity: critical
#   facts: [retention, coverage]
#   parameters:
#     purgeGrace:
#       description: How long a row may wait for the next purge after it became due.
#       schema: {type: string, format: duration}
#       default: P1D
#       tighter: Lower
#   reasonCodes:
#     WITHIN_LIMIT: {outcome: Pass, message: "no row of {collections} collections that could go is over its maximum by more than {grace:duration}; {blocked} rows stay because rows that refer to them have to"}
#     NO_PERSONAL_DATA: {outcome: NotApplicable, message: "every table is classified and none holds personal data"}
#     NO_LIMIT: {outcome: NotApplicable, message: "no collection here has a maximum to exceed"}
#     OVER_RETAINED: {outcome: Fail, message: "{count} rows of {collection} are due, the oldest since {oldestDueAt:time}"}
#     KEPT_WITHOUT_LIMIT: {outcome: Fail, message: "{count} rows of {collection} are over their maximum and stay for ever, because rows that refer to them have no maximum"}
#     NOTHING_DECLARED: {outcome: Unknown, message: "no data map declares personal data here, and it is not proven that there is none"}
#     RULE_UNKNOWN: {outcome: Unknown, message: "it is not known of {collection}: {missing}"}
#     NOT_COUNTABLE: {outcome: Unknown, message: "no rule can say which rows of {collection} are due: a column or start event it needs is not declared, or not there"}
#     COUNT_UNAVAILABLE: {outcome: Unknown, message: "due rows of {collection} were not counted exactly"}
#   refs:
#     gdpr: ["5(1)(e)", "17(1)(a)", "28(3)(a)"]
#     iso27001: ["A.8.10"]
#     soc2: ["C1.2", "P4.2", "P4.3"]
#     nist80053: ["SI-12", "SI-12(3)"]
#   remediation: Let the purge of the policy run; if it runs, look at its last PurgeRun for what it had to leave.
package dataward.controls.retain.retain_02

import data.dataward.lib.declared
import data.dataward.lib.fact
import data.dataward.lib.outcome

facts := outcome.settle(found)

found contains reason if some reason in declared.obstacles

found contains reason if {
	count(limited) > 0
	some reason in fact.unavailable("retention")
}

found contains outcome.not_applicable("NO_LIMIT", {}) if {
	count(declared.personal) > 0
	every collection in declared.personal {
		collection.hasMaximum == false
		collection.startEventResolved == true
	}
}

found contains outcome.unknown(outcome.collection(collection.name), "RULE_UNKNOWN", args) if {
	some collection in declared.personal
	missing := fact.absent(collection, ["hasMaximum", "startEventResolved"])
	count(missing) > 0
	args := {"collection": collection.name, "missing": missing}
}

found contains outcome.unknown(outcome.collection(collection.name), "NOT_COUNTABLE", {"collection": collection.name}) if {
	some collection in declared.personal

	# A column that was renamed away makes no row due any more: a clean 0 would be what is left of the rule.
	collection.startEventResolved == false
}

found contains outcome.fail(outcome.collection(counted.name), "OVER_RETAINED", args) if {
	some counted in fact.retention.collections
	limited[counted.name]
	over_retained(counted)
	args := {"collection": counted.name, "count": counted.due, "oldestDueAt": counted.oldestDueAt}
}

found contains outcome.fail(outcome.collection(counted.name), "KEPT_WITHOUT_LIMIT", args) if {
	some counted in fact.retention.collections
	limited[counted.name]
	counted.blockedForever > 0
	args := {"collection": counted.name, "count": counted.blockedForever}
}

found contains outcome.unknown(outcome.collection(name), "COUNT_UNAVAILABLE", {"collection": name}) if {
	fact.retention
	some name, _ in limited
	not settled[name]
}

found contains outcome.pass(outcome.store, "WITHIN_LIMIT", args) if {
	count(limited) > 0
	fact.retention
	every collection in declared.personal {
		known_limit(collection)
	}
	every name, _ in limited {
		within_limit[name]
	}
	args := {"blocked": sum(blocked), "collections": count(limited), "grace": input.params.purgeGrace}
}

# Rows that a row of a collection with its own maximum keeps are kept by that rule: not overdue, and not hidden.
blocked := [counted.blockedByReference |
	some counted in fact.retention.collections
	limited[counted.name]
]

limited := {collection.name: true |
	some collection in declared.personal
	collection.hasMaximum == true
}

known_limit(collection) if {
	is_boolean(collection.hasMaximum)
	collection.startEventResolved == true
}

over_retained(counted) if {
	counted.due > 0
	counted.oldestDueAt + input.params.purgeGrace <= input.now
}

# Rows that became due since the last purge are on time as long as the oldest of them is.
within_limit := {counted.name: true |
	some counted in fact.retention.collections
	on_time(counted)
	counted.blockedByReference >= 0
	counted.blockedForever == 0
}

on_time(counted) if {
	counted.due == 0
	counted.exact == true
}

on_time(counted) if {
	counted.due > 0
	counted.exact == true
	counted.oldestDueAt + input.params.purgeGrace > input.now
}

settled := object.union(within_limit, {counted.name: true |
	some counted in fact.retention.collections
	failed(counted)
})

failed(counted) if over_retained(counted)

failed(counted) if counted.blockedForever > 0
