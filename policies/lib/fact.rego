# METADATA
# title: Which observations count
# description: >-
#   An observation is used from the moment it was made until validUntil. Each group is a rule of its own, so that the
#   schema types it and a stale one is simply not there.
package dataward.lib.fact

import data.dataward.lib.outcome

# Clocks that differ by more than this do no work together; less must not make a fresh observation look like one
# from the future.
clock_tolerance := 60

current(fact) if {
	fact.observedAt <= input.now + clock_tolerance
	input.now <= fact.validUntil
}

transport := input.facts.transport if current(input.facts.transport)

coverage := input.facts.coverage if current(input.facts.coverage)

entry_points := input.facts.entryPoints if current(input.facts.entryPoints)

retention := input.facts.retention if current(input.facts.retention)

# Why a group cannot be used: empty when it can.
unavailable(group) := set() if current(input.facts[group])

unavailable(group) := {outcome.unknown(outcome.store, "FACT_MISSING", {"facts": group})} if not input.facts[group]

unavailable(group) := {outcome.unknown(outcome.store, "FACT_STALE", args)} if {
	fact := input.facts[group]
	not current(fact)
	args := {"facts": group, "observedAt": fact.observedAt, "validUntil": fact.validUntil}
}

# Names of the fields of an object that are not known. A field that is false is known.
absent(object_, names) := sort([name | some name in names; object.get(object_, name, null) == null])
