# METADATA
# title: What the data maps declare
# description: Collections that hold personal data, and whether a store without any is proven to have none.
package dataward.lib.declared

import data.dataward.lib.fact
import data.dataward.lib.outcome

# fideslang keys of people's data are user and everything below it; system.* is not about people.
personal_category(category) if category == "user"

personal_category(category) if startswith(category, "user.")

is_personal(collection) if {
	some category in collection.categories
	personal_category(category)
}

# An array: a set would hash every collection.
personal := [collection | some collection in input.collections; is_personal(collection)]

# An empty data map says nothing: only a complete look at the store shows that there is nothing to declare.
nothing_personal if {
	count(input.collections) >= 0
	count(personal) == 0
	fact.coverage.unclassified == 0
	fact.coverage.tables == fact.coverage.mapped + fact.coverage.nonPersonal
}

# What stands in the way of judging collections one by one: empty when nothing does.
obstacles contains outcome.unknown(outcome.store, "INPUT_MISSING", {"what": "data maps and retention policies"}) if {
	not input.collections
}

obstacles contains outcome.not_applicable("NO_PERSONAL_DATA", {}) if nothing_personal

obstacles contains outcome.unknown(outcome.store, "NOTHING_DECLARED", {}) if {
	count(input.collections) >= 0
	count(personal) == 0
	not nothing_personal
}
