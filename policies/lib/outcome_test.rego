# METADATA
# title: Tests of what a control says
package dataward.lib.outcome_test

import data.dataward.lib.outcome

subject_of := {"store": {"namespace": "ns", "name": "db"}}

test_finding_nothing_is_unknown if {
	settled := outcome.settle(set()) with input as subject_of
	settled == {{"outcome": "Unknown", "subject": {"namespace": "ns", "store": "db"}, "code": "UNDECIDED", "args": {}}}
}

test_what_was_found_stands if {
	fact := outcome.fail(outcome.collection("rows"), "CODE", {"n": 1}) with input as subject_of
	fact.subject == {"namespace": "ns", "store": "db", "collection": "rows"}
	outcome.settle({fact}) == {fact}
}
