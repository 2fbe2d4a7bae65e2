# METADATA
# title: Tests of which observations count
package dataward.lib.fact_test

import data.dataward.lib.fact

test_current[name] if {
	some name, example in {
		"just made": {"observed": 100, "until": 200, "now": 100, "want": true},
		"a clock a minute ahead": {"observed": 160, "until": 200, "now": 100, "want": true},
		"a clock further ahead": {"observed": 161, "until": 200, "now": 100, "want": false},
		"in its last second": {"observed": 100, "until": 200, "now": 200, "want": true},
		"past its time": {"observed": 100, "until": 200, "now": 201, "want": false},
	}
	observation := {"observedAt": example.observed, "validUntil": example.until}
	current(observation, example.now) == example.want
}

current(observation, now) if fact.current(observation) with input.now as now

current(observation, now) := false if not fact.current(observation) with input.now as now

test_false_and_zero_are_known if fact.absent({"a": false, "b": 0, "c": null}, ["d", "c", "b", "a"]) == ["c", "d"]
